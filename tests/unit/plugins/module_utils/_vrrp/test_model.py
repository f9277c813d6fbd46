# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.errors import VrrpError
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.instances import Cluster, Trackers
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.model import Block, keepalived_model
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.nodes import node_from_vars
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.vips import moved

INSTANCE = {"interface": "eth0", "state": "BACKUP", "virtual_router_id": 10, "priority": 100, "vips": ["192.0.2.10/24"]}
SCRIPT = {"check_script": "/usr/bin/true"}
REAL = {"ip": "192.0.2.20", "port": 80}
VIRTUAL = {"ip": "192.0.2.10", "port": 80, "real_servers": [REAL]}
HMAC = {"key": {1: "file:/etc/keepalived/hmac"}, "active_key": 1}


def model(**variables: t.Any) -> tuple[Block, ...]:
    return keepalived_model(variables)


MISTAKES: list[tuple[dict[str, t.Any], str, str]] = [
    ({"instances": {"one": "eth0"}}, "keepalived_instances.one", "'eth0' is not a valid value; use a dictionary"),
    ({"instances": {"a b": INSTANCE}}, "keepalived_instances", "'a b' is not a valid name"),
    ({"instances": {"one": {**INSTANCE, "priorty": 1}}}, "one.priorty", "Did you mean priority?"),
    ({"instances": {"one": {**INSTANCE, "zzz": 1}}}, "one.zzz", "Known keys: interface"),
    ({"instances": {"one": {"state": "BACKUP"}}}, "one.interface", "is missing"),
    ({"instances": {"one": {**INSTANCE, "vips": []}}}, "one.vips", "is missing"),
    (
        {"instances": {"one": {**INSTANCE, "priority": 256}}},
        "one.priority",
        "256 is not a valid value; use a whole number from 1 to 255",
    ),
    ({"instances": {"one": {**INSTANCE, "priority": 1.5}}}, "one.priority", "a whole number"),
    ({"instances": {"one": {**INSTANCE, "priority": True}}}, "one.priority", "a whole number"),
    (
        {"instances": {"one": {**INSTANCE, "virtual_router_id": "x"}}},
        "one.virtual_router_id",
        "'x' is not a valid value",
    ),
    ({"instances": {"one": {**INSTANCE, "advert_int": 0}}}, "one.advert_int", "a number of seconds from 0.01"),
    (
        {"instances": {"one": {**INSTANCE, "state": "SLAVE"}}},
        "one.state",
        "'SLAVE' is not a valid value; use MASTER or BACKUP",
    ),
    ({"instances": {"one": {**INSTANCE, "nopreempt": "maybe"}}}, "one.nopreempt", "true or false"),
    ({"instances": {"one": {**INSTANCE, "interface": "eth0 eth1"}}}, "one.interface", "a single word"),
    ({"instances": {"one": {**INSTANCE, "interface": "eth0\n}"}}}, "one.interface", "line break"),
    ({"instances": {"one": {**INSTANCE, "vips": ["192.0.2.1\n}"]}}}, "one.vips[0]", "line break"),
    ({"instances": {"one": {**INSTANCE, "vips": ["192.0.2.1 }"]}}}, "one.vips[0]", "brace"),
    ({"instances": {"one": {**INSTANCE, "vips": [["192.0.2.1"]]}}}, "one.vips[0]", "use text"),
    ({"instances": {"one": {**INSTANCE, "vips": 3}}}, "one.vips", "use a list"),
    ({"instances": {"one": {**INSTANCE, "notify_master": 'a "b"'}}}, "one.notify_master", "double quote"),
    ({"track_files": {"f": {"weight": 0}}}, "keepalived_track_files.f.file", "is missing"),
    ({"track_files": {"f": {"file": "/f", "weight": 255}}}, "keepalived_track_files.f.weight", "-254 to 254"),
    ({"global_defs": ["a\nb"]}, "keepalived_global_defs[0]", "line break"),
    ({"sync_groups": {"g": {}}}, "keepalived_sync_groups.g.instances", "is missing"),
    ({"global_settings": {"smtp_sever": "x"}}, "keepalived_global_settings.smtp_sever", "mean smtp_server?"),
    ({"global_settings": ["x"]}, "keepalived_global_settings", "a list is not a valid value; use a dictionary"),
    ({"global_settings": {"router_id": "a#b"}}, "settings.router_id", "begin a comment"),
    ({"global_settings": {"smtp_alert": "maybe"}}, "settings.smtp_alert", "true or false"),
    ({"nonsense": {"a": 1}}, "keepalived_nonsense", "unknown key"),
    ({"instances": ["one"]}, "keepalived_instances", "a list is not a valid value; use a dictionary keyed by name"),
    ({"scripts": "check", "instances": {}}, "keepalived_scripts", "use a dictionary keyed by name"),
    (
        {"instances": {"one": {**INSTANCE, "version": 4}}},
        "one.version",
        "4 is not a valid value; use a whole number from 2 to 3",
    ),
    ({"instances": {"one": {**INSTANCE, "unicast_src_ip": "lb1"}}}, "one.unicast_src_ip", "is not an IP address"),
    (
        {"instances": {"one": {**INSTANCE, "unicast_peers": ["lb2"]}}},
        "one.unicast_peers[0]",
        "begin with an address",
    ),
    (
        {"instances": {"one": {**INSTANCE, "vips": ["eth0 192.0.2.1"]}}},
        "one.vips[0]",
        "'eth0 192.0.2.1' does not begin",
    ),
    (
        {"instances": {"one": {**INSTANCE, "unicast_min_ttl": 256}}},
        "one.unicast_min_ttl",
        "256 is not a valid value; use a whole number from 0 to 255",
    ),
    ({"instances": {"one": {**INSTANCE, "no_virtual_ipaddress": True}}}, "no_virtual_ipaddress", "combined with vips"),
    (
        {"instances": {"one": {**INSTANCE, "version": 2, "authentication_password": "ninechars"}}},
        "one.authentication_password",
        "(hidden) has 9 characters; keepalived uses only the first 8",
    ),
    ({"instances": {"one": {**INSTANCE, "auth_hmac": "x"}}}, "one.auth_hmac", "use a dictionary"),
    (
        {"instances": {"one": {**INSTANCE, "auth_hmac": {**HMAC, "key": {0: "x"}}}}},
        "auth_hmac.key",
        "0 is not a valid value; use a whole number from 1 to 255",
    ),
    ({"instances": {"one": {**INSTANCE, "auth_hmac": {**HMAC, "key": "x"}}}}, "auth_hmac.key", "keyed by number"),
    (
        {"instances": {"one": {**INSTANCE, "auth_hmac": {**HMAC, "mode": "off"}}}},
        "hmac.mode",
        "enforce or permissive",
    ),
    ({"instances": {"one": {**INSTANCE, "raw": [{"a": 1}]}}}, "one.raw[0]", "use text"),
    ({"raw": ["a\nb"]}, "keepalived_raw[0]", "line break"),
    ({"track_files": {"f": {"file": "/f", "weight": "5 backwards"}}}, "f.weight", "with or without reverse"),
    (
        {"bfd_instances": {"b": {"neighbor_ip": "far"}}},
        "keepalived_bfd_instances.b.neighbor_ip",
        "'far' is not an IP address",
    ),
    ({"garp_groups": [{"garp_interval": 0.1}]}, "keepalived_garp_groups[0].interface", "missing (or interfaces)"),
    (
        {"garp_groups": {"a": 1}},
        "keepalived_garp_groups",
        "a dictionary is not a valid value; use a list of dictionaries",
    ),
    ({"static_addresses": ["dev eth0"]}, "keepalived_static_addresses[0]", "begin with an address"),
    ({"virtual_servers": [{"real_servers": [REAL]}]}, "keepalived_virtual_servers[0].ip", "missing (or fwmark)"),
    ({"virtual_servers": [{**VIRTUAL, "fwmark": 1}]}, "keepalived_virtual_servers[0].fwmark", "combined with ip"),
    ({"virtual_servers": [{**VIRTUAL, "real_servers": []}]}, "servers[0].real_servers", "is missing"),
    ({"virtual_servers": [{**VIRTUAL, "real_servers": [{}]}]}, "real_servers[0].ip", "is missing"),
    (
        {"virtual_servers": [{**VIRTUAL, "lvs_method": "DSR"}]},
        "[0].lvs_method",
        "'DSR' is not a valid value; use NAT, DR or TUN",
    ),
    (
        {"virtual_servers": [VIRTUAL, {**VIRTUAL, "real_servers": [{**REAL, "tcp_checks": [{"conect_port": 1}]}]}]},
        "keepalived_virtual_servers[1].real_servers[0].tcp_checks[0].conect_port",
        "Did you mean connect_port?",
    ),
    (
        {"virtual_servers": [{**VIRTUAL, "real_servers": [{**REAL, "http_get": [{"url_path": "/", "urls": [1]}]}]}]},
        "http_get[0].urls: cannot",
        "combined with url_path",
    ),
    (
        {"virtual_servers": [{**VIRTUAL, "real_servers": [{**REAL, "ssl_get": [{"urls": [{}]}]}]}]},
        "ssl_get[0].urls[0].path",
        "is missing",
    ),
    ({"virtual_server_groups": [{"real_servers": [REAL], "vips": ["x"]}]}, "groups[0].name", "is missing"),
    (
        {"virtual_server_groups": [{"name": "g", "real_servers": [REAL], "vips": [{"ipp": "x"}]}]},
        "keepalived_virtual_server_groups[0].vips[0].ipp",
        "Did you mean ip?",
    ),
    ({"virtual_server_groups": [{"name": "g", "real_servers": [REAL], "zzz": 1}]}, "groups[0].zzz", "unknown key"),
]


