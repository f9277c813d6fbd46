# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Raw lines mean what HAProxy reads in them, and what it would not read is found before."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import quote
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.problems import Problem
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.validate import check

Data = dict[str, t.Any]
Render = t.Callable[..., t.Any]
Start = t.Callable[..., t.Any]

NODE = {"name": "w1", "ip_addr": "127.0.0.1"}
WEB: Data = {"haproxy_service_name": "web", "haproxy_port": 80, "haproxy_backend_nodes": [NODE]}
S0 = "haproxy_service_configs[0]"

# A line of a frontend, and words of what is said of it.
UNREADABLE = [
    ('http-request set-header X-A "abc', "unmatched double quote"),
    ("http-request set-header X-A 'abc", "unmatched single quote"),
    ('acl a path_reg "^/x$"', "is not followed by the name of an environment variable"),
    ('http-request set-header X-A "${HOME"', "is not followed by the name of an environment variable"),
    (r"http-request set-header X-A a\x4", "two hexadecimal digits"),
    (f"acl a src {' '.join(['10.0.0.1'] * 62)}", "makes a line of 65 words, and HAProxy takes 64"),
]


def found(*services: Data, **settings: t.Any) -> tuple[list[Problem], list[Problem]]:
    problems = check({"haproxy_service_configs": services}, {"haproxy_host": "lb1", **settings}, {}).problems
    return problems.errors, problems.warnings


def the_one(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, "\n".join(map(str, problems))
    return problems[0]


@pytest.mark.parametrize(("line", "words"), UNREADABLE)
def test_what_haproxy_refuses_to_read_is_found(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "haproxy.cfg"
    path.write_text(f"defaults\n    mode http\n    timeout client 1s\nfrontend f\n    bind 127.0.0.1:1\n    {line}\n")
    assert subprocess.run(["haproxy", "-c", "-f", path], capture_output=True, check=False).returncode == 1
    problem = the_one(found({**WEB, "haproxy_frontend_raw": ["option httplog", line]})[0])
    assert (problem.path, problem.name) == (f"{S0}.haproxy_frontend_raw[1]", "web")
    assert words in problem.why
    assert problem.hint


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({"haproxy_frontend_raw": ["X"]}, "haproxy_frontend_raw[0]"),
        ({"haproxy_maps": ["X"]}, "haproxy_maps[0]"),
        ({"haproxy_acls": {"a": {"rule": "X"}}}, "haproxy_acls.a.rule"),
        ({"haproxy_backend_arguments": "X"}, "haproxy_backend_arguments"),
        ({"haproxy_backend_options": ["X"]}, "haproxy_backend_options[0]"),
        ({"haproxy_backend_httpcheck_options": ["X"]}, "haproxy_backend_httpcheck_options[0]"),
        ({"haproxy_backend_server_options": ["X"]}, "haproxy_backend_server_options[0]"),
        (
            {"haproxy_backend_nodes": [{**NODE, "backend_server_options": ["X"]}]},
            "haproxy_backend_nodes[0].backend_server_options[0]",
        ),
        ({"haproxy_bind_options": ["X"]}, "haproxy_bind_options[0]"),
        ({"haproxy_cookie": "X"}, "haproxy_cookie"),
        ({"haproxy_stick_table": ["X"]}, "haproxy_stick_table[0]"),
        ({"haproxy_balance_alg": "hash X"}, "haproxy_balance_alg"),
        ({"haproxy_backend_ssl": True, "haproxy_backend_sni": "X("}, "haproxy_backend_sni"),
        (
            {"haproxy_ssl": True, "haproxy_redirect_http_port": 81, "haproxy_redirect_scheme": "X"},
            "haproxy_redirect_scheme",
        ),
    ],
)
@pytest.mark.parametrize("text", ["a#b", "'a"])
def test_every_raw_key_is_read(keys: Data, path: str, text: str) -> None:
    given = json.loads(json.dumps(keys).replace("X", text))
    assert [problem.path for problem in found({**WEB, **given})[0]] == [f"{S0}.{path}"]


@pytest.mark.parametrize(
    "name",
    [
        *("haproxy_global_raw", "haproxy_defaults_raw", "haproxy_frontend_extra_raw", "haproxy_ssl_bind_options"),
        *("haproxy_frontend_redirect_extra_raw", "haproxy_ssl_server_options", "haproxy_stick_table"),
    ],
)
def test_every_raw_setting_is_read(name: str) -> None:
    errors, _doubts = found(WEB, **{name: "a #b c#d 'e"})
    assert errors == []
    assert the_one(found(WEB, **{name: "a c#d"})[0]).path == name


def test_tuning_is_read() -> None:
    errors, _doubts = found(WEB, haproxy_tuning_params={"nbthread": 2, "tune.idletimer": "'1s"})
    assert the_one(errors).path == "haproxy_tuning_params.tune.idletimer"


def get(port: int, path: str) -> str:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    client.request("GET", path)
    body = client.getresponse().read().decode()
    client.close()
    return body


