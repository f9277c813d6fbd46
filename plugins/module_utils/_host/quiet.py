# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps arguments out of the log of the system."""

from __future__ import annotations


class Quiet:
    """Comes before C(AnsibleModule) among the bases of a module that is given secrets, or very much text.

    Every module writes its arguments to the system's log. The masks of C(no_log) miss a suboption, a PEM inside a list
    and a password inside a text, and a module's own C(no_log) is overridden by that of the task.
    """

    def _log_invocation(self) -> None:
        """Say nothing."""
