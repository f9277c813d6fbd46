# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a change needs. test_runtime.py proves with HAProxy that the commands bring it."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._release.plan import Difference, Loaded, compare
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import Release
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.parsers import Version

TEXT = """
global
    description @release@
defaults
    mode http
frontend web
    bind :80 ssl crt /etc/haproxy/ssl/a.pem
    use_backend %[path,map_beg(/etc/haproxy/paths.map,pool)]
    http-request deny if { src -f /etc/haproxy/deny.acl }
    bind :443 ssl crt-list /etc/haproxy/sites.list
    errorfile 503 /etc/haproxy/503.http
    default_backend pool
backend pool
    balance roundrobin
    server a 192.0.2.1:80 check port 81 weight 10
    server b 192.0.2.2:80 check port 81 weight 10 maxconn 5
backend hashed
    balance source
    server a 192.0.2.1:80 check
"""
FILES = {
    "paths.map": "/ pool\n",
    "deny.acl": "192.0.2.0/24\n",
    "sites.list": "/x.pem x.example\n",
    "503.http": "sorry\n",
}
LOADED = Loaded(
    version=Version(2, 6, 12),
    patterns={"/etc/haproxy/paths.map": "map", "/etc/haproxy/deny.acl": "acl"},
    certificates=["/etc/haproxy/ssl/a.pem", "/x.pem"],
    crt_lists=["/etc/haproxy/sites.list"],
)
A = "    server a 192.0.2.1:80 check port 81 weight 10\n"
B = "    server b 192.0.2.2:80 check port 81 weight 10 maxconn 5\n"


def release(text: str = TEXT, **files: str) -> Release:
    named = {name.replace("_", "."): content for name, content in files.items()}
    return Release.made_of({"haproxy.cfg": text, **FILES, **named})


def difference(
    new: str = TEXT,
    old: str = TEXT,
    *,
    loaded: Loaded = LOADED,
    certificates: t.Mapping[str, bytes] | None = None,
    **files: str,
) -> Difference:
    pems = {Path("/etc/haproxy/ssl") / name: pem for name, pem in (certificates or {}).items()}
    return compare(release(old), release(new, **files), Path("/etc/haproxy"), pems, loaded)


def commands(found: Difference) -> list[str]:
    return [command for change in found.changes for command in change.commands]


