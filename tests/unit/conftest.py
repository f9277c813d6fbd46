# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What HAProxy and keepalived themselves say of a configuration that the roles render."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.tests.unit.plugins.made import make
from ansible_collections.lbforge.haproxy.tests.unit.plugins.namespaces import network_namespace


def haproxy_says(directory: pathlib.Path) -> str:
    """What HAProxy says of what one host would get, once the certificates it names are there."""
    texts = {path: path.read_text() for path in directory.iterdir()}
    certificate = make("any.test").pem
    for name in {name for text in texts.values() for name in re.findall(r"/etc/haproxy/ssl/(\S+\.pem)", text)}:
        (directory / name).write_text(certificate)
    for path, text in texts.items():
        path.write_text(re.sub(r"/(etc|run)/haproxy/(ssl/)?", f"{directory}/", text))
    # The unit of HAProxy makes this file before every start; without it there is a warning.
    (directory / "servers.state").write_text("1\n")
    done = subprocess.run(
        ["haproxy", "-c", "-f", directory / "haproxy.cfg"], capture_output=True, text=True, check=False
    )
    # Without a service there is no listener: that is for HAProxy to say, and no mistake of the example.
    assert done.returncode == 0 or "will not start (no listener)" in done.stdout + done.stderr, done.stderr
    return "".join(line for line in done.stderr.splitlines() if "WARNING" in line or "ALERT" in line)


@pytest.fixture(scope="module")
def namespace() -> t.Iterator[str]:
    """The name of a network namespace with interfaces."""
    if not shutil.which("keepalived"):
        pytest.skip("needs keepalived")
    with network_namespace(
        "link add eth0 type veth peer name eth1",
        "link add eth2 type veth peer name eth3",
        "address add 192.0.2.1/24 dev eth0",
        "address add 2001:db8::1/64 dev eth0 nodad",
    ) as name:
        yield name


def keepalived_says(path: pathlib.Path, namespace: str) -> str:
    """What keepalived says of a configuration; empty if it takes it."""
    done = subprocess.run(
        ["ip", "netns", "exec", namespace, os.environ.get("KEEPALIVED", "keepalived"), "-t", "-f", path],
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert said or done.returncode == 0
    return said
