# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What HAProxy gets of ``haproxy_vips``: binds, certificates, and the checks against what keepalived moves."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._inventory.movement import movement
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.validate import check

from .conftest import NODES, WEB, Rendered

Render = t.Callable[..., Rendered]
Says = t.Callable[[Rendered], list[str]]

TLS = {**WEB, "haproxy_port": 443, "haproxy_ssl": True}
EXTERNAL = {"name": "external", "address": ["203.0.113.10/24", "2001:db8::10/64"], "names": ["www.example.org"]}
INTERNAL = {"name": "internal", "type": "internal", "address": "10.0.0.10/24"}
OFFICE = {"name": "office", "address": "198.51.100.10/24"}
NO_OTHERS: dict[str, t.Any] = {"external_lb_vip_address": "", "internal_lb_vip_address": ""}


def binds(rendered: Rendered) -> dict[str, bool]:
    """Every address with its port, and whether it speaks TLS."""
    lines = [line.split() for line in rendered.text.splitlines() if line.startswith("    bind ")]
    return {words[1]: "ssl" in words for words in lines}


def test_every_address_is_bound_and_a_vip_has_one_certificate(render: Render, haproxy_says: Says) -> None:
    rendered = render(TLS, haproxy_vips=[EXTERNAL, INTERNAL], **NO_OTHERS)
    assert binds(rendered) == {"203.0.113.10:443": True, "[2001:db8::10]:443": True, "10.0.0.10:443": False}
    (certificate,) = rendered.model["certificates"]
    assert certificate["name"] == "haproxy_lb1-203.0.113.10"
    assert certificate["san"] == {"dns": ["www.example.org"], "ip": ["203.0.113.10", "2001:db8::10"]}
    assert rendered.text.count("crt ") == rendered.text.count(f"/{certificate['name']}.pem") == 2
    assert haproxy_says(rendered) == []


@pytest.mark.parametrize(
    ("internal", "office", "all_vips", "expected"),
    [
        (None, None, False, (True, False, False)),
        (True, None, False, (True, True, False)),
        (None, None, True, (True, True, True)),
        (False, None, True, (True, False, True)),
        (None, False, True, (True, True, False)),
    ],
)
def test_where_tls_is_spoken(
    render: Render,
    haproxy_says: Says,
    internal: bool | None,
    office: bool | None,
    all_vips: bool,
    expected: tuple[bool, ...],
) -> None:
    external = {**EXTERNAL, "address": "203.0.113.10/24"}
    vips = [external, {**INTERNAL, "tls": internal}, {**OFFICE, "tls": office}]
    rendered = render({**TLS, "haproxy_ssl_all_vips": all_vips}, haproxy_vips=vips, **NO_OTHERS)
    assert tuple(binds(rendered).values()) == expected
    assert haproxy_says(rendered) == []


def test_the_first_vip_without_a_wish_takes_tls(render: Render) -> None:
    plain = {**INTERNAL, "tls": False}
    rendered = render(TLS, haproxy_vips=[plain, EXTERNAL], **NO_OTHERS)
    assert binds(rendered) == {"10.0.0.10:443": False, "203.0.113.10:443": True, "[2001:db8::10]:443": True}


def test_certificates_of_the_user_and_of_letsencrypt(render: Render) -> None:
    own = {"cert": "/own.crt", "key": "/own.key", "ca_cert": "/chain.crt"}
    vips = [EXTERNAL, {**OFFICE, "letsencrypt": "office"}, {**INTERNAL, "certificate": own}]
    rendered = render(
        {**TLS, "haproxy_ssl_all_vips": True},
        haproxy_vips=vips,
        haproxy_ssl_letsencrypt_enable=True,
        haproxy_ssl_letsencrypt_email="ops@example.org",
        haproxy_ssl_letsencrypt_certificates=[{"name": "office", "domains": ["office.example.org"]}],
        **NO_OTHERS,
    )
    (brought,) = rendered.model["user_certificates"]
    assert brought == {"name": "haproxy_lb1-10.0.0.10", **own, "names": ["10.0.0.10"]}
    # The domains of the first certificate by ACME follow from the names of the external VIP.
    assert {entry["name"]: entry["files"] for entry in rendered.model["acme_certificates"]} == {
        "www.example.org": ["haproxy_lb1-203.0.113.10"],
        "office": ["office", "haproxy_lb1-198.51.100.10"],
    }


