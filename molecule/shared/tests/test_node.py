# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook leaves on a node, and that it leaves nothing to do."""

from __future__ import annotations

import re
import socket

import pytest
from bench import MOLECULE, Bench, Node, ansible_playbook, changes


@pytest.fixture(params=range(3), ids=lambda index: f"lb{index + 1}")
def balancer(bench: Bench, request: pytest.FixtureRequest) -> Node:
    return bench.balancers[request.param]


def test_services_run_and_start_with_the_node(balancer: Node) -> None:
    for name in ("haproxy", "keepalived"):
        service = balancer.host.service(name)
        assert service.is_running and service.is_enabled


def test_configuration_passes_without_a_warning(balancer: Node) -> None:
    result = balancer.host.run("haproxy -c -f /etc/haproxy/haproxy.cfg")
    assert result.succeeded
    assert "[WARNING]" not in result.stdout + result.stderr


def test_secrets_are_not_for_everyone(balancer: Node) -> None:
    everyone = balancer.run("find -L /etc/haproxy /etc/keepalived -type f -perm /o=rwx")
    assert not [path for path in everyone.split() if path.endswith((".cfg", ".conf", ".pem", ".key"))]


def test_private_keys_are_for_root_alone(balancer: Node) -> None:
    keys = balancer.run("grep -rlE 'BEGIN ([A-Z]+ )?PRIVATE KEY' /etc/haproxy").split()
    assert keys
    for path in keys:
        file = balancer.host.file(path)
        assert (file.user, file.group, f"{file.mode:o}") == ("root", "root", "600"), path


def test_journal_holds_no_secret(bench: Bench, balancer: Node) -> None:
    journal = balancer.run("journalctl --no-pager").splitlines()
    # Who wrote it is enough to know; the rest must not get into the log of the tests as well.
    assert not [line[:100] for line in journal if bench.stats_password in line or "PRIVATE KEY" in line]


def test_haproxy_logs_requests_to_the_journal(bench: Bench) -> None:
    bench.fetch(f"http://{bench.external_vip}:8001/find-me-in-the-log")
    assert any("find-me-in-the-log" in node.run("journalctl --no-pager --since=-60s") for node in bench.balancers)


def test_vrrp_comes_in_from_peers_alone(bench: Bench) -> None:
    for node in bench.balancers:
        rules = node.run("nft list table inet lbforge_vrrp")
        peers = {peer.address for peer in bench.balancers if peer is not node}
        assert peers <= set(re.findall(r"[0-9.]+", rules)) - {node.address}
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, 112) as stranger:
            stranger.sendto(b"an advert of nobody", (node.address, 0))
        dropped = re.search(r"counter packets (\d+) bytes \d+ drop", node.run("nft list table inet lbforge_vrrp"))
        assert dropped and int(dropped[1]) > 0, rules


# The sandboxes of the units


@pytest.mark.parametrize(("unit", "most"), [("haproxy", 2.6), ("keepalived", 5.0)])
def test_units_are_little_exposed(balancer: Node, unit: str, most: float) -> None:
    report = balancer.run(f"systemd-analyze security --no-pager {unit}.service")
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", report)
    assert exposure and float(exposure[1]) <= most, report


LOOK_INSIDE = """
main=$(systemctl show --property=MainPID --value {0})
for process in $main $(pgrep --parent $main {0}); do
    sed -n 's/^\\(NoNewPrivs\\|Seccomp\\|CapBnd\\):\\s*//p' /proc/$process/status
    nsenter --target $process --mount touch /usr/from-inside 2>&1
done
"""


@pytest.mark.parametrize(("unit", "privileges_stay"), [("haproxy", "1"), ("keepalived", "0")])
def test_processes_are_in_their_sandboxes(balancer: Node, unit: str, privileges_stay: str) -> None:
    told = balancer.host.run(LOOK_INSIDE.format(unit)).stdout.splitlines()
    assert len(told) >= 8, "the main process and another one"
    for capabilities, privileges, seccomp, written in zip(told[::4], told[1::4], told[2::4], told[3::4]):
        # capabilities(7): CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_SYS_PTRACE, CAP_SYS_ADMIN
        assert not [number for number in (16, 17, 19, 21) if int(capabilities, 16) & 1 << number]
        assert (privileges, seccomp) == (privileges_stay, "2")
        assert "Read-only file system" in written


