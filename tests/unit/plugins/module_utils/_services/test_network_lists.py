# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of networks: what they hold, and whom HAProxy lets in by them, with real clients from many addresses."""

from __future__ import annotations

import http.client
import ipaddress
import pathlib
import socket
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lbforge.haproxy.plugins.module_utils._services import networks
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.validate import check
from ansible_collections.lbforge.haproxy.tests.unit.plugins.ports import free_port

from .conftest import VIPS, WEB, Rendered, read_file
from .traffic import Client, Serve, mirrored

Render = t.Callable[..., Rendered]
REFUSED = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


def texts(render: Render, lists: dict[str, t.Any]) -> dict[str, list[str]]:
    """The networks in the file of each list, all of which one service reads."""
    model = render({**WEB, "haproxy_denylist_networks": list(lists)}, haproxy_network_lists=lists).model
    return {name.removesuffix(".acl"): text.split() for name, text in model["network_lists"].items()}


def errors(lists: t.Any, **keys: t.Any) -> dict[str, str]:
    """What is wrong, by its path, with lists and a service that uses them."""
    settings = {**VIPS, "haproxy_network_lists": lists}
    checked = check({"haproxy_service_configs": [{**WEB, **keys}]}, settings, {}, read_file=read_file)
    return {problem.path: f"{problem.why}. {problem.hint}" for problem in checked.problems.errors}


# An entry, and the networks that it is.
ENTRIES: list[tuple[str, list[str]]] = [
    ("10.0.0.1", ["10.0.0.1/32"]),
    ("10.0.0.77/8", ["10.0.0.0/8"]),
    ("10.0.0.0/255.255.0.0", ["10.0.0.0/16"]),
    ("10.0.0.1-10.0.0.9", ["10.0.0.1/32", "10.0.0.2/31", "10.0.0.4/30", "10.0.0.8/31"]),
    ("10.0.0.0 - 10.0.0.255", ["10.0.0.0/24"]),
    ("10.0.0.0-3", ["10.0.0.0/30"]),
    ("10.0.*.*", ["10.0.0.0/16"]),
    ("*.*.*.*", ["0.0.0.0/0"]),
    ("2001:db8::8/32", ["2001:db8::/32"]),
    ("2001:db8::-2001:db8::3", ["2001:db8::/126"]),
    ("::ffff:10.0.0.0/104", ["10.0.0.0/8"]),
    ("::ffff:10.0.0.1", ["10.0.0.1/32"]),
]


@pytest.mark.parametrize(("entry", "expected"), ENTRIES)
def test_what_an_entry_stands_for(render: Render, entry: str, expected: list[str]) -> None:
    assert texts(render, {"office": [entry]}) == {"office": expected}
    assert texts(render, {"office": entry}) == {"office": expected}


@pytest.mark.parametrize("entry", ["10.0.0.1-10.0.0.9", "10.0.*.*", "::ffff:10.0.0.0-::ffff:10.0.0.3"])
def test_a_service_takes_ranges_and_wildcards_too(
    render: Render, haproxy_says: t.Callable[[Rendered], list[str]], entry: str
) -> None:
    rendered = render({**WEB, "haproxy_allowlist_networks": [entry]})
    (line,) = [line for line in rendered.section("frontend web-front-1") if line.startswith("acl allow_list")]
    (expected,) = texts(render, {"office": [entry]}).values()
    assert line.split()[3:] == ["127.0.0.0/8", "::1", *expected]
    assert haproxy_says(rendered) == []


def test_all_of_ipv6_is_not_ipv4(render: Render) -> None:
    """HAProxy compares an IPv4 client with IPv6 networks by its mapped address."""
    held = [ipaddress.ip_network(text) for text in texts(render, {"six": ["::/0"]})["six"]]
    assert not any(ipaddress.ip_address("::ffff:192.0.2.1") in network for network in held)
    assert sum(network.num_addresses for network in held) == 2**128 - 2**32


def test_all_of_ipv6_lets_no_ipv4_client_in(serve: Serve, mirror: int) -> None:
    """In a list and in a service."""
    for entry in ("::/0", "six"):
        web = mirrored(mirror, haproxy_allowlist_networks=[entry])
        serve(web, haproxy_network_lists={"six": "::/0"})
        assert proxy_status(web["haproxy_port"], "198.51.100.8") is None
        assert proxy_status(web["haproxy_port"], "::ffff:198.51.100.8") is None
        assert proxy_status(web["haproxy_port"], "2001:db8::8") == 200


