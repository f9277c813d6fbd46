# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every variable of a role has an effect.

The roles run on recorders instead of nodes (see recorder/recorder.py), once with some variables and once without them;
booleans have the opposite value then.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import pathlib
import re
import subprocess
import typing as t

import pytest
import yaml

from ansible_collections.lbforge.haproxy.tests.unit.conftest import haproxy_says, keepalived_says

ROOT = pathlib.Path(__file__).parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())

# A module that was called on a node, with its arguments.
Call = dict[str, t.Any]
Run = t.Callable[[str], tuple[list[Call], list[Call]]]


class Row(t.NamedTuple):
    """A variable with a value, and the lines of a file or a module's call that are there with it or without it."""

    variable: str
    value: t.Any
    where: str
    seen: str = ""
    gone: str = ""


@dataclasses.dataclass(frozen=True)
class Case:
    """Rows that get along with each other on one node. Another node has the same ``inventory`` without them."""

    #: entry points of roles
    runs: tuple[str, ...]
    rows: tuple[Row, ...]
    inventory: dict[str, t.Any] = dataclasses.field(default_factory=dict)


COMMON = {
    "ansible_connection": "local",
    "ansible_host": "192.0.2.1",
    "external_lb_vip_address": "203.0.113.10",
    "internal_lb_vip_address": "10.0.0.10",
    "haproxy_keepalived_external_vip_cidr": "203.0.113.10/24",
    "haproxy_keepalived_internal_vip_cidr": "10.0.0.10/24",
    "haproxy_service_configs": [
        {
            "haproxy_service_name": "web",
            "haproxy_port": 80,
            "haproxy_balance_type": "http",
            "haproxy_backend_nodes": [{"name": "web1", "ip_addr": "192.0.2.21"}],
        }
    ],
    "haproxy_host": "lb",
    "haproxy_peers": {},
    "keepalived_unicast_address": "192.0.2.1",
    "keepalived_hosts": ["{{ inventory_hostname }}", "other"],
}
ACME = {
    "haproxy_ssl_letsencrypt_enable": True,
    "haproxy_ssl_letsencrypt_email": "ops@example.org",
    "haproxy_ssl_letsencrypt_domains": ["www.example.org"],
    "haproxy_extra_services": ["{{ haproxy_ssl_letsencrypt_service }}"],
}
EXPECTATIONS = [{"name": "nobody listens", "request": {"connect": "192.0.2.1:1"}, "expect": "refused"}]
ACME_CONFIG = "/etc/haproxy-acme/config.json"
ARCHIVE = "https://mirror.example.org/hatop.tar.gz"
CHECK = "/usr/bin/nice -n -20 /etc/keepalived/haproxy_check.sh"
PKI = "pki_certificates"
ROUTE = "198.51.100.0/24 dev eth0"
RULE = "from 192.0.2.0/24 table 100 preference 99"
PING = "/usr/bin/ping -n -q -c 1 -W 1"
HARDENING = "/etc/systemd/system/{}.service.d/hardening.conf"
PROMETHEUS = "http-request use-service prometheus-exporter if { path /metrics }"
H1, H2 = "http/1.1", "h2,http/1.1"
SERVER = "server web1 192.0.2.21:443 check inter 12000 rise 3 fall 3 ssl verify none"
TLS = "ssl crt /etc/haproxy/ssl/haproxy_lb-"
SYSCTL = "/etc/sysctl.d/60-haproxy.conf"
KEEPALIVED_SYSCTL = "/etc/sysctl.d/70-keepalived.conf"

