# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about the servers of a service and their health checks."""

from __future__ import annotations

import re

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import MOST_WORDS, split
from ansible_collections.lbforge.haproxy.plugins.module_utils._services import checks, lines, servers
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.kinds import milliseconds
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.problems import Place
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.records import Service, Settings

SHORTEST_SANE_INTERVAL_MS = 500
HTTP_PROTOCOLS = ("h1", "h2", "fcgi")
HTTP_BALANCE = re.compile(r"(uri|url_param|hdr)\b")
# server NAME ADDRESS check inter TIME rise COUNT fall COUNT
FEWEST_SERVER_WORDS = 10
NO_PROGRAM = (
    "runs a program, which is missing in HAProxy's chroot, so every server would be down",
    "Run a service for the check: http-check connect port N, or agent-check.",
)


def check(service: Service, place: Place, settings: Settings) -> None:
    """Applies the rules that concern backends."""
    server_ports(service, place)
    server_words(service, place)
    server_protocols(service, place, settings)
    server_tls(service, place)
    backend_options(service, place)
    health_checks(service, place, settings)


def server_ports(service: Service, place: Place) -> None:
    for key, nodes in service.nodes_by_key.items():
        for index, node in enumerate(nodes):
            if not (node.backend_port or service.backend_port):
                place.key(key).item(index).wrong(
                    node.name, "has no port", "Set haproxy_backend_port, haproxy_port or the node's backend_port."
                )


def server_words(service: Service, place: Place) -> None:
    """HAProxy takes so many words a line."""
    common = sum(len(split(words)) for words in service.backend_server_options or ())
    for key, nodes in service.nodes_by_key.items():
        for index, node in enumerate(nodes):
            own = sum(len(split(words)) for words in node.backend_server_options or ())
            if FEWEST_SERVER_WORDS + common + own > MOST_WORDS:
                place.key(key).item(index).wrong(
                    node.name,
                    f"has {common + own} words of options, and HAProxy takes {MOST_WORDS} words a line with ours",
                    "Put what all servers have in common into a default-server line of haproxy_backend_arguments.",
                )


def server_protocols(service: Service, place: Place, settings: Settings) -> None:
    """HTTP/1 and HTTP/2 are no words for tcp servers, nor for checks of another kind."""
    fitting = (
        ("proto", service.balance_type == "http", "needs http, and the service is tcp"),
        (
            "check-proto",
            checks.kind(service, settings) == "httpchk",
            "is for HTTP checks, but the service has others",
        ),
    )
    for key, nodes in service.nodes_by_key.items():
        for index, node in enumerate(nodes):
            if not servers.raw_options(node, service):  # nearly all
                continue
            own = servers.own_options(node, service)
            for option, fits, why in fitting:
                if own.argument(option) in HTTP_PROTOCOLS and not fits:
                    here = servers.place_of(option, node, place.key(key).item(index), place)
                    here.wrong(f"{option} {own.argument(option)}", why, "Leave it out.")


def server_tls(service: Service, place: Place) -> None:
    if not service.backend_ssl:
        check_tls(service, place)
        return
    if not service.backend_ca:
        verified_name(service, place)
        place.key("haproxy_backend_ca").warn(
            None,
            "is not set, so anybody can impersonate a server",
            "Set it to true or to a CA file, and set haproxy_backend_verifyhost.",
        )


def check_tls(service: Service, place: Place) -> None:
    """Where at most health checks speak TLS."""
    idle = {
        "haproxy_backend_ca": service.backend_ca,
        "haproxy_backend_sni": service.backend_sni,
        "haproxy_backend_verifyhost": service.backend_verifyhost,
    }
    if service.backend_ssl_check:
        depends_on_request = servers.is_expression(service.backend_sni or "")
        idle = {"haproxy_backend_sni": service.backend_sni} if depends_on_request else {}
        if not service.backend_ca:
            verified_name(service, place)
        has_port = service.check_port or any(node.check_port is not None for node in service.nodes)
        if service.balance_type == "http" and not has_port:
            place.key("haproxy_backend_ssl_check").warn(
                True,
                "checks by TLS the port that requests go to without it",
                "Set haproxy_backend_ssl: true, or the haproxy_check_port that speaks TLS.",
            )
    for key, value in idle.items():
        if value:
            place.key(key).idle(value, "haproxy_backend_ssl")


def verified_name(service: Service, place: Place) -> None:
    if service.backend_verifyhost:
        place.key("haproxy_backend_verifyhost").wrong(
            service.backend_verifyhost, "is never verified without a CA", "Set haproxy_backend_ca."
        )


def backend_options(service: Service, place: Place) -> None:
    is_tcp = service.balance_type == "tcp"
    for index, option in enumerate(service.backend_options or ()):
        here = place.key("haproxy_backend_options").item(index)
        if lines.is_frontend_option(option):
            here.warn(option, "belongs to frontends, so it is left out of the backend")
        elif is_tcp and lines.is_http_only(f"option {option}"):
            here.warn(option, "needs http, and the service is tcp, so it is left out")
    if is_tcp and HTTP_BALANCE.match(service.balance_alg):
        place.key("haproxy_balance_alg").wrong(
            service.balance_alg, "needs http, and the service is tcp", "Use source, leastconn or roundrobin."
        )
    if service.retry_on and "none" in service.retry_on and len(service.retry_on) > 1:
        place.key("haproxy_retry_on").wrong("none", "excludes all others", "Use it alone, or remove it.")
    if service.cookie and is_tcp:
        place.key("haproxy_cookie").wrong(service.cookie, "needs http, and the service is tcp", "Use a stick table.")


def health_checks(service: Service, place: Place, settings: Settings) -> None:
    if milliseconds(service.interval) < SHORTEST_SANE_INTERVAL_MS:
        place.key("interval").warn(
            service.interval, "is very short for a health check", "A bare number is milliseconds."
        )
    kind = checks.kind(service, settings)
    for option in checks.options(service):
        if option.kind == checks.PROGRAM:
            place.key(option.key).item(option.position).wrong(option.text, *NO_PROGRAM)
    for key, index, rule in checks.rules(service):
        needed = checks.RULES[checks.first_word(rule)]
        if kind != needed:
            why = f"has no effect with option {kind}" if kind else f"has no effect without option {needed}"
            place.key(key).item(index).warn(rule, why, f"Keep one kind of check; this rule needs option {needed}.")