def test_what_is_bound_in_place_of_the_address(render: Render, haproxy_says: Says) -> None:
    vips = [{**INTERNAL, "bind_address": "*", "bind_interface": "lo"}]
    rendered = render(TLS, haproxy_vips=vips, **NO_OTHERS)
    assert "bind *:443 interface lo ssl crt" in rendered.text
    assert rendered.model["certificates"][0]["san"] == {"dns": [], "ip": ["10.0.0.10"]}
    assert haproxy_says(rendered) == []


def test_a_service_may_bind_one_of_the_addresses(render: Render) -> None:
    service = {**TLS, "haproxy_bind": ["2001:db8::10"]}
    rendered = render(service, haproxy_vips=[EXTERNAL, INTERNAL], **NO_OTHERS)
    assert binds(rendered) == {"[2001:db8::10]:443": True}
    assert [certificate["name"] for certificate in rendered.model["certificates"]] == ["haproxy_lb1-203.0.113.10"]


def problems(
    settings: dict[str, t.Any], keepalived: dict[str, t.Any] | None = None, **service: t.Any
) -> dict[str, str]:
    """What is wrong, by path, of a load balancer whose VIPs keepalived moves."""
    moved = movement({**settings, **(keepalived or {})}, (), False, ["203.0.113.10", "10.0.0.10"])
    services = {"haproxy_service_configs": [{**WEB, "haproxy_backend_nodes": NODES, **service}]}
    found = check(services, settings, {}, movement=moved).problems
    return {problem.path: str(problem) for problem in [*found.errors, *found.warnings]}


def test_what_is_bound_moves() -> None:
    assert problems({"haproxy_vips": [EXTERNAL, INTERNAL]}) == {}


def test_a_vip_without_prefix_length_moves_nowhere() -> None:
    vips = {"haproxy_vips": [{**EXTERNAL, "address": "203.0.113.10"}]}
    found = problems(vips)
    assert list(found) == ["haproxy_vips[0].address"]
    assert "such as 203.0.113.10/24" in found["haproxy_vips[0].address"]
    # Something else may move it.
    services = {"haproxy_service_configs": [{**WEB, "haproxy_backend_nodes": NODES}]}
    assert check(services, vips, {}, movement=None).problems.errors == []


def test_an_instance_that_carries_another_address_names_both() -> None:
    instances = {"keepalived_instances": {"external": {"vips": ["203.0.113.11/24 dev eth0"]}}}
    found = problems({"haproxy_vips": [{**EXTERNAL, "address": "203.0.113.10/24"}]}, instances)
    assert list(found) == ["haproxy_vips[0]"]
    assert "'203.0.113.10' is bound by HAProxy" in found["haproxy_vips[0]"]
    assert "(keepalived_instances.external.vips[0])" in found["haproxy_vips[0]"]


def test_a_vip_that_no_service_listens_on_is_a_warning() -> None:
    found = problems({"haproxy_vips": [EXTERNAL, INTERNAL]}, haproxy_bind=["203.0.113.10", "2001:db8::10"])
    assert list(found) == ["haproxy_vips[1].address"]
    assert "'10.0.0.10/24' moves between the nodes, and HAProxy does not bind it" in found["haproxy_vips[1].address"]


@pytest.mark.parametrize(
    "variables",
    [
        {"keepalived_track_haproxy": "false"},
        {"keepalived_virtual_servers": [{"ip": "10.0.0.10", "port": 53}]},
        {"keepalived_virtual_server_groups": [{"name": "dns"}]},
    ],
)
def test_a_vip_may_be_for_something_else_than_haproxy(variables: dict[str, t.Any]) -> None:
    bound = ["203.0.113.10", "2001:db8::10"]
    assert problems({"haproxy_vips": [EXTERNAL, INTERNAL]}, variables, haproxy_bind=bound) == {}


def test_a_mistake_that_both_readings_see_is_told_once() -> None:
    vips = [{**EXTERNAL, "adress": "x"}, {**INTERNAL, "name": "external"}]
    found = check(
        {"haproxy_service_configs": [WEB]},
        {"haproxy_vips": vips},
        {},
        movement=movement({"haproxy_vips": vips}, (), False, ()),
    ).problems
    assert [problem.path for problem in found.errors] == ["haproxy_vips[0].adress"]
