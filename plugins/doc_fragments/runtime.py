# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What all modules share that talk to a running HAProxy."""

    DOCUMENTATION = r"""
options:
  socket:
    description:
      - The stats socket of HAProxy, a path or V(HOST:PORT).
      - It needs C(level admin) for changes.
    type: str
    default: /run/haproxy/admin.sock
  timeout:
    description: Seconds to wait for each answer of HAProxy.
    type: int
    default: 10
attributes:
  action_group:
    description: Use C(group/lbforge.haproxy.haproxy) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - lbforge.haproxy.haproxy
"""
