# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Named lists of networks: read, united, subtracted, and written as files of patterns.

HAProxy reads such a file for ``src -f FILE`` when it starts (configuration manual, section 7.1), and takes other
patterns for it while it runs.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.place import Place, Problems
from ansible_collections.lbforge.haproxy.plugins.module_utils._services import networks
from ansible_collections.lbforge.haproxy.plugins.module_utils.hints import did_you_mean

Data = dict[str, t.Any]
# Returns the text of a file on the controller, or raises OSError.
ReadFile = t.Callable[[str], str]

VARIABLE = "haproxy_network_lists"
MOST_LINES_SHOWN = 10
_FILE = re.compile(rf"/etc/haproxy/({networks.LIST_NAME.pattern})\.acl(?![\w.-])")
# Block lists that are published write remarks behind either.
_REMARK = re.compile(r"[#;]")


def path(name: str) -> str:
    """The file of a list on a load balancer."""
    return f"/etc/haproxy/{file_name(name)}"


def file_name(name: str) -> str:
    return f"{name}.acl"


def referenced_lists(lines: t.Iterable[str]) -> set[str]:
    """The lists whose files these lines of configuration read."""
    return set(_FILE.findall("\n".join(lines)))


def references(problems: Problems, lists: t.Collection[str]) -> None:
    """Notes each name among networks that is not a list."""
    for place, name in problems.references:
        if name not in lists:
            why = f"is not a network and not a list of {VARIABLE}"
            place.wrong(name, why, did_you_mean(name, lists) or "Add the list there, or write a network.")


def resolve(lists: t.Mapping[str, Data], read_file: ReadFile | None, place: Place) -> dict[str, str]:
    """The patterns of each list, one a line; every mistake is noted."""
    if not lists:
        return {}
    try:
        networks.require_netaddr()
    except networks.NetworkError as error:
        place.wrong(None, error.why, error.hint)
        return dict.fromkeys(lists, "")
    resolver = _Resolver(lists, read_file, place)
    return {name: "".join(f"{cidr}\n" for cidr in resolver.resolved(name).iter_cidrs()) for name in lists}


class _Resolver:
    """Resolves each list once, after the lists that it is made of."""

    def __init__(self, lists: t.Mapping[str, Data], read_file: ReadFile | None, place: Place) -> None:
        self._lists, self._read_file, self._place = lists, read_file, place
        self._done: dict[str, t.Any] = {}
        self._begun: list[str] = []

    def resolved(self, name: str) -> t.Any:
        """The list as an IPSet."""
        if name in self._begun:
            circle = [*self._begun[self._begun.index(name) :], name]
            self._place.key(self._begun[-1]).wrong(
                None, f"is made of itself ({' → '.join(circle)})", "Remove one of these names."
            )
            return networks.union([])
        if name not in self._done:
            self._begun.append(name)
            self._done[name] = self._made(self._lists[name], self._place.key(name))
            self._begun.pop()
        return self._done[name]

    def _made(self, given: Data, place: Place) -> t.Any:
        if given.get("networks") is None and given.get("file") is None:
            place.wrong(None, "has neither networks nor a file", "Set one of them; networks: [] is an empty list.")
        parts = self._parts(given.get("networks") or ())
        if given.get("file") is not None:
            parts += self._lines(given["file"], place.key("file"))
        whole = networks.union(parts)
        if excepted := self._parts(given.get("except") or ()):
            whole -= networks.union(excepted)
        return whole

    def _parts(self, entries: t.Sequence[str]) -> list[t.Any]:
        return [
            self.resolved(entry) if networks.is_list_name(entry) else networks.parsed(entry)
            for entry in entries
            if not networks.is_list_name(entry) or entry in self._lists
        ]

    def _lines(self, file: str, place: Place) -> list[t.Any]:
        """The networks of a file, one a line."""
        if self._read_file is None:
            place.wrong(file, "is a file, which only the module haproxy_validate reads", "Write the networks here.")
            return []
        try:
            text = self._read_file(file)
        except OSError as error:
            hint = "Create it on the controller. A relative path is looked up as by ansible.builtin.copy."
            place.wrong(file, f"cannot be read: {error.strerror or error}", hint)
            return []
        found, wrong = [], 0
        for number, line in enumerate(text.splitlines(), 1):
            if entry := _REMARK.split(line, maxsplit=1)[0].strip():
                try:
                    found.append(networks.parsed(entry))
                except networks.NetworkError:
                    wrong += 1
                    if wrong <= MOST_LINES_SHOWN:
                        place.at(f"line {number}").wrong(entry, f"in {file} is not a network", networks.EXAMPLES)
        if more := max(0, wrong - MOST_LINES_SHOWN):
            place.at("further lines").wrong(None, f"{more} more in {file} are not networks")
        return found