CASES = {
    "base": Case(
        runs=("haproxy_server main",),
        inventory={
            "haproxy_stats_enabled": True,
            "haproxy_stats_ssl": False,
            "haproxy_stats_password": "only-here",
            "haproxy_expectations": EXPECTATIONS,
        },
        rows=(
            Row("haproxy_allow_empty", True, "haproxy_config", "allow_empty: true", "allow_empty: false"),
            Row("haproxy_rehearse", True, "haproxy_config", "expectations.haproxy_expectations.name: nobody listens"),
            Row("haproxy_watch_seconds", 90, "haproxy_config", "watch_seconds: 90", "watch_seconds: 0"),
            Row("haproxy_watch_limits", {"rise_5xx": 2}, "haproxy_config", "watch_limits.rise_5xx: 2"),
            Row("haproxy_apply", "reload", "haproxy_config", "apply: reload", "apply: auto"),
            Row("haproxy_bind_internal_lb_vip_interface", "lo", "haproxy.cfg", "bind 10.0.0.10:80 interface lo"),
            Row("haproxy_connect_timeout", "3s", "haproxy.cfg", "timeout connect 3s", "timeout connect 10s"),
            Row("haproxy_hatop_install", False, "apt", gone="name: hatop"),
            Row("haproxy_http_keepalive_timeout", "4s", "haproxy.cfg", "timeout http-keep-alive 4s"),
            Row("haproxy_package_state", "latest", "apt", "state: latest", "state: present"),
            Row("cache_timeout", 61, "apt", "cache_valid_time: 61", "cache_valid_time: 600"),
            Row("haproxy_pki_setup_host", "other", PKI, "on: other", "on: localhost"),
            Row("haproxy_pki_create_ca", False, PKI, gone="authorities.name: HAProxyRoot"),
            Row("haproxy_pki_install_ca", [{"name": "Elsewhere"}], PKI, "anchors.name: Elsewhere"),
            Row("haproxy_pki_certificates", [{"name": "shop"}], PKI, "certificates.name: shop"),
            Row("haproxy_pki_intermediate_cert_name", "Mine", PKI, "certificates.signed_by: Mine"),
            Row("haproxy_releases_keep", 9, "haproxy_config", "keep_releases: 9", "keep_releases: 5"),
            Row("haproxy_security_txt_content", "Contact: x", "security.txt", "Contact: x"),
            Row("haproxy_security_txt_headers", "HTTP/1.0 200 Y\n", "security.txt", "HTTP/1.0 200 Y"),
            Row("haproxy_stats_refresh_interval", 7, "haproxy.cfg", "stats refresh 7s", "stats refresh 60s"),
            Row(
                "haproxy_sysctl_file",
                "/etc/sysctl.d/x.conf",
                "command",
                "argv: /etc/sysctl.d/x.conf",
                f"argv: {SYSCTL}",
            ),
        ),
    ),
    "tls": Case(
        runs=("haproxy_server prepare", "haproxy_server files", "haproxy_server configure"),
        inventory={
            **ACME,
            "haproxy_ssl_letsencrypt_enable": False,
            "haproxy_ssl_letsencrypt_peers": {},
            "haproxy_stats_password": "only-here",
            "haproxy_extra_services": [
                "{{ haproxy_ssl_letsencrypt_service }}",
                {
                    "haproxy_service_name": "tls",
                    "haproxy_port": 443,
                    "haproxy_balance_type": "http",
                    "haproxy_ssl": True,
                    "haproxy_backend_ssl": True,
                    "haproxy_backend_nodes": [{"name": "web1", "ip_addr": "192.0.2.21"}],
                },
            ],
        },
        rows=(
            Row("haproxy_backend_h2", True, "haproxy.cfg", f"{SERVER} alpn {H2} check-ssl check-alpn {H2}"),
            # The service of certbot, which speaks HTTP/1.1 only, stays without.
            Row("haproxy_backend_h2", True, "haproxy.cfg", "server with 192.0.2.1:8888 no-check"),
            Row("haproxy_frontend_h2", False, "haproxy.cfg", f"bind 203.0.113.10:443 {TLS}203.0.113.10.pem alpn {H1}"),
            Row("haproxy_ssl_all_vips", True, "haproxy.cfg", f"bind 10.0.0.10:443 {TLS}10.0.0.10.pem alpn {H1}"),
            Row("haproxy_ssl_letsencrypt_enable", True, "node_files", gone=f"absent: {ACME_CONFIG}"),
            Row("haproxy_stats_enabled", True, "haproxy.cfg", "listen stats"),
            Row("haproxy_stats_prometheus_enabled", True, "haproxy.cfg", PROMETHEUS),
            Row("haproxy_stats_ssl", False, "haproxy.cfg", "bind 127.0.0.1:1936"),
            Row("haproxy_systemd_hardening", False, HARDENING.format("haproxy"), gone="PrivateTmp=yes"),
        ),
    ),
    "plain": Case(
        runs=("haproxy_server model", "haproxy_server configure", "keepalived install"),
        inventory={"haproxy_version": "3.0"},
        rows=(
            Row("haproxy_bind_on_non_local", False, KEEPALIVED_SYSCTL, gone="net.ipv4.ip_nonlocal_bind = 1"),
            Row("haproxy_ssl", False, "haproxy.cfg", gone="ssl-default-server-options ssl-min-ver TLSv1.2"),
            Row("haproxy_ssl_ocsp_update", True, "haproxy.cfg", "ocsp-update.mode on"),
        ),
    ),
    "off": Case(
        runs=(
            "haproxy_server prepare",
            "haproxy_server files",
            "keepalived install",
            "haproxy_server configure",
            "pki issue",
        ),
        inventory={
            "pki_authorities": [{"name": "Mine"}],
            "haproxy_pki_extra_certificates": [{"name": "shop"}],
            "haproxy_security_txt_content": "Contact: x",
        },
        rows=(
            Row("pki_create_ca", False, PKI, gone="authorities.name: Mine"),
            Row("haproxy_pki_create_certificates", False, PKI, gone="certificates.name: shop"),
            Row("haproxy_static_files_default", [], "security.txt", gone="Contact: x"),
            Row("haproxy_bind_on_non_local", False, SYSCTL, "net.ipv4.ip_nonlocal_bind = 0"),
            Row("keepalived_bind_on_non_local", False, KEEPALIVED_SYSCTL, gone="net.ipv4.ip_nonlocal_bind = 1"),
            Row("keepalived_track_haproxy", False, "/etc/keepalived/haproxy_check.sh", gone='test -n "$answer"'),
            Row("keepalived_use_latest_stable", True, "apt", "state: latest", "state: present"),
        ),
    ),
    "hatop": Case(
        runs=("haproxy_server install",),
        inventory={
            "haproxy_hatop_download_url": "https://example.org/hatop.tar.gz",
            "haproxy_hatop_download_checksum": f"sha256:{'a' * 64}",
        },
        rows=(
            Row("haproxy_hatop_download_url", ARCHIVE, "get_url", f"url: {ARCHIVE}"),
            Row("haproxy_hatop_download_checksum", f"sha256:{'b' * 64}", "get_url", f"checksum: sha256:{'b' * 64}"),
            Row("haproxy_hatop_download_validate_certs", False, "get_url", "validate_certs: false"),
            Row("haproxy_hatop_download_path", "/var/cache/hatop", "unarchive", "src: /var/cache/hatop/hatop.tar.gz"),
        ),
    ),
    "acme": Case(
        runs=("haproxy_server model", "haproxy_server letsencrypt"),
        inventory=ACME,
        rows=(
            Row("haproxy_use_keepalived", False, ACME_CONFIG, '"vip": ""', '"vip": "203.0.113.10"'),
            Row("haproxy_ssl_letsencrypt_certbot_binary", "/opt/own/certbot", ACME_CONFIG, '"/opt/own/certbot",'),
            Row("haproxy_ssl_letsencrypt_certbot_packages", ["python3-x"], "apt", "name: python3-x"),
            Row("haproxy_ssl_letsencrypt_config_path", "/srv/le/live", ACME_CONFIG, '"certbot_directory": "/srv/le",'),
            Row("haproxy_ssl_letsencrypt_peers", {"other": "192.0.2.2"}, ACME_CONFIG, '"other": "192.0.2.2"'),
            Row("haproxy_ssl_letsencrypt_peers_port", 2222, ACME_CONFIG, '"peers_port": 2222,', '"peers_port": 22,'),
            Row("haproxy_ssl_letsencrypt_renew_before_days", 20, ACME_CONFIG, '"renew_before": 1728000,'),
            Row(
                "haproxy_ssl_letsencrypt_staging",
                True,
                ACME_CONFIG,
                '"server": "https://acme-staging-v02.api.letsencrypt.org/directory",',
                '"server": "https://acme-v02.api.letsencrypt.org/directory",',
            ),
        ),
    ),
    "acme-venv": Case(
        runs=("haproxy_server model", "haproxy_server letsencrypt"),
        inventory={**ACME, "haproxy_ssl_letsencrypt_install_method": "venv"},
        rows=(
            Row("haproxy_ssl_letsencrypt_venv", "/opt/le", "pip", "virtualenv: /opt/le", "virtualenv: /opt/certbot"),
            Row("haproxy_ssl_letsencrypt_venv", "/opt/le", ACME_CONFIG, '"/opt/le/bin/certbot",'),
            Row("haproxy_ssl_letsencrypt_certbot_packages", ["certbot-dns-x"], "pip", "name: certbot-dns-x"),
        ),
    ),
    "keepalived": Case(
        runs=("keepalived main", "keepalived maintenance"),
        rows=(
            Row("haproxy_keepalived_external_interface", "eth1", "keepalived.conf", "203.0.113.10/24 dev eth1"),
            Row("haproxy_keepalived_internal_interface", "eth2", "keepalived.conf", "10.0.0.10/24 dev eth2"),
            Row("haproxy_keepalived_external_virtual_router_id", 20, "keepalived.conf", "virtual_router_id 20"),
            Row("haproxy_keepalived_internal_virtual_router_id", 21, "keepalived.conf", "virtual_router_id 21"),
            Row("keepalived_cache_timeout", 62, "apt", "cache_valid_time: 62", "cache_valid_time: 600"),
            Row("keepalived_haproxy_check_timeout", 0.7, "keepalived.conf", f'script "/usr/bin/timeout 0.7 {CHECK}"'),
            Row(
                "keepalived_haproxy_socket",
                "/run/other.sock",
                "/etc/keepalived/haproxy_check.sh",
                "answer=$(echo 'show cli level' | nc -N -U /run/other.sock 2>/dev/null)",
            ),
            Row("keepalived_interface_delays", ["eth0 0.2 3"], "keepalived.conf", "eth0 0.2 3"),
            Row("keepalived_linkbeat_interfaces", ["eth0 ETHTOOL"], "keepalived.conf", "eth0 ETHTOOL"),
            Row("keepalived_maintenance", True, "/run/keepalived-track/maintenance", "1", "0"),
            Row("keepalived_maintenance_weight", -60, "keepalived.conf", "weight -60"),
            Row("keepalived_package_state", "latest", "apt", "state: latest", "state: present"),
            Row("keepalived_ping_address", "192.0.2.250", "keepalived.conf", f'script "{PING} 192.0.2.250"'),
            Row("keepalived_ping_weight", -50, "keepalived.conf", "weight -50"),
            Row("keepalived_scripts_overrides", {"haproxy_check_script": {"rise": 7}}, "keepalived.conf", "rise 7"),
            Row("keepalived_scripts_packages", ["fping"], "apt", "name: fping", "name: iputils-ping"),
            Row("keepalived_spread", True, "keepalived.conf", "priority 250"),
            Row("keepalived_ssl", {"ca": "/etc/ssl/certs/ca-certificates.crt"}, "keepalived.conf", "SSL {"),
            Row(
                "keepalived_static_routes", [f"{ROUTE} track_group all"], "keepalived.conf", f"{ROUTE} track_group all"
            ),
            Row("keepalived_static_rules", [RULE], "keepalived.conf", RULE),
            Row("keepalived_sysctl_tcp_retries", 6, KEEPALIVED_SYSCTL, "net.ipv4.tcp_retries2 = 6"),
            Row(
                "keepalived_systemd_hardening",
                False,
                HARDENING.format("keepalived"),
                gone="ProtectSystem=yes",
            ),
            Row(
                "keepalived_track_files_overrides", {"own": {"file": "/run/own"}}, "keepalived.conf", 'file "/run/own"'
            ),
            Row(
                "keepalived_track_groups", {"all": {"instances": ["external"]}}, "keepalived.conf", "track_group all {"
            ),
            Row(
                "keepalived_track_processs",
                {"sshd": {"process": "sshd"}},
                "keepalived.conf",
                "vrrp_track_process sshd {",
            ),
            Row("keepalived_track_servers", False, "keepalived.conf", gone="track_file haproxy_settled {"),
            Row("keepalived_vrrp_firewall", True, "keepalived_config", "firewall: true", "firewall: false"),
        ),
    ),
    "pki": Case(
        runs=("pki main",),
        inventory={
            "pki_authorities_mine": [{"name": "Mine"}],
            "pki_certificates_mine": [{"name": "mine"}],
            "pki_install_certificates_mine": [{"src": "/mine"}],
            "pki_install_ca_mine": [{"name": "Mine"}],
            "own_authorities": [{"name": "Own"}],
            "own_certificates": [{"name": "own"}],
            "own_files": [{"src": "/own"}],
            "own_anchors": [{"name": "Own"}],
        },
        rows=(
            Row("pki_setup_host", "other", PKI, "on: other", "on: localhost"),
            Row("pki_setup_host_python_interpreter", "/opt/python", PKI, "python: /opt/python"),
            Row("pki_install_certificates", [{"src": "/more"}], PKI, "files.src: /more"),
            Row("pki_client_ca", ["Clients"], PKI, "ca_files: Clients"),
            Row("pki_certificates", [{"name": "more"}], PKI, "certificates.name: more"),
            Row("pki_regen_cert", "more", PKI, "regen_cert: more"),
            Row("pki_search_authorities_pattern", "own_auth", PKI, "authorities.name: Own", "authorities.name: Mine"),
            Row(
                "pki_search_certificates_pattern", "own_cert", PKI, "certificates.name: own", "certificates.name: mine"
            ),
            Row("pki_search_install_certificates_pattern", "own_files", PKI, "files.src: /own", "files.src: /mine"),
            Row("pki_search_install_ca_pattern", "own_anchors", PKI, "anchors.name: Own", "anchors.name: Mine"),
        ),
    ),
}
PREPARED = Case(
    runs=("haproxy_server prepare", "keepalived validate", "haproxy_server main", "keepalived main"),
    inventory={"keepalived_raw": ["# {{ 999999999 | random }}"]},
    rows=(Row("haproxy_server_prepared", True, ""), Row("keepalived_prepared", True, "")),
)