@pytest.mark.parametrize(("variables", "path", "words"), MISTAKES)
def test_mistakes(variables: dict[str, t.Any], path: str, words: str) -> None:
    with pytest.raises(VrrpError) as caught:
        model(**variables)

    (error,) = [error["text"] for error in caught.value.details["errors"] if path in error["text"]]
    assert words in error


@pytest.mark.parametrize(
    "instance",
    [
        {**INSTANCE, "authentication_password": ["S3cret"]},
        {**INSTANCE, "authentication_password": {"S3cret": "S3cret"}},
        {**INSTANCE, "authentication_password": "S3cret\n}"},
        {**INSTANCE, "authentication_password": 'S3cret"'},
        {**INSTANCE, "authentication_password": "S3cret}"},
        {**INSTANCE, "authentication_password": "S3cret", "priority": 0},
        {**INSTANCE, "authentication_pasword": "S3cret"},
        {**INSTANCE, "priority": {"authentication_password": "S3cret"}},
        {**INSTANCE, "authentication_password": "S3cret and long"},
        {**INSTANCE, "auth_hmac": {**HMAC, "key": "S3cret"}},
        {**INSTANCE, "auth_hmac": {**HMAC, "key": {1: "S3cret S3cret"}}},
        {**INSTANCE, "auth_hmac": {**HMAC, "key": {1: ["S3cret"]}}},
        {**INSTANCE, "auth_hmac": ["S3cret"]},
        [{"authentication_password": "S3cret"}],
    ],
)
def test_no_mistake_quotes_a_password(instance: t.Any) -> None:
    with pytest.raises(VrrpError) as caught:
        model(instances={"one": instance}, global_defs=["vrrp_version 2"])

    assert "S3cret" not in f"{caught.value} {caught.value.details}"


