# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import (
    RESERVED,
    Release,
    file_problems,
    name_problems,
)

CONFIGURATION = "global\n    description @release@\n"


def test_the_id_depends_on_names_and_contents_only() -> None:
    release = Release.made_of({"haproxy.cfg": CONFIGURATION, "a.map": "x y\n"})
    assert len(release.id) == 12
    assert set(release.id) <= set("0123456789abcdef")
    assert Release.made_of({"a.map": "x y\n", "haproxy.cfg": CONFIGURATION}).id == release.id
    assert release.texts == {"haproxy.cfg": f"global\n    description {release.id}\n", "a.map": "x y\n"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": "bc"}, {"ab": "c"}),
        ({"a": "b", "c": "d"}, {"a": "b\nc: d"}),
        ({"a": ""}, {"a": "\n"}),
        ({"a": "", "b": ""}, {"a": ""}),
        ({"a": "ä"}, {"a": "a"}),
    ],
)
def test_different_files_have_different_ids(one: dict[str, str], other: dict[str, str]) -> None:
    assert Release.made_of(one).id != Release.made_of(other).id


GOOD_NAMES = ["haproxy.cfg", "a.map", "503.http", "haproxy_lb1-2001:db8::1.pem", "_.example.com.pem", "a b"]
BAD_NAMES = ["", ".", "..", ".hidden", "a/b", "/a", "a\n", "a\tb", "a\0", "a\x7f", "a\u2028b"]


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_good_names(name: str) -> None:
    assert name_problems([name], "File") == []


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names(name: str) -> None:
    assert len(name_problems([name], "File")) == 1


def test_all_problems_at_once() -> None:
    problems = file_problems({"a/b": "", "current": "", "ssl": "", "a.map": 5}, (*RESERVED, "ssl"))
    assert [problem.path for problem in problems] == [
        "files['a/b']",
        "files['current']",
        "files['ssl']",
        "files['a.map']",
        "files['haproxy.cfg']",
    ]


@pytest.mark.parametrize(
    ("configuration", "good"),
    [
        (CONFIGURATION, True),
        ('defaults\n  mode http\nglobal # x\n\tmaxconn 9\n\tdescription "lb 1 @release@"\n', True),
        ("global\n", False),
        ("global\n    # description @release@\n", False),
        ("global\n    description x\n", False),
        ("global\nfrontend a\n    description @release@\n", False),
        ("description @release@\n", False),
    ],
)
def test_the_release_must_be_visible_to_the_worker(configuration: str, good: bool) -> None:
    problems = file_problems({"haproxy.cfg": configuration}, ())
    assert (problems == []) is good
    assert good or "description @release@" in str(problems[0])
