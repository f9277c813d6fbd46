# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every rule with a text that breaks it and the nearest one that does not."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from ipaddress import ip_address, ip_interface

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.lint import (
    RULES,
    incompatible,
    lint,
    refuse,
    subject_of,
    unknown_rules,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.rule import Finding
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.rules.election import shortest_advert
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.subject import File, Host
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import ProblemsError

HOST = Host(
    version=(2, 2, 7),
    links={
        "eth0": (ip_interface("192.0.2.1/24"), ip_interface("2001:db8::1/64"), ip_interface("fe80::1/64")),
        "eth1": (ip_interface("198.51.100.1/24"),),
        "eth2": (),
    },
    cpus=1,
    files={"/usr/bin/true": File()},
)

# What a text needs besides to break no rule at all.
SETTINGS = """\
vrrp_version 3
enable_script_security
script_user root
reload_check_config /run/check.log
reload_file /run/reload
vrrp_check_unicast_src
vrrp_lower_prio_no_advert true
"""


def settings(extra: str = "", without: str = "") -> str:
    lines = [line for line in SETTINGS.splitlines() if not without or not line.startswith(without)]
    return "\n".join(["global_defs {", *lines, extra, "}", ""])


def instance(
    extra: str = "",
    name: str = "one",
    vips: str = "192.0.2.10/24",
    interface: str = "eth0",
    state: str = "BACKUP",
    router_id: int = 51,
    priority: str = "100",
    advert: str = "0.25",
) -> str:
    return f"""\
vrrp_instance {name} {{
interface {interface}
state {state}
virtual_router_id {router_id}
priority {priority}
advert_int {advert}
virtual_ipaddress {{
{vips}
}}
{extra}
}}
"""


def unicast(source: str = "192.0.2.1", peer: str = "192.0.2.2") -> str:
    return (f"unicast_src_ip {source}\n" if source else "") + f"unicast_peer {{\n{peer}\n}}"


def script(lines: str = "", command: str = '"/usr/bin/true"', name: str = "s") -> str:
    return f"vrrp_script {name} {{\nscript {command}\n{lines}\n}}\n"


def server(
    extra: str = "", port: int = 80, real: str = "TCP_CHECK {\n}", kind: str = "DR", head: str = "192.0.2.10 80"
) -> str:
    reals = f"real_server 192.0.2.3 {port} {{\n{real}\n}}" if port else ""
    return f"virtual_server {head} {{\nlb_kind {kind}\n{extra}\n{reals}\n}}\n"


G = settings()
C, L = settings(without="vrrp_check_unicast_src"), settings(without="vrrp_lower_prio_no_advert")
TRACK = "track_script {\ns\n}"
USED = script() + instance(TRACK)
MEMBERS = instance() + instance(name="two", vips="192.0.2.11/24", router_id=52)


def group(*names: str, extra: str = "") -> str:
    lines = "\n".join(names)
    return f"vrrp_sync_group g {{\ngroup {{\n{lines}\n}}\n{extra}\n}}\n"


# Rule, a text that breaks it, one that is as near as can be and does not.
TEXTS = [
    ("interface-missing", instance(interface="eth9"), instance(interface="eth0")),
    ("interface-missing", instance("track_interface {\neth9\n}"), instance("track_interface {\neth1\n}")),
    ("interface-missing", instance(vips="192.0.2.10/24 dev eth9"), instance(vips="192.0.2.10/24 dev eth0")),
    (
        "interface-missing",
        instance(vips="192.0.2.10/24 dev vrrp.1"),
        instance("use_vmac vrrp.1", vips="192.0.2.10/24 dev vrrp.1"),
    ),
    ("interface-without-address", instance(interface="eth2"), instance(interface="eth0")),
    ("interface-without-address", instance(interface="eth1", vips="2001:db8::10/64"), instance(vips="2001:db8::10/64")),
    ("unicast-without-source", instance(unicast(source="")), instance(unicast())),
    ("unicast-without-peers", instance("unicast_src_ip 192.0.2.1"), instance(unicast())),
    ("unicast-peer-is-self", instance(unicast(peer="192.0.2.1")), instance(unicast(peer="192.0.2.2"))),
    ("unicast-peer-is-self", instance(unicast(peer="198.51.100.1")), instance(unicast(peer="198.51.100.2"))),
    ("unicast-source-foreign", instance(unicast(source="192.0.2.77")), instance(unicast())),
    (
        "unicast-source-foreign",
        instance(unicast(source="192.0.2.77")),
        instance(unicast(source="198.51.100.1", peer="198.51.100.2")),
    ),
    ("unicast-peer-elsewhere", instance(unicast(source="198.51.100.1")), instance(unicast())),
    ("unicast-peer-elsewhere", instance(unicast(peer="203.0.113.2")), instance(unicast(peer="192.0.2.254"))),
    (
        "unicast-hops-missing",
        instance(unicast(peer="203.0.113.2 min_ttl 255")),
        instance(unicast(peer="203.0.113.2 min_ttl 254")),
    ),
    (
        "unicast-hops-missing",
        instance(unicast(peer="203.0.113.2 min_ttl 255")),
        instance(unicast(peer="192.0.2.2 min_ttl 255")),
    ),
    ("address-reserved", instance(vips="192.0.2.0/24"), instance(vips="192.0.3.0/23")),
    ("address-reserved", instance(vips="192.0.2.255/24"), instance(vips="192.0.2.255")),
    ("address-reserved", instance(vips="2001:db8::/64"), instance(vips="2001:db8::ffff:ffff:ffff:ffff/64")),
    ("unicast-over-virtual-address", instance(unicast(peer="192.0.2.10")), instance(unicast(peer="192.0.2.11"))),
    ("unicast-over-virtual-address", instance(unicast(source="192.0.2.10")), instance(unicast())),
    (
        "families-mixed",
        instance(vips="192.0.2.10/24\n2001:db8::10/64"),
        instance("virtual_ipaddress_excluded {\n2001:db8::10/64\n}"),
    ),
    ("families-mixed", instance(unicast(peer="2001:db8::2")), instance(unicast())),
    ("families-mixed", instance(unicast(source="2001:db8::1")), instance(unicast())),
    ("address-missing", instance(vips=""), instance()),
    ("address-missing", instance(vips=""), instance(vips="") + "include x"),
    ("address-missing", instance(vips=""), instance("no_virtual_ipaddress", vips="")),
    ("address-is-static", instance(vips="198.51.100.1/24", interface="eth0"), instance(vips="192.0.2.10/24")),
    (
        "address-is-static",
        instance("virtual_ipaddress_excluded {\n192.0.2.1\n}"),
        instance("virtual_ipaddress_excluded {\n192.0.2.3\n}"),
    ),
    ("address-twice", instance() + instance(name="two", router_id=52), MEMBERS),
    ("address-twice", instance(vips="192.0.2.10/24\n192.0.2.10/24"), instance(vips="192.0.2.10/24\n192.0.2.11/24")),
    ("address-outside-networks", instance(vips="203.0.113.10/24"), instance(vips="192.0.2.10/24")),
    ("address-outside-networks", instance(vips="192.0.2.10/24 dev eth1"), instance(vips="198.51.100.10/24 dev eth1")),
    ("router-id-twice", instance() + instance(name="two", vips="192.0.2.11/24"), MEMBERS),
    (
        "router-id-twice",
        instance() + instance(name="two", vips="192.0.2.11/24"),
        instance() + instance(name="two", vips="2001:db8::10/64"),
    ),
    (
        "router-id-twice",
        instance(unicast()) + instance(unicast(), name="two", vips="192.0.2.11/24"),
        instance(unicast()) + instance(unicast(peer="192.0.2.3"), name="two", vips="192.0.2.11/24"),
    ),
    ("priority-invalid", instance(priority="0"), instance(priority="1")),
    ("priority-invalid", instance(priority="256"), instance(priority="254")),
    ("priority-of-owner", instance(priority="255"), instance(priority="254")),
    ("nopreempt-with-master", instance("nopreempt", state="MASTER"), instance("nopreempt")),
    (
        "nopreempt-with-weight",
        script("weight -50") + instance(f"nopreempt\n{TRACK}"),
        script("weight 0") + instance(f"nopreempt\n{TRACK}"),
    ),
    (
        "nopreempt-with-weight",
        script() + instance("nopreempt\ntrack_script {\ns weight -5\n}"),
        script("weight -5") + instance("nopreempt\ntrack_script {\ns weight 0\n}"),
    ),
    ("preempt-delay-ignored", instance("preempt_delay 5\nnopreempt"), instance("preempt_delay 5")),
    ("preempt-delay-ignored", instance("preempt_delay 5", state="MASTER"), instance("preempt_delay 5")),
    (
        "authentication-in-version-3",
        instance("authentication {\nauth_type PASS\n}"),
        instance("version 2\nauthentication {\nauth_type PASS\n}", advert="1"),
    ),
    ("advert-fraction-in-version-2", instance("version 2", advert="1.5"), instance("version 2", advert="2")),
    ("advert-out-of-range", instance(advert="41"), instance(advert="40")),
    ("advert-out-of-range", instance("version 2", advert="256"), instance("version 2", advert="255")),
    ("advert-too-short", instance(advert="0.24"), instance(advert="0.25")),
    ("vmac-with-unicast", instance(f"use_vmac\n{unicast()}"), instance(f"use_vmac\nvmac_xmit_base\n{unicast()}")),
    ("vmac-with-unicast", instance(f"use_vmac\n{unicast()}"), instance("use_vmac")),
    ("strict-mode", instance(f"strict_mode\n{unicast()}"), instance(f"strict_mode off\n{unicast()}")),
    ("strict-mode", instance("strict_mode"), instance("strict_mode\naccept")),
    ("weights-out-of-range", script("weight -100") + instance(TRACK), script("weight -99") + instance(TRACK)),
    ("weights-out-of-range", script("weight 155") + instance(TRACK), script("weight 154") + instance(TRACK)),
    ("weights-out-of-range", script("weight 100 reverse") + instance(TRACK), script("weight 100") + instance(TRACK)),
    (
        "weight-in-sync-group",
        script("weight -9")
        + instance(TRACK)
        + instance(name="two", vips="192.0.2.11/24", router_id=52)
        + group("one", "two"),
        script("weight -9") + MEMBERS + group("one", "two", extra=TRACK),
    ),
    ("sync-group-too-small", MEMBERS + group("one"), MEMBERS + group("one", "two")),
    ("sync-group-too-small", MEMBERS + group("one"), MEMBERS + group("one two")),
    ("sync-group-member-unknown", MEMBERS + group("one", "two", "three"), MEMBERS + group("one", "two")),
    ("name-twice", instance() + instance(vips="192.0.2.11/24", router_id=52), MEMBERS),
    (
        "name-twice",
        script() + script() + instance(TRACK),
        script() + "track_file s {\nfile /f\n}\n" + instance(TRACK + "\ntrack_file {\ns\n}"),
    ),
    ("tracker-unknown", instance(TRACK), script() + instance(TRACK)),
    ("tracker-unknown", instance(TRACK) + script(), script() + instance(TRACK)),
    (
        "tracker-unknown",
        instance("track_file {\ns\n}"),
        "track_file s {\nfile /f\nweight 0\n}\n" + instance("track_file {\ns\n}"),
    ),
    ("script-unused", script() + instance(), script() + instance(TRACK)),
    ("script-unused", script() + MEMBERS + group("one", "two"), script() + MEMBERS + group("one", "two", extra=TRACK)),
    (
        "script-outlasts-interval",
        script("interval 1\ntimeout 2") + instance(TRACK),
        script("interval 2\ntimeout 2") + instance(TRACK),
    ),
    ("script-outlasts-interval", script("timeout 2") + instance(TRACK), script("timeout 1") + instance(TRACK)),
    (
        "script-never-finishes",
        script("interval 2\nweight -9", '"/usr/bin/ping -c 3 192.0.2.254"') + instance(TRACK),
        script("interval 2\nweight -9", '"/usr/bin/ping -c 3 -i 0.2 192.0.2.254"') + instance(TRACK),
    ),
    (
        "script-never-finishes",
        script("interval 9\ntimeout 2\nweight -9", '"/usr/bin/ping -c 3 192.0.2.254"') + instance(TRACK),
        script("interval 9\ntimeout 3\nweight -9", '"/usr/bin/ping -c 3 192.0.2.254"') + instance(TRACK),
    ),
    (
        "script-never-finishes",
        script("interval 9\nweight -9", '"/usr/bin/ping 192.0.2.254"') + instance(TRACK),
        script("interval 9\nweight -9", '"/usr/bin/ping -c1 192.0.2.254"') + instance(TRACK),
    ),
    (
        "ping-empties-cluster",
        script("", '"/usr/bin/ping -c 1 192.0.2.254"') + instance(TRACK),
        script("weight -9", '"/usr/bin/ping -c 1 192.0.2.254"') + instance(TRACK),
    ),
    (
        "ping-empties-cluster",
        script("weight 0", '"/usr/bin/timeout 1 ping -c 1 192.0.2.254"') + instance(TRACK),
        script("weight 0", '"/usr/bin/timeout 1 /usr/bin/true"') + instance(TRACK),
    ),
    ("script-without-quotes", script("", "/usr/bin/test -e /x") + instance(TRACK), USED),
    ("script-without-quotes", instance("notify_master /x a b c"), instance("notify_master /x user group")),
    (
        "script-needs-shell",
        script("", '"/usr/bin/true | grep x"') + instance(TRACK),
        script("", "\"/bin/sh -c '/usr/bin/true | grep x'\"") + instance(TRACK),
    ),
    (
        "script-needs-shell",
        script("", '"/usr/bin/kill -0 `cat /run/x`"') + instance(TRACK),
        script("", '"/usr/bin/pgrep ^x|y$"') + instance(TRACK),
    ),
    (
        "script-needs-shell",
        script("", '"/usr/bin/true && /usr/bin/x"') + instance(TRACK),
        script("", '"/usr/bin/curl http://192.0.2.1/?a&b"') + instance(TRACK),
    ),
    ("port-changed-without-nat", server(port=8080), server(port=8080, kind="NAT")),
    ("port-changed-without-nat", server(port=8080), server(port=8080, head="fwmark 1")),
    ("port-changed-without-nat", server(port=8080), server(port=8080, real="lvs_method NAT\nTCP_CHECK {\n}")),
    ("port-changed-without-nat", server(port=8080), server(port=8080, head="group web")),
    ("server-without-checker", server(real=""), server(real="HTTP_GET {\n}")),
    ("quorum-too-high", server("quorum 2"), server("quorum 2", real="weight 2\nMISC_CHECK {\n}")),
    ("virtual-server-empty", server(port=0), server()),
    ("braces-unbalanced", instance()[:-2], instance()),
    ("braces-unbalanced", instance() + "}\n", instance()),
    ("nothing-to-do", "", server()),
    ("keyword-too-new", instance("timer_expired_backup"), instance("nopreempt")),
    ("keyword-too-new", instance("auth_hmac {\nactive_key 1\n}"), instance()),
    ("keyword-too-new", script("interval 0.5") + instance(TRACK), script("interval 1") + instance(TRACK)),
]

# The same, where the lines of global_defs make the difference.
WHOLE_TEXTS = [
    ("strict-mode", settings("vrrp_strict") + instance(), settings("vrrp_strict") + instance("accept")),
    ("interface-missing", G + instance(interface="eth9"), settings("dynamic_interfaces") + instance(interface="eth9")),
    ("garp-refresh", settings("vrrp_garp_master_refresh 30") + instance(), settings() + instance()),
    (
        "garp-refresh",
        G + instance("garp_master_refresh 30"),
        settings("vrrp_garp_master_refresh 30") + instance("garp_master_refresh 0"),
    ),
    (
        "script-security-missing",
        settings(without="enable_script") + script() + instance(TRACK),
        settings(without="enable_script") + instance(),
    ),
    ("unicast-from-anyone", C + instance(unicast()), C + instance(f"check_unicast_src\n{unicast()}")),
    ("unicast-from-anyone", C + instance(unicast()), C + instance(unicast(peer="192.0.2.2 min_ttl 255"))),
    ("unicast-from-anyone", C + instance(unicast()), G + instance(unicast())),
    ("unicast-silenced", L + instance(unicast()), L + instance(f"lower_prio_no_advert true\n{unicast()}")),
    ("unicast-silenced", G + instance(f"lower_prio_no_advert false\n{unicast()}"), G + instance(unicast())),
    ("reload-check-missing", settings(without="reload_check") + instance(), G + instance()),
    ("reload-file-missing", settings(without="reload_file") + instance(), G + instance()),
    (
        "advert-fraction-in-version-2",
        settings(without="vrrp_version") + instance(),
        settings(without="vrrp_version") + instance(vips="2001:db8::10/64"),
    ),
    (
        "sync-daemon-without-instance",
        settings("lvs_sync_daemon eth0 two") + instance(),
        settings("lvs_sync_daemon eth0 one") + instance(),
    ),
    (
        "sync-daemon-without-instance",
        settings("lvs_sync_daemon eth0 inst two") + instance(),
        settings("lvs_sync_daemon eth0 id 5") + instance(),
    ),
]


def broken(text: str, host: Host = HOST, nodes: t.Any = None) -> list[str]:
    return [finding.rule for finding in lint(subject_of(text, nodes, "lb1"), host, text)]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (("192.0.2.10/24", "192.0.2.10/24"), []),
        (("priority 100", "priority 90"), []),
        (("virtual_router_id 51", "virtual_router_id 52"), ["one"]),
        (("192.0.2.10/24", "192.0.2.11/24"), ["one"]),
        (("192.0.2.10/24", "192.0.2.10/24\n192.0.2.11/24"), ["one"]),
        (("vrrp_instance one", "vrrp_instance two"), []),
    ],
)
def test_adverts_that_others_do_not_take(change: tuple[str, str], names: list[str]) -> None:
    before = (
        "vrrp_instance one {\ninterface eth0\nvirtual_router_id 51\npriority 100\n"
        "virtual_ipaddress {\n192.0.2.10/24\n}\nvirtual_ipaddress_excluded {\n192.0.2.20/24\n}\n}\n"
    )
    assert change[0] in before
    assert incompatible(before, before.replace(*change).replace("192.0.2.20", "192.0.2.21")) == names
    assert incompatible("", before) == []