def test_a_password_does_not_vanish_unseen() -> None:
    instance = {**INSTANCE, "authentication_type": "PASS", "authentication_password": "S3cret"}
    with pytest.raises(VrrpError, match="VRRPv3 has no authentication") as caught:
        model(instances={"one": instance}, global_defs=["vrrp_version  3"])

    assert "S3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "global_defs, settings, instance, is_refused",
    [
        (["vrrp_version 3"], {}, {}, True),
        (["vrrp_version 3"], {}, {"version": 2}, False),
        (["vrrp_version 3"], {"vrrp_version": 2}, {}, False),
        ([], {"vrrp_version": 3}, {}, True),
        ([], {}, {}, False),
        (["vrrp_version 2"], {}, {"version": 3}, True),
        (["vrrp_version 2"], {}, {"auth_hmac": HMAC}, True),
    ],
)
def test_where_a_password_would_vanish(
    global_defs: list[str], settings: dict[str, t.Any], instance: dict[str, t.Any], is_refused: bool
) -> None:
    entry = {**INSTANCE, "authentication_type": "PASS", "authentication_password": "S3cret", **instance}
    variables = {"global_defs": global_defs, "global_settings": settings, "instances": {"one": entry}}
    if is_refused:
        with pytest.raises(VrrpError, match="authentication_password: "):
            model(**variables)
    else:
        model(**variables)


