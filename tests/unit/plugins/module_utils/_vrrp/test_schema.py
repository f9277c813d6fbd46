# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every row of the tables, judged by the real ``keepalived -t``: it must have nothing to say."""

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.table import record_of
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp import kinds
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.schema import FILE, TRACK_SCRIPT
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.section import RAW, Many, Row, Section

HMAC_KEY = "hex:" + "0f" * 32

# What a key is set to; several values are tried one after the other. Others get a value by their kind.
VALUES: dict[str, list[t.Any]] = {
    "track_file": ["ready"],
    "bfd_checks.name": ["far"],
    "bindto": ["192.0.2.1"],
    "bind_if": ["eth0"],
    "ca": ["/etc/ssl/ca.pem"],
    "connect_ip": ["192.0.2.30"],
    "default_interface": ["eth0"],
    "digest": ["9b3a0c85a887a256d6939da88aabd8cd"],
    "url_digest": ["9b3a0c85a887a256d6939da88aabd8cd"],
    "dynamic_interfaces": [True, "allow_if_changes"],
    "fall": [2],
    "file": ["/run/ready"],
    "garp_extra_if": ["100", "all 100"],
    "init_file": [True, 0, "1 overwrite"],
    "instances": [["one", "two"]],
    "interface": ["eth0"],
    "interface_delays": [["eth0 0.1 0.2"]],
    "interfaces": [["eth0", "eth1"]],
    "interval": [3],
    "instances.interface": ["eth0"],
    "ip": ["192.0.2.20"],
    "ip_family": ["inet"],
    "key": [{1: HMAC_KEY}],
    "ssl.key": ["/etc/ssl/key.pem"],
    "linkbeat_interfaces": [["eth0", "eth1 ETHTOOL"]],
    "lvs_method": ["NAT", "DR", "TUN", "TUN type gue port 6080 nocsum"],
    "sorry_server_lvs_method": ["NAT", "TUN type gre csum"],
    "lvs_sync_daemon": ["eth0 inst one id 5 maxlen 1400 port 8848 ttl 4 group 224.0.0.81"],
    "lvs_flush_on_stop": [True, "VS"],
    "lvs_timeouts": ["tcp 900 tcpfin 120 udp 300"],
    "mcast_dst_ip": ["224.0.0.19"],
    "mcast_src_ip": ["192.0.2.1"],
    "misc_path": ["/usr/bin/true 1"],
    "neighbor_ip": ["192.0.2.11"],
    "nftables": [True, "ours"],
    "nftables_ipvs": [True, "ours_ipvs"],
    "notification_email": [["one@example.com", "two@example.com"]],
    "notification_email_from": ["lb@example.com"],
    "notify_user": ["nobody", "nobody nogroup"],
    "old_unicast_checksum": [True, "never"],
    "payload": ["Ab12f 3 456"],
    "persistence_engine": ["sip"],
    "persistence_granularity": ["255.255.255.0"],
    "persistence_timeout": [True, 60],
    "port": [80],
    "quorum": [1],
    "hysteresis": [0],
    "virtual_server_groups.name": ["web"],
    "process": ["haproxy", "haproxy -Ws -f /etc/haproxy/haproxy.cfg"],
    "reload_check_config": [True, "/run/check.log"],
    "reload_file": [True, "/run/reload"],
    "reload_time_file": ["/run/when"],
    "regex_options": ["caseless multiline"],
    "regex_stack": ["1024 4096"],
    "regex": ["ready|steady"],
    "require_reply": [True, "54 fe x3"],
    "script_user": ["root", "nobody nogroup"],
    "smtp_server": ["192.0.2.25 2525"],
    "snmp_socket": ["udp:192.0.2.1:705"],
    "sorry_server": ["192.0.2.50 80"],
    "source_ip": ["192.0.2.1"],
    "static_addresses": [["192.0.2.200/24 dev eth0", "2001:db8::200/64 dev eth0"]],
    "static_routes": [["198.51.100.0/24 via 192.0.2.9 dev eth0"]],
    "static_rules": [["from 192.0.2.10 table 100 preference 100"]],
    "status_code": ["200", "200-299 401"],
    "timeout": [2],
    "timer_expired_backup": [True, 200],
    "track_bfds": [["far weight 5"], ["far weight -5 reverse"]],
    "track_files": [["ready"], ["ready weight 5"]],
    "track_interfaces": [["eth1"], ["eth1 weight -10"]],
    "track_processs": [["init"], ["init weight 5 reverse"]],
    "track_scripts": [["check"], ["check weight -10"]],
    "unicast_peers": [["192.0.2.2", "192.0.2.3 min_ttl 254 max_ttl 255"]],
    "unicast_src_ip": ["192.0.2.1"],
    "use_ipvlan": ["ipvl10 192.0.2.77 bridge"],
    "use_vmac": [True, "vrrp10"],
    "urls": [[{"path": "/"}, {"path": "/ready", "status_code": "200"}]],
    "user": ["nobody", "nobody nogroup"],
    "path": ["/ready?deep=1"],
    "url_path": ["/ready"],
    "vips": [["192.0.2.10/24 dev eth0", "192.0.2.11/32"]],
    "vips_excluded": [["2001:db8::10/64 dev eth0"]],
    "virtual_server_groups.vips": [[{"ip": "192.0.2.60", "port": 80}, "192.0.2.61-63 80"]],
    "virtual_routes": [["198.51.100.0/24 via 192.0.2.9 dev eth0"]],
    "virtual_rules": [["from 192.0.2.10 table 100 preference 100"]],
    "vrrp_cpu_affinity": ["0 1"],
    "checker_cpu_affinity": ["0"],
    "bfd_cpu_affinity": ["0"],
    "vrrp_garp_extra_if": ["100"],
    "vrrp_mcast_group4": ["224.0.0.19"],
    "vrrp_mcast_group6": ["ff02::13"],
}