def test_a_good_text_breaks_nothing() -> None:
    assert broken(G + script() + instance(f"{unicast()}\n{TRACK}")) == []


@pytest.mark.parametrize("rule, text, neighbour", TEXTS)
def test_rule(rule: str, text: str, neighbour: str) -> None:
    assert rule in broken(G + text)
    assert rule not in broken(G + neighbour)


@pytest.mark.parametrize("rule, text, neighbour", WHOLE_TEXTS)
def test_rule_about_settings(rule: str, text: str, neighbour: str) -> None:
    assert rule in broken(text)
    assert rule not in broken(neighbour)


FILE = "track_file f {\nfile /run/x/f\nweight 0\n}\n" + instance("track_file {\nf\n}")
PROCESS = "vrrp_track_process p {\nprocess x\n}\n" + instance("track_process {\np\n}")


def with_file(path: str = "/usr/bin/true", **traits: t.Any) -> dict[str, t.Any]:
    return {"files": {path: File(**traits)}}


# Rule, a text, a host on which it breaks the rule, one on which it does not.
HOSTS: list[tuple[str, str, dict[str, t.Any], dict[str, t.Any]]] = [
    ("interface-missing", instance(interface="eth9"), {}, {"links": {}}),
    ("advert-too-short", instance(advert="0.13"), {}, {"cpus": 2}),
    ("advert-too-short", instance(advert="0.09"), {"cpus": 64}, {"cpus": 0}),
    ("address-is-static", instance(vips="198.51.100.1/24"), {}, {"virtual": frozenset({ip_address("198.51.100.1")})}),
    ("unicast-source-foreign", instance(unicast(source="192.0.2.77")), {}, {"links": {}}),
    ("interface-without-address", instance(), {"links": {"eth0": (ip_interface("192.0.2.10/24"),)}}, {}),
    ("script-missing", USED, with_file(is_found=False), {"files": {}}),
    ("script-missing", USED, with_file(is_executable=False), with_file()),
    ("script-missing", instance("notify_master /n"), with_file("/n", is_found=False), with_file("/n")),
    ("script-insecure", USED, with_file(flaw="/usr belongs to user 1"), with_file()),
    ("script-insecure", USED, {**with_file(link="/bin"), "version": (2, 3, 3)}, with_file(link="/bin")),
    ("script-behind-link", USED, with_file(link="/bin"), {**with_file(link="/bin"), "version": (2, 3, 3)}),
    ("track-file-without-directory", FILE, with_file("/run/x", is_found=False), with_file("/run/x")),
    ("track-process-in-container", PROCESS, {"is_container": True}, {}),
    ("balancing-without-kernel", server(), {"can_balance": False}, {}),
    ("include-missing", "include x.conf", with_file("x.conf", is_found=False), with_file("x.conf")),
    ("keyword-too-new", instance("timer_expired_backup"), {}, {"version": (2, 2, 8)}),
    ("keyword-too-new", instance("auth_hmac {\n}"), {"version": (2, 3, 4)}, {"version": (2, 4, 0)}),
    ("keyword-too-new", script("timeout 0.5") + instance(TRACK), {}, {"version": (2, 3, 3)}),
    ("keyword-too-new", instance("auth_hmac {\n}"), {}, {"version": ()}),
    ("reload-file-missing", "", {}, {"version": (2, 1, 5)}),
]


