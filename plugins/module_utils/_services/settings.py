# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role variables that the configuration depends on; a test compares them with the role's defaults."""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.kinds import (
    Anything,
    Boolean,
    Choice,
    DictOf,
    Integer,
    ListOf,
    Text,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.table import Key
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.extra_sections import SECTION
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.kinds import (
    CONNECTIONS,
    COUNT,
    FILE_NAME,
    NAME,
    PATH,
    PORT,
    SOURCE_CONNECTIONS,
    TIMEOUT,
    Address,
    Duration,
    Line,
    Network,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.records import (
    AcmeCertificate,
    ErrorFile,
    Settings,
    StaticFile,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.schema import (
    KEEPALIVE_MODES,
    LINES,
    NETWORK_LISTS,
    REST_OF_LINE,
    VIP,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.static_files import wanted_files
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.typed import TypedRecord
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.undefined import is_marked
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.schema import INTERFACE

# The status codes whose page can be replaced: configuration manual, keyword `errorfile`.
ERROR_CODES = (200, 400, 401, 403, 404, 405, 407, 408, 410, 413, 425, 429, 500, 501, 502, 503, 504)
TEXT = Text()
VERSION = Text(r"\d+\.\d+", "a version of HAProxy", "Write major and minor, such as 2.6.")
SECRET = Text(r"\S.*", "a password", "Set a unique one, from a vault.")
BESIDE_CONFIGURATION = Text(
    r"/etc/haproxy/[A-Za-z0-9_][A-Za-z0-9_.-]*", "a file beside haproxy.cfg", "Put it into /etc/haproxy itself."
)
TUNING_NAME = Text(r"[a-z0-9._-]+", "a global keyword", "Write a keyword of the global section, such as tune.bufsize.")
TUNING_VALUE = Line(what="a number or a line of text", before=1)
OPENSSL_LIST = Text(r"[A-Za-z0-9_.,:;+!@=-]*", "a list of OpenSSL", "Write names with ':' between them.")

ERROR_FILE = TypedRecord(
    shape=ErrorFile,
    what="an error file",
    keys=(
        Key("code", Choice(tuple(str(code) for code in ERROR_CODES)), "Status code.", required=True),
        Key("path", PATH, "File with a whole HTTP answer; one of `haproxy_static_files` or any other.", required=True),
    ),
)


# Like all files of a release, these lie flat beside haproxy.cfg.
STATIC_FILE = TypedRecord(
    shape=StaticFile,
    what="a static file",
    keys=(
        Key("dest", BESIDE_CONFIGURATION, "Where it lies.", required=True),
        Key("content", Anything(), "Its text."),
        Key("src", TEXT, "File on the controller that it is a copy of, where it has no content."),
        Key("condition", Anything(), "Whether it is wanted."),
    ),
)


ACME_CERTIFICATE = TypedRecord(
    shape=AcmeCertificate,
    what="a certificate by ACME",
    keys=(
        Key("name", FILE_NAME, "Name of it, for `haproxy_ssl_certificates` of services.", required=True),
        Key("domains", ListOf(TEXT), "Names on it.", required=True),
    ),
)


SETTINGS = TypedRecord(
    shape=Settings,
    what="a setting",
    gone=(
        ("haproxy_stats_process", "HAProxy has no processes to pin any more: set nbthread in haproxy_tuning_params."),
        ("haproxy_ssl_temp_path", "Certificates are written to haproxy_ssl_cert_path at once: remove the variable."),
        ("haproxy_log_mount_point", "Nothing is mounted any more: set haproxy_log_socket if the journal will not do."),
    ),
    keys=(
        Key("haproxy_host", NAME, "Name of this load balancer.", "localhost"),
        Key("haproxy_hosts", ListOf(NAME), "Names of all load balancers."),
        Key("inventory_hostname", NAME, "Its name among the peers.", "localhost"),
        Key("ansible_host", Text(r"\S+", "a name or an address", "Leave out blanks."), "Where Ansible finds it."),
        Key("haproxy_version", VERSION, "HAProxy of the target, major and minor.", "2.6"),
        Key("haproxy_hatop_download_url", TEXT, "Archive that hatop comes from."),
        Key("haproxy_hatop_download_checksum", TEXT, "Checksum of the archive."),
        # Addresses.
        Key("haproxy_vips", Anything(), "All VIPs; the room `_vips` reads them.", []),
        Key("external_lb_vip_address", Address(wildcard=True), "External VIP, address or DNS name.", "*"),
        Key("internal_lb_vip_address", Address(wildcard=True), "Internal VIP, address or DNS name.", "*"),
        Key("haproxy_bind_external_lb_vip_address", Address(wildcard=True), "Address bound for the external VIP."),
        Key("haproxy_bind_internal_lb_vip_address", Address(wildcard=True), "Address bound for the internal VIP."),
        Key("haproxy_bind_external_lb_vip_interface", INTERFACE, "Interface bound for the external VIP."),
        Key("haproxy_bind_internal_lb_vip_interface", INTERFACE, "Interface bound for the internal VIP."),
        Key("extra_lb_vip_addresses", ListOf(Address(wildcard=True)), "Further VIPs, never TLS.", []),
        Key("extra_lb_tls_vip_addresses", ListOf(Address(wildcard=True)), "Further VIPs, TLS where it is on.", []),
        Key(
            "haproxy_vip_binds",
            ListOf(VIP),
            "All VIPs with their properties.",
            [],
            aliases=("haproxy_tls_vip_binds",),
        ),
        # Servers and health checks.
        Key("haproxy_rise", COUNT, "Good checks until a server is up.", 3),
        Key("haproxy_fall", COUNT, "Failed checks until a server is down.", 3),
        Key("haproxy_interval", Duration(), "Time between two health checks.", "12000"),
        Key("haproxy_backend_h2", Boolean(), "HTTP/2 to servers.", False),
        Key("haproxy_stick_table", LINES, "Stick lines of every http backend.", []),
        Key("haproxy_system_ca", PATH, "The system's CA bundle.", "/etc/ssl/certs/ca-certificates.crt"),
        Key("haproxy_peers", DictOf(Address(), NAME), "Load balancers that share stick tables, with addresses.", {}),
        Key("haproxy_peers_port", PORT, "Where they listen for each other.", 1024),
        # Frontends.
        Key("haproxy_frontend_h2", Boolean(), "HTTP/2 on TLS binds.", True),
        Key(
            "haproxy_frontend_extra_raw",
            LINES,
            "Raw lines of every frontend; http rules go to http frontends only.",
            [],
        ),
        Key("haproxy_network_lists", NETWORK_LISTS, "Lists of networks by their names.", {}),
        Key("haproxy_trusted_proxies", ListOf(Network()), "Proxies whose headers count.", [], since="2.6"),
        Key("haproxy_frontend_redirect_extra_raw", LINES, "Raw lines of every redirect frontend.", []),
        # Statistics.
        Key("haproxy_stats_enabled", Boolean(), "Statistics page.", False),
        Key("haproxy_stats_bind_address", Address(wildcard=True), "Its address.", "127.0.0.1"),
        Key("haproxy_stats_port", PORT, "Its port.", 1936),
        Key("haproxy_stats_ssl", Boolean(), "TLS on it.", False),
        Key("haproxy_stats_ssl_cert_path", PATH, "Its certificate."),
        Key("haproxy_stats_ssl_client_cert_ca", PATH, "CA that client certificates must come from."),
        Key("haproxy_username", Text(r"[^\s:]+", "a user name", "Leave out ':' and blanks."), "Its user.", "admin"),
        Key("haproxy_stats_password", SECRET, "Its password.", secret=True),
        Key("haproxy_stats_refresh_interval", Integer(1, 86_400, "seconds"), "Seconds between refreshes.", 60),
        Key("haproxy_stats_prometheus_enabled", Boolean(), "Prometheus metrics on it.", False),
        # TLS.
        Key("haproxy_ssl", Boolean(), "Certificates are made and TLS is set up.", True),
        Key("haproxy_ssl_all_vips", Boolean(), "TLS on all VIPs.", False),
        Key("haproxy_ssl_cert_path", PATH, "Directory of the certificates.", "/etc/haproxy/ssl"),
        Key(
            "haproxy_ssl_ocsp_update",
            Boolean(),
            "HAProxy asks for OCSP responses and staples them.",
            False,
            since="3.0",
        ),
        Key("haproxy_systemd_hardening", Boolean(), "HAProxy's unit has a sandbox.", True),
        Key(
            "haproxy_pki_key_type",
            Choice(("ECDSA", "RSA", "both")),
            "Keys of the certificates that are made.",
            "ECDSA",
        ),
        Key(
            "haproxy_pki_backend",
            Choice(("standalone",), gone=(("hashi_vault", "Only the authority in haproxy_pki_dir is supported."),)),
            "Where the authority is.",
            "standalone",
        ),
        Key("haproxy_pki_names", ListOf(TEXT), "Certificates that load balancers get beside those of VIPs."),
        Key("haproxy_pki_roots", ListOf(TEXT), "Authorities that sign themselves.", []),
        Key("haproxy_pki_revoking", ListOf(TEXT), "Authorities that have a revocation list.", []),
        Key("haproxy_user_ssl_cert", PATH, "The user's certificate for all VIPs."),
        Key("haproxy_user_ssl_key", PATH, "Its key."),
        Key("haproxy_user_ssl_ca_cert", PATH, "Its chain."),
        Key(
            "haproxy_ssl_profile",
            Choice(("modern", "intermediate", "compatible"), gone=(("old", "It is called compatible here."),)),
            "Which clients are served, by Mozilla's guidelines.",
            "intermediate",
        ),
        Key("haproxy_ssl_dh_param", Integer(2048, 8192, "bits"), "Bits of DH parameters.", 2048),
        Key(
            "haproxy_ssl_bind_options",
            REST_OF_LINE,
            "ssl-default-bind-options.",
            "ssl-min-ver TLSv1.2 prefer-client-ciphers",
        ),
        Key("haproxy_ssl_server_options", REST_OF_LINE, "ssl-default-server-options.", "ssl-min-ver TLSv1.2"),
        Key("haproxy_ssl_cipher_suite_tls12", OPENSSL_LIST, "Ciphers up to TLS 1.2.", ""),
        Key("haproxy_ssl_cipher_suite_tls13", OPENSSL_LIST, "Cipher suites of TLS 1.3.", ""),
        Key("haproxy_ssl_curves", OPENSSL_LIST, "Elliptic curves.", ""),
        Key(
            "haproxy_ssl_letsencrypt_install_method",
            Choice(("distro", "venv"), gone=(("certbot-auto", "It was withdrawn in 2021: use distro or venv."),)),
            "Where certbot comes from.",
            "distro",
        ),
        Key("haproxy_ssl_letsencrypt_enable", Boolean(), "The external VIP's certificate comes by ACME.", False),
        Key("haproxy_ssl_letsencrypt_email", TEXT, "Where the CA writes to."),
        Key("haproxy_ssl_letsencrypt_domains", ListOf(TEXT), "Names on the certificate.", []),
        Key("haproxy_ssl_letsencrypt_certificates", ListOf(ACME_CERTIFICATE), "More certificates by ACME.", []),
        Key("haproxy_ssl_letsencrypt_key_type", Choice(("ECDSA", "RSA")), "Keys of them.", "ECDSA"),
        Key(
            "haproxy_ssl_letsencrypt_certbot_challenge", Choice(("http-01", "dns-01")), "Kind of challenge.", "http-01"
        ),
        Key("haproxy_ssl_letsencrypt_certbot_authenticator", NAME, "What answers challenges.", "standalone"),
        Key("haproxy_ssl_letsencrypt_certbot_bind_address", Address(wildcard=True), "Where certbot listens."),
        Key("haproxy_ssl_letsencrypt_certbot_backend_port", PORT, "The port of it.", 8888),
        Key("haproxy_ssl_letsencrypt_pre_hook_timeout", Integer(0, 300, "seconds"), "Head start of the checks.", 5),
        # Process and defaults.
        Key("haproxy_retries", Integer(0, 100, "a count"), "Tries to connect to a server.", 3),
        Key("haproxy_client_timeout", TIMEOUT, "Longest silence of a client.", "50s"),
        Key("haproxy_connect_timeout", TIMEOUT, "Longest connect to a server.", "10s"),
        Key("haproxy_http_request_timeout", TIMEOUT, "Longest wait for a whole request.", "5s"),
        Key("haproxy_http_keepalive_timeout", TIMEOUT, "Longest wait for the next request.", "10s"),
        Key("haproxy_server_timeout", TIMEOUT, "Longest silence of a server.", "50s"),
        Key("haproxy_hard_stop_after", Duration(), "Longest life of a worker after a reload.", "30m"),
        Key("haproxy_keepalive_mode", KEEPALIVE_MODES, "Connection mode.", "http-keep-alive"),
        Key("haproxy_maxconn", CONNECTIONS, "Connections at once.", 4096),
        Key("haproxy_frontend_maxconn", CONNECTIONS, "Connections at once of each frontend.", 3072),
        Key("haproxy_connections_per_source", SOURCE_CONNECTIONS, "Connections at once of one client.", 0),
        Key("haproxy_tuning_params", DictOf(TUNING_VALUE, TUNING_NAME), "Keywords of the global section.", {}),
        Key("haproxy_global_raw", LINES, "Raw lines of the global section.", []),
        Key("haproxy_defaults_raw", LINES, "Raw lines of the defaults section.", []),
        Key("haproxy_extra_sections", ListOf(SECTION), "Sections of the user's.", []),
        Key("haproxy_expectations", Anything(), "What should come of requests; the room `_rehearsal` reads it.", []),
        Key("haproxy_log_socket", Text(r"\S+", "a log target"), "Where logs go.", "/dev/log"),
        Key("haproxy_static_files", ListOf(STATIC_FILE), "Files beside haproxy.cfg.", []),
        Key("haproxy_errorfiles", ListOf(ERROR_FILE), "Pages instead of HAProxy's own errors.", []),
    ),
)

MISSING = object()


def collect(variable: t.Callable[[str], t.Any], nodes: t.Sequence[str]) -> dict[str, t.Any]:
    """The settings as the variables of a host have them, by name; a password goes its own way.

    ``variable`` returns the value of a variable, a mark if it cannot be resolved, or ``MISSING``. ``nodes`` are all
    load balancers.
    """
    found: dict[str, t.Any] = {}
    for key in SETTINGS.keys:
        values = [value for name in (key.name, *key.aliases) if (value := variable(name)) is not MISSING]
        if values and not key.secret:
            # The first that says something.
            found[key.name] = next(filter(None, values), values[0])
    authorities = variable("haproxy_pki_authorities")
    certificates = (variable("haproxy_pki_extra_certificates"), variable("haproxy_user_certificates"))
    return {
        **found,
        "haproxy_hosts": nodes,
        "haproxy_pki_names": _names(certificates, lambda _entry: True),
        "haproxy_pki_roots": _names([authorities], lambda entry: "signed_by" not in entry),
        "haproxy_pki_revoking": _names([authorities], lambda entry: "revoked" in entry),
        "haproxy_static_files": wanted_files(found.get("haproxy_static_files", [])),
    }


def _names(lists: t.Iterable[t.Any], is_wanted: t.Callable[[dict[str, t.Any]], bool]) -> t.Any:
    """The names of entries of these lists, or the mark of one that cannot be resolved."""
    names: list[t.Any] = []
    for entries in lists:
        if is_marked(entries):
            return entries
        if isinstance(entries, (list, tuple)):
            names += [entry.get("name", "") for entry in entries if isinstance(entry, dict) and is_wanted(entry)]
    return names


SETTING_DEFAULTS = {key.name: key.default for key in SETTINGS.keys}
