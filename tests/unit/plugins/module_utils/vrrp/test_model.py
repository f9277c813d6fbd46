# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t
from dataclasses import asdict
from pathlib import Path

import jinja2
import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils.vrrp.errors import VrrpError
from ansible_collections.lbforge.haproxy.plugins.module_utils.vrrp.instances import (
    node_from_vars,
    vip_from_dict,
    vrrp_instances,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils.vrrp.model import Block, keepalived_model

TEMPLATES = Path(__file__).parents[5] / "roles" / "keepalived" / "templates"
INSTANCE = {"interface": "eth0", "state": "BACKUP", "virtual_router_id": 10, "priority": 100, "vips": ["192.0.2.10/24"]}
SCRIPT = {"check_script": "/usr/bin/true"}


def model(**variables: t.Any) -> tuple[Block, ...]:
    names = ("global_defs", "scripts", "track_files", "track_processs", "sync_groups", "instances")
    return keepalived_model(**{name: variables.get(name, {}) for name in names})


def rendered(blocks: tuple[Block, ...]) -> str:
    # The settings of Ansible's template lookup.
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True)
    environment.filters["comment"] = lambda text: f"# {text}"
    template = environment.get_template("keepalived.conf.j2")
    return template.render(__keepalived_model=[asdict(block) for block in blocks], ansible_managed="Ansible managed")


@pytest.mark.parametrize(
    "variables, path, words",
    [
        ({"instances": {"one": "eth0"}}, "keepalived_instances.one", "must be a dictionary"),
        ({"instances": {"a b": INSTANCE}}, "keepalived_instances", "the name 'a b'"),
        ({"instances": {"one": {**INSTANCE, "priorty": 1}}}, "one.priorty", "did you mean priority?"),
        ({"instances": {"one": {**INSTANCE, "zzz": 1}}}, "one.zzz", "known are interface"),
        ({"instances": {"one": {"state": "BACKUP"}}}, "one.interface", "is missing"),
        ({"instances": {"one": {**INSTANCE, "vips": []}}}, "one.vips", "is missing"),
        ({"instances": {"one": {**INSTANCE, "priority": 256}}}, "one.priority", "from 1 to 255, not 256"),
        ({"instances": {"one": {**INSTANCE, "priority": 1.5}}}, "one.priority", "a whole number"),
        ({"instances": {"one": {**INSTANCE, "priority": True}}}, "one.priority", "a whole number"),
        ({"instances": {"one": {**INSTANCE, "virtual_router_id": "x"}}}, "one.virtual_router_id", "not 'x'"),
        ({"instances": {"one": {**INSTANCE, "advert_int": 0}}}, "one.advert_int", "a number of seconds from 0.01"),
        ({"instances": {"one": {**INSTANCE, "state": "SLAVE"}}}, "one.state", "MASTER or BACKUP, not 'SLAVE'"),
        ({"instances": {"one": {**INSTANCE, "nopreempt": "maybe"}}}, "one.nopreempt", "true or false"),
        ({"instances": {"one": {**INSTANCE, "interface": "eth0 eth1"}}}, "one.interface", "one word"),
        ({"instances": {"one": {**INSTANCE, "interface": "eth0\n}"}}}, "one.interface", "line break"),
        ({"instances": {"one": {**INSTANCE, "vips": ["192.0.2.1\n}"]}}}, "one.vips[0]", "line break"),
        ({"instances": {"one": {**INSTANCE, "vips": ["192.0.2.1 }"]}}}, "one.vips[0]", "brace"),
        ({"instances": {"one": {**INSTANCE, "vips": [["192.0.2.1"]]}}}, "one.vips[0]", "must be text"),
        ({"instances": {"one": {**INSTANCE, "vips": 3}}}, "one.vips", "must be a list"),
        ({"instances": {"one": {**INSTANCE, "notify_master": 'a "b"'}}}, "one.notify_master", "double quote"),
        ({"track_files": {"f": {"weight": 0}}}, "keepalived_track_files.f.file", "is missing"),
        ({"track_files": {"f": {"file": "/f", "weight": 255}}}, "keepalived_track_files.f.weight", "-254 to 254"),
        ({"global_defs": ["a\nb"]}, "keepalived_global_defs[0]", "line break"),
        ({"sync_groups": {"g": {}}}, "keepalived_sync_groups.g.instances", "is missing"),
    ],
)
def test_mistakes(variables: dict[str, t.Any], path: str, words: str) -> None:
    with pytest.raises(VrrpError) as caught:
        model(**variables)

    (error,) = [error for error in caught.value.details["errors"] if path in error]
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


def test_text() -> None:
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
        model(global_defs=["vrrp_version 2"], scripts={"check": {**SCRIPT, "interval": 1}}, instances={"one": instance})
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


