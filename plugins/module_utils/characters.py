# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Characters that no value may hold which becomes a line of a file."""

from __future__ import annotations

import re

# Control characters, and other line ends of Python and YAML.
CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