@pytest.mark.parametrize("rule, text, here, there", HOSTS)
def test_rule_about_the_host(rule: str, text: str, here: dict[str, t.Any], there: dict[str, t.Any]) -> None:
    whole = (settings(without="reload_file") if rule == "reload-file-missing" else G) + text

    assert rule in broken(whole, replace(HOST, **here))
    assert rule not in broken(whole, replace(HOST, **there))


def test_a_pattern_may_include_nothing() -> None:
    text = G + instance() + "include conf.d/*.conf"
    files = {"conf.d/*.conf": File(is_found=False)}

    assert broken(text, replace(HOST, files=files)) == []


@pytest.mark.parametrize(
    "rule, text, neighbour",
    [
        ("script-user-missing", settings(without="script_user") + USED, G + USED),
        (
            "script-user-missing",
            settings(without="script_user") + USED,
            settings(without="script_user") + script("user root") + instance(TRACK),
        ),
    ],
)
def test_rule_without_the_account_of_scripts(rule: str, text: str, neighbour: str) -> None:
    assert rule in broken(text, replace(HOST, has_script_user=False))
    assert rule not in broken(neighbour, replace(HOST, has_script_user=False))
    assert rule not in broken(text)


def test_a_user_who_is_not_root_may_own_the_script() -> None:
    text = settings(without="script_user").replace("}", "script_user haproxy\n}") + USED

    assert broken(text, replace(HOST, files={"/usr/bin/true": File(flaw="/x belongs to user 1")})) == []