# As the README says.
IN_KEEPALIVEDS_SANDBOX = """
cat > /run/script <<'EOF'
{}
EOF
mkdir -p /run/systemd/system/try.service.d
ln -sf /etc/systemd/system/keepalived.service.d/hardening.conf /run/systemd/system/try.service.d/
systemd-run --quiet --unit=try --pipe --wait --collect sh /run/script
"""

ALLOWED = [
    "ip address add 203.0.113.9/32 dev lo && ip address delete 203.0.113.9/32 dev lo",
    "ip rule add from 203.0.113.9 priority 999 && ip rule delete priority 999",
    "echo 1 > /proc/sys/net/ipv4/conf/lo/promote_secondaries",
    "systemctl is-active haproxy",
    'systemd-run --quiet --pipe --wait --collect sh -c "touch /usr/touched && rm /usr/touched"',
    "ping -n -q -c 1 -W 1 127.0.0.1",
    "ping -n -q -c 1 -W 1 ::1",
    "runuser -u nobody true",
    "su -s /bin/true nobody",
    "pidof haproxy && pgrep haproxy && kill -0 $(pidof haproxy)",
    'test -n "$(echo show version | nc -N -U /run/haproxy/admin.sock)"',
    "touch /etc/touched /var/lib/touched /run/touched /root/touched",
    "rm /etc/touched /var/lib/touched /run/touched /root/touched",
    "logger from a script",
]
REFUSED = [
    ("touch /usr/touched", "Read-only file system"),
    ("mount -t tmpfs none /mnt", "permission denied"),
    ("unshare --mount true", "Operation not permitted"),
    ("chroot / true", "Operation not permitted"),
    ("head -c 1 /dev/kmsg", "No such file or directory"),
]


def test_scripts_of_keepalived_can_do_what_the_readme_says(bench: Bench) -> None:
    node = bench.balancers[0]
    lines = [f"( {command} ) >/dev/null 2>&1 || echo {number}" for number, command in enumerate(ALLOWED)]
    failed = node.run(IN_KEEPALIVEDS_SANDBOX.format("\n".join([*lines, "true"])))
    assert [ALLOWED[int(number)] for number in failed.split()] == []
    lines = [f"{command} 2>&1" for command, _why in REFUSED]
    refused = node.run(IN_KEEPALIVEDS_SANDBOX.format("\n".join([*lines, "true"])))
    assert [command for command, why in REFUSED if why not in refused] == [], refused


@pytest.mark.parametrize(
    ("arguments", "nodes"),
    [
        ((), {"lb1", "lb2", "lb3"}),
        # What a limited run sees of the cluster must not be all that there is; tags must find their hosts.
        (("--limit=lb2", "--tags=haproxy-service-config,haproxy-non-local-bind-config,keepalived-config"), {"lb2"}),
    ],
)
def test_another_run_in_check_mode_would_change_nothing(arguments: tuple[str, ...], nodes: set[str]) -> None:
    result = ansible_playbook(MOLECULE / "shared" / "converge.yml", "--check", "--diff", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Apply the release" in result.stdout
    assert "Deploy keepalived.conf" in result.stdout
    changed = changes(result.stdout)
    assert nodes <= set(changed)
    assert not any(changed.values()), result.stdout


def test_an_unchanged_run_is_short_with_the_recommended_settings() -> None:
    settings = MOLECULE.parent / "examples" / "ansible.cfg"
    result = ansible_playbook(MOLECULE / "shared" / "converge.yml", ANSIBLE_CONFIG=str(settings))
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    assert changes(output) == {"lb1": 0, "lb2": 0, "lb3": 0}
    lines = output.splitlines()
    assert len(lines) <= 120
    assert not [line for line in lines if "skipping" in line or "WARNING" in line or "{{" in line], output
    for node in ("lb1", "lb2", "lb3"):
        assert re.search(rf"^{node} \((holder|standby)\) runs release \w+: nothing to do\.$", output, re.MULTILINE), (
            output
        )
    executed = [int(ok) for ok in re.findall(r": ok=(\d+)", output)]
    assert max(executed) <= 30, output
