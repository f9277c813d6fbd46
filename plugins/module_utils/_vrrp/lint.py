# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The linter: mistakes that ``keepalived -t`` does not find, before it runs.

The rules are tables in ``rules/``, from which the page about them is written. The linter reads the final text, whatever
its origin, the host, and the instances of the other nodes, if known.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace
from types import ModuleType

from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.masking import masked
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.rule import Finding, Rule
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.rules import (
    addresses,
    cluster,
    daemon,
    election,
    servers,
    trackers,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.subject import Host, Subject, subject_of
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import ProblemsError

CHAPTERS: dict[str, ModuleType] = {
    "Addresses": addresses,
    "Election": election,
    "Trackers and scripts": trackers,
    "Nodes of a cluster": cluster,
    "The daemon": daemon,
    "Virtual servers": servers,
}


def rules_of(chapter: ModuleType) -> list[Rule]:
    return [value for value in vars(chapter).values() if isinstance(value, Rule)]


RULES: tuple[Rule, ...] = tuple(rule for chapter in CHAPTERS.values() for rule in rules_of(chapter))


def incompatible(before: str, after: str) -> list[str]:
    """The instances whose adverts a node with the previous text rejects, so that both serve."""

    def adverts(text: str) -> dict[str, tuple[t.Any, ...]]:
        return {
            one.name: (
                one.router_id,
                one.version,
                frozenset(address.ip for address in one.addresses),
                tuple(entry.words for entry in one.statement.entries("authentication")) if one.statement else (),
            )
            for one in subject_of(text).instances
        }

    old, new = adverts(before), adverts(after)
    return [name for name in new if name in old and new[name] != old[name]]


def lint(
    subject: Subject, host: Host, text: str, ignored: t.Container[str] = (), secrets: t.Iterable[str] = ()
) -> list[Finding]:
    """Every breach of a rule that is not ``ignored``, in the order of the lines."""
    subject = replace(subject, host=host)
    hidden = [secret for secret in secrets if secret]
    lines = masked(text, hidden).splitlines()
    findings = []
    for rule in RULES:
        for hit in rule.find(subject) if rule.name not in ignored else ():
            line = hit.statement.line
            quoted = lines[line - 1].strip() if 0 < line <= len(lines) else ""
            findings.append(
                Finding(
                    path=f"line {line} ({quoted})" if line else "the whole text",
                    value=quoted,
                    why=f"{masked(hit.found, hidden)} {rule.what}",
                    hint=rule.instead,
                    rule=rule.name,
                    severity=rule.severity,
                    line=line,
                )
            )
    return sorted(findings, key=lambda finding: finding.line)


def unknown_rules(names: t.Iterable[str]) -> list[str]:
    known = {rule.name for rule in RULES}
    return [name for name in names if name not in known]


def errors(findings: t.Iterable[Finding]) -> list[Finding]:
    """The findings that prevent a text from being written."""
    return [finding for finding in findings if finding.severity == "error"]


def refuse(findings: t.Iterable[Finding], path: str) -> None:
    """Raise all errors at once, if there are any."""
    if found := errors(findings):
        count = "1 error" if len(found) == 1 else f"{len(found)} errors"
        raise ProblemsError(found, f"{path} was not changed: {count}:")