def test_settings_take_the_place_of_lines() -> None:
    lines = ["vrrp_version 3", "vrrp_no_swap", "vrrp_garp_master_refresh 30", "smtp_alert", "a_keyword of tomorrow"]
    settings = {"vrrp_garp_master_refresh": 60, "vrrp_no_swap": False, "smtp_alert": False, "raw": ["x 1"]}

    (block,) = model(global_defs=lines, global_settings=settings)

    assert block == Block(
        "global_defs",
        (
            "vrrp_version 3",
            "a_keyword of tomorrow",
            "smtp_alert false",
            "vrrp_garp_master_refresh 60",
            "x 1",
        ),
    )


def test_all_mistakes_at_once() -> None:
    with pytest.raises(VrrpError, match="3 mistakes"):
        model(instances={"one": {**INSTANCE, "priority": 0, "state": "x", "zzz": 1}})


def test_unused_scripts_are_left_out() -> None:
    scripts = {"used": SCRIPT, "weighted": SCRIPT, "grouped": SCRIPT, "unused": SCRIPT}
    instances = {"one": {**INSTANCE, "track_scripts": ["used", "weighted weight -5"]}, "two": INSTANCE}
    groups = {"g": {"instances": ["one", "two"], "track_scripts": ["grouped"]}}

    titles = [block.title for block in model(scripts=scripts, sync_groups=groups, instances=instances)]

    assert [title for title in titles if title.startswith("vrrp_script")] == [
        "vrrp_script used",
        "vrrp_script weighted",
        "vrrp_script grouped",
    ]


def test_text(rendered: t.Callable[..., str]) -> None:
    instance = {
        **INSTANCE,
        "advert_int": "0.25",
        "nopreempt": True,
        "accept": False,
        "authentication_type": "PASS",
        "authentication_password": "a b!#",
        "unicast_src_ip": "",
        "unicast_peers": [],
        "track_scripts": ["check"],
    }
    text = rendered(
        global_defs=["vrrp_version 2"], scripts={"check": {**SCRIPT, "interval": 1}}, instances={"one": instance}
    )

    assert (
        text
        == """# Ansible managed

global_defs {
    vrrp_version 2
}

vrrp_script check {
    script "/usr/bin/true"
    interval 1
}

vrrp_instance one {
    interface eth0
    state BACKUP
    virtual_router_id 10
    priority 100
    advert_int 0.25
    nopreempt
    virtual_ipaddress {
        192.0.2.10/24
    }
    track_script {
        check
    }
    authentication {
        auth_type PASS
        auth_pass "a b!#"
    }
}
"""
    )


