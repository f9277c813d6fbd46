# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers of a real HAProxy from which a column is taken away."""

from __future__ import annotations

import csv
import re
import socket
import time
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.fields import MissingFieldError
from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.facts import Facts
from ansible_collections.lbforge.haproxy.plugins.module_utils._live.tables import parse_entries, parse_tables
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.process import HAProxy, Service, Worker
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.states import COLUMNS, carried
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.store import ReleaseStore
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime import client
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.certificates import parse_file
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import RuntimeClient
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.servers import parse_server_stats, parse_servers
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.sessions import parse_sessions
from ansible_collections.lbforge.haproxy.tests.unit.plugins.made import make

CONFIGURATION = """\
frontend web
    bind 127.0.0.1:@port-web@
    bind 127.0.0.1:@port-tls@ ssl crt @home@/one.pem
    http-request track-sc0 int(7)
    default_backend app
frontend waiting
    mode tcp
    bind 127.0.0.1:@port-waiting@
    tcp-request inspect-delay 60s
    tcp-request content accept if { req.len gt 1000 }
    default_backend apart
backend apart
    mode tcp
backend app
    stick-table type integer size 10 store gpc0
    server one 127.0.0.1:1 check inter 60s
"""
TABLE = "http-request track-sc0 int(7) table app"

Drop = t.Callable[[str, str], str]


def spaced(answer: str, column: str) -> str:
    """The answer to ``show servers state`` without a column."""
    header = next(line for line in answer.splitlines() if line.startswith("# ")).split()
    at = header.index(column) - 1  # the header begins with a word more
    lines = []
    for line in answer.splitlines():
        words = line.split()
        if words[:1] == ["#"]:
            del words[at + 1]
        elif len(words) > 1:
            del words[at]
        lines.append(" ".join(words))
    return "\n".join(lines)


def commas(answer: str, column: str) -> str:
    """The CSV of ``show stat`` without a column."""
    rows = [row for row in csv.reader(answer.splitlines()) if row]
    at = [name.lstrip("# ") for name in rows[0]].index(column)
    if at == 0:
        rows[0][1] = f"# {rows[0][1]}"
    for row in rows:
        del row[at]
    return "".join(",".join(row) + "\n" for row in rows)


def pairs(answer: str, column: str) -> str:
    """Lines of NAME=VALUE or NAME:VALUE without one of these."""
    found, count = re.subn(rf",? {column}(?:=\S+|: ?[^,\n]+)", "", answer)
    assert count
    return found


def lines(answer: str, column: str) -> str:
    """Lines of NAME: VALUE without one of these."""
    kept = [line for line in answer.splitlines() if not line.startswith(f"{column}: ")]
    assert len(kept) < len(answer.splitlines())
    return "\n".join(kept)


SERVERS = (
    *("be_name", "srv_name", "srv_addr", "srv_port", "srv_op_state", "srv_admin_state", "srv_uweight", "srv_iweight"),
    *("srv_check_state", "srv_agent_state", "srv_fqdn", "srv_use_ssl", "srv_check_port", "srv_check_addr"),
    *("srv_agent_addr", "srv_agent_port"),
)
STATS = ("pxname", "svname", "status", "scur", "qcur", "slim")
CERTIFICATE = ("Filename", "Status", "Serial", "notBefore", "notAfter", "Algorithm", "SHA1 FingerPrint", "Subject")
ANSWERS: list[tuple[str, t.Callable[[str], t.Any], Drop, t.Sequence[str]]] = [
    ("show servers state", parse_servers, spaced, SERVERS),
    ("show stat -1 4 -1", parse_server_stats, commas, STATS),
    ("show sess", parse_sessions, pairs, ("fe", "be", "srv", "age")),
    ("show table", parse_tables, pairs, ("type", "size", "used")),
    ("show table app", parse_entries, pairs, ("use",)),
    ("show ssl cert @home@/one.pem", parse_file, lines, (*CERTIFICATE, "Issuer")),
]


@pytest.fixture
def running(haproxy: t.Any) -> t.Iterator[t.Any]:
    running = haproxy(CONFIGURATION.replace("http-request track-sc0 int(7)", TABLE), one_pem=make("one.test").pem)
    with (
        socket.create_connection(("127.0.0.1", running.ports["web"]), timeout=60) as visitor,
        socket.create_connection(("127.0.0.1", running.ports["waiting"]), timeout=60),
    ):
        visitor.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        visitor.recv(100)  # the server is not there, so this is the answer of HAProxy, which has an entry now
        while "fe=waiting" not in running.ask("show sess"):
            time.sleep(0.05)
        yield running


@pytest.mark.parametrize(("command", "parse", "drop", "columns"), ANSWERS, ids=[answer[0] for answer in ANSWERS])
def test_a_missing_column_is_named_with_its_command_and_version(
    running: t.Any, command: str, parse: t.Callable[[str], t.Any], drop: Drop, columns: t.Sequence[str]
) -> None:
    command = command.replace("@home@", str(running.home))
    with running.client.session() as session:
        assert session.read(command, parse)
        answer = session.run(command)
        for column in columns:
            with pytest.raises(MissingFieldError) as caught:
                session.read(command, lambda _whole, column=column: parse(drop(answer, column)))
            assert str(caught.value) == (
                f"HAProxy {session.version} answers '{command}' without '{column}', so the answer cannot be read."
            )


@pytest.mark.parametrize("field", ["Version", "Pid"])
def test_a_worker_has_to_say_who_it_is(running: t.Any, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = client.parse_info
    monkeypatch.setattr(client, "parse_info", lambda text: whole(lines(text, field)))
    words = f"^HAProxy answers 'show info' without '{field}'"
    with running.client.session() as session, pytest.raises(MissingFieldError, match=words):
        _who = (session.version, session.pid)


def test_states_are_not_forgotten_for_want_of_a_column(running: t.Any) -> None:
    answer = running.ask("show servers state")
    assert carried(answer, [[]], [])
    for column in COLUMNS:
        with pytest.raises(MissingFieldError, match=f"^HAProxy answers 'show servers state' without '{column}'"):
            carried(spaced(answer, column), [[]], [])


@pytest.mark.parametrize("column", ["pxname", "svname", "type", "status", "lastchg", "bck"])
def test_facts_without_a_column(running: t.Any, column: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = RuntimeClient.read

    def read(self: RuntimeClient, command: str, **patience: float) -> str:
        answer = whole(self, command, **patience)
        return commas(answer, column) if command == "show stat" else answer

    (running.home / "haproxy.cfg").write_text(CONFIGURATION)
    monkeypatch.setattr(RuntimeClient, "read", read)
    facts = Facts(running.client, RuntimeClient(running.master, 10), ReleaseStore(running.home), running.home)
    found, (problem,) = facts.gather(["info", "status"])
    assert list(found) == ["info"]
    with running.client.session() as session:
        said = f"HAProxy {found['info']['Version']} answers 'show stat' without '{column}', so the answer"
        assert str(session.version) in said
    assert str(problem).startswith(f"gather (status): {said}")


def test_a_proof_without_a_column(running: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = RuntimeClient.ask
    monkeypatch.setattr(
        RuntimeClient, "ask", lambda self, command, **patience: spaced(whole(self, command, **patience), "srv_port")
    )
    master = RuntimeClient(running.master, 10)
    pid = running.client._ask("show info").partition("\nPid: ")[2].partition("\n")[0]
    with pytest.raises(MissingFieldError, match=r"^HAProxy answers 'show servers state' without 'srv_port'"):
        HAProxy(master, Service("none"), 10).servers(Worker(int(pid), "", 0))
