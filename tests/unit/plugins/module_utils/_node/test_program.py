# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs of nodes as one file each, run as a node would run them."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.filter.node_program import FilterModule
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.program import (
    PROGRAMS,
    ROOM,
    ProgramError,
    program,
    sources,
    text,
)

# Each with a command line that it answers without a HAProxy or keepalived.
ASKED = {
    "server_states": (["what"], 2, "usage: haproxy-server-states save|reset\n"),
    "haproxy_acme": (
        ["status"],
        1,
        "haproxy-acme: [Errno 2] No such file or directory: '/etc/haproxy-acme/config.json'\n",
    ),
    "addresses": (["adopt", "/nowhere", "/dev/null"], 0, ""),
    "haproxy_settled": (
        ["/nowhere", "0", "/nowhere", "/nowhere/settled"],
        1,
        "No such file or directory: '/nowhere/settled'\n",
    ),
    "last_adverts": (["/dev/null"], 0, ""),
}
PYTHONS = ["/usr/bin/python3", *filter(None, (shutil.which(f"python3.{minor}") for minor in (9, 10, 11, 12, 13)))]
MAIN = f"{PROGRAMS}.example"


def run(path: pathlib.Path, *words: str, python: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [python, "-IS", path, *words] if python else [path, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", timeout=300)


@pytest.fixture
def install(tmp_path: pathlib.Path) -> t.Callable[..., pathlib.Path]:
    def write(content: str) -> pathlib.Path:
        path = tmp_path / "program"
        path.write_text(content)
        path.chmod(0o755)
        return path

    return write


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", ASKED)
def test_each_runs_on_every_python_of_nodes(
    name: str, python: str, install: t.Callable[..., pathlib.Path], tmp_path: pathlib.Path
) -> None:
    """Without the collection, whatever else that Python has, and with nothing written beside the program."""
    if subprocess.run([python, "--version"], check=False, capture_output=True).returncode:
        pytest.skip(f"{python} is no Python")
    words, code, end = ASKED[name]
    done = run(install(program(name)), *words, python=python)
    assert (done.returncode, (done.stdout + done.stderr)[-len(end) :]) == (code, end)
    assert [path.name for path in tmp_path.iterdir()] == ["program"]


def test_every_program_is_asked() -> None:
    """Else nobody knows whether a new one runs."""
    room = pathlib.Path(__file__).parents[5] / "plugins" / "module_utils" / "_node"
    programs = {path.stem for path in room.glob("*.py") if "\ndef main(" in path.read_text()}
    assert programs == set(ASKED)


def test_it_holds_all_that_it_imports_of_the_collection_and_no_more() -> None:
    found = sources(f"{PROGRAMS}.server_states")
    assert f"{ROOM}._release.store" in found  # imported as a module
    assert f"{ROOM}._host.disk" in found  # imported from its package
    assert f"{ROOM}.errors" in found  # by another module
    assert f"{ROOM}._runtime.servers" not in found  # for types alone


def test_what_goes_to_nodes_is_small() -> None:
    """Ansible pipes it to each node with every run."""
    assert {name: len(program(name)) for name in ASKED if len(program(name)) > 65536} == {}


def test_a_program_that_is_replaced_while_it_runs_stays_whole(install: t.Callable[..., pathlib.Path]) -> None:
    """It imports after it was replaced, by a file of which nothing is right."""
    late = f"from {PROGRAMS}.late import said"
    main = f"def main(path):\n    open(path, 'w').write('another')\n    {late}\n    print(said)\n"
    path = install(text(MAIN, {MAIN: main, f"{PROGRAMS}.late": "said = 'whole'"}))
    done = run(path, str(path))
    assert (done.stdout, done.stderr, path.read_text()) == ("whole\n", "", "another")


def test_a_traceback_names_the_line(install: t.Callable[..., pathlib.Path]) -> None:
    path = install(text(MAIN, {MAIN: "def main():\n    return 1 / 0\n"}))
    assert f'{path}/{MAIN.replace(".", "/")}.py", line 2, in main' in run(path).stderr


def test_its_modules_can_be_read_on_the_node(install: t.Callable[..., pathlib.Path], tmp_path: pathlib.Path) -> None:
    directory = tmp_path / "sources"
    assert run(install(program("server_states")), "--sources", str(directory)).returncode == 0
    for name, source in sources(f"{PROGRAMS}.server_states").items():
        assert (directory / f"{name.replace('.', '/')}.py").read_text() == source


def test_the_filter() -> None:
    make = FilterModule().filters()["node_program"]
    assert make("server_states") == program("server_states")
    for name in ("nothing", "../errors"):
        with pytest.raises(Exception, match="There is no program"):
            make(name)
    with pytest.raises(ProgramError):
        program("nothing")
