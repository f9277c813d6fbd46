# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: keepalived_uploads
short_description: Find the files that go with the scripts of a keepalived configuration
version_added: 0.1.0
author: The lbforge.haproxy authors (@lbforge)
description:
  - Every script of C(keepalived_*) dictionaries may come with a file of the controller, named by C(src_KEY) beside the
    key of the command, such as C(src_check_script) beside C(check_script).
  - The file goes to C(dest_KEY), or to the path with which the command begins.
positional: _input
options:
  _input:
    description: The instances, in the form of C(keepalived_instances).
    type: dict
    required: true
  variables:
    description: The other variables that hold scripts, by their names without C(keepalived_).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show what is uploaded
  ansible.builtin.debug:
    msg: "{{ keepalived_instances | lbforge.haproxy.keepalived_uploads({'scripts': keepalived_scripts}) }}"
"""

RETURN = r"""
_value:
  description: Path on the node to file on the controller.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.errors import VrrpError
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.uploads import uploads


def keepalived_uploads_filter(instances: dict[str, t.Any], variables: dict[str, t.Any] | None = None) -> dict[str, str]:
    try:
        return uploads({"instances": instances, **(variables or {})})
    except VrrpError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Provides the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"keepalived_uploads": keepalived_uploads_filter}
