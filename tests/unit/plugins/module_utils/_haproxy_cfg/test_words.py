# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reader of lines against HAProxy's own, which hands the words of a line to a program as its arguments."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import (
    MOST_WORDS,
    Unreadable,
    Words,
    quote,
    read,
    split,
)

BINARY = shutil.which(os.environ.get("HAPROXY", "haproxy"), path=f"{os.environ['PATH']}:/usr/sbin")
if BINARY is None:
    pytest.skip("needs haproxy", allow_module_level=True)

# Writes its arguments down, and stays as long as HAProxy does, which ends with its programs.
PROGRAM = """\
file=$1
shift
for word; do printf '%s\\0' "$word"; done >"$file.new"
mv "$file.new" "$file"
exec tail --pid="$PPID" --follow /dev/null
"""
# What HAProxy makes of these is what is written, and so a reader that knows no variables agrees.
VARIABLES = {"A": "$A", "B": "${B}", "_C1": "${_C1[*]}"}

LINES = [
    "plain",
    r"a\ b c",
    r"a\#b",
    "'a b'",
    r"'a\ b'",
    "'a\"b'",
    '"a b"',
    r'"a\"b"',
    r'"a\\b"',
    r'"a\b"',
    '"a#b"',
    '"a\'b"',
    r'"a\'b"',
    "a'b c'd",
    'a"b c"d',
    "''x",
    r"a\\b",
    "{ a,b }",
    "x # a comment",
    "x#a comment",
    "a '#' b",
    r"a\'b",
    r"^/a\.json$",
    r"^/\.git",
    r"\d+",
    r"a\x41b",
    r'"\d+"',
    r'"a\x41b"',
    r"a\tb",
    r'"a\tb"',
    r"a\nb \r",
    "a\tb  c",
    "a\\\tb",
    "a\u00a0b é",
    "\x0cab",
    "\x0bab",
    "a\\",
    "a$A pa$$word '$A' ${A}",
    '"$A" "${B}x" "${_C1[*]}"',
    r'"a\$b" a\$b',
    "a ''",
    'a "" b',
]
REFUSED = [
    "'abc",
    'a "abc',
    '"abc\\"',
    "a 'b' 'c d",
    '"$"',
    '"a$ b"',
    '"$1"',
    '"^/x$"',
    '"${A"',
    '"${1}"',
    '"${A.B}"',
    '"$.HOME"',
    '"$é"',
    '"${A[1]}"',
    r"a\x4",
    r'"a\xg1"',
]


