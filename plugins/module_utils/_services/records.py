# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services and settings in their normal form, and what is in them.

An attribute is called as its key, without the prefix C(haproxy_). None is what was not given and has no default.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.sockets import Bind
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.vip import UserCertificate, Vip


@dataclasses.dataclass(frozen=True)
class Node:
    """A server of a service."""

    name: str
    #: looked up by the name where it is not given
    ip_addr: str = ""
    backend_port: int | None = None
    check_port: int | None = None
    weight: int | None = None
    maxconn: int | None = None
    backend_server_options: list[str] | None = None


@dataclasses.dataclass(frozen=True)
class ServiceBind:
    """An address that one service listens on."""

    address: str
    interface: str | None = None
    type: str | None = None
    pki_san_records: list[str] | None = None
    user_ssl_cert: str | None = None
    user_ssl_key: str | None = None
    user_ssl_ca_cert: str | None = None
    options: list[str] | None = None

    @property
    def certificate(self) -> UserCertificate | None:
        return UserCertificate.of_paths(self.user_ssl_cert, self.user_ssl_key, self.user_ssl_ca_cert)


@dataclasses.dataclass(frozen=True)
class NamedCertificate:
    """A certificate that a service shows to who asks for certain names."""

    name: str
    hosts: list[str] | None = None
    options: str | None = None

    @property
    def is_path(self) -> bool:
        return self.name.startswith("/")


@dataclasses.dataclass(frozen=True)
class Acl:
    """An ACL, and the service that takes what matches."""

    rule: str
    backend_name: str | None = None


@dataclasses.dataclass(frozen=True)
class MapEntries:
    """What a service puts into a map."""

    name: str
    order: str | None = None
    state: str | None = None
    entries: list[str] | None = None

    @property
    def is_present(self) -> bool:
        return self.state != "absent"


@dataclasses.dataclass(frozen=True)
class Service:
    """A service: its keys, aliases resolved and defaults filled in, its nodes with addresses; and where it listens."""

    service_name: str
    state: str
    service_enabled: bool
    limit_hosts: list[str] | None
    # Where it listens.
    port: int | None
    bind: list[ServiceBind] | None
    bind_options: list[str] | None
    single_frontend: bool
    frontend_maxconn: int | None
    connections_per_source: int
    frontend_only: bool
    backend_only: bool
    balance_type: str
    # TLS towards clients.
    ssl: bool
    ssl_all_vips: bool
    ssl_path: str | None
    ssl_certificates: list[NamedCertificate] | None
    ssl_client_ca: str | None
    ssl_client_crl: str | None
    ssl_client_verify: str
    frontend_h2: bool
    accept_both_protocols: bool
    redirect_http_port: int | None
    redirect_scheme: str | None
    # What the frontend does with requests.
    acls: dict[str, Acl] | None
    frontend_acls: dict[str, Acl] | None
    maps: list[str] | None
    map_entries: list[MapEntries] | None
    default_backend: str | None
    allowlist_networks: list[str] | None
    denylist_networks: list[str] | None
    trusted_proxies: list[str]
    forwarded_for: str
    http_keepalive_mode: str | None
    frontend_raw: list[str] | None
    # The servers behind it.
    backend_nodes: list[Node] | None
    backup_nodes: list[Node] | None
    backend_port: int | None
    check_port: int | None
    balance_alg: str
    interval: str
    backend_rise: int
    backend_fall: int
    backup_rise: int
    backup_fall: int
    backend_httpcheck_options: list[str] | None
    backend_options: list[str] | None
    backend_arguments: list[str] | None
    backend_server_options: list[str] | None
    cookie: str | None
    stick_table_enabled: bool
    stick_table: list[str]
    http_reuse: str | None
    retry_on: list[str] | None
    # TLS towards servers.
    backend_ssl: bool
    backend_ssl_check: bool | None
    backend_ca: bool | str
    backend_sni: str | None
    backend_verifyhost: str | None
    backend_h2: bool
    # Times.
    timeout_client: str | None
    timeout_server: str | None
    timeout_tunnel: str | None
    timeout_queue: str | None
    timeout_check: str | None
    # Proof.
    expect: list[dict[str, t.Any]] | None
    #: the sockets of its frontends, which follow from these keys and the VIPs; empty for one that is only a backend
    binds: tuple[Bind, ...] = ()

    @property
    def is_enabled(self) -> bool:
        """Whether any load balancer may have it."""
        return self.state != "absent" and self.service_enabled

    @property
    def nodes_by_key(self) -> dict[str, list[Node]]:
        """All its servers, by the key that they stand under."""
        return {"haproxy_backend_nodes": self.backend_nodes or [], "haproxy_backup_nodes": self.backup_nodes or []}

    @property
    def nodes(self) -> list[Node]:
        """All its servers, backup ones behind the others."""
        return [*(self.backend_nodes or ()), *(self.backup_nodes or ())]

    @property
    def has_backend(self) -> bool:
        """Whether it has a backend section: a list of servers, be it empty, or raw lines that answer for them."""
        if self.frontend_only:
            return False
        are_listed = self.backend_nodes is not None or self.backup_nodes is not None
        return are_listed or bool(self.backend_arguments)

    @property
    def is_served(self) -> bool:
        """Whether there is anything for a frontend of it to lead to."""
        return self.frontend_only or self.has_backend