def test_lists_are_united_subtracted_and_minimised(render: Render, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "partners.txt"
    file.write_text("# partners\r\n192.0.2.0/25 ; one\r\n192.0.2.128/25 # the other\r\n\r\n192.0.2.7\r\n")
    lists = {
        "office": ["10.0.0.0/24", "10.0.1.0/24"],
        "guests": ["10.0.1.128/25"],
        "partners": {"file": str(file)},
        "inside": {"networks": ["office", "partners", "10.0.2.0/23"], "except": ["guests", "192.0.2.0-192.0.2.127"]},
    }
    assert texts(render, lists) == {
        "office": ["10.0.0.0/23"],
        "guests": ["10.0.1.128/25"],
        "partners": ["192.0.2.0/24"],
        "inside": ["10.0.0.0/24", "10.0.1.0/25", "10.0.2.0/23", "192.0.2.128/25"],
    }


ADDRESSES = st.integers(0, 63)


@st.composite
def entries(draw: st.DrawFn) -> tuple[str, frozenset[int]]:
    """An entry within a few addresses of either family, and which of them it stands for."""
    v6 = draw(st.booleans())
    start = 0x20010DB8 << 96 if v6 else 0x0A000000
    of = ipaddress.IPv6Address if v6 else ipaddress.IPv4Address
    first, last = sorted((draw(ADDRESSES), draw(ADDRESSES)))
    if draw(st.booleans()):
        return f"{of(start + first)}-{of(start + last)}", frozenset(range(start + first, start + last + 1))
    network = ipaddress.ip_network((start + first, (128 if v6 else 32) - draw(st.integers(0, 6))), strict=False)
    return f"{of(start + first)}/{network.prefixlen}", frozenset(map(int, network))


@given(st.lists(entries(), max_size=6), st.lists(entries(), max_size=3))
def test_a_list_holds_what_its_entries_say(
    wanted: list[tuple[str, frozenset[int]]], excepted: list[tuple[str, frozenset[int]]]
) -> None:
    lists = {"some": {"networks": [text for text, _held in wanted], "except": [text for text, _held in excepted]}}
    settings = {**VIPS, "haproxy_network_lists": lists}
    text = check({"haproxy_service_configs": [WEB]}, settings, {}).settings.network_lists["some"]
    held = [ipaddress.ip_network(line) for line in text.splitlines()]
    expected = frozenset().union(*(part for _text, part in wanted)) - frozenset().union(
        *(part for _text, part in excepted)
    )
    assert sorted(int(address) for network in held for address in network) == sorted(expected)
    for version in (4, 6):
        own = [network for network in held if network.version == version]
        assert own == list(ipaddress.collapse_addresses(t.cast("list[ipaddress.IPv4Network]", own)))


def test_every_mistake_is_told_at_once_where_it_is(tmp_path: pathlib.Path) -> None:
    file, many = tmp_path / "partners.txt", tmp_path / "many.txt"
    file.write_text("192.0.2.0/24\n10.0.0.0/33\n# fine\noffice\n")
    many.write_text("".join(f"host{number}.example.org\n" for number in range(100_000)))
    found = errors(
        {
            "office": ["10.0.0.0/24", "10.0.0.300", "partnes"],
            "partners": {"file": str(file), "networks": ["10.0.0.9-10.0.0.1"], "exept": []},
            "gone": {"file": str(tmp_path / "gone.txt")},
            "nothing": {},
            "unset": None,
            "empty": {"networks": ["10.0.0.0/8"], "file": "", "except": None},
            "many": {"file": str(many)},
            "own": {"networks": ["more"]},
            "more": {"networks": ["own"]},
            "9to5": [],
        },
        haproxy_allowlist_networks=["ofice"],
        haproxy_denylist_networks=["10.*.0.1"],
    )
    lists = "haproxy_network_lists"
    assert set(found) == {
        f"{lists}.office[1]",
        f"{lists}.office[2]",
        f"{lists}.partners.file, line 2",
        f"{lists}.partners.file, line 4",
        f"{lists}.partners.networks[0]",
        f"{lists}.partners.exept",
        f"{lists}.gone.file",
        f"{lists}.nothing",
        f"{lists}.empty.file",
        f"{lists}.empty.except",
        f"{lists}.unset",
        *(f"{lists}.many.file, line {number}" for number in range(1, 11)),
        f"{lists}.many.file, further lines",
        f"{lists}.more",
        f"{lists}.9to5",
        "haproxy_service_configs[0].haproxy_allowlist_networks[0]",
        "haproxy_service_configs[0].haproxy_denylist_networks[0]",
    }
    assert "Did you mean partners?" in found[f"{lists}.office[2]"]
    assert "Did you mean office?" in found["haproxy_service_configs[0].haproxy_allowlist_networks[0]"]
    assert "'10.0.0.0/33'" in found[f"{lists}.partners.file, line 2"]
    assert str(file) in found[f"{lists}.partners.file, line 2"]
    assert "No such file" in found[f"{lists}.gone.file"]
    assert "99990 more" in found[f"{lists}.many.file, further lines"]
    assert "own → more → own" in found[f"{lists}.more"]
    assert len("\n".join(found.values())) < 10_000


def test_a_file_of_the_user_is_not_overwritten() -> None:
    settings = {
        **VIPS,
        "haproxy_network_lists": {"office": []},
        "haproxy_static_files": [{"dest": "/etc/haproxy/office.acl", "content": "10.0.0.0/8"}],
    }
    problems = check({"haproxy_service_configs": [WEB]}, settings, {}).problems.errors
    assert [problem.path for problem in problems] == ["haproxy_static_files[0].dest"]


def test_without_netaddr_plain_networks_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "HAS_NETADDR", False)
    assert errors({}, haproxy_allowlist_networks=["10.0.0.0/8", "2001:db8::/32"]) == {}
    found = errors({"office": ["10.0.0.0/8"]}, haproxy_allowlist_networks=["10.0.*.*"])
    assert set(found) == {"haproxy_network_lists", "haproxy_service_configs[0].haproxy_allowlist_networks[0]"}
    assert all("pip install" in text for text in found.values())