def words_of(lines: t.Sequence[str]) -> list[Words | None]:
    """The words that HAProxy makes of each line, or None if it refuses it. The first empty one ends the arguments."""
    with tempfile.TemporaryDirectory(prefix="hap.") as name:
        home = Path(name)
        (home / "program").write_text(PROGRAM)
        command = [str(BINARY), "-f", str(home / "haproxy.cfg")]
        environment = {**os.environ, **VARIABLES}
        configure(home, lines, range(len(lines)))
        said = subprocess.run([*command, "-c"], env=environment, capture_output=True, text=True, check=False).stderr
        # The first two lines are global; then each program has two.
        refused = {(int(number) - 4) // 2 for number in re.findall(r"^\[ALERT\].* parsing \[.*:(\d+)\]", said, re.M)}
        written = {number: home / f"out-{number}" for number in range(len(lines)) if number not in refused}
        configure(home, lines, written)
        with (
            (home / "log").open("w") as log,
            subprocess.Popen([*command, "-W", "-db"], stderr=log, env=environment) as process,
        ):
            try:
                deadline = time.monotonic() + 60
                while not all(path.exists() for path in written.values()):
                    assert process.poll() is None and time.monotonic() < deadline, (home / "log").read_text()
                    time.sleep(0.02)
            finally:
                process.terminate()
        return [
            tuple(written[number].read_bytes().decode().split("\0")[:-1]) if number in written else None
            for number in range(len(lines))
        ]


def configure(home: Path, lines: t.Sequence[str], numbers: t.Iterable[int]) -> None:
    programs = "".join(
        f"program p{number}\n    command /bin/sh {home}/program {home}/out-{number} {lines[number]}\n"
        for number in numbers
    )
    (home / "haproxy.cfg").write_text(f"global\n    stats socket {home}/admin\n{programs}")


def to_the_first_empty_one(words: Words) -> Words:
    return words[: words.index("")] if "" in words else words


def ours(line: str) -> Words | None:
    try:
        return to_the_first_empty_one(read(line).words)
    except Unreadable:
        return None


def test_words_are_haproxys() -> None:
    assert dict(zip(LINES, words_of(LINES))) == {line: ours(line) for line in LINES}


def test_what_haproxy_refuses_to_read_is_refused() -> None:
    assert [line for line, words in zip(REFUSED, words_of(REFUSED)) if words is not None] == []
    assert [line for line in REFUSED if ours(line) is not None] == []


PIECES = st.sampled_from(
    [*" \t#\"'\\$\\\"' ", "a", "b", "x41", "x4", "$A", "${B}", "${", "}", "n", "\\x", "{ a }", "é", "-"]
)


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(lines=st.lists(st.lists(PIECES, max_size=8).map("".join), min_size=30, max_size=30))
def test_made_up_lines_are_read_as_haproxy_reads_them(lines: list[str]) -> None:
    assert dict(zip(lines, words_of(lines))) == {line: ours(line) for line in lines}


@pytest.mark.parametrize("number", [MOST_WORDS, MOST_WORDS + 1])
def test_the_most_words_of_a_line(tmp_path: Path, number: int) -> None:
    """HAProxy takes as many as we say, and not one more."""
    words = ["acl", "a", *["src"], *["10.0.0.0/8"] * (number - 3)]
    (tmp_path / "haproxy.cfg").write_text(f"defaults\n    timeout client 1s\nfrontend f\n    {' '.join(words)}\n")
    command = [str(BINARY), "-c", "-f", tmp_path / "haproxy.cfg"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    assert ("too many words" in said) is (number > MOST_WORDS), said


@pytest.mark.parametrize(
    ("line", "end", "cuts_word", "variables"),
    [
        ("maxqueue 20   # see ticket", 14, False, ()),
        ("path_beg /app/#/login", 14, True, ()),
        ("'a'# b", 3, True, ()),
        ("# whole", 0, False, ()),
        ("'a # b' \\# \"#\"", 14, False, ()),
        ('a "x$NAME y" "${OTHER}"', 23, False, ("NAME",)),
    ],
)
def test_comments_and_variables(line: str, end: int, cuts_word: bool, variables: Words) -> None:
    found = read(line)
    assert (found.end, found.cuts_word, found.variables) == (end, cuts_word, variables)


@pytest.mark.parametrize(
    ("line", "position", "why"),
    [
        ("a 'b c", 2, "single quote"),
        ('ab "c', 3, "double quote"),
        ('a "b$"', 4, "environment variable"),
        (r"a b\xg", 3, "hexadecimal"),
    ],
)
def test_where_a_line_cannot_be_read(line: str, position: int, why: str) -> None:
    with pytest.raises(Unreadable, match=why) as caught:
        read(line)
    assert caught.value.position == position


def test_splitting_what_haproxy_refuses() -> None:
    assert split("a 'b c") == ("a", "'b c")
    assert split('a "b c') == ("a", "b c")
    assert split("a b\\") == ("a", "b\\")


PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=40)


@settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(texts=st.lists(PRINTABLE | st.text("ab'\"\\#$ {}%[]", min_size=1), min_size=40, max_size=40))
def test_a_client_sees_every_quoted_text_as_it_was(haproxy: t.Callable[..., t.Any], texts: list[str]) -> None:
    rules = "".join(
        f"    http-request return status 200 content-type text/plain string {quote(text)} if {{ path /{number} }}\n"
        for number, text in enumerate(texts)
    )
    home = haproxy(f"frontend f\n    bind unix@@home@/web\n{rules}").home
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(str(home / "web"))
        connection = http.client.HTTPConnection("haproxy")
        connection.sock = client
        seen = []
        for number in range(len(texts)):
            connection.request("GET", f"/{number}")
            seen.append(connection.getresponse().read().decode())
    assert seen == texts


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\tb", "\x00", "a\x7f", "a\u2028b"])
def test_no_line_can_hold(text: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        quote(text)