@pytest.mark.parametrize("count", [1, 2, 3, 20, 50])
def test_keepalived_accepts_the_default_instances(
    rendered: t.Callable[..., str],
    keepalived_says: t.Callable[[str], tuple[int, str]],
    tmp_path: Path,
    count: int,
) -> None:
    (tmp_path / "ready").write_text("0\n", encoding="ascii")
    scripts = {"haproxy": {**SCRIPT, "weight": 0}, "ping": {**SCRIPT, "weight": -100}}
    track_files = {"ready": {"file": str(tmp_path / "ready"), "weight": 0}}
    cidr = ["192.0.2.99/24", "2001:db8::99/64"]
    vip = {"name": "external", "cidr": cidr, "interface": "eth0", "virtual_router_id": 10}
    nodes = [
        node_from_vars(f"lb{n}", {"keepalived_unicast_address": [f"192.0.2.{n}", f"2001:db8::{n}"]})
        for n in range(1, count + 1)
    ]
    text = rendered(
        global_defs=["vrrp_version 3", "enable_script_security", "script_user root"],
        scripts=scripts,
        track_files=track_files,
        instances=Cluster(moved([vip]), nodes, Trackers(scripts, track_files)).instances("lb1"),
    )

    assert keepalived_says(text) == (0, "")


def test_text_of_a_director(rendered: t.Callable[..., str]) -> None:
    """Blocks within blocks, titles of several words, and raw lines."""
    text = rendered(
        virtual_servers=[
            {
                **VIRTUAL,
                "lvs_sched": "wrr",
                "persistence_timeout": 60,
                "quorum_up": "/usr/local/bin/told up",
                "notify_user": "nobody nogroup",
                "raw": ["# as it is"],
                "real_servers": [
                    {
                        **REAL,
                        "weight": 2,
                        "http_get": [{"url_path": "/ready", "status_code": 200, "connect_timeout": 1}],
                        "misc_check": [{"misc_path": "/usr/local/bin/look at it"}],
                    }
                ],
            },
            {"fwmark": 5, "real_servers": [{"ip": "192.0.2.21"}]},
        ],
        virtual_server_groups=[{"name": "web", "vips": [{"ip": "192.0.2.60-62", "port": 80}], "real_servers": [REAL]}],
        raw=["static_routes {", "}"],
    )

    assert (
        text
        == """# Ansible managed

virtual_server_group web {
    192.0.2.60-62 80
}

virtual_server group web {
    lvs_sched rr
    lvs_method DR
    protocol TCP
    real_server 192.0.2.20 80 {
    }
}

virtual_server 192.0.2.10 80 {
    lvs_sched wrr
    lvs_method DR
    protocol TCP
    persistence_timeout 60
    quorum_up "/usr/local/bin/told up" nobody nogroup
    # as it is
    real_server 192.0.2.20 80 {
        weight 2
        HTTP_GET {
            connect_timeout 1
            url {
                path /ready
                status_code 200
            }
        }
        MISC_CHECK {
            misc_path "/usr/local/bin/look at it"
        }
    }
}

virtual_server fwmark 5 {
    lvs_sched rr
    lvs_method DR
    real_server 192.0.2.21 {
    }
}

static_routes {
}
"""
    )


def test_hop_limits_stand_behind_every_peer() -> None:
    instance = {
        **INSTANCE,
        "unicast_src_ip": "192.0.2.1",
        "unicast_peers": ["192.0.2.2", "192.0.2.3"],
        "unicast_min_ttl": 254,
        "unicast_max_ttl": 255,
    }

    (block,) = model(instances={"one": instance})

    assert block.blocks[0] == Block(
        "unicast_peer", ("192.0.2.2 min_ttl 254 max_ttl 255", "192.0.2.3 min_ttl 254 max_ttl 255")
    )