NODE = {
    "interface": "eth0",
    "state": "BACKUP",
    "virtual_router_id": 51,
    "priority": 90,
    "advert_int": 0.25,
    "unicast_src_ip": "192.0.2.2",
    "unicast_peers": ["192.0.2.1"],
    "vips": ["192.0.2.10/24 dev eth0"],
}
OWN = instance(unicast())
WEIGHT = script("weight -30") + instance(f"{unicast()}\n{TRACK}")


# Rule, own text, what differs on the other node where it is broken, and where it is not.
NODES: list[tuple[str, str, dict[str, t.Any], dict[str, t.Any]]] = [
    ("addresses-unequal", OWN, {"vips": ["192.0.2.11/24"]}, {"vips": ["192.0.2.10"]}),
    ("router-ids-unequal", OWN, {"virtual_router_id": 52}, {"virtual_router_id": "51"}),
    ("adverts-unequal", OWN, {"advert_int": 0.3}, {"advert_int": "0.25"}),
    ("versions-unequal", OWN, {"version": 2}, {"version": 3}),
    ("priorities-equal", OWN, {"priority": 100}, {"priority": 99}),
    ("peers-incomplete", OWN, {"unicast_src_ip": "192.0.2.3"}, {}),
    ("peers-incomplete", instance(), {}, {"unicast_src_ip": "", "unicast_peers": []}),
    ("masters-many", instance(unicast(), state="MASTER"), {"state": "MASTER"}, {}),
    ("weight-without-effect", WEIGHT, {"priority": 70}, {"priority": 71}),
    ("address-is-static", instance(), {"unicast_src_ip": "192.0.2.10"}, {}),
]


