# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sections of the user's: HAProxy takes them, clients and a name server see what they do, and mistakes are told."""

from __future__ import annotations

import base64
import http.client
import re
import socket
import struct
import subprocess
import threading
import time
import typing as t
from contextlib import suppress

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import parse
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import quote
from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.drift import compare_servers
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.servers import parse_servers
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.problems import Problem
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.validate import check

Data = dict[str, t.Any]
Render = t.Callable[..., t.Any]
Says = t.Callable[[t.Any], list[str]]
Start = t.Callable[..., t.Any]

NODE = {"name": "w1", "ip_addr": "127.0.0.1"}
WEB: Data = {"haproxy_service_name": "web", "haproxy_port": 80, "haproxy_backend_nodes": [NODE]}
V = "haproxy_extra_sections"
S0 = "haproxy_service_configs[0]"
VERSION = subprocess.run(["haproxy", "-v"], capture_output=True, text=True, check=True).stdout.split()[2][:3]


def section(kind: str, name: str, *lines: str, **more: str) -> Data:
    return {"type": kind, "name": name, "lines": list(lines), **more}


DNS = section("resolvers", "dns", "nameserver a 127.0.0.1:53", "accepted_payload_size 8192")
ADMINS = section("userlist", "admins", "group ops users alice", "user alice insecure-password s3cret")
ALL = [
    DNS,
    ADMINS,
    section("cache", "pages", "total-max-size 4", "max-age 60"),
    section("http-errors", "site", "errorfile 503 /dev/null"),
    section("mailers", "smarthost", "mailer smtp1 127.0.0.1:25"),
    section("ring", "logs", "size 32764", "timeout connect 5s", "timeout server 5s", "server s 127.0.0.1:6514"),
    section("log-forward", "syslog", "bind 127.0.0.1:1514", "log 127.0.0.1:2514 local0"),
    section("fcgi-app", "phpfpm", "docroot /srv", "index index.php"),
    section("program", "beside", "command /bin/true"),
    section("defaults", "slow", "mode tcp", "timeout client 1h", "timeout connect 5s", "timeout server 1h"),
    section("listen", "tunnel", "bind 127.0.0.1:2222", "server s 127.0.0.1:22", **{"from": "slow"}),
    section("backend", "table", "stick-table type ip size 1k store http_req_rate(10s)"),
    section("frontend", "more", "bind 127.0.0.1:8181", "default_backend table"),
]
USES: Data = {
    "haproxy_frontend_raw": [
        "http-request auth if !{ http_auth(admins) }",
        "http-request cache-use pages",
        "http-response cache-store pages",
        "http-request track-sc0 src table table",
        "errorfiles site",
        "log ring@logs local0",
    ],
    "haproxy_backend_arguments": [
        "email-alert mailers smarthost",
        "email-alert from a@b",
        "email-alert to a@b",
        "use-fcgi-app phpfpm",
    ],
    "haproxy_backend_nodes": [{**NODE, "backend_server_options": ["resolvers dns", "proto fcgi"]}],
}


def found(services: t.Sequence[Data], sections: t.Any, **settings: t.Any) -> tuple[list[Problem], list[Problem]]:
    settings = {"haproxy_host": "lb1", "haproxy_version": VERSION, V: sections, **settings}
    problems = check({"haproxy_service_configs": services}, settings, {}).problems
    return problems.errors, problems.warnings


def test_haproxy_takes_sections_of_every_kind(render: Render, haproxy_says: Says) -> None:
    rendered = render(
        {**WEB, **USES}, haproxy_extra_sections=ALL, haproxy_peers={"lb1": "127.0.0.1"}, inventory_hostname="lb1"
    )
    assert rendered.warnings == []
    said = [line for line in haproxy_says(rendered) if "deprecated" not in line]
    assert said == []
    for each in ALL:
        heading = f"{each['type']} {each['name']}" + (" from slow" if "from" in each else "")
        assert len(rendered.section(heading)) == len(each["lines"])
    # Tables outlive a load balancer wherever they are.
    assert "peers load-balancers" in rendered.section("backend table")[0]


def test_no_section_changes_another(render: Render) -> None:
    """A proxy builds on the defaults before it: ours on ours, theirs on ours too unless they name one."""
    sections = [
        section("defaults", "slow", "timeout client 1h"),
        section("listen", "b", "bind :1", **{"from": "slow"}),
        section("listen", "a", "bind :2"),
    ]
    headings = re.findall(r"^(?:defaults|listen|backend)\b.*", render(WEB, haproxy_extra_sections=sections).text, re.M)
    assert headings == ["defaults", "backend web-back", "listen a", "defaults slow", "listen b from slow"]