def answers(haproxy: Start, rule: str, *paths: str) -> list[str]:
    """What a client gets whose path a rule matches, or not."""
    lines = f"    acl a {rule}\n    http-request return status 200 content-type text/plain string yes if a\n"
    rest = "    http-request return status 200 content-type text/plain string no\n"
    port = haproxy(f"frontend f\n    bind 127.0.0.1:@port-web@\n{lines}{rest}").ports["web"]
    return [get(port, path) for path in paths]


def test_a_hash_in_a_word_is_refused_and_the_hint_helps(haproxy: Start) -> None:
    """HAProxy would match another path than the one that is written; what we tell to write matches it."""
    assert answers(haproxy, "path_beg /app/#/login", "/app/dashboard") == ["yes"]
    problem = the_one(found({**WEB, "haproxy_acls": {"spa": {"rule": "path_beg /app/#/login"}}})[0])
    assert problem.path == f"{S0}.haproxy_acls.spa.rule"
    assert "'#/login' would be cut off" in problem.why
    right = re.findall(r"Write ('[^']*')", problem.hint)[0]
    assert answers(haproxy, f"path_beg {right}", "/app/dashboard") == ["no"]
    assert found({**WEB, "haproxy_acls": {"spa": {"rule": f"path_beg {right}"}}})[0] == []


def test_a_hash_in_an_escaped_word() -> None:
    problem = the_one(found({**WEB, "haproxy_backend_arguments": [r"tcp-check send AUTH\ pa#ss\r\n"]})[0])
    assert "would be cut off" in problem.why
    assert problem.hint == r"Write \# instead."


def test_a_check_sends_a_quoted_password_whole(render: Render, haproxy: Start) -> None:
    password = "pa#ss 'w\\rd\" $1"
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        node = {**NODE, "backend_port": server.getsockname()[1]}
        lines = ["option tcp-check", f"tcp-check send {quote(f'AUTH {password}')}\\r\\n"]
        rendered = render(
            {**WEB, "haproxy_backend_nodes": [node], "haproxy_backend_arguments": lines, "interval": "1s"}
        )
        haproxy("backend web-back\n" + "\n".join(rendered.section("backend web-back")) + "\n")
        connection, _address = server.accept()
        with connection:
            connection.settimeout(30)
            assert connection.makefile().readline() == f"AUTH {password}\n"


def test_a_backslash_of_a_regular_expression_stays(haproxy: Start) -> None:
    """Only before a few characters does a backslash vanish, and then it was an escape."""
    line = r"path_reg ^/a\.json$"
    assert answers(haproxy, line, "/a.json", "/aXjson") == ["yes", "no"]
    assert found({**WEB, "haproxy_acls": {"a": {"rule": line}}}) == ([], [])


def test_a_comment_never_swallows_what_is_joined_behind_it(render: Render, haproxy: Start) -> None:
    rendered = render(
        {
            **WEB,
            "haproxy_bind_options": ["maxconn 10 # from the CDN", "name web # and more"],
            "haproxy_backend_server_options": ["maxqueue 20   # see ticket 4711"],
            "haproxy_backend_nodes": [NODE, {**NODE, "name": "w2", "backend_server_options": ["# off", "disabled"]}],
        }
    )
    servers = [line for line in rendered.section("backend web-back") if line.startswith("server")]
    assert "#" not in " ".join(servers)
    running = haproxy("backend web-back\n" + "\n".join(servers) + "\n")
    states = [line.split(",")[17] for line in running.ask("show stat").splitlines() if line.startswith("web-back,w")]
    assert states[1].startswith("MAINT")
    assert not states[0].startswith("MAINT")
    binds = [line for line in rendered.section("frontend web-front-1") if line.startswith("bind")]
    assert binds == ["bind 203.0.113.10:80 maxconn 10 name web"]


def test_comments_and_empty_lines_are_left_out(render: Render) -> None:
    lines = ["# the whole line", "", "   ", "http-request set-header X-A a # why", "http-request set-header X-B '#' #"]
    rendered = render({**WEB, "haproxy_frontend_raw": lines, "haproxy_backend_arguments": ["", "# nothing"]})
    kept = [line for line in rendered.section("frontend web-front-1") if "X-A" in line or "X-B" in line or "#" in line]
    assert kept == ["http-request set-header X-A a", "http-request set-header X-B '#'"]
    assert "" not in rendered.section("backend web-back")


def test_a_stick_table_with_a_comment_is_shared(render: Render) -> None:
    rendered = render(
        {**WEB, "haproxy_stick_table": ["stick-table type ip size 1k # clients"]},
        haproxy_peers={"lb1": "127.0.0.1"},
        inventory_hostname="lb1",
    )
    assert "stick-table type ip size 1k peers load-balancers" in rendered.section("backend web-back")