# What a key needs beside it to mean anything, in the same dictionary.
BESIDE: dict[str, dict[str, t.Any]] = {
    "authentication_type": {"version": 2, "advert_int": 1, "authentication_password": "12345678"},
    "authentication_password": {"version": 2, "advert_int": 1, "authentication_type": "PASS"},
    "check_unicast_src": {"unicast_src_ip": "192.0.2.1", "unicast_peers": ["192.0.2.2"]},
    "notify_user": {"notify_script": "/usr/bin/true", "notify_up": "/usr/bin/true", "quorum_up": "/usr/bin/true"},
    "native_ipv6": {"vips": ["2001:db8::10/64"]},
    "sh-port": {"lvs_sched": "sh"},
    "sh-fallback": {"lvs_sched": "sh"},
    "mh-port": {"lvs_sched": "mh"},
    "mh-fallback": {"lvs_sched": "mh"},
    "ops": {"protocol": "UDP"},
    "hysteresis": {"quorum": 1},
    "sorry_server_inhibit": {"sorry_server": "192.0.2.50 80"},
    "sorry_server_lvs_method": {"sorry_server": "192.0.2.50 80"},
    "old_unicast_checksum": {"unicast_src_ip": "192.0.2.1", "unicast_peers": ["192.0.2.2"]},
    "timer_expired_backup": {"nopreempt": True},
    "startup_script_timeout": {"startup_script": "/usr/bin/true"},
    "unicast_fault_no_peer": {"unicast_src_ip": "192.0.2.1", "unicast_peers": ["192.0.2.2"]},
    "unicast_max_ttl": {"unicast_src_ip": "192.0.2.1", "unicast_peers": ["192.0.2.2"]},
    "unicast_min_ttl": {"unicast_src_ip": "192.0.2.1", "unicast_peers": ["192.0.2.2"]},
    "unicast_peers": {"unicast_src_ip": "192.0.2.1"},
    "unicast_src_ip": {"unicast_peers": ["192.0.2.2"]},
    "unicast_ttl": {"unicast_src_ip": "192.0.2.1", "unicast_peers": ["192.0.2.2"]},
    "vmac_xmit_base": {"use_vmac": True},
}

