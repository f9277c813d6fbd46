# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports of a rehearsal for people and for CI systems. Pure."""

from __future__ import annotations

import json
import pathlib
import re
import typing as t
import xml.etree.ElementTree as ET

Result = t.Mapping[str, t.Any]

# What XML 1.0 cannot hold, section 2.2.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def lines(results: t.Iterable[Result]) -> list[str]:
    """A line for each expectation; one that is not met is followed by the reasons and the way of its request."""
    return [line for result in results for line in _of(result)]


def _of(result: Result) -> t.Iterator[str]:
    unjudged = f" (not on this host, and so not judged: {', '.join(result['unjudged'])})" if result["unjudged"] else ""
    yield f"{'ok    ' if result['passed'] else 'FAILED'}  {result['name']}{unjudged}"
    for failure in result["failures"]:
        yield f"        {failure['key']}: expected {failure['expected']}, got {failure['got']}"
    for way in dict.fromkeys(failure["way"] for failure in result["failures"]):
        yield f"        the way: {way}"


def ways(results: t.Iterable[Result]) -> list[str]:
    """The result and the way of each request."""
    found = []
    for result in results:
        came = f"status {result['status']}" if result["status"] else result["connection"]
        found += [f"{result['request']}: {came}", f"the way: {result['way']}"]
    return found


def of_hosts(told: t.Mapping[str, t.Sequence[str]]) -> list[str]:
    """The lines of all load balancers, with identical ones only once, below the names of their hosts."""
    hosts: dict[tuple[str, ...], list[str]] = {}
    for name, its_lines in told.items():
        hosts.setdefault(tuple(its_lines), []).append(name)
    return [line for alike, names in hosts.items() for line in (f"{', '.join(names)}:", *alike)]


class LearnedFile(t.TypedDict):
    """A file of learned expectations."""

    path: str
    content: str


def learned_files(learned: t.Mapping[str, Result], path: str) -> list[LearnedFile]:
    """The files for what was learned of load balancers, by their names: one for those that answer alike.

    The first is at ``path``, and others have the name of their first load balancer before the suffix. Texts stand in
    quotes, so that none is taken for something else.
    """
    alike: dict[str, list[str]] = {}
    for name, result in learned.items():
        alike.setdefault(_yaml(result["learned"]), []).append(name)
    first = pathlib.PurePath(path)
    return [
        {
            "path": str(first.with_name(f"{first.stem}-{names[0]}{first.suffix}") if number else first),
            "content": f"---\n# What the configuration of {', '.join(names)} answered.\nhaproxy_expectations:{text}\n",
        }
        for number, (text, names) in enumerate(alike.items())
    ]


def _yaml(expectations: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """Expectations as people read them: a line for each key, with a value in JSON, which YAML 1.2 includes."""
    lines = [
        f"\n  {'  ' if number else '- '}{key}: {json.dumps(value)}"
        for expectation in expectations
        for number, (key, value) in enumerate(expectation.items())
    ]
    return "".join(lines) or " []"


def junit(rehearsals: t.Mapping[str, Result]) -> str:
    """The rehearsals of load balancers, by their names, as the XML of JUnit that CI systems read.

    The form is that of the schema jenkins-junit.xsd of Jenkins' xunit plugin, which other CI systems take.
    """
    suites = ET.Element("testsuites")
    for name, rehearsal in rehearsals.items():
        cases = rehearsal["results"]
        failed = sum(not result["passed"] for result in cases)
        numbers = {"tests": str(len(cases)), "failures": str(failed), "errors": "0"}
        suite = ET.SubElement(suites, "testsuite", {"name": _text(name), **numbers})
        for result in cases:
            case = ET.SubElement(suite, "testcase", name=_text(result["name"]), classname=_text(name))
            if not result["passed"]:
                texts = [_text(failure["text"]) for failure in result["failures"]]
                failure = ET.SubElement(case, "failure", message=texts[0], type="expectation")
                failure.text = "\n".join(texts)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _text(text: str) -> str:
    return _NOT_XML.sub("?", text)