def test_folded_texts_and_blocks_of_lines(render: Render, haproxy_says: t.Callable[..., list[str]]) -> None:
    block = "# headers\nhttp-response set-header X-A a\r\n\n\thttp-response set-header\tX-B b\n"
    rendered = render({**WEB, "haproxy_frontend_raw": ["http-response set-header X-C c\n", block]})
    lines = [line for line in rendered.section("frontend web-front-1") if line.startswith("http-response")]
    assert [line.split() for line in lines] == [
        ["http-response", "set-header", name, value] for name, value in (("X-C", "c"), ("X-A", "a"), ("X-B", "b"))
    ]
    assert haproxy_says(rendered) == []
    alone = render({**WEB, "haproxy_frontend_raw": block, "haproxy_cookie": "SRV insert\n"})
    assert [line for line in alone.section("frontend web-front-1") if line.startswith("http-response")] == lines[1:]
    assert "cookie SRV insert" in alone.section("backend web-back")


def test_a_line_does_not_continue_on_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "haproxy.cfg"
    path.write_text("defaults\n    mode http\nfrontend f\n    acl a path /x \\\n    /y\n")
    done = subprocess.run(["haproxy", "-c", "-f", path], capture_output=True, text=True, check=False)
    assert "unknown keyword '/y'" in done.stderr
    problem = the_one(found({**WEB, "haproxy_frontend_raw": "acl a path /x \\\n/y\n"})[0])
    assert "ends in a backslash" in problem.why
    assert found({**WEB, "haproxy_frontend_raw": [r"acl a path_reg \\"]})[0] == []


@pytest.mark.parametrize("line", ["'backend' evil", '"global"', r"back\x65nd evil", ".if defined(X)", "[snapshot]"])
def test_no_line_begins_a_section_in_disguise(line: str) -> None:
    assert "inside a section" in the_one(found({**WEB, "haproxy_backend_arguments": [line]})[0]).why


def test_words_of_a_line_may_be_the_names_of_sections() -> None:
    assert found({**WEB, "haproxy_backend_options": ["log-health-checks"], "haproxy_cookie": "cache insert"})[0] == []


def test_too_many_words_of_server_options() -> None:
    options = [f"option{number}" for number in range(30)]
    nodes = [NODE, {**NODE, "name": "w2", "backend_server_options": options}]
    errors, _doubts = found({**WEB, "haproxy_backend_server_options": options, "haproxy_backend_nodes": nodes})
    assert the_one(errors).path == f"{S0}.haproxy_backend_nodes[1]"


def test_an_environment_variable_is_doubtful_only_where_a_dollar_may_be_meant() -> None:
    doubts = found({**WEB, "haproxy_backend_arguments": ['http-request set-header X "pa$word"']})[1]
    assert "$word in double quotes" in the_one(doubts).why
    fine = ['log-tag "${TAG}"', "http-request set-header X 'pa$word'", 'http-request set-header X "pa\\$word"']
    assert found({**WEB, "haproxy_backend_arguments": fine}) == ([], [])


ROUTES = "use_backend %[path,map_beg(/etc/haproxy/r.map)]"


@pytest.mark.parametrize(
    ("line", "entry", "words"),
    [
        (f"{ROUTES}-back", "/x other", ""),
        (f"{ROUTES}-back", "/x othr", "Did you mean other?"),
        (f"{ROUTES}-back", "/x other-back", "is not a service"),
        (ROUTES, "/x other-back", ""),
        (ROUTES, "/x other", "Write other-back"),
        (f'{ROUTES}-back if {{ path_beg "/x" }}', "/x other", ""),
        ("use_backend '%[path,map_beg(\"/etc/haproxy/r.map\")]-back'", "/x othr", "Did you mean other?"),
        ("use_backend o%[path,map_beg(/etc/haproxy/r.map)]-back", "/x ther", ""),
    ],
)
def test_what_follows_a_map_is_part_of_the_name_of_the_backend(line: str, entry: str, words: str) -> None:
    other = {**WEB, "haproxy_service_name": "other", "haproxy_port": 81}
    maps = {"haproxy_maps": [line], "haproxy_map_entries": [{"name": "r", "entries": [entry]}]}
    errors, _doubts = found({**WEB, **maps}, other)
    assert words in str(the_one(errors)) if words else errors == []


def test_entries_need_a_value_only_where_one_is_looked_up() -> None:
    entries: Data = {"haproxy_map_entries": [{"name": "blocked", "entries": ["192.0.2.1", "# net", "192.0.2.2 x"]}]}
    deny = "tcp-request connection reject if { src -f /etc/haproxy/blocked.map }"
    assert found({**WEB, **entries, "haproxy_frontend_raw": [deny]}) == ([], [])
    looked_up = "http-request set-header X-Why %[src,map_ip(/etc/haproxy/blocked.map)]"
    errors, doubts = found({**WEB, **entries}, haproxy_frontend_extra_raw=[looked_up])
    assert errors == []
    assert the_one(doubts).path == f"{S0}.haproxy_map_entries[0].entries[0]"
