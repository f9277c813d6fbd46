# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""VIPs as the inventory says them: what is wrong, what the older variables add, and where they disagree."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.read import addresses_of_names, public_names, read
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.vip import UserCertificate, Vip, duplicates

EXTERNAL = {
    "name": "external",
    "address": ["203.0.113.10/24", "2001:db8::10/64"],
    "interface": "eth1",
    "names": ["www.example.org", "example.org"],
    "hosts": "lb2",
}
INTERNAL = {"name": "internal", "type": "internal", "address": "10.0.0.10/24", "tls": "no", "virtual_router_id": "52"}


def vips(*entries: t.Mapping[str, t.Any], **variables: t.Any) -> list[Vip]:
    found, problems = read({"haproxy_vips": list(entries), **variables})
    assert problems == []
    return found


def test_everything_said_of_a_vip() -> None:
    certificate = {"cert": "/a.crt", "key": "/a.key"}
    external, internal = vips({**EXTERNAL, "certificate": certificate, "sync_group": "both"}, INTERNAL)

    assert external.plain == external.bound == ("203.0.113.10", "2001:db8::10")
    assert [address.path for address in external.addresses] == [
        "haproxy_vips[0].address[0]",
        "haproxy_vips[0].address[1]",
    ]
    assert external.instances() == {"external": 4, "external_ipv6": 6}
    assert (external.type, external.interface, external.hosts, external.tls) == ("external", "eth1", ("lb2",), None)
    assert external.certificate == UserCertificate("/a.crt", "/a.key")
    assert (internal.tls, internal.virtual_router_id, internal.addresses[0].path) == (
        False,
        52,
        "haproxy_vips[1].address",
    )
    # RFC 5280, 4.2.1.6: addresses are of a kind of their own.
    assert external.subject_alternative_names() == {
        "dns": ["www.example.org", "example.org"],
        "ip": ["203.0.113.10", "2001:db8::10"],
    }


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"adress": "x"}, "haproxy_vips[0].adress", "Did you mean address?"),
        ({"virtual_ruter_id": 1}, "haproxy_vips[0].virtual_ruter_id", "Did you mean virtual_router_id?"),
        ({"port": 80}, "haproxy_vips[0].port", "Its keys are name, address"),
        ({"name": ""}, "haproxy_vips[0].name", "name is required"),
        ({"name": "two words"}, "haproxy_vips[0].name", "'two words' is not a name without blanks"),
        ({"address": ""}, "haproxy_vips[0].address", "address is required"),
        ({"address": []}, "haproxy_vips[0].address", "address is required"),
        ({"address": "203.0.113.10"}, "haproxy_vips[0].address", "has no prefix length"),
        ({"address": ["203.0.113.10/24", "10.0.0.0/24"]}, "haproxy_vips[0].address[1]", "network 10.0.0.0/24 itself"),
        ({"address": "www.example.org"}, "haproxy_vips[0].address", "is not an address with a prefix length"),
        ({"address": "*"}, "haproxy_vips[0].address", "is not an address with a prefix length"),
        ({"type": "exernal"}, "haproxy_vips[0].type", "use external or internal. Did you mean external?"),
        ({"tls": "maybe"}, "haproxy_vips[0].tls", "use true or false"),
        ({"names": ["a b"]}, "haproxy_vips[0].names", "'a b' is not a name"),
        ({"interface": "much-too-long-a-name"}, "haproxy_vips[0].interface", "is not an interface name"),
        ({"bind_address": "10.0.0.1/24"}, "haproxy_vips[0].bind_address", "neither an address nor a wildcard"),
        ({"virtual_router_id": "ten"}, "haproxy_vips[0].virtual_router_id", "must be a number, not 'ten'"),
        ({"certificate": "/a.pem"}, "haproxy_vips[0].certificate", "'/a.pem' is not a certificate"),
        ({"certificate": {"cert": "/a.crt"}}, "haproxy_vips[0].certificate.key", "key is required"),
        ({"certificate": {"cert": "a.crt", "key": "/a"}}, "haproxy_vips[0].certificate.cert", "an absolute path"),
        ({"certificate": {"crt": "/a"}}, "haproxy_vips[0].certificate.crt", "Did you mean cert?"),
        (
            {"certificate": {"cert": "/a", "key": "/a"}, "letsencrypt": "shop"},
            "haproxy_vips[0].certificate",
            "Remove certificate or letsencrypt",
        ),
    ],
)
def test_a_mistake_names_its_place(changes: dict[str, t.Any], path: str, words: str) -> None:
    _found, problems = read({"haproxy_vips": [{**EXTERNAL, **changes}]})
    said = {problem.path: str(problem) for problem in problems}
    assert words in said.get(path, ""), said


def test_all_mistakes_at_once_and_each_once() -> None:
    wrong = [{"name": "a", "adress": "x"}, "eth0", {**INTERNAL, "type": "x", "address": ["10.0.0.300/24"]}]
    # What disagrees with a list that is wrong itself is not told.
    _found, problems = read({"haproxy_vips": wrong, "haproxy_keepalived_external_vip_cidr": "192.0.2.7/24"})
    assert sorted(problem.path for problem in problems) == [
        "haproxy_vips[0].address",
        "haproxy_vips[0].adress",
        "haproxy_vips[1]",
        "haproxy_vips[2].address[0]",
        "haproxy_vips[2].type",
    ]
    assert [problem.path for problem in read({"haproxy_vips": {"external": EXTERNAL}})[1]] == ["haproxy_vips"]


