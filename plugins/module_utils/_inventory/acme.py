# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What haproxy-acme has to know of an inventory; ``_node/acme/settings.py`` reads it. Pure."""

from __future__ import annotations

import dataclasses
import posixpath
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.static_files import holds
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.entries import items
from ansible_collections.lbforge.haproxy.plugins.module_utils.addresses import is_ip

Data = t.Mapping[str, t.Any]

_DAY = 86400
#: the directories of Let's Encrypt: https://letsencrypt.org/docs/staging-environment/
_PRODUCTION = "https://acme-v02.api.letsencrypt.org/directory"
_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"


@dataclasses.dataclass(frozen=True)
class Config:
    """The file config.json of a node."""

    node: str
    peers: t.Mapping[str, str]
    """Addresses by name, of this node too."""
    peers_port: int
    vip: str
    """Whose holder orders; empty where it is the first node that answers."""
    server: str
    """The directory of the ACME server."""
    key_type: str
    renew_before: int
    """Seconds before a certificate expires; 0 is a third of its lifetime."""
    certificates: t.Sequence[Data]
    certbot: t.Sequence[str]
    certbot_extra: str
    """More words for the command line, in the form of a shell."""
    certbot_directory: str
    store: str
    """Where HAProxy has its certificates."""
    stats_socket: str = "/run/haproxy/admin.sock"


def config(
    variable: t.Callable[[str], t.Any], certificates: t.Sequence[Data], services: t.Sequence[t.Any], external: Data
) -> Config:
    """The file of the node whose variables these are.

    ``variable`` returns a value by the name, ``certificates`` are those of the model, ``services`` all services, and
    ``external`` is the external VIP, as the filter vip_of_type returns it.
    """
    answers_itself = variable("haproxy_ssl_letsencrypt_service") not in services
    moves = holds(variable("haproxy_use_keepalived"))
    return Config(
        node=variable("inventory_hostname"),
        peers=variable("haproxy_ssl_letsencrypt_peers"),
        peers_port=int(variable("haproxy_ssl_letsencrypt_peers_port")),
        vip=_vip(variable, external) if moves else "",
        server=_server(variable),
        key_type=variable("haproxy_ssl_letsencrypt_key_type").lower(),
        renew_before=int(variable("haproxy_ssl_letsencrypt_renew_before_days")) * _DAY,
        certificates=certificates,
        certbot=[*_certbot(variable), *_challenge(variable, answers_itself)],
        certbot_extra=variable("haproxy_ssl_letsencrypt_setup_extra_params"),
        certbot_directory=_directory(variable),
        store=variable("haproxy_ssl_cert_path"),
    )


def _vip(variable: t.Callable[[str], t.Any], external: Data) -> str:
    """The address that shows who orders: of a VIP that is a name, what keepalived moves."""
    bound = str(variable("haproxy_bind_external_lb_vip_address"))
    moved = [str(cidr).partition("/")[0] for cidr in items(variable("haproxy_keepalived_external_vip_cidr"))]
    return next(filter(None, [external.get("address", ""), bound if is_ip(bound) else "", *moved]), bound)


def _server(variable: t.Callable[[str], t.Any]) -> str:
    by_default = _STAGING if holds(variable("haproxy_ssl_letsencrypt_staging")) else _PRODUCTION
    return str(variable("haproxy_ssl_letsencrypt_certbot_server") or by_default)


def _directory(variable: t.Callable[[str], t.Any]) -> str:
    return posixpath.dirname(str(variable("haproxy_ssl_letsencrypt_config_path")))


def _certbot(variable: t.Callable[[str], t.Any]) -> list[str]:
    """The options of every order: https://eff-certbot.readthedocs.io/en/stable/using.html#certbot-command-line-options."""
    return [
        variable("haproxy_ssl_letsencrypt_certbot_binary"),
        "--non-interactive",
        "--agree-tos",
        *("--config", "/etc/haproxy-acme/certbot.ini"),
        *("--config-dir", _directory(variable)),
        *("--email", variable("haproxy_ssl_letsencrypt_email")),
        *("--server", _server(variable)),
        *("--authenticator", variable("haproxy_ssl_letsencrypt_certbot_authenticator")),
        *("--preferred-challenges", variable("haproxy_ssl_letsencrypt_certbot_challenge")),
    ]


def _challenge(variable: t.Callable[[str], t.Any], answers_itself: bool) -> list[str]:
    """Where certbot answers. Without the role's service for that, something has to answer for it before it does."""
    if variable("haproxy_ssl_letsencrypt_certbot_challenge") != "http-01":
        return []
    return [
        *("--http-01-address", variable("haproxy_ssl_letsencrypt_certbot_bind_address")),
        *("--http-01-port", str(variable("haproxy_ssl_letsencrypt_certbot_backend_port"))),
        *(["--pre-hook", f"{_directory(variable)}/renewal-hooks/pre/haproxy"] if answers_itself else []),
    ]
