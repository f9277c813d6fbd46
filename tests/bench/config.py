# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The thinking on the controller; and on one node the role haproxy_server beside one with a task for each service."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import sys
import typing as t

from playbook import REPO, WORK, Run, play
from row import Row, at_least, at_most, figure
from services import services

HERE = REPO / "tests" / "bench"
NODE = "lbforge-measured"


@dataclasses.dataclass(frozen=True)
class Size:
    #: numbers of services, the largest three times the middle one
    rendered: tuple[int, int, int]
    #: networks of a list
    listed: int
    validated: int
    #: more services in a second run, whose tasks are counted
    installed: int
    #: few and many services, changed and unchanged, and many with a task for each
    configured: tuple[int, int]


FULL = Size(rendered=(100, 1000, 3000), listed=100_000, validated=50, installed=500, configured=(10, 100))
QUICK = Size(rendered=(2, 10, 30), listed=1000, validated=2, installed=3, configured=(1, 3))


def rows(size: Size) -> t.Iterator[Row]:
    yield from controller(size)
    with node() as inventory:
        yield from tasks(inventory, size.installed)
        yield from configuration(inventory, size.configured)


# Controller


def controller(size: Size) -> t.Iterator[Row]:
    seconds = {}
    _few, many, most = size.rendered
    for number in size.rendered:
        best = min((measured("render.py", number, 10) for _again in range(3)), key=lambda figures: figures["seconds"])
        seconds[number] = best["seconds"]
        name = f"validate, model and render {number} services of 10 servers"
        if number == many:
            yield at_most(5, name, best["seconds"], "s")
            yield at_most(300, f"{name}: memory", best["megabytes"], "MB")
        else:
            yield figure(name, best["seconds"], "s")
    yield at_most(1.3, f"the same: time per service, {most} services / {many}", seconds[most] / seconds[many] / 3)

    listed = min(measured("network_list.py", size.listed)["seconds"] for _again in range(3))
    yield at_most(3, f"read, minimise and write a list of {size.listed} networks", listed, "s")

    inventory = {"haproxy": {"hosts": {f"lb{number}": None for number in (1, 2, 3)}, "vars": vips("203.0.113.")}}
    run = play(REPO / "playbooks" / "haproxy_validate.yml", inventory, haproxy_service_configs=services(size.validated))
    yield at_most(3, f"haproxy_validate.yml, {size.validated} services, 3 hosts", run.seconds, "s")


def measured(program: str, *arguments: int) -> dict[str, float]:
    """What a program beside this file says of itself."""
    command = [sys.executable, str(HERE / program), *map(str, arguments)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(result.stdout)
    return figures


# Node


@contextlib.contextmanager
def node() -> t.Iterator[dict[str, t.Any]]:
    """A container with systemd, and the inventory that has it as its only load balancer."""
    subprocess.run([REPO / "scripts" / "image", "12"], check=True, stdout=subprocess.DEVNULL)
    WORK.mkdir(parents=True, exist_ok=True)
    key = WORK / "ssh-key"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    capabilities = [f"--cap-add={name}" for name in ("NET_ADMIN", "NET_BROADCAST", "NET_RAW", "SYS_ADMIN")]
    options = ["--detach", "--systemd=always", "--security-opt=unmask=/proc/sys", *capabilities]
    options += [f"--volume={key}.pub:/root/.ssh/authorized_keys:ro"]
    podman("run", "--name", NODE, "--replace", *options, "localhost/lbforge-node:12", "/sbin/init")
    try:
        podman("exec", NODE, "systemctl", "is-system-running", "--wait", check=False)
        address = podman("inspect", "--format", "{{ .NetworkSettings.IPAddress }}", NODE)
        variables = {
            "ansible_host": address,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(key),
            "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
            "haproxy_pki_dir": str(WORK / "pki"),
            **vips(f"{address.rpartition('.')[0]}."),
        }
        yield {"haproxy": {"hosts": {"lb1": variables}}}
    finally:
        podman("rm", "--force", "--time", "0", NODE)


def podman(*arguments: str, check: bool = True) -> str:
    return subprocess.run(["podman", *arguments], check=check, capture_output=True, text=True).stdout.strip()


def vips(network: str) -> dict[str, str]:
    return {
        "external_lb_vip_address": f"{network}240",
        "internal_lb_vip_address": f"{network}241",
        "haproxy_keepalived_external_vip_cidr": f"{network}240/24",
        "haproxy_keepalived_internal_vip_cidr": f"{network}241/24",
        "haproxy_keepalived_external_interface": "eth0",
        "haproxy_keepalived_internal_interface": "eth0",
    }


def tasks(inventory: dict[str, t.Any], many: int) -> t.Iterator[Row]:
    """How many tasks a run takes that finds nothing to do, with everything on: TLS, keepalived."""
    executed = {}
    for number in (1, many):
        variables = {"haproxy_service_configs": services(number), "haproxy_ssl": True, "haproxy_use_keepalived": True}
        for _converge in range(2):
            run = play(REPO / "playbooks" / "haproxy_install.yml", inventory, **variables)
        assert not run.changed, run.changed
        executed[number] = run.executed("lb1")
        yield at_most(30, f"tasks on an unchanged run, {number} service{'s' * (number > 1)}", executed[number])
    yield at_most(0, f"tasks that {many - 1} more services add", executed[many] - executed[1])


def configuration(inventory: dict[str, t.Any], numbers: tuple[int, int]) -> t.Iterator[Row]:
    """The configuration part of a role: what is left of its play when packages are there and facts are known.

    Without TLS, as the baseline has no certificates to care for. The better of two runs; the baseline takes too long
    for that, which is to its favour: its reload is left out.
    """
    ours: dict[tuple[int, str], float] = {}
    few, many = numbers
    for number in numbers:
        changed = [configure(inventory, "ours", number, algorithm) for algorithm in ("roundrobin", "leastconn")]
        unchanged = [configure(inventory, "ours", number, "leastconn") for _again in range(2)]
        assert all(run.changed for run in changed)
        assert not any(run.changed for run in unchanged), unchanged[-1].changed
        ours[number, "changed"] = min(run.play_seconds for run in changed)
        ours[number, "unchanged"] = min(run.play_seconds for run in unchanged)
    for (number, state), seconds in ours.items():
        yield figure(f"configuration of {number} services, {state}", seconds, "s")
    for state in ("changed", "unchanged"):
        yield at_most(1.3, f"{many} services / {few}, {state}", ours[many, state] / ours[few, state])
    for state in ("changed", "unchanged"):
        baseline = configure(inventory, "baseline", many, "leastconn").play_seconds
        yield figure(f"a task per service, {many} services, {state}", baseline, "s")
        yield at_least(15, f"a task per service / ours, {many} services, {state}", baseline / ours[many, state])


def configure(inventory: dict[str, t.Any], role: str, number: int, algorithm: str) -> Run:
    return configure_services(inventory, role, services(number, algorithm=algorithm))


def configure_services(inventory: dict[str, t.Any], role: str, wanted: list[dict[str, t.Any]]) -> Run:
    return play(
        HERE / f"{role}.yml",
        inventory,
        "--tags=haproxy_server-config",
        haproxy_service_configs=wanted,
        haproxy_ssl=False,
    )
