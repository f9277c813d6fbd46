# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role installs for reloads by hand, run on a real HAProxy as the unit would."""

from __future__ import annotations

import pathlib
import subprocess
import time
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._release.store import ReleaseStore, Runtime
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import Release
from ansible_collections.lbforge.haproxy.tests.unit.plugins.installed import install

BACKEND = """\
    load-server-state-from-file global
backend web-back
    server w1 127.0.0.1:9 check port 9
    server w2 127.0.0.1:9 weight 5 check port 10
    server w3 127.0.0.1:9 agent-check agent-port 11
"""
Load = dict[str, tuple[str, str, str]]


class Host(t.NamedTuple):
    """A HAProxy that runs a release, and another one that is like it, as haproxy_config would write them."""

    running: t.Any
    store: ReleaseStore
    release: str
    other: str


@pytest.fixture
def host(haproxy: t.Callable[..., t.Any], tmp_path: pathlib.Path) -> Host:
    store = ReleaseStore(tmp_path / "etc")
    names = []
    for comment in ("", "# another\n"):
        text = f"global\n    description @release@\ndefaults\n    mode http\n{BACKEND}{comment}"
        release = Release.made_of({"haproxy.cfg": text})
        store.commit(store.stage(release.contents), release.id)
        names.append(release.id)
    settings = f"    server-state-file @home@/servers.state\n    description {names[0]}"
    made = Host(haproxy(BACKEND, settings, servers_state="1\n"), store, *names)
    install(
        "server_states",
        made.running.home / "program",
        {
            "/run/haproxy/admin.sock": made.running.admin,
            "/run/haproxy/servers.state": made.running.home / "servers.state",
            "/etc/haproxy": store.config_dir,
        },
    )
    store.switch(made.release)
    store.finish(made.release, back=False, runtime=None)
    return made


@pytest.fixture
def running(host: Host) -> t.Any:
    return host.running


def run(running: t.Any, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([running.home / "program", *words], capture_output=True, text=True, check=False, cwd="/")


def servers(running: t.Any) -> Load:
    """Of each server its administrative state, its weight and the port of its agent."""
    lines = [line.split() for line in running.ask("show servers state web-back").splitlines()]
    return {line[3]: (line[6], line[7], line[24]) for line in lines if len(line) > 24 and line[0] != "#"}


def state_file(running: t.Any) -> str:
    return (running.home / "servers.state").read_text()


def test_drains_and_weights_survive_a_reload_without_a_warning(running: t.Any) -> None:
    running.ask("set server web-back/w1 state drain", "set weight web-back/w2 3")
    done = run(running, "save")
    assert (done.returncode, done.stderr) == (0, "")
    before = servers(running)
    assert before["w1"][:2] == ("8", "1")
    assert before["w2"][:2] == ("0", "3")
    running.reload()
    assert servers(running) == before
    assert before["w3"][2] == "11"
    assert "server-state" not in running.log().replace("changed from server-state after a reload", "")


def test_what_is_wrong_does_not_stay_wrong(running: t.Any) -> None:
    """All but drains, maintenance and weights is as in the configuration after a reload."""
    fresh = running.ask("show servers state web-back")
    for change in ("addr 127.0.0.2 port 99", "check-port 98", "check-addr 127.0.0.3 port 97", "weight 3"):
        running.ask(f"set server web-back/w2 {change}")
    assert run(running, "save").stderr == ""
    running.reload()
    found = running.ask("show servers state web-back")
    columns = fresh.splitlines()[1].split()[1:]
    old, new = ({line.split()[3]: line.split() for line in text.splitlines()[2:] if line} for text in (fresh, found))
    names = ("srv_addr", "srv_port", "srv_check_port", "srv_check_addr", "srv_agent_addr", "srv_uweight")
    changed = {name for name in names if old["w2"][columns.index(name)] != new["w2"][columns.index(name)]}
    assert changed == {"srv_uweight"}


def test_without_a_configuration_there_are_no_states(host: Host) -> None:
    (host.store.pointer / "haproxy.cfg").unlink()
    assert "cannot be read" in run(host.running, "save").stderr
    assert state_file(host.running) == "1\n"


def test_another_configuration_starts_without_states(host: Host) -> None:
    """HAProxy would bring the port and the maintenance of the old one back."""
    running = host.running
    running.ask("set server web-back/w1 state drain")
    host.store.switch(host.other)
    done = run(running, "save")
    assert (done.returncode, state_file(running)) == (0, "1\n")
    assert "The configuration changed after HAProxy read it" in done.stderr
    pid = int(running.ask("show info").partition("Pid: ")[2].split()[0])
    brought = Runtime(worker=pid, description=host.release, release=host.other)
    host.store.finish(host.other, back=False, runtime=brought)  # commands brought what is on the disk
    assert (run(running, "save").stderr, "web-back" in state_file(running)) == ("", True)
    host.store.switch(host.release)  # and somebody went back by hand
    assert "The configuration changed" in run(running, "save").stderr


def test_a_run_that_was_cut_off_hides_nothing(host: Host) -> None:
    """The worker runs what it says until it has taken what the run was bringing."""
    host.store.begin(host.other, back=False)
    assert (run(host.running, "save").stderr, "web-back" in state_file(host.running)) == ("", True)
    host.store.switch(host.other)
    assert "The configuration changed" in run(host.running, "save").stderr


def test_an_edited_configuration_starts_without_states(host: Host) -> None:
    time.sleep(0.05)
    with (host.store.pointer / "haproxy.cfg").open("a") as file:
        file.write("# edited")
    assert "The configuration changed" in run(host.running, "save").stderr
    assert state_file(host.running) == "1\n"


def test_without_it_they_would_not(running: t.Any) -> None:
    running.ask("set server web-back/w1 state drain")
    running.reload()
    assert servers(running)["w1"][0] == "0"


def test_a_start_begins_with_nothing(running: t.Any) -> None:
    running.ask("set server web-back/w1 state drain")
    run(running, "save")
    assert "web-back" in state_file(running)
    assert run(running, "reset").returncode == 0
    assert state_file(running) == "1\n"
    running.reload()
    assert servers(running)["w1"][0] == "0"
    assert "WARNING" not in "".join(line for line in running.log().splitlines() if "state file" in line)


def test_rather_no_states_than_old_ones(running: t.Any) -> None:
    run(running, "save")
    pathlib.Path(running.admin).unlink()
    done = run(running, "save")
    assert done.returncode == 0
    assert "starts without them" in done.stderr
    assert state_file(running) == "1\n"


def test_nobody_else_reads_it_and_nothing_is_left_beside_it(running: t.Any) -> None:
    run(running, "save")
    assert (running.home / "servers.state").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in running.home.glob("servers.state*")] == ["servers.state"]
    assert run(running, "sav").returncode == 2
    assert [path.name for path in running.home.glob("servers.state*")] == ["servers.state"]
