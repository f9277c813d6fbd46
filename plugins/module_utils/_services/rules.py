# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one service says must fit together; each rule looks at one matter."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import MOST_WORDS, split
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.kinds import ListOf
from ansible_collections.lbforge.haproxy.plugins.module_utils._services import (
    checks,
    clients,
    extra_sections,
    lines,
    network_lists,
    peers,
    sandbox,
    servers,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.binds import (
    acme_name,
    certificate_name,
    first_acme_domains,
    has_backend,
    has_nodes,
    is_by_acme,
    names_authority,
    tls_vips,
    vips,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.kinds import HOSTNAME, lines_in, milliseconds
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.problems import Place
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.schema import SERVICE
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.settings import SETTINGS
from ansible_collections.lbforge.haproxy.plugins.module_utils.addresses import is_ip
from ansible_collections.lbforge.haproxy.plugins.module_utils.hints import did_you_mean

Data = dict[str, t.Any]

SANDBOXED_KEYS = sandbox.looked_at(SERVICE.keys)
SANDBOXED_SETTINGS = sandbox.looked_at(SETTINGS.keys)
SHORTEST_SANE_INTERVAL_MS = 500
# The name of a socket has 107 characters at most, and ours add a suffix to the service's.
LONGEST_INNER_NAME = 80
#: how long a request may take of which nothing is heard
TIMEOUTS = ("haproxy_timeout_client", "haproxy_timeout_server", "haproxy_timeout_tunnel")
HTTP_PROTOCOLS = ("h1", "h2", "fcgi")
HTTP_BALANCE = re.compile(r"(uri|url_param|hdr)\b")
HTTP_CRITERION = re.compile(r"(path|url|hdr|method|base|query|req\.(hdr|cook)|cook)")
# server NAME ADDRESS check inter TIME rise COUNT fall COUNT
FEWEST_SERVER_WORDS = 10

TAKEN_COUNTER = re.compile(r"\b(track-sc2|sc2_\w+|sc_\w+\(2)\b")
OWN_ACLS = {
    clients.ALLOWED: "the allow list's",
    clients.DENIED: "the deny list's",
    clients.TRUSTED: "the trusted proxies'",
}
TAKEN_DESCRIPTION = ("is where HAProxy tells which release it runs", "Remove it.")
NO_PROGRAM = (
    "runs a program, and HAProxy finds none in its chroot, so every server would be down",
    "Let a service beside the program answer: http-check connect port N, or agent-check.",
)
NO_TUNING = (
    (
        "nbproc",
        "is gone from HAProxy since 2.5",
        "Use nbthread, or remove it: HAProxy starts a thread for each CPU.",
    ),
    ("maxconn", "is set by a variable of its own", "Use haproxy_maxconn."),
    ("description", *TAKEN_DESCRIPTION),
)


def check(service: Data, place: Place, settings: Data) -> None:
    """Applies the rules that concern the sections this service has."""
    sections(service, place)
    raw_lines(service, place)
    map_entries(service, place)
    longest = max(TIMEOUTS, key=lambda key: milliseconds(service[key] or ""))
    worker_life(service[longest], place.key(longest), settings)
    if settings["haproxy_systemd_hardening"]:
        sandbox.check(service, SANDBOXED_KEYS, place)
    if not service["haproxy_backend_only"]:
        port(service, place)
        binds(service, place)
        allow_list(service, place, settings)
        tls(service, place, settings)
        certificates_by_name(service, place.key("haproxy_ssl_certificates"), settings)
        old_allow_list(service, place)
        certificate_names(service, place)
        user_certificates(service["haproxy_bind"] or (), place.key("haproxy_bind"), settings)
        redirect(service, place)
        tcp_acls(service, place)
        default_backend(service, place)
        forwarded_for(service, place, settings)
        limits(service, place, settings)
    if has_backend(service) and not service["haproxy_frontend_only"]:
        server_ports(service, place)
        server_words(service, place)
        server_protocols(service, place, settings)
        server_tls(service, place)
        backend_options(service, place)
        health_checks(service, place, settings)


def sections(service: Data, place: Place) -> None:
    nodes = place.key("haproxy_backend_nodes")
    if service["haproxy_backend_only"] and service["haproxy_frontend_only"]:
        place.key("haproxy_backend_only").wrong(
            True, "and haproxy_frontend_only exclude each other", "Keep one, or neither for both sections."
        )
    elif service["haproxy_frontend_only"]:
        if has_nodes(service):
            nodes.warn(None, "are not used with haproxy_frontend_only")
    elif not has_backend(service):
        nodes.wrong(None, "is missing", "List the servers, or set haproxy_frontend_only.")
    elif not has_nodes(service) and not service["haproxy_backend_arguments"]:
        answer = "get status 503" if service["haproxy_balance_type"] == "http" else "are disconnected"
        nodes.warn(
            None,
            f"is empty, so clients {answer} until it has servers",
            "Set haproxy_service_enabled to false to leave the service out.",
        )


def limit_hosts(service: Data, place: Place) -> None:
    if service["haproxy_limit_hosts"] == []:
        place.key("haproxy_limit_hosts").warn(None, "is empty, so no load balancer has the service")


def binds(service: Data, place: Place) -> None:
    if service["haproxy_accept_both_protocols"] and service["haproxy_single_frontend"]:
        place.key("haproxy_single_frontend").wrong(
            True, "and haproxy_accept_both_protocols exclude each other", "Keep one: the latter needs three frontends."
        )
    if service["haproxy_bind"] == []:
        place.key("haproxy_bind").warn(
            None, "is empty, so the service listens nowhere, and only other services can send requests to it"
        )


def raw_lines(service: Data, place: Place) -> None:
    if service["haproxy_balance_type"] == "http":
        return
    for key in ("haproxy_frontend_raw", "haproxy_maps", "haproxy_backend_arguments"):
        for index, line in enumerate(service[key] or ()):
            if lines.is_http_only(line):
                place.key(key).item(index).warn(line, "does nothing in tcp mode", "HAProxy warns and ignores it.")


def map_entries(service: Data, place: Place) -> None:
    for index, entries in enumerate(service["haproxy_map_entries"] or ()):
        if entries.get("state") != "absent" and "entries" not in entries:
            place.key("haproxy_map_entries").item(index).key("entries").wrong(
                None, "is missing", "List the lines of the map, or set state: absent."
            )


def port(service: Data, place: Place) -> None:
    if not service["haproxy_port"]:
        place.key("haproxy_port").wrong(None, "is missing", "Give the frontend a port, or set haproxy_backend_only.")


def allow_list(service: Data, place: Place, settings: Data) -> None:
    lists = settings[network_lists.VARIABLE]
    allowed = service["haproxy_allowlist_networks"]
    if allowed is not None and all(lists.get(entry) == "" for entry in allowed):
        nothing = "is empty" if allowed == [] else "has empty lists only"
        place.key("haproxy_allowlist_networks").warn(None, f"{nothing}, so only the load balancer itself may connect")
    for name in clients.reserved_acls(service):
        for key in ("haproxy_acls", "haproxy_frontend_acls"):
            if name in (service[key] or {}):
                place.key(f"{key}.{name}").wrong(
                    None, f"has the name of {OWN_ACLS[name]} own ACL and would widen it", "Give it another name."
                )


def user_certificates(entries: t.Sequence[Data], place: Place, settings: Data | None = None) -> None:
    """Certificates of the user's, in C(haproxy_bind), which goes with settings, and in C(haproxy_vip_binds)."""
    for index, entry in enumerate(entries):
        for name, other in (("user_ssl_key", "user_ssl_cert"), ("user_ssl_cert", "user_ssl_key")):
            if entry.get(other) and not entry.get(name):
                place.item(index).key(name).wrong(None, f"is missing, and {other} needs it", "Set both paths.")
        if settings and entry.get("user_ssl_cert") and any(entry["address"] in vip.bound for vip in vips(settings)):
            place.item(index).key("user_ssl_cert").wrong(
                entry["user_ssl_cert"],
                f"would be for one service only, but all services show the certificate of the VIP {entry['address']}",
                "Set it in haproxy_vips or haproxy_vip_binds, or use haproxy_ssl_path or haproxy_ssl_certificates in"
                " the service.",
            )


def tls(service: Data, place: Place, settings: Data) -> None:
    if service["haproxy_accept_both_protocols"] and not service["haproxy_ssl"]:
        place.key("haproxy_accept_both_protocols").idle(None, "haproxy_ssl")
    if service["haproxy_accept_both_protocols"] and len(place.name) > LONGEST_INNER_NAME:
        place.key("haproxy_service_name").wrong(
            place.name,
            "is too long for haproxy_accept_both_protocols, which derives socket names from it",
            f"Use at most {LONGEST_INNER_NAME} characters.",
        )
    if not service["haproxy_ssl"]:
        for key in ("haproxy_ssl_certificates", "haproxy_ssl_client_ca"):
            if service[key]:
                place.key(key).idle(None, "haproxy_ssl")
    if service["haproxy_ssl_client_crl"] and not service["haproxy_ssl_client_ca"]:
        place.key("haproxy_ssl_client_crl").wrong(
            service["haproxy_ssl_client_crl"],
            "belongs to a CA that is not named, so no client would be asked for a certificate",
            "Set haproxy_ssl_client_ca.",
        )
    client_authority(service, place, settings)
    if service["haproxy_ssl"] and not settings["haproxy_ssl"] and not service["haproxy_ssl_path"]:
        place.key("haproxy_ssl").warn(
            True,
            "needs a certificate, but the variable haproxy_ssl is false, so none is issued",
            "Set the variable, or name a certificate in haproxy_ssl_path.",
        )


def certificates_by_name(service: Data, place: Place, settings: Data) -> None:
    """The names are those of other variables; C(None) where these are not known."""
    if settings["haproxy_pki_names"] is None:
        return
    known = [
        *settings["haproxy_pki_names"],
        *(entry["name"] for entry in settings["haproxy_ssl_letsencrypt_certificates"]),
        *(certificate_name(vip, settings) for vip in tls_vips(settings)),
    ]
    for index, entry in enumerate(service["haproxy_ssl_certificates"] or ()):
        if not entry["name"].startswith("/") and entry["name"] not in known:
            place.item(index).key("name").wrong(
                entry["name"],
                "is not a certificate of haproxy_pki_extra_certificates, haproxy_user_certificates or"
                " haproxy_ssl_letsencrypt_certificates",
                did_you_mean(entry["name"], known) or "Add it there, or write the path of a file on the load balancer.",
            )


def old_allow_list(service: Data, place: Place) -> None:
    """OpenStack-Ansible up to Victoria has another name for the ACL of the allow list."""
    raw = {key: service[key] or () for key in ("haproxy_maps", "haproxy_frontend_raw")}
    own = "white_list" in (service["haproxy_acls"] or {})
    if own or any(split(line)[:2] == ("acl", "white_list") for each in raw.values() for line in each):
        return
    for key, each in raw.items():
        for index, line in enumerate(each):
            if "white_list" in re.split(r"[\s!{}]+", line):
                place.key(key).item(index).wrong(
                    line, "uses the ACL white_list, which is not defined", "The ACL of the allow list is allow_list."
                )


def certificate_names(service: Data, place: Place) -> None:
    for index, entry in enumerate(service["haproxy_ssl_certificates"] or ()):
        if entry.get("hosts") == []:
            place.key("haproxy_ssl_certificates").item(index).key("hosts").wrong(
                None,
                "is empty, and HAProxy would show the certificate for every name on it",
                "Leave the key out for that, or list names.",
            )


def client_authority(service: Data, place: Place, settings: Data) -> None:
    authority = service["haproxy_ssl_client_ca"]
    if not names_authority(authority):
        return
    if authority not in settings["haproxy_pki_roots"]:
        place.key("haproxy_ssl_client_ca").wrong(
            authority,
            "is neither an absolute path nor a self-signed authority of haproxy_pki_authorities",
            did_you_mean(authority, settings["haproxy_pki_roots"])
            or "An intermediate authority would also admit clients of all other authorities below its root.",
        )
    if not settings["haproxy_ssl"]:
        place.key("haproxy_ssl_client_ca").wrong(
            authority,
            "is an authority, but the variable haproxy_ssl is false, so the load balancers do not get its certificate",
            "Set the variable, or name the path of a CA file on the load balancer.",
        )
    if service["haproxy_ssl_client_crl"]:
        place.key("haproxy_ssl_client_crl").wrong(
            service["haproxy_ssl_client_crl"],
            "is not read: the revocation list of an authority of haproxy_pki_authorities comes with it",
            "Remove it, and list serial numbers in the authority's key revoked.",
        )


def redirect(service: Data, place: Place) -> None:
    redirect_port, scheme = service["haproxy_redirect_http_port"], service["haproxy_redirect_scheme"]
    if not redirect_port:
        if scheme:
            place.key("haproxy_redirect_scheme").warn(None, "does nothing without haproxy_redirect_http_port")
        if service["haproxy_frontend_acls"]:
            place.key("haproxy_frontend_acls").warn(
                None,
                "belongs to the redirect frontend, and there is none",
                "Use haproxy_acls, or haproxy_redirect_http_port.",
            )
        return
    here = place.key("haproxy_redirect_http_port")
    if not service["haproxy_ssl"]:
        if "haproxy_ssl" not in place.switched_off:
            here.wrong(
                redirect_port,
                "redirects to TLS, which the service does not speak",
                "Set haproxy_ssl: true, or remove the redirect.",
            )
    # HAProxy keeps the port in the Host header, which clients leave out for port 80 only.
    elif not scheme and (redirect_port, service["haproxy_port"]) != (80, 443):
        target = "the port that the client named" if redirect_port != 80 else "port 443"
        here.warn(
            redirect_port,
            f"redirects to {target}, not to {service['haproxy_port']}",
            "Use ports 80 and 443, or redirect by haproxy_frontend_raw of a service of its own.",
        )
    for name, acl in (service["haproxy_frontend_acls"] or {}).items():
        if service["haproxy_balance_type"] == "tcp" and not acl.get("backend_name"):
            place.key(f"haproxy_frontend_acls.{name}").wrong(
                None, "sends requests to this service, which is tcp", "Set backend_name to an http service."
            )


def tcp_acls(service: Data, place: Place) -> None:
    if service["haproxy_balance_type"] == "http":
        return
    for name, acl in (service["haproxy_acls"] or {}).items():
        if HTTP_CRITERION.match(acl["rule"]):
            place.key(f"haproxy_acls.{name}.rule").warn(acl["rule"], "needs HTTP, and the service is tcp")


def default_backend(service: Data, place: Place) -> None:
    for key in ("haproxy_maps", "haproxy_frontend_raw"):
        for index, line in enumerate(service[key] or ()):
            if service["haproxy_default_backend"] and checks.first_word(line) == "default_backend":
                place.key(key).item(index).warn(line, "takes the place of haproxy_default_backend", "Keep one of them.")


def forwarded_for(service: Data, place: Place, settings: Data) -> None:
    """HAProxy cannot take back an option forwardfor, wherever it is written."""
    chosen = service["haproxy_forwarded_for"]
    if chosen == "add" or service["haproxy_balance_type"] == "tcp":
        return
    options = [f"option {option}" for option in service["haproxy_backend_options"] or ()]
    raw = [line for key in ("haproxy_frontend_raw", "haproxy_backend_arguments") for line in service[key] or ()]
    for_all = settings["haproxy_defaults_raw"] + settings["haproxy_frontend_extra_raw"]
    for line in (*options, *raw, *for_all):
        if split(line)[:2] == ("option", "forwardfor"):
            place.key("haproxy_forwarded_for").wrong(
                chosen, f"is not what servers would see with {line!r}", "Remove that line, or this key."
            )


def limits(service: Data, place: Place, settings: Data) -> None:
    room_for_others(service["haproxy_frontend_maxconn"], place, settings)
    if not clients.limits_sources(service):
        return
    raw = [line for key in peers.RAW_LINES for line in service[key] or ()]
    acl_rules = [acl["rule"] for acl in (service["haproxy_acls"] or {}).values()]
    for line in (*raw, *acl_rules, *service["haproxy_stick_table"], *settings["haproxy_frontend_extra_raw"]):
        if TAKEN_COUNTER.search(line):
            place.key("haproxy_connections_per_source").wrong(
                service["haproxy_connections_per_source"],
                f"takes the counter {clients.COUNTER}, and {line!r} does so, too",
                "Use sc0 or sc1 there.",
            )


def room_for_others(limit: int | None, place: Place, settings: Data) -> None:
    if limit and limit >= settings["haproxy_maxconn"]:
        place.key("haproxy_frontend_maxconn").warn(
            limit,
            f"is not below haproxy_maxconn ({settings['haproxy_maxconn']}), so clients of one frontend can take all"
            " connections of the process",
            "Raise haproxy_maxconn, or lower it.",
        )


def server_ports(service: Data, place: Place) -> None:
    for key in ("haproxy_backend_nodes", "haproxy_backup_nodes"):
        for index, node in enumerate(service[key] or ()):
            if not (node.get("backend_port") or service["haproxy_backend_port"]):
                place.key(key).item(index).wrong(
                    node["name"], "has no port", "Set haproxy_backend_port, haproxy_port or the node's backend_port."
                )


def server_words(service: Data, place: Place) -> None:
    """HAProxy takes so many words a line."""
    common = sum(len(split(words)) for words in service["haproxy_backend_server_options"] or ())
    for key in ("haproxy_backend_nodes", "haproxy_backup_nodes"):
        for index, node in enumerate(service[key] or ()):
            own = sum(len(split(words)) for words in node.get("backend_server_options") or ())
            if FEWEST_SERVER_WORDS + common + own > MOST_WORDS:
                place.key(key).item(index).wrong(
                    node["name"],
                    f"has {common + own} words of options, and HAProxy takes {MOST_WORDS} words a line with ours",
                    "Put what all servers have in common into a default-server line of haproxy_backend_arguments.",
                )


def server_protocols(service: Data, place: Place, settings: Data) -> None:
    """HTTP/1 and HTTP/2 are no words for tcp servers, nor for checks of another kind."""
    is_http = service["haproxy_balance_type"] == "http"
    for key in ("haproxy_backend_nodes", "haproxy_backup_nodes"):
        for index, node in enumerate(service[key] or ()):
            own = servers.own_options(node, service)
            for option, fits, why in (
                ("proto", is_http, "needs http, and the service is tcp"),
                (
                    "check-proto",
                    checks.kind(service, settings) == "httpchk",
                    "is for HTTP checks, and these are others",
                ),
            ):
                if own.argument(option) in HTTP_PROTOCOLS and not fits:
                    here = servers.place_of(option, node, place.key(key).item(index), place)
                    here.wrong(f"{option} {own.argument(option)}", why, "Leave it out.")


def server_tls(service: Data, place: Place) -> None:
    if not service["haproxy_backend_ssl"]:
        check_tls(service, place)
        return
    if not service["haproxy_backend_ca"]:
        unverified_name(service, place)
        place.key("haproxy_backend_ca").warn(
            None,
            "is not set, so anybody can pose as a server",
            "Set it to true or to a CA file, and set haproxy_backend_verifyhost.",
        )


def check_tls(service: Data, place: Place) -> None:
    """Where at most health checks speak TLS."""
    used = {"haproxy_backend_sni", "haproxy_backend_verifyhost", "haproxy_backend_ca"}
    if service["haproxy_backend_ssl_check"]:
        used = {"haproxy_backend_sni"} if servers.is_expression(service["haproxy_backend_sni"] or "") else set()
        if not service["haproxy_backend_ca"]:
            unverified_name(service, place)
        nodes = [*(service["haproxy_backend_nodes"] or ()), *(service["haproxy_backup_nodes"] or ())]
        has_port = service["haproxy_check_port"] or any("check_port" in node for node in nodes)
        if service["haproxy_balance_type"] == "http" and not has_port:
            place.key("haproxy_backend_ssl_check").warn(
                True,
                "checks by TLS the port that requests go to without it",
                "Set haproxy_backend_ssl: true, or the haproxy_check_port that speaks TLS.",
            )
    for key in sorted(used):
        if service[key]:
            place.key(key).idle(service[key], "haproxy_backend_ssl")


def unverified_name(service: Data, place: Place) -> None:
    if service["haproxy_backend_verifyhost"]:
        place.key("haproxy_backend_verifyhost").wrong(
            service["haproxy_backend_verifyhost"], "is never verified without a CA", "Set haproxy_backend_ca."
        )


def backend_options(service: Data, place: Place) -> None:
    is_tcp = service["haproxy_balance_type"] == "tcp"
    for index, option in enumerate(service["haproxy_backend_options"] or ()):
        here = place.key("haproxy_backend_options").item(index)
        if lines.is_frontend_option(option):
            here.warn(option, "belongs to frontends, so it is left out of the backend")
        elif is_tcp and lines.is_http_only(f"option {option}"):
            here.warn(option, "needs http, and the service is tcp, so it is left out")
    if is_tcp and HTTP_BALANCE.match(service["haproxy_balance_alg"]):
        place.key("haproxy_balance_alg").wrong(
            service["haproxy_balance_alg"], "needs http, and the service is tcp", "Use source, leastconn or roundrobin."
        )
    if "none" in (service["haproxy_retry_on"] or ()) and len(service["haproxy_retry_on"]) > 1:
        place.key("haproxy_retry_on").wrong("none", "excludes all others", "Use it alone, or remove it.")
    if service["haproxy_cookie"] and is_tcp:
        place.key("haproxy_cookie").wrong(
            service["haproxy_cookie"], "needs http, and the service is tcp", "Use a stick table."
        )


def health_checks(service: Data, place: Place, settings: Data) -> None:
    if milliseconds(service["interval"]) < SHORTEST_SANE_INTERVAL_MS:
        place.key("interval").warn(
            service["interval"], "is very short for a health check", "A bare number is milliseconds."
        )
    kind = checks.kind(service, settings)
    for key, index, option in checks.options(service):
        if option == checks.PROGRAM:
            place.key(key).item(index).wrong(service[key][index], *NO_PROGRAM)
    for key, index, rule in checks.rules(service):
        needed = checks.RULES[checks.first_word(rule)]
        if kind != needed:
            why = f"does nothing with option {kind}" if kind else f"does nothing without option {needed}"
            place.key(key).item(index).warn(rule, why, f"Keep one kind of check; this rule needs option {needed}.")


def check_settings(settings: Data, place: Place) -> None:
    """What role variables say must fit together."""
    if settings["haproxy_ssl_letsencrypt_enable"]:
        letsencrypt(settings, place)
    acme_certificates(settings, place.key("haproxy_ssl_letsencrypt_certificates"))
    acme_choices(settings, place)
    if settings["haproxy_stats_enabled"] and not settings["haproxy_stats_password"]:
        place.key("haproxy_stats_password").wrong(
            None, "is missing, and haproxy_stats_enabled is true", "Set one from a vault; there is no default."
        )
    if settings["haproxy_stats_prometheus_enabled"] and not settings["haproxy_stats_enabled"]:
        place.key("haproxy_stats_prometheus_enabled").warn(
            True, "does nothing without haproxy_stats_enabled", "Or use a service with haproxy_frontend_only."
        )
    if settings["haproxy_hatop_download_url"] and not settings["haproxy_hatop_download_checksum"]:
        place.key("haproxy_hatop_download_checksum").wrong(
            None,
            "is required when haproxy_hatop_download_url is set, since root runs what the archive holds",
            "Set it, such as sha256:….",
        )
    room_for_others(settings["haproxy_frontend_maxconn"], place, settings)
    user_certificates(settings["haproxy_vip_binds"], place.key("haproxy_vip_binds"))
    error_files(settings, place.key("haproxy_errorfiles"))
    network_list_files(settings, place.key("haproxy_static_files"))
    sandboxed(settings, place)
    for name in ("haproxy_client_timeout", "haproxy_server_timeout"):
        worker_life(settings[name], place.key(name), settings)
    for name, why, hint in NO_TUNING:
        if name in settings["haproxy_tuning_params"]:
            place.key(f"haproxy_tuning_params.{name}").wrong(settings["haproxy_tuning_params"][name], why, hint)
    default_checks(settings["haproxy_defaults_raw"], place.key("haproxy_defaults_raw"))
    for index, line in enumerate(settings["haproxy_global_raw"]):
        if split(line)[:1] == ("description",):
            place.key("haproxy_global_raw").item(index).wrong(line, *TAKEN_DESCRIPTION)


def default_checks(raw: t.Sequence[str], place: Place) -> None:
    for index, option in checks.options_in(raw):
        if option == checks.PROGRAM:
            place.item(index).wrong(raw[index], *NO_PROGRAM)


def error_files(settings: Data, place: Place) -> None:
    """A page may also be a file that somebody else puts there, so only slips are told."""
    static = [file["dest"] for file in settings["haproxy_static_files"]]
    for index, page in enumerate(settings["haproxy_errorfiles"]):
        if page["path"] not in static and (hint := did_you_mean(page["path"], static)):
            place.item(index).key("path").warn(page["path"], "is not a file of haproxy_static_files", hint)


def network_list_files(settings: Data, place: Place) -> None:
    taken = {network_lists.path(name): name for name in settings[network_lists.VARIABLE]}
    for index, file in enumerate(settings["haproxy_static_files"]):
        if file["dest"] in taken:
            place.item(index).key("dest").wrong(
                file["dest"], f"is the file of the network list {taken[file['dest']]}", "Give it another name."
            )


def sandboxed(settings: Data, place: Place) -> None:
    if not settings["haproxy_systemd_hardening"]:
        return
    sandbox.check(settings, SANDBOXED_SETTINGS, place)
    sections = place.key(extra_sections.VARIABLE)
    for line, here in lines_in(ListOf(extra_sections.SECTION), settings[extra_sections.VARIABLE], sections):
        sandbox.check_text(line, here)
    for index, page in enumerate(settings["haproxy_errorfiles"]):
        sandbox.check_text(page["path"], place.key("haproxy_errorfiles").item(index).key("path"))


def worker_life(timeout: str | None, place: Place, settings: Data) -> None:
    """A reload ends what goes on for longer than the old worker lives."""
    life = settings["haproxy_hard_stop_after"]
    if timeout and milliseconds(timeout) > milliseconds(life):
        place.warn(
            timeout,
            f"is longer than haproxy_hard_stop_after ({life}), so a reload may cut off what takes that long",
            "Raise haproxy_hard_stop_after.",
        )


def letsencrypt(settings: Data, place: Place) -> None:
    if not settings["haproxy_ssl_letsencrypt_email"]:
        place.key("haproxy_ssl_letsencrypt_email").wrong(
            None,
            "is missing, and haproxy_ssl_letsencrypt_enable is true",
            "Set the address for expiry notices of the CA.",
        )
    if not settings["haproxy_ssl"]:
        place.key("haproxy_ssl_letsencrypt_enable").wrong(
            True,
            "needs haproxy_ssl, which issues the certificate that HAProxy starts with",
            "Set haproxy_ssl: true.",
        )
    is_dns = settings["haproxy_ssl_letsencrypt_certbot_challenge"] == "dns-01"
    if is_dns and settings["haproxy_ssl_letsencrypt_certbot_authenticator"] == "standalone":
        place.key("haproxy_ssl_letsencrypt_certbot_authenticator").wrong(
            "standalone", "cannot answer dns-01", "Use a plugin of certbot that can, such as dns-rfc2136."
        )
    first = first_acme_domains(settings)
    if any(is_by_acme(vip, settings) and vip.letsencrypt in ("", acme_name(first)) for vip in tls_vips(settings)):
        domains(first, place.key("haproxy_ssl_letsencrypt_domains"), is_dns=is_dns)


def acme_certificates(settings: Data, place: Place) -> None:
    """Until an ACME server issues them, the authority makes them, also where none is asked."""
    taken = {acme_name(first_acme_domains(settings)), *(certificate_name(vip, settings) for vip in tls_vips(settings))}
    for index, entry in enumerate(settings["haproxy_ssl_letsencrypt_certificates"]):
        here = place.item(index)
        if entry["name"] in taken:
            here.key("name").wrong(entry["name"], "is the name of another certificate already", "Choose another name.")
        if not entry["domains"]:
            here.key("domains").wrong(None, "is empty, but a certificate needs names", "List the DNS names.")
        taken.add(entry["name"])
        is_dns = settings["haproxy_ssl_letsencrypt_certbot_challenge"] == "dns-01"
        domains(entry["domains"], here.key("domains"), is_dns=is_dns)


def acme_choices(settings: Data, place: Place) -> None:
    """The certificates that VIPs choose by name."""
    first = acme_name(first_acme_domains(settings))
    known = [first, *(entry["name"] for entry in settings["haproxy_ssl_letsencrypt_certificates"])]
    choosing = [vip for vip in vips(settings) if vip.letsencrypt]
    for vip in choosing:
        here = place.key(vip.path)
        if vip.letsencrypt not in known:
            here.key("letsencrypt").wrong(
                vip.letsencrypt,
                "is not a certificate of haproxy_ssl_letsencrypt_certificates",
                did_you_mean(vip.letsencrypt, known) or "Add it there.",
            )
        if vip.certificate:
            here.key("user_ssl_cert").wrong(
                vip.certificate.cert,
                "is not used beside a certificate from Let's Encrypt",
                "Keep one of the two keys.",
            )
    if choosing and not settings["haproxy_ssl_letsencrypt_enable"]:
        place.key("haproxy_ssl_letsencrypt_enable").wrong(
            False,
            f"leaves {', '.join(vip.plain[0] for vip in choosing)} without the certificate that letsencrypt names",
            "Set it to true, or remove that key of the VIPs.",
        )


def domains(names: t.Sequence[str], place: Place, *, is_dns: bool) -> None:
    for index, name in enumerate(names):
        if name.startswith("*.") and not is_dns:
            place.item(index).wrong(
                name, "is a wildcard, which http-01 cannot prove", "List every name, or set the challenge to dns-01."
            )
        elif is_ip(name) or not HOSTNAME.fullmatch(name.removeprefix("*.")):
            place.item(index).wrong(
                name,
                "is no DNS name, but certificates from Let's Encrypt are for names",
                "Set external_lb_vip_address to the external DNS name, or list names here.",
            )