# What the whole file holds in every case.
AROUND: dict[str, t.Any] = {
    "global_defs": ["vrrp_version 3", "enable_script_security", "script_user root"],
    "bfd_instances": {"far": {"neighbor_ip": "192.0.2.9", "source_ip": "192.0.2.1", "weight": 1}},
    "scripts": {"check": {"check_script": "/usr/bin/true"}},
    "track_files": {"ready": {"file": "/run/ready", "weight": 1}},
    "track_processs": {"init": {"process": "init", "weight": 1}},
    "instances": {
        name: {
            "interface": "eth0",
            "state": "BACKUP",
            "virtual_router_id": number,
            "priority": 100,
            "vips": [f"192.0.2.{number}/24"],
            "track_scripts": ["check"],
        }
        for number, name in enumerate(("one", "two"), 1)
    },
}
MINIMAL: dict[str, dict[str, t.Any]] = {
    "auth_hmac": {"key": {1: HMAC_KEY}, "active_key": 1},
    "bfd_checks": {"name": "far"},
    "bfd_instances": {"neighbor_ip": "192.0.2.10", "source_ip": "192.0.2.1"},
    "file_checks": {"track_file": "ready"},
    "garp_groups": {"interface": "eth0", "garp_interval": 0.001},
    "http_get": {"url_path": "/"},
    "instances": {**AROUND["instances"]["one"], "virtual_router_id": 10, "vips": ["192.0.2.10/24"]},
    "misc_check": {"misc_path": "/usr/bin/true"},
    "real_servers": {"ip": "192.0.2.20", "port": 80, "tcp_checks": [{}]},
    "scripts": {"check_script": "/usr/bin/true"},
    "ssl_get": {"url_path": "/"},
    "sync_groups": {"instances": ["one", "two"]},
    "track_files": {"file": "/run/other"},
    "track_groups": {"instances": ["one", "two"]},
    "track_processs": {"process": "init"},
    "urls": {"path": "/"},
    "virtual_server_groups": {"name": "web", "vips": [{"ip": "192.0.2.60", "port": 80}]},
    "virtual_servers": {"ip": "192.0.2.60", "port": 80, "real_servers": [{"ip": "192.0.2.20", "port": 80}]},
}
MINIMAL["virtual_server_groups"]["real_servers"] = MINIMAL["virtual_servers"]["real_servers"]


class Case(t.NamedTuple):
    """A key, with the rows of the sections that it stands in."""

    path: tuple[Row, ...]
    key: Row
    value: t.Any


def inside(row: Row) -> Section | None:
    inner = record_of(row.kind)
    return inner if isinstance(inner, Section) else None


def values(section: str, key: Row) -> list[t.Any]:
    found = VALUES.get(f"{section}.{key.name}") or VALUES.get(key.name)
    if found:
        return found
    kind = key.kind
    if isinstance(kind, kinds.Number):
        usual: float = {"a whole number": 7, "a number": 7.5}.get(kind.what, 2)
        return [max(kind.low, min(kind.high, usual))]
    if isinstance(kind, kinds.Weight):
        return [int(max(kind.low, -5)), "5 reverse"]
    if isinstance(kind, kinds.Words) and kind.choices:
        return list(kind.choices)
    by_kind: dict[kinds.Kind, list[t.Any]] = {
        kinds.WORD: ["word"],
        kinds.WORDS: ["word"],
        kinds.TEXT: ["text"],
        kinds.Quoted(longest=8): ["text"],
        kinds.SCRIPT: ["/usr/bin/true one two"],
        kinds.FLAG: [True],
        kinds.SWITCH: [True, False],
    }
    return by_kind[kind]


def is_written(row: Row) -> bool:
    return row.name != "raw" and not isinstance(row.kind, kinds.Unwritten)


def cases(section: Section = FILE, path: tuple[Row, ...] = ()) -> t.Iterator[Case]:
    for row in filter(is_written, section.keys):
        if inner := inside(row):
            # The servers of groups have the tables of other virtual servers.
            if [outer.name for outer in path] != ["virtual_server_groups"]:
                yield from cases(inner, (*path, row))
        else:
            for value in values(path[-1].name if path else "", row):
                yield Case(path, row, value)