def as_text(value: t.Any) -> t.Any:
    """A value as ``-e name=value`` and inventories in INI form give it: booleans and numbers are text there."""
    return str(value).lower() if isinstance(value, (bool, int, float)) else value


def arguments(name: str, value: t.Any) -> t.Iterator[str]:
    """The arguments of a call, one a line: those of lists each, those of dictionaries with dots."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from arguments(f"{name}.{key}" if name else key, each)
    elif isinstance(value, list):
        for each in value:
            yield from arguments(name, each)
    else:
        yield f"{name}: {str(value).lower() if isinstance(value, bool) else value}"


def texts(calls: t.Iterable[Call], module: str = "") -> t.Iterator[tuple[str, str]]:
    """The files that calls, or those of one module, write on a node: path or name, and text."""
    for call in calls:
        args = call["args"]
        if module not in ("", call["module"]):
            continue
        if call["module"] == "node_files":
            yield from ((file["dest"], file["content"]) for file in args["files"])
        elif call["module"] == "copy" and "content" in args:
            yield args["dest"], args["content"]
        elif call["module"] == "haproxy_config":
            yield from args["files"].items()
        elif call["module"] == "keepalived_config":
            yield "keepalived.conf", args["content"]


def lines(calls: t.Sequence[Call], where: str) -> list[str]:
    """The lines of a file that calls write, or the arguments of all calls of a module."""
    written = [line.strip() for name, text in texts(calls) if name == where for line in text.splitlines()]
    asked = [
        line
        for call in calls
        if call["module"] == where
        for line in (*arguments("", call["args"]), f"on: {call['delegate_to']}", f"python: {call['python']}")
    ]
    return written + asked


def calls(case: Case, directory: pathlib.Path) -> tuple[list[Call], list[Call]]:
    """What the node with the variables of a case is asked for, and the one without them."""
    entry_points = [each.split() for each in case.runs]
    roles = [{"name": f"lbforge.haproxy.{role}", "tasks_from": entry_point} for role, entry_point in entry_points]
    play = {"hosts": "recorders", "tasks": [{"ansible.builtin.include_role": role} for role in roles]}
    values = {row.variable: row.value for row in case.rows}
    hosts = {
        "with": {name: as_text(value) for name, value in values.items()},
        "without": {name: as_text(not value) for name, value in values.items() if isinstance(value, bool)},
    }
    inventory = {
        "all": {
            "hosts": {"other": {"keepalived_unicast_address": "192.0.2.2"}},
            "children": {"recorders": {"hosts": hosts}},
            "vars": {**COMMON, **case.inventory},
        }
    }
    (directory / "inventory.json").write_text(json.dumps(inventory))
    (directory / "play.yml").write_text(json.dumps([play]))
    done = subprocess.run(
        ["ansible-playbook", "-i", directory / "inventory.json", directory / "play.yml"],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "RECORDER": str(directory / "calls.jsonl"),
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests" / "unit" / "recorder"),
            "ANSIBLE_CALLBACKS_ENABLED": "recorder",
            "ANSIBLE_REMOTE_TMP": str(directory / "remote"),
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = [json.loads(line) for line in (directory / "calls.jsonl").read_text().splitlines()]
    return [call for call in found if call["host"] == "with"], [call for call in found if call["host"] == "without"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The calls of a case by its name; each is run once."""
    return functools.cache(lambda name: calls(CASES[name], tmp_path_factory.mktemp("case")))


