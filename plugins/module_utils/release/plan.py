# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare two releases: which commands bring a running HAProxy from one to the other, or why only a reload does. Pure.

Both are compared as HAProxy reads them, section by section and word by word. What is not known to be safe at run time
needs a reload: that is never wrong, only slower.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils.release.changes import (
    AddServer,
    Change,
    EditCrtList,
    RemoveServer,
    ReplacePatterns,
    SetServer,
    SwapCertificate,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils.release.configuration import Section, Words
from ansible_collections.lbforge.haproxy.plugins.module_utils.release.servers import (
    NUMBERS,
    Server,
    has_server_defaults,
    servers,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils.release.tree import CONFIGURATION
from ansible_collections.lbforge.haproxy.plugins.module_utils.runtime.parsers import Version

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.lbforge.haproxy.plugins.module_utils.release.tree import Release

# Algorithms that do not depend on the place of a server in its pool, and take weights while they run.
FREE_ALGORITHMS = ("roundrobin", "leastconn", "random")
DYNAMIC_SERVERS = Version(2, 6)
DYNAMIC_COOKIES = Version(3, 0)
CHECK_PORTS = Version(2, 4)
PATTERN_VERSIONS = Version(2, 4)
# What `add server` takes, and does with it the same as the configuration; the number of arguments of each.
_DYNAMIC_KEYWORDS = {
    "alpn": 1,
    "backup": 0,
    "ca-file": 1,
    "check": 0,
    "check-alpn": 1,
    "check-sni": 1,
    "check-ssl": 0,
    "ciphers": 1,
    "ciphersuites": 1,
    "cookie": 1,
    "crt": 1,
    "downinter": 1,
    "fall": 1,
    "fastinter": 1,
    "inter": 1,
    "on-marked-down": 1,
    "on-marked-up": 1,
    "proto": 1,
    "rise": 1,
    "send-proxy": 0,
    "send-proxy-v2": 0,
    "slowstart": 1,
    "sni": 1,
    "ssl": 0,
    "ssl-max-ver": 1,
    "ssl-min-ver": 1,
    "verify": 1,
    "verifyhost": 1,
}


Kind = t.Literal["map", "acl"]


@dataclass(frozen=True)
class Loaded:
    """What a worker holds besides its configuration, under the names it knows."""

    version: Version
    patterns: t.Mapping[str, Kind] = field(default_factory=dict)
    certificates: t.Collection[str] = ()
    crt_lists: t.Collection[str] = ()


@dataclass
class Difference:
    """Commands that bring the change; ``reasons`` say what they cannot bring."""

    changes: list[Change] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


def compare(
    old: Release, new: Release, config_dir: Path, certificates: t.Mapping[Path, bytes], loaded: Loaded
) -> Difference:
    """Find out what a running HAProxy needs to get from the old release to the new one, with these certificates."""
    difference = Difference()
    # In this order: what is referred to comes before what refers to it.
    for path, content in certificates.items():
        _compare_certificate(path, content, new, loaded, difference)
    for name in sorted({*old.contents, *new.contents} - {CONFIGURATION}):
        if old.contents.get(name) != new.contents.get(name):
            _compare_file(name, str(config_dir / name), old, new, loaded, difference)
    _compare_sections(old.sections, new.sections, loaded.version, difference)
    return difference


def _compare_certificate(path: Path, content: bytes, new: Release, loaded: Loaded, difference: Difference) -> None:
    if str(path) in loaded.certificates:
        difference.changes.append(SwapCertificate(str(path), content))
    elif _mentions(new.sections, re.compile(rf"{re.escape(str(path.parent))}/?|{re.escape(str(path))}")):
        difference.reasons.append(f"HAProxy has not loaded the certificate {path.name}")


def _compare_file(name: str, path: str, old: Release, new: Release, loaded: Loaded, difference: Difference) -> None:
    if not _mentions([*old.sections, *new.sections], re.compile(rf".*\b{re.escape(name)}\b.*")):
        return  # nothing reads it
    before, after = old.texts.get(name), new.texts.get(name)
    if before is None or after is None:
        difference.reasons.append(f"the file {name} is {'new' if before is None else 'gone'}")
    elif path in loaded.patterns and loaded.version >= PATTERN_VERSIONS and _holds_only_patterns(new.sections, path):
        difference.changes.append(ReplacePatterns(loaded.patterns[path], path, after))
    elif path in loaded.crt_lists:
        difference.changes.append(EditCrtList(path, before, after))
    else:
        difference.reasons.append(f"HAProxy reads {name} only when it starts")


def _mentions(sections: t.Iterable[Section], name: re.Pattern[str]) -> bool:
    return any(name.fullmatch(word) for section in sections for line in section.lines for word in line)


def _holds_only_patterns(sections: t.Iterable[Section], path: str) -> bool:
    """Whether a file is read by maps and ACLs only; an errorfile of the same name would keep its old text."""
    converter = re.compile(rf"map(?:_\w+)*\({re.escape(path)}[,)]")
    for section in sections:
        for line in section.lines:
            for number, word in enumerate(line):
                if path in word and not (line[number - 1 : number] == ("-f",) or converter.search(word)):
                    return False
    return True


def _compare_sections(old: list[Section], new: list[Section], version: Version, difference: Difference) -> None:
    before, after = [section.heading for section in old], [section.heading for section in new]
    if before != after:
        gone = [f"{' '.join(heading[:2])} is gone" for heading in before if heading not in after]
        added = [f"{' '.join(heading[:2])} is new" for heading in after if heading not in before]
        difference.reasons += added + gone or ["the order of sections changes"]
        return
    if old != new and any(line[0].startswith(".") for section in (*old, *new) for line in section.lines):
        difference.reasons.append("the configuration has conditions, which HAProxy looks at when it starts")
    defaults = [section for section in new if section.kind == "defaults"]
    for was, is_now in zip(old, new):
        if was.lines != is_now.lines:
            _compare_lines(was, is_now, difference)
            if is_now.kind in ("backend", "listen"):
                _compare_pools(was, is_now, defaults, version, difference)


def _compare_lines(old: Section, new: Section, difference: Difference) -> None:
    before, after = _own_lines(old), _own_lines(new)
    if before != after:
        # Words of a line may be secret; its keyword is not.
        keywords = sorted({line[0] for line in {*before} ^ {*after}})
        what = f"'{', '.join(keywords)}' changes" if keywords else "the order of lines changes"
        difference.reasons.append(f"in {' '.join(new.heading[:2])} {what}")


def _own_lines(section: Section) -> list[Words]:
    if section.kind == "global":
        return [line for line in section.lines if line[0] != "description"]
    if section.kind in ("backend", "listen"):
        return [line for line in section.lines if line[0] != "server"]
    return list(section.lines)


def _compare_pools(
    old: Section, new: Section, defaults: list[Section], version: Version, difference: Difference
) -> None:
    before, after = servers(old), servers(new)
    place = f"in {' '.join(new.heading[:2])}"
    difference.reasons += [f"{place} {reason}" for reason in _pool_reasons(old, new, defaults, version)]
    takes_weights = _algorithm(new, defaults) in FREE_ALGORITHMS and not has_server_defaults([new, *defaults])
    removed = [name for name in before if name not in after]
    for name, server in after.items():
        what = f"{place} the server {name}"
        if name not in before:
            difference.reasons += [f"{what} is added, {reason}" for reason in _not_addable(server, version)]
            # A pool that only grows can wait for the checks of the new server. One whose servers are replaced gets
            # the new ones as a reload would bring them, so that it is never empty.
            difference.changes.append(AddServer(new.name, server, at_once=bool(removed) or not server.is_checked))
        elif before[name] != server:
            reasons = _not_settable(before[name], server, takes_weights, version)
            difference.reasons += [f"{what} {reason}" for reason in reasons]
            difference.changes.append(_setting(new.name, before[name], server))
    difference.changes += [RemoveServer(new.name, name) for name in removed]


def _pool_reasons(old: Section, new: Section, defaults: list[Section], version: Version) -> Iterator[str]:
    before, after = servers(old), servers(new)
    algorithm = _algorithm(new, defaults)
    if [name for name in after if name in before] != [name for name in before if name in after]:
        yield "the order of servers changes"
    if new.those("default-server") and _outline(old) != _outline(new):
        yield "servers change around a 'default-server'"
    if any("$" in word for line in (*old.those("server"), *new.those("server")) for word in line):
        yield "servers depend on the environment of HAProxy"
    if before.keys() != after.keys() and version < DYNAMIC_SERVERS:
        yield f"servers come or go, which HAProxy {version} cannot do while it runs"
    if after.keys() - before.keys():
        if algorithm not in FREE_ALGORITHMS:
            yield f"servers are added, and 'balance {algorithm}' counts on their places"
        if has_server_defaults([new, *defaults]):
            yield "servers are added, and 'default-server' does not reach those"


def _outline(section: Section) -> list[Words]:
    return [line[:2] if line[0] == "server" else line for line in section.lines]


def _algorithm(section: Section, defaults: list[Section]) -> str:
    lines = section.those("balance")
    if not lines and any(one.those("balance") for one in defaults):
        return "of the defaults"
    return re.sub(r"\(.*", "", lines[-1][1]) if lines and len(lines[-1]) > 1 else "roundrobin"


def _not_addable(server: Server, version: Version) -> Iterator[str]:
    if server.address is None:
        yield "and its address is none that HAProxy takes while it runs"
    words = list(server.others)
    while words:
        keyword = words.pop(0)
        if keyword not in _DYNAMIC_KEYWORDS or (keyword == "cookie" and version < DYNAMIC_COOKIES):
            yield f"with '{keyword}', which HAProxy {version} does not take while it runs"
        del words[: _DYNAMIC_KEYWORDS.get(keyword, len(words))]


def _not_settable(old: Server, new: Server, takes_weights: bool, version: Version) -> Iterator[str]:
    changed = _changed_numbers(old, new)
    if old.others != new.others:
        words = sorted({*old.others} ^ {*new.others})
        yield f"changes {', '.join(repr(word) for word in words) or 'the order of its options'}"
    if old.endpoint != new.endpoint and (old.address is None or new.address is None):
        yield "has an address that HAProxy does not change while it runs"
    if "weight" in changed and not takes_weights:
        yield "changes its weight, which this pool does not take while HAProxy runs"
    if "maxconn" in changed and "minconn" in new.others:
        yield "changes its maxconn beside a minconn"
    if "port" in changed and (version < CHECK_PORTS or not {"port"} <= old.numbers.keys() & new.numbers.keys()):
        yield "changes whether its checks have a port of their own"


def _setting(pool: str, old: Server, new: Server) -> SetServer:
    changed = _changed_numbers(old, new)
    return SetServer(
        pool,
        new.name,
        address=new.address if old.address != new.address else None,
        check_port=new.numbers.get("port") if "port" in changed else None,
        weight=new.weight if old.weight != new.weight else None,
        maxconn=new.numbers.get("maxconn", 0) if "maxconn" in changed else None,
        disabled=new.disabled if old.disabled != new.disabled else None,
    )


def _changed_numbers(old: Server, new: Server) -> set[str]:
    return {name for name in NUMBERS if old.numbers.get(name) != new.numbers.get(name)}