@pytest.fixture(scope="module")
def namespace() -> t.Iterator[str]:
    """A network namespace with the interface eth0; keepalived looks at it even to check a text."""
    if os.geteuid() or not shutil.which("keepalived") or not shutil.which("ip"):
        pytest.skip("needs root, keepalived and ip")
    name = f"lbforge-unit-{os.getpid()}"
    commands = (
        f"ip netns add {name}",
        f"ip -n {name} link add eth0 type veth peer name eth1",
        f"ip -n {name} address add 192.0.2.1/24 dev eth0",
        f"ip -n {name} address add 2001:db8::1/64 dev eth0 nodad",
        f"ip -n {name} link set eth1 up",
        f"ip -n {name} link set eth0 up",
    )
    try:
        for command in commands:
            subprocess.run(command.split(), check=True, capture_output=True, text=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def keepalived_says(namespace: str, text: str, directory: Path) -> tuple[int, str]:
    path = directory / "keepalived.conf"
    path.write_text(text, encoding="utf-8")
    command = ["ip", "netns", "exec", namespace, "keepalived", "-t", "-f", str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


FULL_INSTANCE = {
    **INSTANCE,
    "advert_int": 2,
    "preempt_delay": 5,
    "dont_track_primary": True,
    "authentication_type": "PASS",
    "authentication_password": "12345678",
    "unicast_src_ip": "192.0.2.1",
    "unicast_peers": ["192.0.2.2"],
    "vips": ["192.0.2.10/24 dev eth0", "192.0.2.11/32"],
    "vips_excluded": ["2001:db8::10/64 dev eth0"],
    "virtual_routes": ["198.51.100.0/24 via 192.0.2.9 dev eth0"],
    "virtual_rules": ["from 192.0.2.10 table 100 preference 100"],
    "track_interfaces": ["eth1 weight -10"],
    "track_scripts": ["check"],
    "track_files": ["file"],
    "track_processs": ["init"],
    "notify_script": "/usr/bin/true all",
    "notify_master": "/usr/bin/true master",
    "notify_backup": "/usr/bin/true backup",
    "notify_fault": "/usr/bin/true fault",
    "notify_stop": "/usr/bin/true stop",
    "notify_master_rx_lower_pri": "/usr/bin/true lower",
    "smtp_alert": True,
}


def test_keepalived_accepts_every_key(namespace: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("0\n", encoding="ascii")
    vmac = {
        **INSTANCE,
        "virtual_router_id": 11,
        "vips": ["192.0.2.12/24"],
        "use_vmac": "vrrp11",
        "vmac_xmit_base": True,
    }
    native = {**INSTANCE, "virtual_router_id": 12, "vips": ["2001:db8::12/64"], "native_ipv6": True, "nopreempt": True}
    blocks = model(
        global_defs=["vrrp_version 2", "enable_script_security", "script_user root"],
        scripts={
            "check": {
                "check_script": "/usr/bin/true 1",
                "interval": 1,
                "timeout": 1,
                "fall": 2,
                "rise": 2,
                "weight": -5,
            }
            | {"user": "root", "init_fail": True}
        },
        track_files={"file": {"file": str(tmp_path / "file"), "weight": 1, "init_file": "0 overwrite"}},
        track_processs={
            "init": {"process": "init", "param_match": "initial", "weight": 1, "quorum": 1, "quorum_max": 9}
            | {"fork_delay": 1, "terminate_delay": 1, "full_command": True}
        },
        sync_groups={
            "group": {"instances": ["one", "two"], "notify_script": "/usr/bin/true", "smtp_alert": True}
            | {"notify_master": "/usr/bin/true", "notify_backup": "/usr/bin/true", "notify_fault": "/usr/bin/true"}
            | {"track_interfaces": ["eth1"]}
        },
        instances={
            "full": FULL_INSTANCE,
            "one": vmac,
            "two": native,
        },
    )

    rc, remarks = keepalived_says(namespace, rendered(blocks), tmp_path)

    assert rc == 0, remarks
    assert "keyword" not in remarks


@pytest.mark.parametrize("count", [1, 2, 3, 20, 50])
def test_keepalived_accepts_the_default_instances(namespace: str, tmp_path: Path, count: int) -> None:
    (tmp_path / "ready").write_text("0\n", encoding="ascii")
    scripts = {"haproxy": {**SCRIPT, "weight": 0}, "ping": {**SCRIPT, "weight": -100}}
    track_files = {"ready": {"file": str(tmp_path / "ready"), "weight": 0}}
    vip = vip_from_dict(
        {"name": "external", "cidr": ["192.0.2.99/24", "2001:db8::99/64"], "interface": "eth0", "virtual_router_id": 10}
    )
    assert vip
    nodes = [
        node_from_vars(f"lb{n}", {"keepalived_unicast_address": [f"192.0.2.{n}", f"2001:db8::{n}"]})
        for n in range(1, count + 1)
    ]
    blocks = model(
        global_defs=["vrrp_version 3", "enable_script_security", "script_user root"],
        scripts=scripts,
        track_files=track_files,
        instances=vrrp_instances([vip], nodes, "lb1", scripts, track_files),
    )

    assert keepalived_says(namespace, rendered(blocks), tmp_path) == (0, "")