@dataclasses.dataclass(frozen=True)
class ErrorFile:
    """A page in place of one of HAProxy's own errors."""

    code: str
    path: str


@dataclasses.dataclass(frozen=True)
class StaticFile:
    """A file beside haproxy.cfg."""

    dest: str
    content: t.Any | None = None
    src: str | None = None
    condition: t.Any | None = None


@dataclasses.dataclass(frozen=True)
class AcmeCertificate:
    """A certificate that an ACME server issues, beside that of the external VIPs."""

    name: str
    domains: list[str]


@dataclasses.dataclass(frozen=True)
class ExtraSection:
    """A section that the user writes."""

    type: str
    lines: list[str]
    name: str | None = None
    from_: str | None = None


@dataclasses.dataclass(frozen=True)
class Settings:
    """The variables of the role, and the VIPs and network lists that they say."""

    host: str
    hosts: list[str] | None
    inventory_hostname: str
    ansible_host: str | None
    version: str
    hatop_download_url: str | None
    hatop_download_checksum: str | None
    # Addresses.
    vips: list[Vip]
    external_lb_vip_address: str
    internal_lb_vip_address: str
    bind_external_lb_vip_address: str | None
    bind_internal_lb_vip_address: str | None
    bind_external_lb_vip_interface: str | None
    bind_internal_lb_vip_interface: str | None
    extra_lb_vip_addresses: list[str]
    extra_lb_tls_vip_addresses: list[str]
    #: as the room C(_vips) reads them
    vip_binds: list[dict[str, t.Any]]
    # Servers and health checks.
    rise: int
    fall: int
    interval: str
    backend_h2: bool
    stick_table: list[str]
    system_ca: str
    peers: dict[str, str]
    peers_port: int
    # Frontends.
    frontend_h2: bool
    frontend_extra_raw: list[str]
    #: the patterns of each, one a line
    network_lists: dict[str, str]
    trusted_proxies: list[str]
    frontend_redirect_extra_raw: list[str]
    # Statistics.
    stats_enabled: bool
    stats_bind_address: str
    stats_port: int
    stats_ssl: bool
    stats_ssl_cert_path: str | None
    stats_ssl_client_cert_ca: str | None
    username: str
    stats_password: str | None
    stats_refresh_interval: int
    stats_prometheus_enabled: bool
    # TLS.
    ssl: bool
    ssl_all_vips: bool
    ssl_cert_path: str
    ssl_ocsp_update: bool
    systemd_hardening: bool
    pki_key_type: str
    pki_backend: str
    pki_names: list[str] | None
    pki_roots: list[str]
    pki_revoking: list[str]
    user_ssl_cert: str | None
    user_ssl_key: str | None
    user_ssl_ca_cert: str | None
    ssl_profile: str
    ssl_dh_param: int
    ssl_bind_options: str
    ssl_server_options: str
    ssl_cipher_suite_tls12: str
    ssl_cipher_suite_tls13: str
    ssl_curves: str
    ssl_letsencrypt_install_method: str
    ssl_letsencrypt_enable: bool
    ssl_letsencrypt_email: str | None
    ssl_letsencrypt_domains: list[str]
    ssl_letsencrypt_certificates: list[AcmeCertificate]
    ssl_letsencrypt_key_type: str
    ssl_letsencrypt_certbot_challenge: str
    ssl_letsencrypt_certbot_authenticator: str
    ssl_letsencrypt_certbot_bind_address: str | None
    ssl_letsencrypt_certbot_backend_port: int
    ssl_letsencrypt_pre_hook_timeout: int
    # Process and defaults.
    retries: int
    client_timeout: str
    connect_timeout: str
    http_request_timeout: str
    http_keepalive_timeout: str
    server_timeout: str
    hard_stop_after: str
    keepalive_mode: str
    maxconn: int
    frontend_maxconn: int
    connections_per_source: int
    tuning_params: dict[str, str]
    global_raw: list[str]
    defaults_raw: list[str]
    extra_sections: list[ExtraSection]
    expectations: t.Any
    log_socket: str
    static_files: list[StaticFile]
    errorfiles: list[ErrorFile]

    @property
    def user_certificate(self) -> UserCertificate | None:
        """The user's own for all VIPs that have no other."""
        return UserCertificate.of_paths(self.user_ssl_cert, self.user_ssl_key, self.user_ssl_ca_cert)

    @property
    def tls_vips(self) -> list[Vip]:
        """The VIPs that may speak TLS."""
        return [vip for vip in self.vips if vip.tls is not False]
