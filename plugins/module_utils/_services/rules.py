# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one service says must fit together; each rule looks at one matter."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import split
from ansible_collections.lbforge.haproxy.plugins.module_utils._services import (
    checks,
    clients,
    lines,
    rules_of_servers,
    rules_of_tls,
    sandbox,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.kinds import milliseconds
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.problems import Place
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.records import Service, Settings
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.rules_of_settings import (
    frontend_limit,
    worker_life,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.schema import SERVICE

SANDBOXED_KEYS = sandbox.checked_keys(SERVICE.keys)
HTTP_CRITERION = re.compile(r"(path|url|hdr|method|base|query|req\.(hdr|cook)|cook)")
TAKEN_COUNTER = re.compile(r"\b(track-sc2|sc2_\w+|sc_\w+\(2)\b")
OWN_ACLS = {
    clients.ALLOWED: "the allow list's",
    clients.DENIED: "the deny list's",
    clients.TRUSTED: "the trusted proxies'",
}


def check(service: Service, place: Place, settings: Settings) -> None:
    """Applies the rules that concern the sections this service has."""
    sections(service, place)
    raw_lines(service, place)
    map_entries(service, place)
    longest_silence(service, place, settings)
    if settings.systemd_hardening:
        sandbox.check(service, SANDBOXED_KEYS, place)
    if not service.backend_only:
        port(service, place)
        binds(service, place)
        allow_list(service, place, settings)
        rules_of_tls.tls(service, place, settings)
        rules_of_tls.certificates_by_name(service, place.key("haproxy_ssl_certificates"), settings)
        old_allow_list(service, place)
        rules_of_tls.certificate_names(service, place)
        rules_of_tls.certificates_of_binds(service, place.key("haproxy_bind"), settings)
        redirect(service, place)
        tcp_acls(service, place)
        default_backend(service, place)
        forwarded_for(service, place, settings)
        limits(service, place, settings)
    if service.has_backend:
        rules_of_servers.check(service, place, settings)


def sections(service: Service, place: Place) -> None:
    nodes = place.key("haproxy_backend_nodes")
    if service.backend_only and service.frontend_only:
        place.key("haproxy_backend_only").wrong(
            True, "and haproxy_frontend_only exclude each other", "Keep one, or neither for both sections."
        )
    elif service.frontend_only:
        if service.nodes:
            nodes.warn(None, "are not used with haproxy_frontend_only")
    elif not service.has_backend:
        nodes.wrong(None, "is missing", "List the servers, or set haproxy_frontend_only.")
    elif not service.nodes and not service.backend_arguments:
        answer = "get status 503" if service.balance_type == "http" else "are disconnected"
        nodes.warn(
            None,
            f"is empty, so clients {answer} until it has servers",
            "Set haproxy_service_enabled to false to leave the service out.",
        )


def limit_hosts(service: Service, place: Place) -> None:
    if service.limit_hosts == []:
        place.key("haproxy_limit_hosts").warn(None, "is empty, so no load balancer has the service")


def binds(service: Service, place: Place) -> None:
    if service.accept_both_protocols and service.single_frontend:
        place.key("haproxy_single_frontend").wrong(
            True, "and haproxy_accept_both_protocols exclude each other", "Keep one: the latter needs three frontends."
        )
    if service.bind == []:
        place.key("haproxy_bind").warn(
            None, "is empty, so the service has no bind, and only other services can send requests to it"
        )


def raw_lines(service: Service, place: Place) -> None:
    if service.balance_type == "http":
        return
    for key, each in {
        "haproxy_frontend_raw": service.frontend_raw,
        "haproxy_maps": service.maps,
        "haproxy_backend_arguments": service.backend_arguments,
    }.items():
        for index, line in enumerate(each or ()):
            if lines.is_http_only(line):
                place.key(key).item(index).warn(line, "has no effect in tcp mode", "HAProxy warns and ignores it.")


def longest_silence(service: Service, place: Place, settings: Settings) -> None:
    """How long a request may take of which nothing is heard."""
    timeouts = {
        "haproxy_timeout_client": service.timeout_client,
        "haproxy_timeout_server": service.timeout_server,
        "haproxy_timeout_tunnel": service.timeout_tunnel,
    }
    key, longest = max(timeouts.items(), key=lambda timeout: milliseconds(timeout[1] or ""))
    worker_life(longest, place.key(key), settings)


def map_entries(service: Service, place: Place) -> None:
    for index, entries in enumerate(service.map_entries or ()):
        if entries.is_present and entries.entries is None:
            place.key("haproxy_map_entries").item(index).key("entries").wrong(
                None, "is missing", "List the lines of the map, or set state: absent."
            )


def port(service: Service, place: Place) -> None:
    if not service.port:
        place.key("haproxy_port").wrong(None, "is missing", "Give the frontend a port, or set haproxy_backend_only.")


def allow_list(service: Service, place: Place, settings: Settings) -> None:
    lists = settings.network_lists
    allowed = service.allowlist_networks
    if allowed is not None and all(lists.get(entry) == "" for entry in allowed):
        nothing = "is empty" if allowed == [] else "has empty lists only"
        place.key("haproxy_allowlist_networks").warn(None, f"{nothing}, so only the load balancer itself may connect")
    for name in clients.reserved_acls(service):
        for key, acls in {"haproxy_acls": service.acls, "haproxy_frontend_acls": service.frontend_acls}.items():
            if name in (acls or {}):
                place.key(f"{key}.{name}").wrong(
                    None, f"has the name of {OWN_ACLS[name]} own ACL and would widen it", "Give it another name."
                )


def frontend_lines(service: Service) -> dict[str, t.Sequence[str]]:
    """The raw lines of frontends, by their key."""
    return {"haproxy_maps": service.maps or (), "haproxy_frontend_raw": service.frontend_raw or ()}


def old_allow_list(service: Service, place: Place) -> None:
    """OpenStack-Ansible up to Victoria has another name for the ACL of the allow list."""
    raw = frontend_lines(service)
    own = "white_list" in (service.acls or {})
    if own or any(split(line)[:2] == ("acl", "white_list") for each in raw.values() for line in each):
        return
    for key, each in raw.items():
        for index, line in enumerate(each):
            if "white_list" in re.split(r"[\s!{}]+", line):
                place.key(key).item(index).wrong(
                    line, "uses the ACL white_list, which is not defined", "The ACL of the allow list is allow_list."
                )


def redirect(service: Service, place: Place) -> None:
    redirect_port, scheme = service.redirect_http_port, service.redirect_scheme
    if not redirect_port:
        if scheme:
            place.key("haproxy_redirect_scheme").warn(None, "has no effect without haproxy_redirect_http_port")
        if service.frontend_acls:
            place.key("haproxy_frontend_acls").warn(
                None,
                "belongs to the redirect frontend, and there is none",
                "Use haproxy_acls, or haproxy_redirect_http_port.",
            )
        return
    here = place.key("haproxy_redirect_http_port")
    if not service.ssl:
        if "haproxy_ssl" not in place.switched_off:
            here.wrong(
                redirect_port,
                "redirects to TLS, which the service does not speak",
                "Set haproxy_ssl: true, or remove the redirect.",
            )
    # HAProxy keeps the port in the Host header, which clients leave out for port 80 only.
    elif not scheme and (redirect_port, service.port) != (80, 443):
        target = "the port that the client named" if redirect_port != 80 else "port 443"
        here.warn(
            redirect_port,
            f"redirects to {target}, not to {service.port}",
            "Use ports 80 and 443, or redirect by haproxy_frontend_raw of a separate service.",
        )
    for name, acl in (service.frontend_acls or {}).items():
        if service.balance_type == "tcp" and not acl.backend_name:
            place.key(f"haproxy_frontend_acls.{name}").wrong(
                None, "sends requests to this service, which is tcp", "Set backend_name to an http service."
            )


def tcp_acls(service: Service, place: Place) -> None:
    if service.balance_type == "http":
        return
    for name, acl in (service.acls or {}).items():
        if HTTP_CRITERION.match(acl.rule):
            place.key(f"haproxy_acls.{name}.rule").warn(acl.rule, "needs HTTP, and the service is tcp")


def default_backend(service: Service, place: Place) -> None:
    for key, each in frontend_lines(service).items():
        for index, line in enumerate(each):
            if service.default_backend and checks.first_word(line) == "default_backend":
                place.key(key).item(index).warn(line, "replaces haproxy_default_backend", "Keep one of them.")


def forwarded_for(service: Service, place: Place, settings: Settings) -> None:
    """HAProxy cannot take back an option forwardfor, wherever it is written."""
    chosen = service.forwarded_for
    if chosen == "add" or service.balance_type == "tcp":
        return
    options = [f"option {option}" for option in service.backend_options or ()]
    raw = [*(service.frontend_raw or ()), *(service.backend_arguments or ())]
    for_all = settings.defaults_raw + settings.frontend_extra_raw
    for line in (*options, *raw, *for_all):
        if split(line)[:2] == ("option", "forwardfor"):
            place.key("haproxy_forwarded_for").wrong(chosen, f"contradicts {line!r}", "Remove that line, or this key.")


def limits(service: Service, place: Place, settings: Settings) -> None:
    frontend_limit(service.frontend_maxconn, place, settings)
    if not clients.limits_sources(service):
        return
    raw = [*(service.backend_arguments or ()), *(service.frontend_raw or ()), *(service.maps or ())]
    acl_rules = [acl.rule for acl in (service.acls or {}).values()]
    for line in (*raw, *acl_rules, *service.stick_table, *settings.frontend_extra_raw):
        if TAKEN_COUNTER.search(line):
            place.key("haproxy_connections_per_source").wrong(
                service.connections_per_source,
                f"takes the counter {clients.COUNTER}, and {line!r} does so, too",
                "Use sc0 or sc1 there.",
            )
