# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules, run as Ansible runs them."""

from __future__ import annotations

import json
import types
import typing as t

import pytest
from ansible.module_utils import _internal
from ansible.module_utils.common import warnings
from ansible.module_utils.testing import patch_module_args


@pytest.fixture
def run_module(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> t.Callable[..., dict[str, t.Any]]:
    """Call a module's main() with arguments (_ansible_check_mode=True among them); return what it printed."""
    # On a node: a process that has loaded parts of the controller would show warnings and not return them.
    monkeypatch.setattr(_internal, "is_controller", False)

    def run(module: types.ModuleType, **args: t.Any) -> dict[str, t.Any]:
        monkeypatch.setattr(warnings, "_global_warnings", {})  # those of an earlier call
        with patch_module_args(args), pytest.raises(SystemExit) as caught:
            module.main()
        result: dict[str, t.Any] = json.loads(capsys.readouterr().out)
        assert bool(caught.value.code) == bool(result.get("failed"))
        return result

    return run