SLWO = {"from": "slwo"}
WRONG: list[tuple[list[Data], str, str]] = [
    ([section("resolver", "a", "x")], f"{V}[0].type", "Did you mean resolvers?"),
    ([section("global", "a", "x")], f"{V}[0].type", "Use haproxy_global_raw"),
    ([section("resolvers", "a b", "x")], f"{V}[0].name", "is not a name"),
    ([{"type": "cache", "lines": ["max-age 60"]}], f"{V}[0].name", "is missing"),
    ([{"type": "cache", "name": "a"}], f"{V}[0].lines", "is missing"),
    ([section("resolvers", "a", "nameserver n 127.0.0.1:53", "backend b")], f"{V}[0].lines[1]", "inside a section"),
    ([section("resolvers", "a", "nameserver n 'x")], f"{V}[0].lines[0]", "single quote"),
    ([DNS, DNS], f"{V}[1].name", f"is already the name of {V}[0]"),
    ([section("listen", "a"), section("backend", "a")], f"{V}[1].name", f"is already the name of {V}[0]"),
    ([section("backend", "web-back", "mode http")], f"{V}[0].name", 'section of service "web"'),
    ([section("frontend", "web-front-1", "mode http")], f"{V}[0].name", 'section of service "web"'),
    ([section("listen", "web-redirect-front-2", "mode http")], f"{V}[0].name", 'section of service "web"'),
    ([section("traces", "a", "x")], f"{V}[0].type", "needs HAProxy 3.1"),
    (
        [section("listen", "a", "bind :1", **SLWO), section("defaults", "slow")],
        f"{V}[0].from",
        "Did you mean slow?",
    ),
    ([section("cache", "a", "max-age 6", **SLWO)], f"{V}[0].from", "is not for cache"),
    ([section("userlist", "a", "user bob pasword hunter2")], f"{V}[0].lines[0]", "neither a group nor a user"),
    ([section("userlist", "a", "user bob insecure-password hun ter2")], f"{V}[0].lines[0]", "haproxy_quote"),
    ([section("listen", "a", "bind :80")], f"{V}[0].lines[0]", 'is already taken by service "web"'),
    (
        [section("frontend", "a", "bind [::1]:81,*:82"), section("listen", "b", "bind ::1:81")],
        f"{V}[1].lines[0]",
        "[0]",
    ),
    ([section("ring", "a", "size 1k", "server s /home/a.sock")], f"{V}[0].lines[1]", "the sandbox of HAProxy's unit"),
]


@pytest.mark.parametrize(("sections", "path", "words"), WRONG)
def test_mistakes_in_sections(sections: list[Data], path: str, words: str) -> None:
    errors, _doubts = found([WEB], sections)
    assert [problem for problem in errors if problem.path == path and words in str(problem)], "\n".join(
        map(str, errors)
    )
    assert "hunter2" not in " ".join(map(str, errors))
    assert "ter2" not in " ".join(map(str, errors))


@pytest.mark.parametrize(
    ("keys", "path", "hint"),
    [
        ({"haproxy_frontend_raw": ["http-request auth if !{ http_auth(admin) }"]}, "haproxy_frontend_raw[0]", "admins"),
        ({"haproxy_acls": {"a": {"rule": "http_auth_group(admin) ops"}}}, "haproxy_acls.a.rule", "admins"),
        ({"haproxy_frontend_raw": ["http-request cache-use page"]}, "haproxy_frontend_raw[0]", "pages"),
        ({"haproxy_frontend_raw": ["http-response cache-store page"]}, "haproxy_frontend_raw[0]", "pages"),
        ({"haproxy_frontend_raw": ["errorfiles sites"]}, "haproxy_frontend_raw[0]", "site"),
        (
            {"haproxy_backend_arguments": ["email-alert mailers smarthosts"]},
            "haproxy_backend_arguments[0]",
            "smarthost",
        ),
        ({"haproxy_frontend_raw": ["log ring@log local0"]}, "haproxy_frontend_raw[0]", "logs"),
        ({"haproxy_backend_arguments": ["use-fcgi-app phpfmp"]}, "haproxy_backend_arguments[0]", "phpfpm"),
        (
            {"haproxy_backend_arguments": ["server-template s 1-3 a.example:80 check resolvers dnss"]},
            "haproxy_backend_arguments[0]",
            "dns",
        ),
        (
            {"haproxy_backend_server_options": ["resolvers dnss init-addr none"]},
            "haproxy_backend_server_options[0]",
            "dns",
        ),
        (
            {"haproxy_frontend_raw": ["http-request do-resolve(txn.ip,dnss,ipv4) hdr(host)"]},
            "haproxy_frontend_raw[0]",
            "dns",
        ),
    ],
)
def test_lines_refer_to_sections_that_are_there(keys: Data, path: str, hint: str) -> None:
    errors, _doubts = found([{**WEB, **USES}, {**WEB, "haproxy_service_name": "b", "haproxy_port": 81, **keys}], ALL)
    assert [(problem.path, problem.hint) for problem in errors] == [
        (f"haproxy_service_configs[1].{path}", f"Did you mean {hint}?")
    ]


def test_peers_of_a_table_and_a_target_of_logs() -> None:
    line = "stick-table type ip size 1k peers mine"
    errors, _doubts = found([{**WEB, "haproxy_backend_arguments": [line]}], [], haproxy_log_socket="ring@nowhere")
    assert {problem.path for problem in errors} == {f"{S0}.haproxy_backend_arguments[0]", "haproxy_log_socket"}
    own = section("peers", "mine", "peer lb1 127.0.0.1:1024")
    assert found([{**WEB, "haproxy_backend_arguments": [line]}], [own])[0] == []