def failures(case: Case, with_it: list[Call], without: list[Call]) -> t.Iterator[str]:
    """The rows whose variable has not the effect that they say."""
    for row in case.rows:
        there, not_there = lines(with_it, row.where), lines(without, row.where)
        assert row.seen or row.gone
        if row.seen and (row.seen not in there or row.seen in not_there):
            yield f"{row.variable}: {row.seen!r} must be in {row.where} with it, and not without it"
        if row.gone and (row.gone in there or row.gone not in not_there):
            yield f"{row.variable}: {row.gone!r} must be in {row.where} without it, and not with it"


@pytest.mark.parametrize("name", CASES)
def test_variables_have_their_effects(name: str, run: Run, tmp_path: pathlib.Path) -> None:
    case = CASES[name]
    with_it, without = run(name)
    assert list(failures(case, with_it, without)) == []
    if rendered := dict(texts(with_it, "haproxy_config")):
        assert haproxy_takes(rendered, case.inventory.get("haproxy_version", ""), tmp_path)


def haproxy_takes(files: dict[str, str], oldest: str, directory: pathlib.Path) -> bool:
    """Whether HAProxy takes the files of a release, as far as it is new enough to say."""
    (version,) = re.findall(r"version (\d+\.\d+)", subprocess.check_output(["haproxy", "-v"], text=True))
    release = directory / "release"
    release.mkdir()
    for name, text in files.items():
        (release / name).write_text(text)
    return version < oldest or haproxy_says(release) == ""


