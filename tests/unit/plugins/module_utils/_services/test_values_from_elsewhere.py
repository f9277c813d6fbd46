# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values as inventories of other roles write them, and what HAProxy makes of them."""

from __future__ import annotations

import base64
import pathlib
import re
import subprocess
import typing as t
import urllib.request

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.table import Record
from ansible_collections.lbforge.haproxy.plugins.module_utils._services import schema
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.settings import SETTINGS
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.validate import check

from .conftest import NODES, VIPS, WEB, Rendered

Data = dict[str, t.Any]
Render = t.Callable[..., Rendered]

BIND = {"address": "203.0.113.99"}
ACL = {"rule": "path_beg /api"}
MAP = {"name": "m", "entries": ["/ web-back"]}
CERTIFICATE = {"name": "/etc/haproxy/ssl/other.pem"}
# Each record of keys, a dictionary of its kind, and the keys of a service in which it stands.
RECORDS: list[tuple[Record, Data, t.Callable[[Data], Data]]] = [
    (schema.SERVICE, WEB, lambda service: service),
    (schema.NODE, NODES[0], lambda node: {"haproxy_backend_nodes": [node]}),
    (schema.BIND, BIND, lambda bind: {"haproxy_bind": [bind]}),
    (schema.ACL, ACL, lambda acl: {"haproxy_acls": {"api": acl}}),
    (schema.MAP_ENTRIES, MAP, lambda entries: {"haproxy_map_entries": [entries]}),
    (schema.CERTIFICATE, CERTIFICATE, lambda entry: {"haproxy_ssl": True, "haproxy_ssl_certificates": [entry]}),
]
OPTIONAL = [
    pytest.param(given, around, key, id=f"{record.what.split()[-1]}-{key.name}")
    for record, given, around in RECORDS
    for key in record.keys
    if key.name not in given and not key.restricts
]


@pytest.mark.parametrize("nothing", ["", "  ", None])
@pytest.mark.parametrize(("given", "around", "key"), OPTIONAL)
def test_a_key_set_to_nothing_is_not_set(
    given: Data, around: t.Callable[[Data], Data], key: schema.Key, nothing: str | None, render: Render
) -> None:
    for name in (key.name, *key.aliases):
        with_it, without = ({**WEB, **around(dictionary)} for dictionary in ({**given, name: nothing}, given))
        assert render(with_it).text == render(without).text


@pytest.mark.parametrize("nothing", ["", "  ", None])
def test_a_variable_set_to_nothing_is_not_set(nothing: str | None, render: Render, tmp_path: pathlib.Path) -> None:
    unset = {key.name: nothing for key in SETTINGS.keys if key.name not in (*VIPS, "haproxy_ssl_cert_path")}
    assert render(WEB, **unset, haproxy_ssl_cert_path=str(tmp_path)).text == render(WEB).text


def test_a_named_thing_set_to_nothing_is_not_there(render: Render) -> None:
    inherited = {"tune.bufsize": 32768, "tune.maxaccept": ""}
    assert "tune.maxaccept" not in render(WEB, haproxy_tuning_params=inherited).text
    assert render({**WEB, "haproxy_acls": {"old": None}}).text == render(WEB).text


@pytest.mark.parametrize("key", [key for key in schema.SERVICE.keys if key.restricts], ids=lambda key: key.name)
def test_an_empty_text_is_no_restriction_that_is_lifted(key: schema.Key) -> None:
    for name in (key.name, *key.aliases):
        (error,) = check({"haproxy_service_configs": [{**WEB, name: ""}]}, VIPS, {}).problems.errors
        assert error.path == f"haproxy_service_configs[0].{name}"


def test_entries_that_are_absent_need_no_lines(render: Render) -> None:
    """OpenStack-Ansible 2024.1 writes such entries; its role only removes their file."""
    rendered = render({**WEB, "haproxy_map_entries": [{"name": "m", "order": 99, "state": "absent"}, MAP]})
    assert rendered.model["maps"] == {"m.map": "/ web-back\n"}


def test_the_word_of_haproxy_for_the_authorities_of_the_system(
    render: Render, haproxy_says: t.Callable[[Rendered], list[str]], tmp_path: pathlib.Path, pem: str
) -> None:
    (tmp_path / "ca.pem").write_text(pem)
    service = {**WEB, "haproxy_backend_ssl": True, "haproxy_backend_ca": "@system-ca"}
    rendered = render(service, haproxy_system_ca=str(tmp_path / "ca.pem"))
    assert f"verify required ca-file {tmp_path}/ca.pem" in rendered.text
    assert haproxy_says(rendered) == []


@pytest.mark.parametrize("timeout", ["client", "server"])
def test_haproxy_warns_of_a_timeout_that_is_off(timeout: str, tmp_path: pathlib.Path) -> None:
    """The reason why 0 is refused."""
    times = {"client": "1s", "connect": "1s", "server": "1s", timeout: "0"}
    lines = "".join(f" timeout {name} {time}\n" for name, time in times.items())
    path = tmp_path / "haproxy.cfg"
    path.write_text(f"listen a\n{lines} bind 127.0.0.1:1\n server a 127.0.0.1:2\n")
    done = subprocess.run(["haproxy", "-c", "-f", path], capture_output=True, text=True, check=False)
    assert "missing timeouts" in done.stderr
    service = {**WEB, f"haproxy_timeout_{timeout}": 0}
    (error,) = check({"haproxy_service_configs": [service]}, VIPS, {}).problems.errors
    assert "switches the timeout off" in error.why


def test_the_statistics_page_does_not_tell_the_version(render: Render, haproxy: t.Callable[..., t.Any]) -> None:
    lines = render(WEB, haproxy_stats_enabled=True, haproxy_stats_password="x").section("listen stats")
    section = "\n".join(["listen stats", *lines, "server a 127.0.0.1:1"])
    running = haproxy(re.sub(r"bind \S+", "bind 127.0.0.1:@port-page@", section) + "\n")
    credentials = base64.b64encode(b"admin:x").decode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{running.ports['page']}/", headers={"Authorization": f"Basic {credentials}"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        page = answer.read().decode()
    major, minor, *_rest = running.version
    assert "Statistics Report" in page
    assert not re.search(rf"version\s+{major}\.{minor}", page)


@pytest.mark.parametrize(
    ("host", "location"), [("a.example", "https://a.example/x"), ("a.example:8080", "https://a.example:8080/x")]
)
def test_a_redirect_keeps_the_port_that_a_client_names(
    host: str, location: str, render: Render, haproxy: t.Callable[..., t.Any]
) -> None:
    """The reason why a redirect from another port than 80 gives a warning."""
    service = {**WEB, "haproxy_port": 443, "haproxy_ssl": True, "haproxy_redirect_http_port": 8080}
    rendered = render(service)
    assert any("redirects to the port that the client named, not to 443" in why for why in rendered.warnings)
    lines = rendered.section("frontend web-redirect-front-1")
    section = "\n".join(["frontend redirect", *lines, ""])
    running = haproxy(re.sub(r"bind \S+", "bind 127.0.0.1:@port-plain@", section))
    done = subprocess.run(
        [
            *("curl", "--silent", "--max-time", "30", "--output", "/dev/null", "--write-out", "%{redirect_url}"),
            *("--header", f"Host: {host}", f"http://127.0.0.1:{running.ports['plain']}/x"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == location