@pytest.mark.parametrize(
    ("old", "new", "sent"),
    [
        ("description @release@", "description @release@  # a comment", []),
        (f"{A}{B}", f"{A}\n  # the second\n{B}", []),
        ("check port 81 weight 10\n", "check port 81 weight 50\n", ["set server pool/a weight 50"]),
        ("check port 81 weight 10\n", "check port 81\n", ["set server pool/a weight 1"]),
        ("maxconn 5", "maxconn 7", ["set maxconn server pool/b 7"]),
        (" maxconn 5", "", ["set maxconn server pool/b 0"]),
        ("192.0.2.2:80 check port 81", "192.0.2.2:80 check port 82", ["set server pool/b check-port 82"]),
        ("192.0.2.2:80", "[2001:db8::2]:8080", ["set server pool/b addr 2001:db8::2 port 8080"]),
        ("maxconn 5", "maxconn 5 disabled", ["set server pool/b state maint"]),
        (B, "", ["set server pool/b state maint", "del server pool/b"]),
        (
            "maxconn 5\n",
            "maxconn 5\n    server c 192.0.2.3:80 check ssl verify none\n",
            # Checks of a server that is added do not speak TLS by themselves.
            ["add server pool/c 192.0.2.3:80 check ssl verify none check-ssl"],
        ),
        (
            "maxconn 5\n",
            "maxconn 5\n    server c 192.0.2.3:80 send-proxy-v2 no-check-ssl check no-backup\n",
            ["add server pool/c 192.0.2.3:80 send-proxy-v2 check check-send-proxy"],
        ),
        (
            "maxconn 5\n",
            "maxconn 5\n    server c 192.0.2.3:80 send-proxy check no-check\n",
            ["add server pool/c 192.0.2.3:80 send-proxy"],
        ),
        # Of two of one kind HAProxy takes the last.
        ("weight 10\n", "weight 7 weight 9\n", ["set server pool/a weight 9"]),
        ("weight 10 maxconn 5", "weight 10 maxconn 5 disabled enabled", []),
        (
            "backend hashed\n    balance source\n    server a 192.0.2.1:80 check",
            "backend hashed\n    balance source\n    server a 192.0.2.9:80 check",
            ["set server hashed/a addr 192.0.2.9 port 80"],
        ),
    ],
)
def test_at_run_time(old: str, new: str, sent: list[str]) -> None:
    assert old in TEXT
    found = difference(TEXT.replace(old, new, 1))
    assert (commands(found), found.reasons) == (sent, [])


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("backend hashed", "backend other", "backend other is new"),
        ("bind :80", "bind :81", "in frontend web 'bind' changes"),
        ("    bind :80 ssl crt /etc/haproxy/ssl/a.pem\n", "", "in frontend web 'bind' changes"),
        ("    mode http", "    mode tcp", "in defaults 'mode' changes"),
        ("balance roundrobin", "balance leastconn", "in backend pool 'balance' changes"),
        ("balance roundrobin\n", "balance roundrobin\n    timeout server 9s\n", "in backend pool 'timeout' changes"),
        (f"{A}{B}", f"{B}{A}", "in backend pool the order of servers changes"),
        (
            "check port 81 weight 10 maxconn",
            "check inter 5s port 81 weight 10 maxconn",
            "the server b changes '5s', 'inter'",
        ),
        ("192.0.2.2:80", "web.example.com:80", "the server b has an address that HAProxy does not change"),
        ("192.0.2.2:80 check port 81", "192.0.2.2:80 check", "starts or stops using a separate check port"),
        (
            "balance source\n    server a 192.0.2.1:80 check",
            "balance source\n    server a 192.0.2.1:80 check weight 9",
            "the server a changes its weight, which this pool takes only at a reload",
        ),
        (
            "balance source\n    server a 192.0.2.1:80 check",
            "balance source\n    server a 192.0.2.1:80 check\n    server b 192.0.2.2:80",
            "'balance source' depends on their order",
        ),
        (
            "maxconn 5\n",
            "maxconn 5\n    server c 192.0.2.3:80 cookie c\n",
            "the server c is added, with 'cookie', which HAProxy 2.6.12 does not take",
        ),
        (
            "maxconn 5\n",
            "maxconn 5\n    server c name.example.com:80\n",
            "the server c is added, with an address that HAProxy does not take",
        ),
        ("192.0.2.2:80", "${B}:80", "servers have quotes, backslashes or variables"),
    ],
)
def test_needs_a_reload(old: str, new: str, reason: str) -> None:
    assert old in TEXT
    found = difference(TEXT.replace(old, new, 1))
    assert any(reason in one for one in found.reasons), found.reasons


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"path_reg ^/.git", r"path_reg ^/\.git"),
        (r"path_reg \d+", r"path_reg d+"),
        (r"path_reg /\x41", r"path_reg /x41"),
        ('path "$V"', r'path "\$V"'),
        ("path '$V'", 'path "$V"'),
        ("path /a\u00a0/b", "path /a /b"),
    ],
)
def test_no_splitting_hides_a_change(old: str, new: str) -> None:
    text = TEXT.replace("src -f /etc/haproxy/deny.acl", old)
    assert difference(text.replace(old, new), text).reasons == ["in frontend web 'http-request' changes"]


@pytest.mark.parametrize(
    ("extra", "old", "new", "reason"),
    [
        ("default-server inter 9s", "weight 10\n", "weight 11\n", "in a section with 'default-server'"),
        ("default-server maxconn 9", " maxconn 5", "", "in a section with 'default-server'"),
        ("default-server inter 9s", B, f"{B}    server c 192.0.2.3:80\n", "in a section with 'default-server'"),
        ("cookie S insert dynamic", B, f"{B}    server c 192.0.2.3:80\n", "get no dynamic cookie"),
        (".if defined(X)\n    .endif", "weight 10\n", "weight 11\n", "the configuration has conditions"),
    ],
)
def test_what_is_beside_the_servers_counts(extra: str, old: str, new: str, reason: str) -> None:
    text = TEXT.replace("balance roundrobin\n", f"balance roundrobin\n    {extra}\n")
    found = difference(text.replace(old, new, 1), text)
    assert any(reason in one for one in found.reasons), found.reasons


