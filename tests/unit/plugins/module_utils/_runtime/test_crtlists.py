# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The crt-lists of a real HAProxy, looked at with ``openssl s_client``."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime import crtlists
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.crtlists import (
    Entry,
    apply,
    parse_shown,
    parse_text,
    reload_reason,
    running,
    with_entry,
    without,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError
from ansible_collections.lbforge.haproxy.tests.unit.plugins.made import Made, make, served

TEXT = """\
# comment
@home@/a.pem [alpn h2,http/1.1] a.test

b.pem [ssl-min-ver TLSv1.2  alpn h2] B.test !x.b.test *.b.test
# another
@home@/a.pem
"""
SECTIONS = """\
frontend web-front-1
    bind 127.0.0.1:@port-tls@ ssl crt-list @home@/crt.list
    bind 127.0.0.1:@port-dir@ ssl crt @home@/certs/
    http-request return status 200
"""


def test_a_file() -> None:
    assert parse_text(TEXT) == [
        Entry("@home@/a.pem", "alpn h2,http/1.1", ("a.test",)),
        Entry("b.pem", "ssl-min-ver TLSv1.2 alpn h2", ("B.test", "!x.b.test", "*.b.test")),
        Entry("@home@/a.pem"),
    ]


# As 2.6.12 answers, with the NUL that it leaves in the middle.
SHOWN = [
    (
        "# /l\n/a.pem:1 [alpn h2,http/1.1\0] a.test\n/b.pem:2 b.test\n\n",
        [Entry("/a.pem", "alpn h2,http/1.1", ("a.test",), 1), Entry("/b.pem", "", ("b.test",), 2)],
    ),
    ("# /d\n/d/a.pem:0\n\n", [Entry("/d/a.pem")]),
    ("# /l\n/odd:name.pem:3\n\n", [Entry("/odd:name.pem", line=3)]),
    ("# /l\n\n", []),
]


@pytest.mark.parametrize(("answer", "expected"), SHOWN)
def test_what_haproxy_shows(answer: str, expected: list[Entry]) -> None:
    assert parse_shown(answer) == expected


NEW = Entry("/n.pem", "alpn h2", ("n.test",))
EDITS = [
    ("", "/n.pem [alpn h2] n.test\n"),
    ("# c\n/a.pem\n", "# c\n/a.pem\n/n.pem [alpn h2] n.test\n"),
    ("/a.pem", "/a.pem\n/n.pem [alpn h2] n.test\n"),
    ("/n.pem\n/a.pem\n# c\n/n.pem x.test\n", "/a.pem\n# c\n/n.pem [alpn h2] n.test\n"),
    ("n.pem\n/a.pem\n", "/a.pem\n/n.pem [alpn h2] n.test\n"),
    ("/n.pem   [alpn  h2]  n.test\n/a.pem\n", "/n.pem   [alpn  h2]  n.test\n/a.pem\n"),
]


@pytest.mark.parametrize(("text", "expected"), EDITS)
def test_one_entry_for_a_certificate(text: str, expected: str) -> None:
    assert with_entry(text, NEW) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# c\n/n.pem\n/a.pem\n/n.pem [x] n.test\n", "# c\n/a.pem\n"),
        ("/a.pem", "/a.pem"),
        ("/n.pem\n", ""),
    ],
)
def test_no_entry_for_a_certificate(text: str, expected: str) -> None:
    assert without(text, "/n.pem") == expected


REASONS = [
    ("/a\n/b\n", "/a\n/b\n", None),
    ("/a\n/b\n", "/a\n/b\n/c\n", None),
    ("/a\n/b\n/c\n", "/a\n/c\n", None),
    ("/a\n/b b.test\n", "/a\n/c c.test\n/b b.test\n", None),
    ("/a\n/b b.test\n", "/a\n/c B.test\n/b b.test\n", "may have the same names"),
    ("/a\n/b b.test\n", "/a\n/c\n/b b.test\n", "may have the same names"),
    ("/a\n/b\n", "/b\n", "first entry"),
    ("/a\n/b\n", "/c\n/a\n/b\n", "first entry"),
    ("/a\n/b\n", "/a [alpn h2]\n/b\n", "first entry"),
    ("/a\n/b\n/c\n", "/a\n/c\n/b\n", "order"),
    ("", "/a\n", "first entry"),
]


@pytest.mark.parametrize(("before", "after", "reason"), REASONS)
def test_what_needs_a_reload(before: str, after: str, reason: str | None) -> None:
    found = reload_reason(parse_text(before), parse_text(after))
    assert (found is None) if reason is None else (found is not None and reason in found)


@pytest.fixture(scope="module")
def made() -> dict[str, Made]:
    return {name: make(f"{name}.test") for name in ("a", "b", "c")}