@pytest.mark.parametrize("rule, text, different, same", NODES)
def test_rule_about_nodes(rule: str, text: str, different: dict[str, t.Any], same: dict[str, t.Any]) -> None:
    def found(keys: dict[str, t.Any]) -> list[str]:
        return broken(G + text, nodes={"lb1": {"one": {**NODE, **different}}, "lb2": {"one": {**NODE, **keys}}})

    assert rule in found(different)
    assert rule not in found(same)


@pytest.mark.parametrize("last, expected", [(70, True), (71, False), (110, False)])
def test_weight_outranked(last: int, expected: bool) -> None:
    peers = "unicast_src_ip 192.0.2.1\nunicast_peer {\n192.0.2.2\n192.0.2.3\n}"
    text = G + script("weight -30") + instance(f"{peers}\n{TRACK}")
    third = {**NODE, "priority": last, "unicast_src_ip": "192.0.2.3"}
    nodes = {"lb1": {}, "lb2": {"one": NODE}, "lb3": {"one": third}}

    assert ("weight-outranked" in broken(text, nodes=nodes)) is expected


@pytest.mark.parametrize(
    "other, expected",
    [
        ({"vips": ["192.0.2.11/24"]}, True),
        ({"vips": ["192.0.2.11/24"], "virtual_router_id": 52}, False),
        ({"vips": ["192.0.2.11/24"], "interface": "eth1"}, False),
        ({"vips": ["2001:db8::11/64"]}, False),
    ],
)
def test_router_id_of_another(other: dict[str, t.Any], expected: bool) -> None:
    nodes = {"lb1": {}, "lb2": {"one": NODE, "two": {**NODE, **other}}}

    assert ("router-id-of-another" in broken(G + OWN, nodes=nodes)) is expected


