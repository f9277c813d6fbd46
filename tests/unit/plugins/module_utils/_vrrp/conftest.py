# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role's template and the real keepalived, which judges what comes out of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import typing as t
from dataclasses import asdict
from pathlib import Path

import jinja2
import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.model import keepalived_model
from ansible_collections.lbforge.haproxy.tests.unit.plugins.namespaces import network_namespace

TEMPLATES = Path(__file__).parents[5] / "roles" / "keepalived" / "templates"

# Another keepalived than the machine's own, to prove what only newer ones know.
KEEPALIVED = os.environ.get("KEEPALIVED", "keepalived")


@pytest.fixture(scope="session")
def rendered() -> t.Callable[..., str]:
    """keepalived.conf from the ``keepalived_*`` variables."""
    # The settings of Ansible's template lookup.
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True)
    environment.filters["comment"] = lambda text: f"# {text}"
    template = environment.get_template("keepalived.conf.j2")

    def render(**variables: t.Any) -> str:
        model = [asdict(block) for block in keepalived_model(variables)]
        return template.render(__keepalived_model=model, ansible_managed="Ansible managed")

    return render


@pytest.fixture(scope="session")
def namespace() -> t.Iterator[str]:
    """A network namespace with the interface eth0; keepalived looks at it even to check a text."""
    if not shutil.which(KEEPALIVED):
        pytest.skip("needs keepalived")
    with network_namespace(
        "link add eth0 type veth peer name eth1",
        "address add 192.0.2.1/24 dev eth0",
        "address add 2001:db8::1/64 dev eth0 nodad",
        "link set eth1 up",
        "link set eth0 up",
    ) as name:
        yield name


@pytest.fixture
def keepalived_says(namespace: str, tmp_path: Path) -> t.Callable[[str], tuple[int, str]]:
    """What ``keepalived -t`` answers to a text: the return code and its remarks."""

    def says(text: str) -> tuple[int, str]:
        path = tmp_path / "keepalived.conf"
        path.write_text(text, encoding="utf-8")
        command = ["ip", "netns", "exec", namespace, KEEPALIVED, "-t", "-f", str(path)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    return says


@pytest.fixture(scope="session")
def keepalived_version() -> tuple[int, ...]:
    if not shutil.which(KEEPALIVED):
        pytest.skip("needs keepalived")
    done = subprocess.run([KEEPALIVED, "-v"], check=True, capture_output=True, text=True)
    found = re.search(r"Keepalived v([\d.]+)", done.stderr)
    assert found
    return tuple(map(int, found[1].split(".")))