def test_names_and_addresses_that_two_have() -> None:
    again = {**INTERNAL, "address": ["10.0.0.11/24", "2001:0db8:0::10/64"]}
    said = [str(problem) for problem in duplicates(vips(EXTERNAL, INTERNAL, again))]
    assert len(said) == 2
    assert "haproxy_vips[2]: Address 2001:db8::10 belongs to both VIPs external and internal" in said[0]
    assert "haproxy_vips[2]: VIP internal is defined twice" in said[1]


def test_what_keepalived_needs_is_filled_in_from_variables() -> None:
    variables = {
        "default_interface": "eth0",
        "keepalived_advert_int": 1,
        "haproxy_keepalived_external_virtual_router_id": 10,
        "haproxy_keepalived_internal_interface": "eth2",
    }
    more = {"name": "more", "address": "203.0.113.11/24", "advert_int": 0.5}
    external, internal, other = vips(EXTERNAL, INTERNAL, more, **variables)
    assert (external.interface, external.virtual_router_id, external.advert_int) == ("eth1", 10, 1)
    assert (internal.interface, internal.virtual_router_id) == ("eth2", 52)
    # The second one of a type has an interface and a router id of its own.
    assert (other.interface, other.virtual_router_id, other.advert_int) == ("eth0", None, 0.5)


def test_the_names_of_openstack_ansible() -> None:
    both = vips(EXTERNAL, INTERNAL)
    assert public_names(both) == {"external_lb_vip_address": "www.example.org", "internal_lb_vip_address": "10.0.0.10"}
    assert public_names(both[:1])["internal_lb_vip_address"] == "www.example.org"


def test_a_name_leads_to_the_first_address_of_the_first_vip_with_it() -> None:
    more = {"name": "more", "address": "203.0.113.11/24", "names": ["example.org", "shop.example.org"]}
    assert addresses_of_names(vips(EXTERNAL, INTERNAL, more)) == {
        "www.example.org": "203.0.113.10",
        "example.org": "203.0.113.10",
        "shop.example.org": "203.0.113.11",
    }
    assert addresses_of_names([]) == {}


AGREEING: dict[str, t.Any] = {
    "external_lb_vip_address": "www.example.org",
    "haproxy_bind_external_lb_vip_address": "203.0.113.10",
    "internal_lb_vip_address": "10.0.0.10",
    "haproxy_keepalived_external_vip_cidr": ["203.0.113.10/24", "2001:db8:0::10/64"],
    "haproxy_keepalived_external_interface": "eth1",
    "haproxy_keepalived_internal_vip_cidr": "10.0.0.10/24",
    "haproxy_keepalived_internal_virtual_router_id": 52,
    "extra_lb_vip_addresses": ["10.0.0.10"],
    "extra_lb_tls_vip_addresses": ["2001:db8::10"],
    "haproxy_vip_binds": [{"address": "203.0.113.10"}, {"address": "10.0.0.10", "type": "internal"}],
    "keepalived_vips": [{"name": "internal", "cidr": "10.0.0.10/24", "interface": "", "virtual_router_id": 52}],
}


def test_older_variables_that_say_the_same() -> None:
    assert vips(EXTERNAL, INTERNAL, **AGREEING) == vips(EXTERNAL, INTERNAL)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("external_lb_vip_address", "203.0.113.11", "'203.0.113.10' (haproxy_vips[0].address)"),
        ("internal_lb_vip_address", "203.0.113.10", "'10.0.0.10' (haproxy_vips[1].address)"),
        ("haproxy_bind_external_lb_vip_address", "*", "'203.0.113.10' (haproxy_vips[0].address)"),
        ("haproxy_bind_external_lb_vip_interface", "eth1", "'' (haproxy_vips[0].bind_interface)"),
        ("haproxy_keepalived_internal_vip_cidr", "10.0.0.10/25", "'10.0.0.10/24' (haproxy_vips[1].address)"),
        ("haproxy_keepalived_external_interface", "eth0", "'eth1' (haproxy_vips[0].interface)"),
        ("haproxy_keepalived_internal_virtual_router_id", 11, "'52' (haproxy_vips[1].virtual_router_id)"),
        ("extra_lb_vip_addresses[0]", "10.0.0.12", "'10.0.0.10' (haproxy_vips[1].address)"),
        # Of another opinion on TLS.
        ("extra_lb_tls_vip_addresses[0]", "10.0.0.10", "'203.0.113.10' (haproxy_vips[0].address)"),
        (
            "haproxy_vip_binds[0].type",
            {"address": "10.0.0.10", "type": "external"},
            "'internal' (haproxy_vips[1].type)",
        ),
        ("haproxy_vip_binds[0].address", {"address": "10.0.0.9"}, "'10.0.0.10' (haproxy_vips[1].address)"),
        ("keepalived_vips[0].cidr", {"name": "x", "cidr": "10.0.0.9/24"}, "'10.0.0.10/24' (haproxy_vips[1].address)"),
        ("keepalived_vips[0].name", {"name": "x", "cidr": "10.0.0.10/24"}, "'internal' (haproxy_vips[1].name)"),
    ],
)
def test_older_variables_that_say_otherwise(variable: str, value: t.Any, words: str) -> None:
    name, bracket, _rest = variable.partition("[")
    _found, problems = read({"haproxy_vips": [EXTERNAL, INTERNAL], name: [value] if bracket else value})
    assert [problem.path for problem in problems] == [variable]
    said = value if not isinstance(value, dict) else value[variable.rpartition(".")[2]]
    assert str(said) in str(problems[0]) and words in str(problems[0])