@pytest.fixture
def proxy(haproxy: t.Callable[..., t.Any], made: dict[str, Made], tmp_path_factory: t.Any) -> t.Any:
    files = {f"{name}_pem": made[name].pem for name in made}
    directory = tmp_path_factory.mktemp("certs")
    (directory / "a.pem").write_text(made["a"].pem)
    text = TEXT + "@home@/c.pem c1.test\n@home@/c.pem c2.test\n"
    sections = SECTIONS.replace("@home@/certs", str(directory))
    return haproxy(sections, settings="    crt-base @home@", crt_list=text, **files), directory


def text_of(running_haproxy: t.Any) -> str:
    return (running_haproxy.home / "crt.list").read_text()


def test_a_running_list(proxy: t.Any) -> None:
    haproxy, _directory = proxy
    home = haproxy.home
    with haproxy.client.session() as session:
        found = running(session, f"{home}/crt.list")
    assert [(entry.path, entry.filters, entry.line) for entry in found] == [
        (f"{home}/a.pem", ("a.test",), 2),
        (f"{home}/b.pem", ("B.test", "!x.b.test", "*.b.test"), 4),
        (f"{home}/a.pem", (), 6),
        (f"{home}/c.pem", ("c1.test",), 7),
        (f"{home}/c.pem", ("c2.test",), 8),
    ]
    assert found[0].options == "alpn h2,http/1.1"
    assert sorted(found[1].options.split()) == ["TLSv1.2", "alpn", "h2", "ssl-min-ver"]


def test_entries_come_and_go(proxy: t.Any, made: dict[str, Made]) -> None:
    haproxy, _directory = proxy
    port = haproxy.ports["tls"]
    before = text_of(haproxy)
    after = before.replace(f"{haproxy.home}/c.pem c2.test\n", "") + "b.pem [alpn h2] c3.test\n"
    assert (served(port, "c2.test"), served(port, "c3.test")) == (made["c"].serial, made["a"].serial)
    with haproxy.client.session() as session:
        apply(session, f"{haproxy.home}/crt.list", before, after)
        assert (served(port, "c2.test"), served(port, "c3.test")) == (made["a"].serial, made["b"].serial)
        assert served(port, "c1.test") == made["c"].serial
        apply(session, f"{haproxy.home}/crt.list", after, before)
    assert (served(port, "c2.test"), served(port, "c3.test")) == (made["c"].serial, made["a"].serial)


def test_other_options_for_the_same_names(proxy: t.Any) -> None:
    haproxy, _directory = proxy
    before = text_of(haproxy)
    after = before.replace("/c.pem c2.test", "/c.pem [alpn http/1.1] c2.test")
    with haproxy.client.session() as session:
        apply(session, f"{haproxy.home}/crt.list", before, after)
        found = running(session, f"{haproxy.home}/crt.list")
    assert [entry.options for entry in found if entry.filters == ("c2.test",)] == ["alpn http/1.1"]


def refused(haproxy: t.Any, before: str, after: str, match: str) -> None:
    """Nothing is changed in vain."""
    path = f"{haproxy.home}/crt.list"
    with haproxy.client.session() as session:
        start = running(session, path)
        with pytest.raises(LbforgeError, match=match):
            apply(session, path, before, after)
        assert [(entry.path, entry.filters) for entry in running(session, path)] == [
            (entry.path, entry.filters) for entry in start
        ]


def test_what_cannot_be_done_is_not_begun(proxy: t.Any) -> None:
    haproxy, _directory = proxy
    before = text_of(haproxy)
    refused(haproxy, before, "b.pem\n" + before, "first entry changes")
    refused(haproxy, before.replace("c2.test", "c9.test"), before, r"'.*c2\.test' in addition, no '.*c9\.test'")


def test_what_fails_half_way_is_taken_back(proxy: t.Any) -> None:
    haproxy, _directory = proxy
    before = text_of(haproxy)
    refused(haproxy, before, before + "b.pem c4.test\nnone.pem c5.test\n", "none.pem' does not exist")
    refused(haproxy, before, before + "b.pem c4.test\nb.pem [bogus] c5.test\n", "unknown ssl keyword")


def test_the_default_certificate_is_not_removed(proxy: t.Any) -> None:
    """HAProxy itself refuses it."""
    haproxy, _directory = proxy
    path = f"{haproxy.home}/crt.list"
    with haproxy.client.session() as session:
        first = running(session, path)[0]
        with pytest.raises(LbforgeError, match="default certificate"):
            session.run(f"del ssl crt-list {path} {first.path}:{first.line}")


def test_a_directory_is_a_list_too(proxy: t.Any, made: dict[str, Made]) -> None:
    haproxy, directory = proxy
    with haproxy.client.session() as session:
        session.run(f"new ssl cert {directory}/b.pem")
        session.run(f"set ssl cert {directory}/b.pem", made["b"].pem)
        session.run(f"commit ssl cert {directory}/b.pem")
        before = crtlists.as_text(running(session, str(directory)))
        apply(session, str(directory), before, before + f"{directory}/b.pem\n")
        assert served(haproxy.ports["dir"], "b.test") == made["b"].serial
        apply(session, str(directory), before + f"{directory}/b.pem\n", before)
    assert served(haproxy.ports["dir"], "b.test") == made["a"].serial