def test_a_server_that_moves_behind_a_default_server() -> None:
    default = "    default-server inter 9s\n"
    found = difference(TEXT.replace(B, f"{B}{default}"), TEXT.replace(B, f"{default}{B}"))
    assert found.reasons == ["in backend pool servers change in a section with 'default-server'"]


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("check on-marked-down shutdown-sessions", None, "would end its sessions at once"),
        (
            "check on-marked-down shutdown-sessions",
            "check on-marked-down shutdown-sessions disabled",
            "would end its sessions at once",
        ),
        (None, "check on-marked-up shutdown-backup-sessions", "with 'on-marked-up'"),
        ("check agent-check agent-port 9", "check agent-check agent-port 9 weight 5", "changes its weight"),
        ("cookie disabled check", "cookie check disabled", "changes 'disabled'"),
        ("cookie weight check", "cookie weight check weight 3", None),
        ("check backup", "check backup\n    server d 192.0.2.4:80 check backup", "the order of backups matters"),
        ("check some-new-keyword 5", "check some-new-keyword 6", "changes '5', '6'"),
        (None, "check some-new-keyword 5", "which is an unknown option"),
        (None, "enabled namespace blue", "with 'namespace'"),
    ],
)
def test_what_a_server_is_counts(before: str | None, after: str | None, reason: str | None) -> None:
    with_it, without = f"{B}    server c 192.0.2.3:80 %s\n", B
    old = TEXT.replace(B, with_it % before if before else without)
    new = TEXT.replace(B, with_it % after if after else without)
    found = difference(new, old)
    if reason is None:
        assert found.reasons == []
    assert reason is None or any(reason in one for one in found.reasons), found.reasons


@pytest.mark.parametrize(
    "options",
    [
        *(
            "no-check",
            "check crl-file /l",
            "check send-proxy check-send-proxy",
            "send-proxy-v2-ssl-cn",
            "ssl no-tlsv10",
        ),
        *(
            "ssl ssl-reuse",
            "check check-via-socks4 socks4 192.0.2.9:1080",
            "track hashed/a",
            "ws h1",
            "pool-max-conn 5",
        ),
        *(
            "send-proxy-v2 set-proxy-v2-tlv-fmt(0x20) %[fc_pp_authority]",
            "source 192.0.2.1 usesrc clientip",
            "non-stick",
        ),
    ],
)
def test_a_weight_is_set_whatever_else_a_server_has(options: str) -> None:
    old, new = (TEXT.replace(B, f"    server b 192.0.2.2:80 {options} weight {weight}\n") for weight in (1, 2))
    found = difference(new, old)
    assert (commands(found), found.reasons) == (["set server pool/b weight 2"], [])


def test_an_address_that_a_place_is_made_of() -> None:
    old, new = (TEXT.replace(B, f"    server b 192.0.2.{byte}:80 hash-key addr\n") for byte in (2, 3))
    assert difference(new, old).reasons == [
        "in backend pool the server b changes its address, which may determine its place"
    ]


def test_an_old_haproxy_has_no_dynamic_servers() -> None:
    found = difference(TEXT.replace(B, ""), loaded=Loaded(Version(2, 4, 22)))
    assert found.reasons == [
        "in backend pool servers are added or removed, which HAProxy 2.4.22 cannot do without a reload"
    ]


def test_haproxy_3_takes_cookies() -> None:
    found = difference(TEXT.replace(B, f"{B}    server c 192.0.2.3:80 cookie c\n"), loaded=Loaded(Version(3, 0)))
    assert (commands(found), found.reasons) == (["add server pool/c 192.0.2.3:80 cookie c"], [])


