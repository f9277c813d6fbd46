# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare two releases: the commands from one to the other at run time, or the reasons for a reload. Pure.

Both are compared as HAProxy reads them, section by section and word by word. A change that is not known to be safe at
run time needs a reload, which is always right, only slower.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import Section
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.server_options import STATIC
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.servers import (
    NUMBERS,
    Server,
    has_server_defaults,
    servers,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import Words
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.changes import (
    AddServer,
    Change,
    EditCrtList,
    RemoveServer,
    ReplacePatterns,
    SetServer,
    SwapCertificate,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import CONFIGURATION
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime import crtlists
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.parsers import Version

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import Release

# Algorithms that do not depend on the order of servers, and accept weights at run time.
FREE_ALGORITHMS = ("roundrobin", "leastconn", "random")
DYNAMIC_SERVERS = Version(2, 6)
DYNAMIC_COOKIES = Version(3, 0)
_UNPLAIN = re.compile(r"""[\\'"$]""")
CHECK_PORTS = Version(2, 4)
PATTERN_VERSIONS = Version(2, 4)

Kind = t.Literal["map", "acl"]


@dataclass(frozen=True)
class Loaded:
    """The files that a worker has loaded besides its configuration, under its names."""

    version: Version
    patterns: t.Mapping[str, Kind] = field(default_factory=dict)
    certificates: t.Collection[str] = ()
    crt_lists: t.Collection[str] = ()


@dataclass
class Difference:
    """The commands for a change; ``reasons`` are the parts that need a reload."""

    changes: list[Change] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


def compare(
    old: Release, new: Release, config_dir: Path, certificates: t.Mapping[Path, bytes], loaded: Loaded
) -> Difference:
    """Find the changes from the old release to the new one, with these certificates."""
    difference = Difference()
    # In this order: targets come before references to them.
    for path, content in certificates.items():
        _compare_certificate(path, content, new, loaded, difference)
    for name in sorted({*old.contents, *new.contents} - {CONFIGURATION}):
        if old.contents.get(name) != new.contents.get(name):
            _compare_file(name, str(config_dir / name), old, new, loaded, difference)
    _compare_sections(old.sections, new.sections, loaded.version, difference)
    difference.reasons += _unread_files(old, difference.changes)
    return difference


def _unread_files(old: Release, changes: Sequence[Change]) -> Iterator[str]:
    """Files of new servers that HAProxy has not read: it does not at run time, and may lack access."""
    needed = {
        (change.pool, change.server.name, file): None
        for change in changes
        if isinstance(change, AddServer)
        for file in change.server.files
    }
    known = {word for _before, word in _words(old.sections)} if needed else set()
    for pool, name, file in needed:
        if file not in known:
            yield f"in backend {pool} the server {name} is added, with {Path(file).name}, which HAProxy has not read"


def _compare_certificate(path: Path, content: bytes, new: Release, loaded: Loaded, difference: Difference) -> None:
    uses = {before for before, word in _words(new.sections) if word == str(path)}
    if str(path) not in loaded.certificates:
        difference.reasons.append(f"HAProxy has not loaded the certificate {path.name}")
    elif not uses <= {"crt"}:
        difference.reasons.append(f"{path.name} is also used as {', '.join(sorted(uses - {'crt'}))}")
    elif any(str(path) in text for name, text in new.texts.items() if name != CONFIGURATION and "[" in text):
        difference.reasons.append(f"{path.name} is in a list of certificates with options")
    else:
        difference.changes.append(SwapCertificate(str(path), content))


def _compare_file(name: str, path: str, old: Release, new: Release, loaded: Loaded, difference: Difference) -> None:
    before, after = old.texts.get(name), new.texts.get(name)
    if before is None or after is None:
        difference.reasons.append(f"the file {name} is {'new' if before is None else 'removed'}")
    elif any("$" in word for _before, word in _words(new.sections)):
        difference.reasons.append(f"HAProxy's environment decides what reads {name}")
    elif path in loaded.patterns and loaded.version >= PATTERN_VERSIONS and _holds_only_patterns(new, name, path):
        difference.changes.append(ReplacePatterns(loaded.patterns[path], path, after))
    elif path in loaded.crt_lists:
        reasons = _crt_list_reasons(before, after, loaded)
        difference.reasons += [f"in {name} {reason}" for reason in reasons]
        difference.changes.append(EditCrtList(path, before, after))
    else:
        difference.reasons.append(f"HAProxy reads {name} only at its start")


def _crt_list_reasons(before: str, after: str, loaded: Loaded) -> Iterator[str]:
    old, new = crtlists.parse_text(before), crtlists.parse_text(after)
    if reason := crtlists.reload_reason(old, new):
        yield reason
    for entry in new:
        if entry.path not in loaded.certificates:
            yield f"the certificate {entry.path} is new"


def _words(sections: t.Iterable[Section]) -> Iterator[tuple[str, str]]:
    """Every word with the one before it."""
    for section in sections:
        for line in section.lines:
            yield from zip(("", *line), line)


def _holds_only_patterns(release: Release, name: str, path: str) -> bool:
    """Whether only maps and ACLs read a file, under one name: any other use keeps the old text."""
    converter = re.compile(rf"map(?:_\w+)*\({re.escape(path)}[,)]")
    mention = re.compile(rf"\b{re.escape(name)}\b")
    return all(
        (word == path and before == "-f") or len(mention.findall(word)) == len(converter.findall(word))
        for before, word in _words(release.sections)
    )


def _compare_sections(old: list[Section], new: list[Section], version: Version, difference: Difference) -> None:
    before, after = [section.heading for section in old], [section.heading for section in new]
    if before != after:
        gone = [f"{' '.join(heading[:2])} is removed" for heading in before if heading not in after]
        added = [f"{' '.join(heading[:2])} is new" for heading in after if heading not in before]
        difference.reasons += added + gone or ["the order of sections changes"]
        return
    if old != new and any(line[0].startswith(".") for section in (*old, *new) for line in section.lines):
        difference.reasons.append("the configuration has conditions, which HAProxy evaluates only at its start")
    defaults = [section for section in new if section.kind == "defaults"]
    for was, is_now in zip(old, new):
        if was.texts != is_now.texts:
            _compare_lines(was, is_now, difference)
            if is_now.kind in ("backend", "listen"):
                _compare_pools(was, is_now, defaults, version, difference)


def _compare_lines(old: Section, new: Section, difference: Difference) -> None:
    before, after = _own_lines(old), _own_lines(new)
    # Unparsed: an extra backslash or quote may change the meaning, and splitting would hide that.
    if [text for _line, text in before] != [text for _line, text in after]:
        # Words of a line may be secret; its keyword is not.
        keywords = sorted({line[0] for line, _text in {*before} ^ {*after}})
        what = f"'{', '.join(keywords)}' changes" if keywords else "the order of lines changes"
        difference.reasons.append(f"in {' '.join(new.heading[:2])} {what}")


def _own_lines(section: Section) -> list[tuple[Words, str]]:
    apart = {"global": "description", "backend": "server", "listen": "server"}.get(section.kind)
    return [(line, text) for line, text in zip(section.lines, section.texts) if line[0] != apart]


def _compare_pools(
    old: Section, new: Section, defaults: list[Section], version: Version, difference: Difference
) -> None:
    before, after = servers(old), servers(new)
    if _server_lines(old) == _server_lines(new) and not new.lines_with("default-server"):
        return
    place = f"in {' '.join(new.heading[:2])}"
    difference.reasons += [f"{place} {reason}" for reason in _pool_reasons(old, new, defaults, version)]
    takes_weights = _algorithm(new, defaults) in FREE_ALGORITHMS
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
    for name in removed:
        if before[name].ends_sessions:
            difference.reasons.append(f"{place} the server {name} is removed, which would end its sessions at once")
        difference.changes.append(RemoveServer(new.name, name))


def _pool_reasons(old: Section, new: Section, defaults: list[Section], version: Version) -> Iterator[str]:
    before, after = servers(old), servers(new)
    added = [name for name in after if name not in before]
    algorithm = _algorithm(new, defaults)
    if [name for name in after if name in before] != [name for name in before if name in after]:
        yield "the order of servers changes"
    if has_server_defaults([new, *defaults]):
        yield "servers change in a section with 'default-server'"
    if len(after) != len(new.lines_with("server")) or len(before) != len(old.lines_with("server")):
        yield "two servers have the same name"
    if any(_UNPLAIN.search(text) for one in (old, new) for _line, text in _server_lines(one)):
        yield "servers have quotes, backslashes or variables"
    if before.keys() != after.keys() and version < DYNAMIC_SERVERS:
        yield f"servers are added or removed, which HAProxy {version} cannot do without a reload"
    if added and algorithm not in FREE_ALGORITHMS:
        yield f"servers are added, and 'balance {algorithm}' depends on their order"
    if any("backup" in after[name].others for name in added) and _backups(after) > 1:
        yield "a backup is added, and the order of backups matters"
    if added and any("dynamic" in line for line in new.lines_with("cookie")):
        yield "servers are added, which would get no dynamic cookie"


def _server_lines(section: Section) -> list[tuple[Words, str]]:
    return [(line, text) for line, text in zip(section.lines, section.texts) if line[0] == "server"]


def _backups(pool: t.Mapping[str, Server]) -> int:
    return sum("backup" in server.others for server in pool.values())


def _algorithm(section: Section, defaults: list[Section]) -> str:
    lines = section.lines_with("balance")
    if not lines and any(one.lines_with("balance") for one in defaults):
        return "of the defaults"
    return re.sub(r"\(.*", "", lines[-1][1]) if lines and len(lines[-1]) > 1 else "roundrobin"


def _not_addable(server: Server, version: Version) -> Iterator[str]:
    if server.address is None:
        yield "with an address that HAProxy does not take without a reload"
    if server.unknown:
        yield f"with '{server.unknown}', which is an unknown option"
    static = {*STATIC, *(["cookie"] if version < DYNAMIC_COOKIES else [])}
    for keyword in sorted(static.intersection(server.addition)):
        yield f"with '{keyword}', which HAProxy {version} does not take without a reload"


def _not_settable(old: Server, new: Server, takes_weights: bool, version: Version) -> Iterator[str]:
    changed = _changed_numbers(old, new)
    if old.others != new.others:
        words = sorted({*old.others} ^ {*new.others})
        yield f"changes {', '.join(repr(word) for word in words) or 'the order of its options'}"
    if old.endpoint != new.endpoint and (old.address is None or new.address is None):
        yield "has an address that HAProxy does not change without a reload"
    if old.endpoint != new.endpoint and "hash-key" in new.others:
        yield "changes its address, which may determine its place"
    if "weight" in changed and (not takes_weights or "agent-check" in new.others):
        yield "changes its weight, which this pool takes only at a reload"
    if "maxconn" in changed and "minconn" in new.others:
        yield "changes its maxconn with a minconn set"
    if "port" in changed and (version < CHECK_PORTS or not {"port"} <= old.numbers.keys() & new.numbers.keys()):
        yield "starts or stops using a separate check port"
    if old.disabled != new.disabled and new.ends_sessions:
        yield "changes its state, which would end its sessions at once"


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
        rechecked="check" in new.others and (old.address != new.address or "port" in changed),
    )


def _changed_numbers(old: Server, new: Server) -> set[str]:
    return {name for name in NUMBERS if old.numbers.get(name) != new.numbers.get(name)}
