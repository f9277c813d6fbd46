# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one table of what a service dict may hold.

The validator, the defaults, docs/service-keys.md and docs/haproxy_services.schema.json are made of it.
Meanings may use Markdown's backticks; they stand in the documentation as they are.
"""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.kinds import (
    INVALID,
    Boolean,
    Choice,
    DictOf,
    ListOf,
    Text,
    is_set,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.place import Place
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.table import Key, Record
from ansible_collections.lbforge.haproxy.plugins.module_utils._services import networks
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.kinds import (
    CONNECTIONS,
    COUNT,
    FILE_NAME,
    NAME,
    NAME_OR_PATH,
    PATH,
    PORT,
    SOURCE_CONNECTIONS,
    TIMEOUT,
    WEIGHT,
    Address,
    Balance,
    BooleanOrPath,
    Duration,
    Expectations,
    Line,
    Lines,
    Network,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.records import (
    Acl,
    MapEntries,
    NamedCertificate,
    Node,
    Service,
    ServiceBind,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.typed import TypedRecord
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.schema import INTERFACE

LINES = Lines()
REST_OF_LINE = Line(what="words of a line of HAProxy configuration", before=1)
AFTER_TWO_WORDS = Line(what="words of a line of HAProxy configuration", before=2)
REST_OF_LINES = Lines(REST_OF_LINE)
# What we write at the end of one line, item behind item.
WORDS = Lines(REST_OF_LINE, joined=True)
KEEPALIVE_MODES = Choice(
    ("http-keep-alive", "http-server-close", "httpclose"),
    # HAProxy removed the word in 2.0; httpclose is what it became.
    synonyms=(("forceclose", "httpclose"),),
)
SNI = Line(
    r"[A-Za-z0-9_.-]+|\S*\(.*",
    "a DNS name or a sample expression",
    "Write a name such as api.example.org, or ssl_fc_sni.",
    before=1,
)
ACL_NAME = Text(
    r"[A-Za-z0-9_.:-]+",
    "a name of an ACL",
    "Use letters, digits, '-', '_', '.' and ':' only.",
    # The only word of conditions that could be a name (configuration manual, section 7.2).
    reserved=(("or", "in conditions it stands between ACLs"),),
)
RETRY_CONDITIONS = Choice(
    (
        *("none", "conn-failure", "empty-response", "junk-response", "response-timeout", "0rtt-rejected"),
        *("401", "403", "404", "408", "425", "500", "501", "502", "503", "504", "all-retryable-errors"),
    )
)

NODE = TypedRecord(
    shape=Node,
    what="a backend node",
    short_for="name",
    keys=(
        Key("name", NAME, "Name of the server; alone, it is a host of the inventory.", required=True),
        Key("ip_addr", Address(), "Address of the server; without it the name is looked up in the inventory."),
        Key("backend_port", PORT, "Port of this server, instead of the service's `haproxy_backend_port`."),
        Key(
            "check_port",
            PORT,
            "Port that health checks go to; follows this node's `backend_port` if that is set, else the service's"
            " `haproxy_check_port`.",
        ),
        Key("weight", WEIGHT, "Share of the traffic relative to the other servers; 0 takes no new sessions."),
        Key("maxconn", CONNECTIONS, "Concurrent connections; more of them wait in the server's queue."),
        Key("backend_server_options", WORDS, "Words added at the end of this server's line."),
    ),
)

BIND = Record(
    what="a bind",
    short_for="address",
    gone=(("letsencrypt", "It is a key of VIPs; a service has haproxy_ssl_certificates."),),
    keys=(
        Key("address", Address(wildcard=True), "Address to listen on.", required=True),
        Key("interface", INTERFACE, "Interface to listen on; combined with address `*` it serves all its addresses."),
        Key(
            "type",
            Choice(("external", "internal")),
            "Which VIP this is; only distinguishes names on certificates.",
        ),
        Key("pki_san_records", ListOf(Text(r"\S+", "a name")), "Further names on the certificate of this bind."),
        Key("user_ssl_cert", PATH, "Own certificate for this address, a path on the setup host; needs the next key."),
        Key("user_ssl_key", PATH, "Its private key, a path on the setup host."),
        Key("user_ssl_ca_cert", PATH, "The certificates between it and the root, a path on the setup host."),
    ),
)

SERVICE_BIND = TypedRecord(
    shape=ServiceBind,
    what=BIND.what,
    short_for=BIND.short_for,
    gone=BIND.gone,
    keys=(
        *BIND.keys,
        Key(
            "options",
            LINES,
            "In `haproxy_bind` only: words added to this bind alone, behind those of `haproxy_bind_options`.",
        ),
    ),
)

VIP = Record(
    what="a VIP",
    short_for="address",
    keys=(
        *BIND.keys,
        Key(
            "letsencrypt",
            FILE_NAME,
            "In `haproxy_vip_binds` only: a certificate of `haproxy_ssl_letsencrypt_certificates`, by its name, that"
            " this VIP shows instead of the first one.",
        ),
    ),
)

CERTIFICATE = TypedRecord(
    shape=NamedCertificate,
    what="a certificate for some names",
    short_for="name",
    keys=(
        Key(
            "name",
            NAME_OR_PATH,
            "Name of a certificate of `haproxy_pki_extra_certificates` or `haproxy_user_certificates`, or a path on the"
            " load balancer.",
            required=True,
        ),
        Key(
            "hosts",
            ListOf(
                Text(
                    r"!?(\*\.)?[A-Za-z0-9_.-]+",
                    "a host name",
                    "Write www.example.org, *.example.org or !a.example.org.",
                )
            ),
            "Names that clients ask for, instead of those on the certificate.",
            restricts=True,
        ),
        Key(
            "options",
            Text(
                "[^\\[\\]\\n'\"\\\\]+",
                "options of a crt-list without brackets and quotes",
                "Leave out brackets, quotes and backslashes; a crt-list knows no quoting.",
            ),
            "Options for these names alone, such as `verify required ca-file /etc/haproxy/clients.pem`.",
            restricts=True,
        ),
    ),
)

ACL = TypedRecord(
    shape=Acl,
    what="an ACL",
    keys=(
        Key(
            "rule",
            Line(what="a criterion and a pattern", before=2),
            "Criterion and pattern, such as `path_beg /api`.",
            required=True,
        ),
        Key("backend_name", NAME, "Service that takes the requests which match; without it, this service."),
    ),
)

NETWORK_LIST = Record(
    what="a network list",
    short_for="networks",
    keys=(
        Key(
            "networks",
            ListOf(Network()),
            "Networks, ranges, wildcards and names of other lists.",
            restricts=True,
        ),
        Key(
            "file",
            Text(what="the path of a file"),
            "File on the controller with more networks, one a line; `#` and `;` begin a remark.",
            restricts=True,
        ),
        Key("except", ListOf(Network()), "What is taken out of all that, as in `networks`.", restricts=True),
    ),
)


class NetworkLists(DictOf):
    """Lists by their names. What is right of a wrong one is read, so that all its mistakes are told, and no others."""

    def read(self, value: t.Any, place: Place) -> t.Any:
        if not isinstance(value, dict):
            return super().read(value, place)
        result = {}
        for name, item in value.items():
            here = place.key(str(name))
            if self.names.read(name, here) is INVALID:
                continue
            if isinstance(item, dict):
                result[name], _is_whole = NETWORK_LIST.read_keys(item, here)
            else:
                read = NETWORK_LIST.read(item, here) if is_set(item) else INVALID
                result[name] = {} if read is INVALID else read
        return result


NETWORK_LISTS = NetworkLists(
    NETWORK_LIST,
    Text(
        networks.LIST_NAME.pattern,
        "a name of a network list",
        "Begin with a letter; use letters, digits, '-' and '_' only.",
    ),
)

MAP_ENTRIES = TypedRecord(
    shape=MapEntries,
    what="entries of a map",
    keys=(
        Key("name", FILE_NAME, "Name of the map; the file is `/etc/haproxy/NAME.map`.", required=True),
        Key("order", Text(r"[0-9A-Za-z_.-]+", "a sort key"), "Where these entries stand among other services'.", "00"),
        Key("state", Choice(("present", "absent")), "Whether the entries are in the map.", "present"),
        Key(
            "entries",
            ListOf(Text(what="a line of a map")),
            "Lines of a key, blanks and a value; required unless `state` is `absent`.",
        ),
    ),
)

SERVICE = TypedRecord(
    shape=Service,
    what="a service",
    gone=(
        ("haproxy_tcp_upgrade_frontend", "Use haproxy_accept_both_protocols."),
        ("haproxy_tcp_upgrade_backend", "Use haproxy_accept_both_protocols."),
        ("haproxy_tls_vip_binds", "It is a role variable: haproxy_vip_binds."),
        ("hap_service_name", "Names begin with haproxy_ since 2017: haproxy_service_name."),
    ),
    keys=(
        Key(
            "haproxy_service_name",
            NAME,
            "Name of the service; its sections are called `NAME-front-1`, `NAME-redirect-front-1` and `NAME-back`.",
            required=True,
        ),
        Key(
            "state",
            Choice(("present", "absent")),
            "`absent` leaves the service out, as does removing it from the list.",
            "present",
        ),
        Key("haproxy_service_enabled", Boolean(), "False leaves the service out.", True),
        Key(
            "haproxy_limit_hosts",
            ListOf(NAME),
            "Load balancers that get this service; without it, all of them. With `[]`, none.",
            restricts=True,
        ),
        # Where it listens.
        Key("haproxy_port", PORT, "Port of the frontend; needed unless `haproxy_backend_only`."),
        Key(
            "haproxy_bind",
            ListOf(SERVICE_BIND),
            "Addresses to listen on, instead of all VIPs; the first counts as external. With `[]` the service has no"
            " frontend.",
            restricts=True,
        ),
        Key("haproxy_bind_options", WORDS, "Words added to every bind of the service, such as `accept-proxy`."),
        Key(
            "haproxy_single_frontend",
            Boolean(),
            "All binds of the service in one frontend, `NAME-front-1`, plain ones and those with TLS: they share its"
            " limits, counters and tables.",
            False,
        ),
        Key(
            "haproxy_frontend_maxconn",
            CONNECTIONS,
            "Connections at once on each frontend, instead of the variable `haproxy_frontend_maxconn`. With"
            " `haproxy_accept_both_protocols` a client has two, so the variable counts half there.",
        ),
        Key(
            "haproxy_connections_per_source",
            SOURCE_CONNECTIONS,
            "Connections at once of one client address on all frontends of the service together, but not of"
            " `haproxy_trusted_proxies`; more are refused. 0 sets no limit. It takes the counter `sc2`.",
            follows="haproxy_connections_per_source",
        ),
        Key("haproxy_frontend_only", Boolean(), "Only frontends, no backend of its own.", False),
        Key("haproxy_backend_only", Boolean(), "Only a backend, for other services to send requests to.", False),
        Key("haproxy_balance_type", Choice(("http", "tcp")), "What is balanced: requests or connections.", "http"),
        # TLS towards clients.
        Key(
            "haproxy_ssl",
            Boolean(),
            "TLS on the first VIP and on those with `tls: true`, in http and in tcp mode.",
            False,
        ),
        Key(
            "haproxy_ssl_all_vips",
            Boolean(),
            "With `haproxy_ssl`: TLS on all VIPs except those with `tls: false`.",
            follows="haproxy_ssl_all_vips",
        ),
        Key("haproxy_ssl_path", PATH, "Certificate file or directory, instead of the VIP's own certificate."),
        Key(
            "haproxy_ssl_certificates",
            ListOf(CERTIFICATE),
            "More certificates, chosen by the name that a client asks for (SNI); the one above serves all others.",
        ),
        Key(
            "haproxy_ssl_client_ca",
            NAME_OR_PATH,
            "Whose certificates clients have to show: an authority of `haproxy_pki_authorities` that signs itself, or"
            " the path of a CA file on the load balancer.",
            restricts=True,
        ),
        Key(
            "haproxy_ssl_client_crl",
            PATH,
            "Revocation list of a CA file, a path on the load balancer. Our own authority's comes with it.",
            restricts=True,
        ),
        Key(
            "haproxy_ssl_client_verify",
            Choice(("required", "optional")),
            "Whether clients without a certificate are refused, or told apart by `ssl_c_used`.",
            "required",
        ),
        Key("haproxy_frontend_h2", Boolean(), "Offers HTTP/2 on TLS binds.", follows="haproxy_frontend_h2"),
        Key(
            "haproxy_accept_both_protocols",
            Boolean(),
            "TLS and plain on one port, told apart by the first bytes; client address and allow list keep working.",
            False,
        ),
        Key(
            "haproxy_redirect_http_port",
            PORT,
            "Port on which plain requests are sent to TLS; needs `haproxy_ssl`.",
        ),
        Key(
            "haproxy_redirect_scheme",
            AFTER_TWO_WORDS,
            "What follows `redirect scheme` there. The default is `https if !{ ssl_fc }`, requests matched by"
            " `haproxy_frontend_acls` excepted.",
        ),
        # What the frontend does with requests.
        Key("haproxy_acls", DictOf(ACL, ACL_NAME), "ACLs of the frontends and the service that takes what matches."),
        Key(
            "haproxy_frontend_acls",
            DictOf(ACL, ACL_NAME),
            "ACLs of the redirect frontend, such as for ACME challenges.",
        ),
        Key("haproxy_maps", LINES, "Raw lines that use maps, such as `use_backend %[path,map_reg(FILE)]`."),
        Key("haproxy_map_entries", ListOf(MAP_ENTRIES), "Entries that this service puts into maps."),
        Key(
            "haproxy_default_backend",
            NAME,
            "Service that takes what no ACL matched; by default this one, and none with `haproxy_frontend_only`.",
        ),
        Key(
            "haproxy_allowlist_networks",
            ListOf(Network()),
            "Networks that may connect; 127.0.0.0/8 always may, all others are refused.",
            aliases=("haproxy_whitelist_networks",),
            restricts=True,
        ),
        Key(
            "haproxy_denylist_networks",
            ListOf(Network()),
            "Networks that may not connect, whatever the allow list says.",
            restricts=True,
        ),
        Key(
            "haproxy_trusted_proxies",
            ListOf(Network()),
            "Networks of the proxies in front of the load balancers, such as a CDN's. Their `X-Forwarded-*`,"
            " `Forwarded` and `X-Real-IP` reach the servers, and the last address in `X-Forwarded-For` that is none of"
            " theirs is the client's, for allow lists, logs and http rules, too. Of everybody else these headers are"
            " removed.",
            follows="haproxy_trusted_proxies",
            since="2.6",
        ),
        Key(
            "haproxy_forwarded_for",
            Choice(("add", "set", "pass", "off")),
            "What servers see in `X-Forwarded-For`: `add` what trusted proxies sent, and where there is nothing, the"
            " client's address; `set` the client's address alone; `pass` what trusted proxies sent; `off` nothing.",
            "add",
        ),
        Key(
            "haproxy_http_keepalive_mode",
            KEEPALIVE_MODES,
            "Connection mode of this service's frontends, instead of `haproxy_keepalive_mode`.",
        ),
        Key("haproxy_frontend_raw", LINES, "Raw lines of every frontend of the service."),
        # The servers behind it.
        Key(
            "haproxy_backend_nodes",
            ListOf(NODE),
            "Servers: inventory names or dictionaries. With an empty list clients get status 503 until there is a"
            " server, unless `haproxy_backend_arguments` answer in their place. Needed unless these or"
            " `haproxy_frontend_only` are set.",
        ),
        Key("haproxy_backup_nodes", ListOf(NODE), "Servers that step in when all others are down."),
        Key("haproxy_backend_port", PORT, "Port of the servers; by default `haproxy_port`."),
        Key(
            "haproxy_check_port",
            PORT,
            "Port that health checks go to; by default the server's port. To another port they send no PROXY header,"
            " unless `haproxy_backend_server_options` say `check-send-proxy`.",
        ),
        Key("haproxy_balance_alg", Balance(), "How a server is chosen.", "leastconn"),
        Key(
            "interval",
            Duration(),
            "Time between two health checks.",
            follows="haproxy_interval",
            aliases=("haproxy_interval",),
        ),
        Key(
            "backend_rise",
            COUNT,
            "Good checks until a server is up.",
            follows="haproxy_rise",
            aliases=("haproxy_backend_rise",),
        ),
        Key(
            "backend_fall",
            COUNT,
            "Failed checks until a server is down.",
            follows="haproxy_fall",
            aliases=("haproxy_backend_fall",),
        ),
        Key(
            "backup_rise",
            COUNT,
            "The same as `backend_rise`, for backup servers.",
            follows="haproxy_rise",
            aliases=("haproxy_backup_rise",),
        ),
        Key(
            "backup_fall",
            COUNT,
            "The same as `backend_fall`, for backup servers.",
            follows="haproxy_fall",
            aliases=("haproxy_backup_fall",),
        ),
        Key(
            "haproxy_backend_httpcheck_options",
            REST_OF_LINES,
            "What follows `http-check`, in order; turns `option httpchk` on, as lines `tcp-check` in"
            " `haproxy_backend_arguments` do with `option tcp-check`.",
        ),
        Key("haproxy_backend_options", REST_OF_LINES, "What follows `option` in the backend."),
        Key("haproxy_backend_arguments", LINES, "Raw lines of the backend."),
        Key(
            "haproxy_backend_server_options",
            WORDS,
            "Words added to every server line. `no-check` and `track` leave out what there is about checks; of `ssl`,"
            " `alpn`, `sni` and `send-proxy` checks speak the same as traffic, unless `check-…` says another.",
        ),
        Key(
            "haproxy_cookie",
            REST_OF_LINE,
            "What follows `cookie` in the backend, such as `SRV insert indirect`; a server's value is its name.",
        ),
        Key("haproxy_stick_table_enabled", Boolean(), "False leaves out every stick line.", True),
        Key(
            "haproxy_stick_table",
            LINES,
            "Raw `stick-table`, `stick` and tracking lines of the backend.",
            follows="haproxy_stick_table",
        ),
        Key(
            "haproxy_http_reuse",
            Choice(("never", "safe", "aggressive", "always")),
            "When idle server connections serve other clients' requests; HAProxy's default is safe.",
        ),
        Key(
            "haproxy_retry_on",
            ListOf(RETRY_CONDITIONS),
            "Failures after which a request goes to another server, such as `conn-failure`, `empty-response`, `503`.",
            since="2.0",
        ),
        # TLS towards servers.
        Key("haproxy_backend_ssl", Boolean(), "TLS to the servers.", False),
        Key(
            "haproxy_backend_ssl_check",
            Boolean(),
            "TLS for health checks; by default as `haproxy_backend_ssl`. True without that is for servers whose TLS"
            " passes through; `haproxy_backend_ca`, `_verifyhost` and `_sni` are for these checks then.",
        ),
        Key(
            "haproxy_backend_ca",
            BooleanOrPath(also_true="@system-ca"),
            "CA file to verify servers by; true and `@system-ca` take `haproxy_system_ca`, false verifies nothing.",
            False,
        ),
        Key("haproxy_backend_sni", SNI, "Server name sent in the TLS handshake."),
        Key("haproxy_backend_verifyhost", Address(), "Name that the server's certificate must hold."),
        Key("haproxy_backend_h2", Boolean(), "HTTP/2 to the servers.", follows="haproxy_backend_h2"),
        # Times.
        Key("haproxy_timeout_client", TIMEOUT, "Longest silence of a client."),
        Key("haproxy_timeout_server", TIMEOUT, "Longest silence of a server."),
        Key("haproxy_timeout_tunnel", TIMEOUT, "Longest silence once a connection is a tunnel, such as a WebSocket."),
        Key("haproxy_timeout_queue", TIMEOUT, "Longest wait in a queue before a 503."),
        Key("haproxy_timeout_check", TIMEOUT, "Longest health check once connected."),
        # Proof.
        Key(
            "haproxy_expect",
            Expectations(),
            "Expected results of requests, as in the variable `haproxy_expectations`. One that does not say where the"
            " request goes expects this service.",
        ),
    ),
)

SERVICE_DEFAULTS = {key.name: key.default for key in SERVICE.keys}
SERVICE_FOLLOWS = {key.name: key.follows for key in SERVICE.keys if key.follows}
