# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs of the host; what they tell is the shell's own truth."""

from __future__ import annotations

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.command import Result, run


def test_a_program_gets_its_input_and_its_environment_in_the_root_directory() -> None:
    script = 'cat; echo "$COLOUR $LC_ALL $PWD"; echo trouble >&2; exit 3'
    assert run(["sh", "-c", script], text="süß ", environment={"COLOUR": "blue"}) == Result(
        3, "süß blue C.UTF-8 /\n", "trouble\n"
    )


def test_a_program_that_is_not_there() -> None:
    assert run(["/nowhere/haproxy"]) == Result(127, "", "/nowhere/haproxy: no such program")


def test_a_program_that_does_not_end() -> None:
    assert run(["sleep", "60"], timeout=0.2) == Result(124, "", "sleep did not end within 0.2 s")