def test_only_files_that_something_reads_are_in_the_release(render: Render) -> None:
    """Of another HAProxy would not take a change while it runs."""
    lists = {"office": "10.0.0.0/8", "own": "10.0.0.0/8", "proxies": "192.0.2.0/24", "unused": "10.0.0.0/8"}
    tcp = {**WEB, "haproxy_balance_type": "tcp", "haproxy_denylist_networks": ["office"]}
    trusting = {"haproxy_network_lists": lists, "haproxy_trusted_proxies": ["proxies"]}
    assert set(render(tcp, **trusting).model["network_lists"]) == {"office.acl"}
    section = {"type": "frontend", "name": "own", "lines": ["bind :81", "acl own src -f /etc/haproxy/own.acl"]}
    more = render(tcp, **trusting, haproxy_extra_sections=[section])
    assert set(more.model["network_lists"]) == {"office.acl", "own.acl"}
    raw = {**WEB, "haproxy_frontend_raw": ["http-request deny if { src -f /etc/haproxy/own.acl }"]}
    assert set(render(raw, **trusting).model["network_lists"]) == {"own.acl", "proxies.acl"}


def test_an_allow_list_that_turns_out_empty_is_told(render: Render) -> None:
    lists = {"nobody": {"networks": ["10.0.0.0/8"], "except": ["10.*.*.*"]}, "office": "10.0.0.0/8"}
    closed = render({**WEB, "haproxy_allowlist_networks": ["nobody"]}, haproxy_network_lists=lists)
    assert any("only the load balancer itself may connect" in why for why in closed.warnings)
    for keys in ({"haproxy_allowlist_networks": ["nobody", "office"]}, {"haproxy_denylist_networks": ["nobody"]}):
        assert render({**WEB, **keys}, haproxy_network_lists=lists).warnings == []


# Real clients. On the loopback interface each address of 127.0.0.0/8 is a client of its own.


def plain_status(port: int, source: str, address: str = "127.0.0.1") -> int | None:
    """The status that a client from this address gets; None if it is turned away without an answer."""
    connection = http.client.HTTPConnection(address, port, timeout=60, source_address=(source, 0))
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    except REFUSED:
        return None
    finally:
        connection.close()


def proxy_status(port: int, source: str, headers: dict[str, str] | None = None, *, tls: bool = False) -> int | None:
    """The same for a client that a PROXY header names."""
    try:
        return Client(port, source, tls=tls).ask(headers or {})[0]
    except (*REFUSED, OSError):
        return None


LISTS = {
    "bad": {"networks": ["127.0.0.10-127.0.0.19", "127.0.1.*", "2001:db8:6::/48"], "except": ["127.0.0.13"]},
    "office": ["198.51.100.0/24", "2001:db8:8::/48"],
    "proxies": ["192.0.2.0/24"],
}