def test_keepalived_takes_what_the_variables_make(run: Run, tmp_path: pathlib.Path, namespace: str) -> None:
    with_it, _without = run("keepalived")
    ((_name, text),) = texts(with_it, "keepalived_config")
    path = tmp_path / "keepalived.conf"
    path.write_text(text)
    assert keepalived_says(path, namespace) == ""


def test_what_a_playbook_has_prepared_is_not_prepared_again(tmp_path: pathlib.Path) -> None:
    """The README of each role: a play calls the entry ``prepare`` or ``validate`` first, for all nodes."""
    with_it, without = calls(PREPARED, tmp_path)
    issued = [len([call for call in asked if call["module"] == PKI]) for asked in (with_it, without)]
    assert issued == [2, 4]
    (_first, linted), (_second, applied) = texts(with_it, "keepalived_config")
    assert linted == applied
    (_first, linted), (_second, applied) = texts(without, "keepalived_config")
    assert linted != applied


def test_another_archive_of_hatop_takes_the_place_of_the_first(run: Run) -> None:
    """The recorder says of every download that it is another one than before."""
    with_it, _without = run("hatop")
    unpacked = lines(with_it, "unarchive")
    assert "dest: /usr/local" in unpacked
    assert not [line for line in unpacked if line.startswith("creates: ")]


