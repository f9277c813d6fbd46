# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wrong changes that HAProxy takes are caught by expectations that were right before."""

from __future__ import annotations

import pathlib
import subprocess
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.tests.unit.plugins.conftest import BINARY
from ansible_collections.lbforge.haproxy.tests.unit.plugins.made import make
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._rehearsal.conftest import SHOP
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._rehearsal.test_rehearsal import (
    MET,
    Rehearsed,
)

# Those that wait for a timeout take a second each.
EXPECTATIONS = [expectation for expectation in MET.values() if expectation["expect"] != {"connection": "timeout"}]
NAMES = {"www.example.com": "203.0.113.10"}
MUTATIONS = {
    "pools are swapped": (
        "use_backend api-back if { path_beg /api/ }\n    default_backend shop-back",
        "use_backend shop-back if { path_beg /api/ }\n    default_backend api-back",
    ),
    "a pool of its own is lost": ("    use_backend api-back if { path_beg /api/ }\n", ""),
    "a path is too long": ("path_beg /api/", "path_beg /api/v2/"),
    "a condition is another": ("if { path_beg /api/ }", "if { path /api/ }"),
    "a condition is turned": ("if { path_beg /api/ }", "unless { path_beg /api/ }"),
    "a default is lost": ("    default_backend shop-back\n", ""),
    "an exception is lost": (" !{ src 10.0.0.0/8 }", ""),
    "an exception is turned": ("!{ src 10.0.0.0/8 }", "{ src 10.0.0.0/8 }"),
    "an exception is too small": ("src 10.0.0.0/8", "src 10.0.0.0/16"),
    "an exception is too large": ("src 10.0.0.0/8", "src 0.0.0.0/0"),
    "a denial is lost": ("    http-request deny if { path /admin } !{ src 10.0.0.0/8 }\n", ""),
    "a denial says something else": ("http-request deny if", "http-request deny deny_status 404 if"),
    "a redirect is lost": ("    http-request redirect scheme https code 301 if { path /old }\n", ""),
    "a redirect is temporary": ("scheme https code 301", "scheme https code 302"),
    "a redirect leads elsewhere": ("redirect scheme https code 301", "redirect prefix https://example.org code 301"),
    "a header is lost": ("    http-request set-header X-Forwarded-Proto https if { ssl_fc }\n", ""),
    "a header is wrong": ("X-Forwarded-Proto https", "X-Forwarded-Proto http"),
    "a header's condition is turned": ("https if { ssl_fc }", "https unless { ssl_fc }"),
    "a header's name is wrong": ("set-header X-Forwarded-Proto", "set-header X-Forwarded-Protocol"),
    "the client is lost": ("    option forwardfor\n", ""),
    "the client is told to some": ("option forwardfor", "option forwardfor except 198.51.100.0/24"),
    "a header is not removed": ("    http-request del-header X-Trace\n", ""),
    "a header is removed too late": ("http-request del-header X-Trace", "http-response del-header X-Trace"),
    "HTTP/2 is lost": (" alpn h2,http/1.1", " alpn http/1.1"),
    "a port is another": ("bind 203.0.113.10:80\n", "bind 203.0.113.10:81\n"),
    "an address is another": ("bind 203.0.113.10:443", "bind 203.0.113.11:443"),
    "TLS is lost": (
        "bind 203.0.113.10:443 ssl crt /etc/haproxy/ssl/shop.pem alpn h2,http/1.1",
        "bind 203.0.113.10:443",
    ),
    "a port is open": ("    bind 203.0.113.10:80\n", "    bind 203.0.113.10:80\n    bind :9000\n"),
    "a server is lost": ("    server web2 10.0.0.2:8080 check\n", "    server web2 10.0.0.2:8080 check disabled\n"),
    "a server is a backup": ("server web2 10.0.0.2:8080 check", "server web2 10.0.0.2:8080 check backup"),
    "a backup is a server": ("8443 check backup", "8443 check"),
    "a server gets nothing": ("server web1 10.0.0.1:8080 check", "server web1 10.0.0.1:8080 check weight 0"),
    "a pool of TCP is one of HTTP": ("    mode tcp\n    bind 203.0.113.10:5432", "    bind 203.0.113.10:5432"),
    "IPv6 is lost": (",[2001:db8:5::10]:5432", ""),
    "a rejection is lost": ("    tcp-request connection reject if { src 192.0.2.66 }\n", ""),
    "a rejection is of another": ("src 192.0.2.66", "src 192.0.2.67"),
    "a rejection is of all": (" if { src 192.0.2.66 }", ""),
    "one server takes all": ("\nbackend shop-back\n", "\nbackend shop-back\n    balance first\n"),
    "clients stay": ("\nbackend shop-back\n", "\nbackend shop-back\n    balance source\n"),
    "a rule comes too early": (
        "    option forwardfor\n",
        "    option forwardfor\n    http-request redirect location / if { path_beg / }\n",
    ),
}


@pytest.mark.parametrize(("old", "new"), MUTATIONS.values(), ids=MUTATIONS)
def test_a_wrong_change_is_caught(old: str, new: str, rehearsed: Rehearsed, tmp_path: pathlib.Path) -> None:
    assert SHOP.count(old) == 1
    configuration = SHOP.replace(old, new)
    assert haproxy_takes(configuration, tmp_path)
    results = rehearsed(*EXPECTATIONS, configuration=configuration, addresses=NAMES)
    assert [result["name"] for result in results if not result["passed"]] != []


def test_the_right_configuration_is_not(rehearsed: Rehearsed, tmp_path: pathlib.Path) -> None:
    assert haproxy_takes(SHOP, tmp_path)
    assert all(result["passed"] for result in rehearsed(*EXPECTATIONS, addresses=NAMES))


def haproxy_takes(configuration: str, directory: pathlib.Path) -> bool:
    """Whether ``haproxy -c`` finds nothing wrong, once the certificate and the name of the server are there."""
    (directory / "shop.pem").write_text(make("any.test").pem)
    text = configuration.replace("/etc/haproxy/ssl", str(directory)).replace("api.example.com:8443", "192.0.2.1:8443")
    (directory / "haproxy.cfg").write_text(text)
    command: list[t.Any] = [BINARY, "-c", "-f", directory / "haproxy.cfg"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