@pytest.mark.parametrize(("keeps_one", "at_once"), [(f"{A}{B}", False), (B, True)])
def test_a_pool_is_never_empty(keeps_one: str, at_once: bool) -> None:
    """A server that replaces another gets traffic at once, one that only joins waits for its checks."""
    found = difference(TEXT.replace(f"{A}{B}", f"{keeps_one}    server c 192.0.2.3:80 check\n"))
    assert [change.at_once for change in found.changes if hasattr(change, "at_once")] == [at_once]


def test_files_and_certificates() -> None:
    found = difference(paths_map="/ other\n", deny_acl="", certificates={"a.pem": b"PEM"})
    assert found.reasons == []
    assert commands(found) == [
        "set ssl cert /etc/haproxy/ssl/a.pem",
        "commit ssl cert /etc/haproxy/ssl/a.pem",
        *(f"{verb} acl /etc/haproxy/deny.acl" for verb in ("prepare", "add", "commit")),
        *(f"{verb} map /etc/haproxy/paths.map" for verb in ("prepare", "add", "commit")),
    ]
    listed = difference(sites_list="/x.pem x.example\n/etc/haproxy/ssl/a.pem a.example\n")
    assert (commands(listed), listed.reasons) == (["add, del ssl crt-list /etc/haproxy/sites.list"], [])


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"503_http": "other\n"}, "HAProxy reads 503.http only at its start"),
        ({"helper_lua": "return 1\n"}, "the file helper.lua is new"),
        ({"sites_list": "/y.pem y.example\n/x.pem x.example\n"}, "in sites.list the first entry changes"),
        ({"sites_list": "/x.pem x.example\n/y.pem y.example\n"}, "in sites.list the certificate /y.pem is new"),
    ],
)
def test_other_files(files: dict[str, str], reason: str) -> None:
    assert difference(**files).reasons[0].startswith(reason)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("errorfile 503 /etc/haproxy/503.http", "errorfile 503 /etc/haproxy/paths.map", "only at its start"),
        ("default_backend pool", "use_backend %[path,map(/etc/haproxy/current/paths.map)]", "only at its start"),
        ("default_backend pool", "use_backend %[path,map(/etc/haproxy/./paths.map)]", "only at its start"),
        ("default_backend pool", 'http-request set-header X "${WHAT}"', "HAProxy's environment decides"),
    ],
)
def test_a_map_that_is_used_in_another_way_too(old: str, new: str, reason: str) -> None:
    text = TEXT.replace(f"    {old}\n", f"    {new}\n", 1)
    assert text != TEXT
    assert reason in difference(text, text, paths_map="/ other\n").reasons[0]


@pytest.mark.parametrize(
    ("line", "name", "reasons"),
    [
        ("bind :81 ssl crt /etc/haproxy/ssl/a.pem", "b.pem", ["HAProxy has not loaded the certificate b.pem"]),
        ("bind :81 ssl crt /etc/haproxy/ssl/a.pem", "a.pem", []),
        ("bind :81 ssl ca-file /etc/haproxy/ssl/a.pem", "a.pem", ["a.pem is also used as ca-file"]),
        ("bind :81 ssl crl-file /etc/haproxy/ssl/a.pem", "a.pem", ["a.pem is also used as crl-file"]),
    ],
)
def test_certificates_that_are_more(line: str, name: str, reasons: list[str]) -> None:
    text = TEXT.replace("    default_backend pool\n", f"    default_backend pool\n    {line}\n")
    assert difference(text, text, certificates={name: b"PEM"}).reasons == reasons


def test_a_client_ca_in_a_list_of_certificates() -> None:
    entry = "/x.pem [ca-file /etc/haproxy/ssl/a.pem verify required] x.example\n"
    old, new = release(sites_list=entry), release(sites_list=entry)
    pem = {Path("/etc/haproxy/ssl/a.pem"): b"PEM"}
    assert compare(old, new, Path("/etc/haproxy"), pem, LOADED).reasons == [
        "a.pem is in a list of certificates with options"
    ]
