# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: release_files
short_description: The files of a release by their names
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Puts C(haproxy.cfg), maps, lists of certificates and the user's own files together for the option C(files) of
    M(lbforge.haproxy.haproxy_config).
positional: static_files, copies
options:
  _input:
    description: The result of M(lbforge.haproxy.haproxy_validate) with a C(template).
    type: dict
    required: true
  static_files:
    description: The value of C(haproxy_static_files).
    type: list
    elements: dict
    default: []
  copies:
    description: The texts of the files that P(lbforge.haproxy.static_sources#filter) returns.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Apply the release
  lbforge.haproxy.haproxy_config:
    files: "{{ validated | lbforge.haproxy.release_files }}"
"""

RETURN = r"""
_value:
  description: The text of each file by its name. It has secrets.
  type: dict
"""

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._services import static_files as files_of


def release_files(
    validated: t.Mapping[str, t.Any], static_files: t.Sequence[t.Mapping[str, t.Any]] = (), copies: t.Sequence[str] = ()
) -> dict[str, str]:
    return files_of.release_files(validated, static_files, copies)


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"release_files": release_files}
