# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two configurations and the same requests: what a client and a server see differently is told, and nothing else."""

from __future__ import annotations

import pathlib
import shutil
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import parse as sections
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.comparison import (
    affected_ports,
    compare,
    lines,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.expectations import parse
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.rehearsal import Trial
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError
from ansible_collections.lbforge.haproxy.tests.unit.plugins.conftest import BINARY
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._rehearsal.conftest import SHOP

pytestmark = pytest.mark.skipif(BINARY is None or not shutil.which("ip"), reason="needs haproxy and ip")

REQUESTS: tuple[dict[str, t.Any], ...] = (
    {"name": "an order", "request": {"url": "https://203.0.113.10/api/v1"}},
    {"name": "the start page", "request": {"url": "http://203.0.113.10/", "times": 4}},
    {"name": "the start page without web1", "given": {"down": ["web1"]}, "request": {"url": "http://203.0.113.10/"}},
    {"name": "an old page", "request": {"url": "http://203.0.113.10/old"}},
    {"name": "the admin page", "request": {"url": "http://203.0.113.10/admin"}},
    {"name": "the database", "request": {"connect": "203.0.113.10:5432"}},
)


def compared(new: str, old: str = SHOP, requests: t.Sequence[dict[str, t.Any]] = REQUESTS) -> list[str]:
    path = pathlib.Path("/etc/haproxy/haproxy.cfg")
    expectations = parse([{**request, "expect": {}} for request in requests])
    before, after = (Trial(path, {path: text.encode()}, expectations, binary=str(BINARY)) for text in (old, new))
    return lines(compare(before, after))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("    use_backend api-back", "    use_backend api-back", []),
        # No client sees a comment, a timeout or another order of servers.
        ("    timeout connect 2s\n", "    timeout connect 3s\n    # a comment\n", []),
        (
            "use_backend api-back if { path_beg /api/ }",
            "use_backend api-back if { path_beg /api/v2/ }",
            [
                "CHANGED an order (GET https://203.0.113.10/api/v1)",
                "backend: api-back -> shop-back",
                "server: api1 -> nothing",
            ],
        ),
        (
            "redirect scheme https code 301",
            "redirect scheme https code 308",
            ["CHANGED an old page (GET http://203.0.113.10/old)", "status: 301 -> 308"],
        ),
        (
            "http-request deny if",
            "http-request deny deny_status 404 if",
            ["CHANGED the admin page (GET http://203.0.113.10/admin)", "status: 403 -> 404"],
        ),
        (
            "    option forwardfor\n",
            "",
            ["request_headers.x-forwarded-for: 198.51.100.1 -> nothing"],
        ),
        (
            "    server db1 10.0.0.3:5432 check\n",
            "    server db2 10.0.0.4:5432 check\n",
            ["CHANGED the database (connect 203.0.113.10:5432)", "server: db1 -> db2"],
        ),
        (
            "bind 203.0.113.10:5432,[2001:db8:5::10]:5432",
            "bind [2001:db8:5::10]:5432",
            ["connection: nothing -> refused", "frontend: database -> nothing"],
        ),
        ("    server web1 10.0.0.1:8080 check\n", "", ["server: web1, web2 -> web2"]),
    ],
    ids=["nothing", "nothing to see", "a path", "a redirect", "a denial", "a header", "a server", "a bind", "a pool"],
)
def test_what_changes_is_told(old: str, new: str, told: list[str]) -> None:
    assert SHOP.count(old) == 1
    found = compared(SHOP.replace(old, new))
    assert [words for words in told if not any(words in line for line in found)] == [], found
    assert bool(found) == bool(told), found


def test_requests_that_nobody_has_written_down_are_compared() -> None:
    """Those by which a configuration can be learned."""
    found = compared(SHOP.replace("src 10.0.0.0/8", "src 10.0.0.0/9"), requests=[])
    assert "CHANGED https://203.0.113.10/admin from 10.255.255.255" in found
    assert "        status: 200 -> 403" in found
    assert all("/admin from 10." in line for line in found if not line.startswith(" ")), found


@pytest.mark.parametrize(
    ("old", "new", "files", "ports"),
    [
        ("    option forwardfor\n", "", [], {80, 443}),
        ("10.0.0.1:8080", "10.0.0.9:8080", [], {80, 443}),
        ("option pgsql-check user check", "option pgsql-check user other", [], {5432}),
        ("timeout connect 2s", "timeout connect 3s", [], {80, 443, 5432}),
        ("    user haproxy\n", "    user haproxy\n", ["/etc/haproxy/ssl/shop.pem"], {80, 443}),
        ("    user haproxy\n", "    user haproxy\n", ["/etc/haproxy/other.map"], set()),
        ("default_backend shop-back", "use_backend %[hdr(host)]-back", [], {80, 443}),
    ],
)
def test_the_ports_that_a_change_can_concern(old: str, new: str, files: list[str], ports: set[int]) -> None:
    assert SHOP.count(old) == 1
    assert affected_ports(sections(SHOP.replace(old, new)), sections(SHOP), files) == ports


def test_a_server_that_only_one_of_them_has_may_be_down() -> None:
    old = SHOP.replace("    server web2 10.0.0.2:8080 check\n", "    server web9 10.0.0.9:8080 check\n")
    request = {"name": "x", "given": {"down": ["web9"]}, "request": {"url": "http://203.0.113.10/", "times": 4}}
    assert "        server: web1 -> web1, web2" in compared(SHOP, old, [request])


def test_one_that_haproxy_refuses_is_told() -> None:
    with pytest.raises(LbforgeError, match="HAProxy does not start with this configuration"):
        compared(SHOP.replace("default_backend shop-back", "default_backend nowhere"))
