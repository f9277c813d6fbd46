# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a file of so many networks, take some out, minimise and write the rest, in a process of its own; print seconds.

network_list.py NUMBER
"""

from __future__ import annotations

import json
import pathlib
import random
import sys
import tempfile
import time

from services import services

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.model import build
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.validate import check


def networks(number: int) -> list[str]:
    """Networks as in lists of countries and of abuse: of both families, of many sizes, few of them neighbours."""
    chosen = random.Random(number)
    found: dict[str, None] = {}
    while len(found) < number:
        if chosen.random() < 0.9:
            octets = ".".join(str(chosen.randrange(1, 224)) for _octet in range(3))
            found[f"{octets}.0/{chosen.choice((20, 22, 24, 24, 24))}"] = None
        else:
            found[f"2001:{chosen.randrange(65536):x}:{chosen.randrange(65536):x}::/{chosen.choice((40, 48))}"] = None
    return list(found)


def main() -> None:
    number = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        file = pathlib.Path(name) / "blocked.txt"
        file.write_text("".join(f"{network}\n" for network in networks(number)))
        lists = {"blocked": {"file": str(file), "except": ["192.0.2.0-192.0.2.99", "10.*.*.*"]}}
        wanted = [{**services(1)[0], "haproxy_denylist_networks": ["blocked"]}]
        started = time.process_time()
        checked = check(
            {"haproxy_service_configs": wanted},
            {"haproxy_network_lists": lists},
            {},
            read_file=lambda path: pathlib.Path(path).read_text(),
        ).or_raise()
        text = build(checked).network_lists["blocked.acl"]
        seconds = time.process_time() - started
    # Nothing less than nearly everything counts.
    assert text.count("\n") > number * 0.9
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
