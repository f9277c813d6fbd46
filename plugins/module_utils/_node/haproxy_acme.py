# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates by ACME for all load balancers of a cluster: one of them orders, the others get the same.

    haproxy-acme run [SECONDS]      take what peers have that is newer; order what is due, if that is for this node to
                                    do; wait that long for the VIP to be somewhere (what the timer and the role call)
    haproxy-acme take [LINEAGE]     take what certbot holds (what certbot calls after a renewal by hand)
    haproxy-acme deploy             give HAProxy what is here
    haproxy-acme inbox              take what peers have sent, and send what they asked for
    haproxy-acme identity           print the public keys of this node, made if need be
    haproxy-acme trust              let in the peers whose identities come on standard input, and no others
    haproxy-acme status             print what this node has, and how its last orders ended
    haproxy-acme receive PEER       answer a peer; all that a peer's key may do here

What it changes it prints, and nothing else. docs/lets-encrypt.md of the collection says how it all works.
"""

from __future__ import annotations

import json
import math
import os
import sys
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.lock import locked_directories
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme import places
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.node import Node
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.peers import identity, trust
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.settings import Settings
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.spool import own_status, receive
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.words import report
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError


def main(verb: str = "", *words: str) -> None:
    os.umask(0o077)
    try:
        run(verb, words)
    except (LbforgeError, OSError) as error:
        raise SystemExit(f"haproxy-acme: {error}") from None


def run(verb: str, words: t.Sequence[str]) -> None:
    if verb == "receive" and len(words) == 1:
        receive(words[0])
        return
    settings = Settings.load()
    if verb in ("identity", "status"):
        report(json.dumps(identity(settings.node) if verb == "identity" else own_status(settings)))
        return
    if verb == "trust":
        for done in trust(settings, json.load(sys.stdin)):
            report(done)
        return
    node = Node(settings)
    with locked_directories([places.STATE], math.inf):
        if verb == "run":
            node.run(float(words[0]) if words else 0)
        elif verb == "take":
            node.take(words[0] if words else "")
        elif verb == "deploy":
            node.deploy()
        elif verb == "inbox":
            if not node.inbox():
                raise SystemExit(1)
        else:
            raise SystemExit(__doc__)