@pytest.mark.parametrize("mode", ["http", "tcp"])
def test_who_is_denied(serve: Serve, mirror: int, mode: str) -> None:
    web = mirrored(
        mirror, haproxy_bind_options=[], haproxy_balance_type=mode, haproxy_denylist_networks=["bad", "127.0.0.30"]
    )
    serve(web, haproxy_network_lists=LISTS)
    clients = ("127.0.0.1", "127.0.0.9", "127.0.0.10", "127.0.0.13", "127.0.0.19", "127.0.1.7", "127.0.0.30")
    seen = {source: plain_status(web["haproxy_port"], source) for source in clients}
    assert [source for source, status in seen.items() if status is None] == [
        *("127.0.0.10", "127.0.0.19", "127.0.1.7", "127.0.0.30")
    ]
    assert {status for status in seen.values() if status is not None} == {200}


def test_an_ipv4_client_of_an_ipv6_socket_is_denied(serve: Serve, mirror: int) -> None:
    web = mirrored(
        mirror,
        haproxy_bind=[{"address": "::", "options": ["v4v6"]}],
        haproxy_bind_options=[],
        haproxy_denylist_networks=["bad", "all-six"],
    )
    serve(web, haproxy_network_lists={**LISTS, "all-six": "::/0"})
    assert plain_status(web["haproxy_port"], "127.0.0.10") is None
    assert plain_status(web["haproxy_port"], "127.0.0.1") == 200
    with socket.socket(socket.AF_INET6) as probe:
        has_ipv6 = probe.connect_ex(("::1", web["haproxy_port"])) == 0
    if has_ipv6:
        assert plain_status(web["haproxy_port"], "::1", "::1") is None


@pytest.mark.parametrize("mode", ["http", "tcp"])
def test_behind_a_proxy_header_its_client_counts(serve: Serve, mirror: int, mode: str) -> None:
    web = mirrored(
        mirror,
        haproxy_balance_type=mode,
        haproxy_allowlist_networks=["office", "2001:db8:6::1", "127.0.1.1"],
        haproxy_denylist_networks=["bad", "198.51.100.66"],
    )
    serve(web, haproxy_network_lists=LISTS)
    sources = {
        "198.51.100.8": 200,
        "198.51.100.66": None,
        "203.0.113.7": None,
        "2001:db8:8::8": 200,
        "2001:db8:6::1": None,
        "2001:db8:7::1": None,
        "::ffff:198.51.100.8": 200,
        "::ffff:198.51.100.66": None,
        "127.0.1.1": None,
        "127.0.0.1": 200,
    }
    assert {source: proxy_status(web["haproxy_port"], source) for source in sources} == sources


@pytest.mark.parametrize("both", [False, True])
def test_behind_trusted_proxies_the_client_that_they_name_counts(serve: Serve, mirror: int, both: bool) -> None:
    web = mirrored(
        mirror,
        haproxy_trusted_proxies=["proxies"],
        haproxy_denylist_networks=["bad", "203.0.113.7"],
        haproxy_ssl=both,
        haproxy_accept_both_protocols=both,
    )
    serve(web, haproxy_network_lists=LISTS)
    port = web["haproxy_port"]
    assert proxy_status(port, "192.0.2.1", {"X-Forwarded-For": "203.0.113.7"}) == 403
    assert proxy_status(port, "192.0.2.1", {"X-Forwarded-For": "203.0.113.7, 203.0.113.8"}) == 200
    assert proxy_status(port, "203.0.113.7", {"X-Forwarded-For": "203.0.113.8"}) is None
    assert proxy_status(port, "203.0.113.8", {"X-Forwarded-For": "203.0.113.7"}) == 200
    if both:
        assert proxy_status(port, "203.0.113.7", tls=True) is None
        assert proxy_status(port, "203.0.113.8", tls=True) == 200


def test_the_ca_reaches_certbot_past_a_deny_list(serve: Serve, mirror: int) -> None:
    certbot = {**mirrored(mirror), "haproxy_service_name": "letsencrypt", "haproxy_backend_only": True}
    rule = "path_beg /.well-known/acme-challenge/"
    web = mirrored(
        mirror,
        haproxy_ssl=True,
        haproxy_redirect_http_port=free_port(),
        haproxy_denylist_networks=["bad"],
        haproxy_frontend_acls={"acme": {"rule": rule, "backend_name": "letsencrypt"}},
    )
    serve(web, certbot, haproxy_network_lists=LISTS)
    port = web["haproxy_redirect_http_port"]
    assert Client(port, "127.0.0.10").ask({}, "/.well-known/acme-challenge/token")[0] == 200
    assert Client(port, "127.0.0.10").ask({}, "/")[0] == 403
    assert Client(port, "127.0.0.1").ask({}, "/")[0] == 302
    assert proxy_status(web["haproxy_port"], "127.0.0.10", tls=True) is None