def test_tar_finds_hatop_in_its_archive(run: Run, tmp_path: pathlib.Path) -> None:
    """With the options that unarchive is given, in an archive with the directory of a release."""
    with_it, _without = run("hatop")
    (args,) = [call["args"] for call in with_it if call["module"] == "unarchive"]
    program = tmp_path / "hatop-0.8.2" / "bin" / "hatop"
    program.parent.mkdir(parents=True)
    program.touch()
    target = tmp_path / "target"
    target.mkdir()
    archive = tmp_path / "hatop.tar.gz"
    subprocess.run(["tar", "--create", "--gzip", "--file", archive, "-C", tmp_path, "hatop-0.8.2"], check=True)
    subprocess.run(["tar", "--extract", "-C", target, *args["extra_opts"], "-f", archive, *args["include"]], check=True)
    assert [path.relative_to(target) for path in target.rglob("*") if path.is_file()] == [pathlib.Path("bin/hatop")]


def options(role: str) -> dict[str, dict[str, t.Any]]:
    """The variables of a role, as its argument specification has them."""
    specs = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    return {name: option for entry_point in specs.values() for name, option in entry_point["options"].items()}


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_is_in_a_test(role: str) -> None:
    """Those without a row above have a test elsewhere that names them."""
    paths = [path for place in ("tests", "molecule") for path in (ROOT / place).rglob("*.*") if path.is_file()]
    named = {word for path in paths for word in re.findall(rb"\b\w+\b", path.read_bytes())}
    assert [name for name in options(role) if name.encode() not in named] == []


@pytest.mark.parametrize("role", ROLES)
def test_every_boolean_is_given_as_text(role: str) -> None:
    """``-e name=false`` and inventories in INI form give text, and Jinja takes the text "false" for true."""
    booleans = {name for name, option in options(role).items() if option["type"] == "bool"}
    assert booleans - {row.variable for case in (*CASES.values(), PREPARED) for row in case.rows} == set()