def test_every_rule_has_a_test() -> None:
    tested = {row[0] for row in (*TEXTS, *WHOLE_TEXTS, *HOSTS, *NODES)}
    tested |= {"script-user-missing", "weight-outranked", "router-id-of-another"}

    assert {rule.name for rule in RULES} == tested


def test_every_rule_is_a_row_of_the_page() -> None:
    for rule in RULES:
        assert rule.what.endswith(".") and rule.instead.endswith("."), rule.name
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_a_finding_says_where_what_and_what_instead() -> None:
    text = G + instance("authentication {\nauth_type PASS\nauth_pass geheim\n}", name="geheim1")
    (finding,) = lint(subject_of(text), HOST, text, secrets=["geheim1"])

    assert finding.line == text[: text.index("authentication")].count("\n") + 1
    assert finding.path == f"line {finding.line} (authentication {{)"
    assert finding.why.startswith("Instance ******** has version 3 and an authentication block. VRRP version 3 has no")
    assert str(finding).endswith("or set version 2 on all nodes. [authentication-in-version-3]")


def test_findings_quote_no_password() -> None:
    block = "authentication { auth_type PASS auth_pass geheim }"
    text = G + instance(f"auth_hmac {{ key 1 geheim\n}}\n{block}", advert="0.1")

    assert "geheim" not in str(lint(subject_of(text), HOST, text))


def test_rules_can_be_ignored() -> None:
    text = G + instance(advert="0.1")

    assert lint(subject_of(text), HOST, text, ignored=["advert-too-short"]) == []
    assert unknown_rules(["advert-too-short", "advert-too-long"]) == ["advert-too-long"]


def test_all_errors_are_told_at_once() -> None:
    findings = [Finding("line 1 (x)", "x", "It breaks.", "Write y.", rule=name) for name in ("one", "two")]
    warning = Finding("line 1 (x)", "x", "It may break.", "Write y.", rule="three", severity="warning")

    refuse([warning], "/x")
    with pytest.raises(
        ProblemsError, match=r"^/x was not changed: 2 errors:\nline 1 \(x\): .*\[one\]\nline 1.*\[two\]$"
    ):
        refuse([*findings, warning], "/x")


@pytest.mark.parametrize("cpus, seconds", [(1, 0.25), (2, 0.125), (4, 0.1), (64, 0.1)])
def test_shortest_advert(cpus: int, seconds: float) -> None:
    assert shortest_advert(cpus) == seconds
