# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
from bench import CACHE, Node

# As in inventory/.
NETWORK = "10.214.1"


def node(name: str, number: int) -> Node:
    return Node(name, f"lbf-seed-{name}", f"{NETWORK}.{number}")


@pytest.fixture(scope="session")
def balancer() -> Node:
    return node("lb1", 11)


@pytest.fixture(scope="session")
def web() -> Node:
    """The first of group_name, where the CA lives too."""
    return node("web1", 21)


@pytest.fixture(scope="session")
def root(web: Node) -> pathlib.Path:
    """The root certificate that pebble made when it started."""
    path = CACHE / "lbf-seed" / "root.pem"
    path.write_text(web.run("curl --silent --insecure https://localhost:15000/roots/0"))
    return path