def test_sections_that_no_line_refers_to_are_told() -> None:
    useless = [
        each for each in ALL if each["type"] in ("resolvers", "userlist", "cache", "http-errors", "mailers", "ring")
    ]
    errors, doubts = found([WEB], useless)
    assert errors == []
    assert [problem.path for problem in doubts] == [f"{V}[{index}]" for index in range(len(useless))]
    elsewhere = {**WEB, **USES, "haproxy_service_name": "b", "haproxy_limit_hosts": ["lb2"]}
    assert [problem for problem in found([WEB, elsewhere], useless)[1] if problem.path.startswith(V)] == []


def test_resolvers_that_haproxy_has_by_itself() -> None:
    assert found([{**WEB, "haproxy_backend_server_options": ["resolvers default"]}], []) == ([], [])


def get(port: int, path: str = "/", **headers: str) -> tuple[int, str]:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    client.request("GET", path, headers=headers)
    answer = client.getresponse()
    body = answer.read().decode()
    client.close()
    return answer.status, body


def started(haproxy: Start, rendered: t.Any, bind: str = "127.0.0.1:@port-web@") -> t.Any:
    """A HAProxy with the sections of a service and of the user's, on a port of the test."""
    text = rendered.text[rendered.text.index("\nfrontend web-front-1") :]
    text = re.sub(r"^(frontend web-front-1\n    bind ).*", rf"\g<1>{bind}", text.strip() + "\n", flags=re.M)
    return haproxy(re.sub(r"^frontend web-front-2\n(    .*\n)*", "", text, flags=re.M))


def test_a_client_needs_the_password_of_a_userlist(render: Render, haproxy: Start) -> None:
    password = 'it\'s a #1 "p\\w$d"'
    admins = section("userlist", "admins", f"user alice insecure-password {quote(password)}")
    lines = ["http-request auth if !{ http_auth(admins) }", "http-request return status 200"]
    rendered = render({**WEB, "haproxy_frontend_raw": lines}, haproxy_extra_sections=[admins])
    port = started(haproxy, rendered).ports["web"]

    def status(user: str, word: str) -> int:
        token = base64.b64encode(f"{user}:{word}".encode()).decode()
        return get(port, Authorization=f"Basic {token}")[0]

    assert get(port)[0] == 401
    assert [status("alice", "wrong"), status("bob", password), status("alice", password)] == [401, 401, 200]


class NameServer(threading.Thread):
    """Answers questions for A records (RFC 1035) with addresses that may change."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.addresses = ["127.0.0.1"]
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def run(self) -> None:
        with suppress(OSError):
            while True:
                question, asker = self.socket.recvfrom(4096)
                end = question.index(b"\0", 12) + 5
                records = self.addresses if question[end - 4 : end - 2] == b"\0\1" else []
                header = question[:2] + struct.pack("!5H", 0x8580, 1, len(records), 0, 0)
                answers = b"".join(
                    b"\xc0\x0c" + struct.pack("!2HIH", 1, 1, 1, 4) + socket.inet_aton(address) for address in records
                )
                self.socket.sendto(header + question[12:end] + answers, asker)


@pytest.fixture
def name_server() -> t.Iterator[NameServer]:
    server = NameServer()
    server.start()
    yield server
    server.socket.close()


def test_servers_of_a_template_come_by_dns(
    render: Render, haproxy: Start, origin: int, name_server: NameServer
) -> None:
    resolvers = section(
        "resolvers", "dns", f"nameserver a 127.0.0.1:{name_server.port}", "timeout resolve 1s", "hold valid 1s"
    )
    options = "check inter 500ms resolvers dns init-addr none resolve-prefer ipv4"
    template = f"server-template app 2 app.internal:{origin} {options}"
    service = {**WEB, "haproxy_backend_nodes": [], "haproxy_backend_arguments": [template]}
    rendered = render(service, haproxy_extra_sections=[resolvers])
    running = started(haproxy, rendered)

    def addresses() -> list[str]:
        lines = running.ask("show servers state web-back").splitlines()[2:]
        return sorted(line.split()[4] for line in lines if line.strip())

    def until(true: t.Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not true():
            assert time.monotonic() < deadline, running.ask("show servers state web-back")
            time.sleep(0.1)

    def differences() -> list[str]:
        states = parse_servers(running.ask("show servers state"))
        written = [each for each in parse(rendered.text) if each.kind in ("backend", "resolvers")]
        return [each.sentence for each in compare_servers(written, states, {}, lambda _name: set())]

    # The second has no address yet, and HAProxy is as its configuration says.
    until(lambda: "127.0.0.1" in addresses() and get(running.ports["web"])[0] == 200)
    name_server.addresses = ["127.0.0.1", "127.0.0.2"]
    assert differences() == []
    until(lambda: addresses() == ["127.0.0.1", "127.0.0.2"])
    assert differences() == []