def version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split("."))) if text else ()


def since(case: Case) -> tuple[int, ...]:
    """The keepalived whose check can judge the case."""
    # The check of older ones ends itself with SIGTERM when a script belongs to another user than root.
    others = (2, 3, 0) if "nobody" in str(case.value) else ()
    return max(version(case.key.since), *(version(row.since) for row in case.path), others)


def adapt(entry: dict[str, t.Any], section: Section, key: Row) -> None:
    """Give the key what it needs beside it, and take away what it excludes."""
    if key.name in section.one_of:
        for name in section.one_of:
            entry.pop(name, None)
    known = {row.name for row in section.keys}
    entry.update({name: value for name, value in BESIDE.get(key.name, {}).items() if name in known})
    if key.name == "fwmark" and "real_servers" in entry:
        # A mark says nothing about ports.
        for name in ("port", "vips"):
            entry.pop(name, None)
        entry["real_servers"] = [{"ip": "192.0.2.20"}]


def variables(case: Case) -> dict[str, t.Any]:
    """The smallest file with the key in it."""
    file = copy.deepcopy(AROUND)
    holder = file
    for row in case.path:
        entry = copy.deepcopy(MINIMAL.get(row.name, {}))
        if isinstance(row.kind, Section):
            holder[row.name] = entry
        elif isinstance(row.kind, Many):
            holder[row.name] = [entry]
        else:
            holder.setdefault(row.name, {})["this"] = entry
        if row.name == "urls":
            del holder["url_path"]
        if row.name == "scripts":
            file["instances"]["one"]["track_scripts"].append("this weight 1")
        holder = entry
    if case.path and (section := inside(case.path[-1])):
        adapt(holder, section, case.key)
    holder[case.key.name] = case.value
    return file


def name_of(case: Case) -> str:
    return ".".join([*(row.name for row in case.path), f"{case.key.name}={case.value}"])


@pytest.mark.parametrize("case", list(cases()), ids=name_of)
def test_keepalived_knows(
    case: Case,
    rendered: t.Callable[..., str],
    keepalived_says: t.Callable[[str], tuple[int, str]],
    keepalived_version: tuple[int, ...],
) -> None:
    text = rendered(**variables(case))

    rc, remarks = keepalived_says(text)

    if since(case) > keepalived_version:
        assert rc, f"It knows that before {since(case)}:\n{text}"
    else:
        assert (rc, remarks) == (0, ""), text


SCRIPTS = next(row for row in FILE.keys if row.name == "scripts")


@pytest.mark.parametrize("key", [key for key in TRACK_SCRIPT.keys if key.fractions_since])
def test_keepalived_knows_fractions(
    key: Row,
    rendered: t.Callable[..., str],
    keepalived_says: t.Callable[[str], tuple[int, str]],
    keepalived_version: tuple[int, ...],
) -> None:
    text = rendered(**variables(Case((SCRIPTS,), key, 0.5)))

    assert (keepalived_says(text) == (0, "")) == (keepalived_version >= version(key.fractions_since)), text


def sections(section: Section = FILE, path: tuple[Row, ...] = ()) -> t.Iterator[tuple[Row, ...]]:
    for row in section.keys:
        if inner := inside(row):
            yield (*path, row)
            yield from sections(inner, (*path, row))


@pytest.mark.parametrize("path", list(sections()), ids=lambda path: ".".join(row.name for row in path))
def test_keepalived_reads_every_block(
    path: tuple[Row, ...], rendered: t.Callable[..., str], keepalived_says: t.Callable[[str], tuple[int, str]]
) -> None:
    """What it says nothing about, it has read; and raw lines go everywhere."""
    rc, remarks = keepalived_says(rendered(**variables(Case(path, RAW, ["lbforge_nonsense 1"]))))

    assert rc
    assert "lbforge_nonsense" in remarks or path[-1].since
