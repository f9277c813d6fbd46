# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sections that the user writes (haproxy_extra_sections), and the lines that refer to them.

Sources: configuration manual, chapters 3 (global), 4 (proxies), 5.3 (resolvers), 6 (cache), 10 (FastCGI).
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.sections import SECTIONS, SINCE
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.server_options import ServerOptions
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import Words, split
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.kinds import Choice
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.table import Key
from ansible_collections.lbforge.haproxy.plugins.module_utils._services import peers
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.kinds import NAME, Lines
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.problems import Place
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.records import ExtraSection, Settings
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.sections import SectionText
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.sockets import Bind
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.typed import TypedRecord
from ansible_collections.lbforge.haproxy.plugins.module_utils.hints import did_you_mean

Line = tuple[str, Place]

VARIABLE = "haproxy_extra_sections"
PROXIES = ("frontend", "backend", "listen", "defaults")
NAMELESS = ("traces", "crt-store")

SECTION = TypedRecord(
    shape=ExtraSection,
    what="a section",
    keys=(
        Key(
            "type",
            Choice(
                tuple(kind for kind in SECTIONS if kind != "global"),
                gone=(("global", "Use haproxy_global_raw, or haproxy_tuning_params."),),
            ),
            "Kind of section, such as `resolvers`, `userlist` or `cache`.",
            required=True,
        ),
        Key("name", NAME, "Its name, which lines refer to it by."),
        Key(
            "from",
            NAME,
            "The `defaults` section that a `frontend`, `backend`, `listen` or `defaults` builds on.",
        ),
        Key("lines", Lines(), "Its lines.", required=True),
    ),
)

# Whose name a line says, after which word, in lines with which first words (empty: any).
WORDS_BEFORE_NAMES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("cache", "cache-use", ("http-request",)),
    ("cache", "cache-store", ("http-response",)),
    ("cache", "cache", ("filter",)),
    ("fcgi-app", "fcgi-app", ("filter",)),
    ("fcgi-app", "use-fcgi-app", ("use-fcgi-app",)),
    ("http-errors", "errorfiles", ("errorfiles", "http-request", "http-response", "http-error")),
    ("mailers", "mailers", ("email-alert",)),
    ("peers", "peers", ("stick-table",)),
)
CALLS = (
    ("userlist", re.compile(r"\bhttp_auth(?:_group)?\(\s*([^\s,)]+)")),
    ("resolvers", re.compile(r"\bdo-resolve\([^,()]*,\s*([^\s,)]+)")),
)
# At which of their words the options of servers begin.
OPTIONS_OF_SERVERS = {"server": 3, "server-template": 4, "default-server": 1}
MAY_REFER = re.compile(r"cache|fcgi-app|errorfiles|mailers|peers|http_auth|resolve|ring@")
#: kinds that nothing happens with unless a line refers to them
USELESS_ALONE = ("cache", "fcgi-app", "http-errors", "mailers", "resolvers", "ring", "userlist")
# From 2.6 on HAProxy makes these of /etc/resolv.conf.
OWN_RESOLVERS = "default"
# Configuration manual, section 11, "Address formats", without ranges, names and what has no port.
ENDPOINT = re.compile(
    r"(?:ipv[46]@)?(?P<address>\[[0-9a-fA-F:]+\]|[0-9a-fA-F]*:[0-9a-fA-F:]*|[0-9.]*|\*):(?P<port>\d+)"
)
USER = re.compile(r"user \S+( (insecure-)?password \S+)?( groups \S+)?|user \S+ groups \S+ (insecure-)?password \S+")


def check(settings: Settings, place: Place, services: t.Collection[str]) -> None:
    """What sections say of themselves, and their names; ``services`` are the names of those of this load balancer."""
    first: dict[tuple[str, str], str] = {}
    for index, section in enumerate(settings.extra_sections):
        here, kind, name = place.key(VARIABLE).item(index), section.type, section.name or ""
        if kind in SINCE and tuple(map(int, settings.version.split("."))) < SINCE[kind]:
            here.key("type").wrong(
                kind,
                "needs HAProxy {}.{}, and haproxy_version is {}".format(*SINCE[kind], settings.version),
                "Remove the section, or upgrade and set haproxy_version.",
            )
        if not name and kind not in NAMELESS:
            here.key("name").wrong(None, "is missing", f"Name the section; nothing could refer to a nameless {kind}.")
        if section.from_ and kind not in PROXIES:
            here.key("from").wrong(section.from_, f"is not for {kind}", f"Use it with {', '.join(PROXIES)}.")
        # Of proxies a listen is two in one; HAProxy lets a frontend and a backend share a name.
        for taken in {"listen": ("frontend", "backend")}.get(kind, (kind,)):
            if (taken, name) in first:
                here.key("name").wrong(name, f"is already the name of {first[taken, name]}", "Choose another.")
            first.setdefault((taken, name), f"{VARIABLE}[{index}]")
        if owner := taken_by(kind, name, settings, services):
            here.key("name").wrong(name, f"is the name of a section of {owner}", "Choose another.")
        if kind == "userlist":
            users(section.lines, here.key("lines"))


def taken_by(kind: str, name: str, settings: Settings, services: t.Collection[str]) -> str:
    """Whose section has this name already; empty if it is free."""
    if kind == "peers" and name == peers.SECTION and settings.peers:
        return "haproxy_peers"
    if kind not in PROXIES[:3]:
        return ""
    if name == "stats" and settings.stats_enabled:
        return "haproxy_stats_enabled"
    ours = re.fullmatch(r"(.+)-back|(.+?)(?:-redirect|-tls|-plain)?-front-\d+", name)
    service = next(filter(None, ours.groups()), "") if ours else ""
    return f'service "{service}"' if service in services else ""


def users(lines: t.Sequence[str], place: Place) -> None:
    """Misspelt, the word before a password would keep nobody from showing it; so these lines are known whole."""
    for index, line in enumerate(lines):
        words = split(line)
        plain = " ".join(re.sub(r"\s", "_", word) or "_" for word in words)
        if words[0] != "group" and not USER.fullmatch(plain):
            place.item(index).wrong(
                None,
                "is neither a group nor a user",
                "Write user NAME, a keyword (insecure-password, password) and one word, by haproxy_quote.",
            )


def sockets(settings: Settings, place: Place) -> t.Iterator[tuple[Bind, Place]]:
    """Where proxies of the user's listen, as far as that is an address and a port."""
    for index, section in enumerate(settings.extra_sections):
        for number, line in enumerate(section.lines if section.type in ("frontend", "listen") else ()):
            first, *words = split(line)
            for endpoint in words[0].split(",") if first == "bind" and words else ():
                if found := ENDPOINT.fullmatch(endpoint):
                    interface = words[words.index("interface") + 1] if "interface" in words[:-1] else ""
                    address = found["address"].strip("[]") or "*"
                    here = place.key(VARIABLE).item(index).key("lines").item(number)
                    yield Bind.of_address(address, int(found["port"]), interface, options=words[1:]), here


def references(lines: t.Iterable[Line], others: t.Iterable[str], settings: Settings, place: Place) -> None:
    """Lines refer to sections that are there, and of sections that do nothing alone some line makes use.

    ``others`` are the lines that other load balancers have.
    """
    known: dict[str, set[str]] = {}
    for section in settings.extra_sections:
        known.setdefault(section.type, set()).add(section.name or "")
    known.setdefault("resolvers", set()).add(OWN_RESOLVERS)
    if settings.peers:
        known.setdefault("peers", set()).add(peers.SECTION)
    target = place.key("haproxy_log_socket")
    log_target = [(ring, target) for ring in rings(split(settings.log_socket))]
    found = [*((named, here) for line, here in lines for named in names(line)), *log_target]
    for (kind, name), here in found:
        if name not in known.get(kind, ()):
            here.wrong(
                name,
                f"is not a section of type {kind} in {VARIABLE}",
                did_you_mean(name, known.get(kind, ())) or "Add it there.",
            )
    used = {named for named, _here in found} | {named for line in others for named in names(line)}
    for index, section in enumerate(settings.extra_sections):
        named = (section.type, section.name or "")
        if section.type in USELESS_ALONE and named not in used and named != ("resolvers", OWN_RESOLVERS):
            place.key(VARIABLE).item(index).warn(section.name, "is a section that no line refers to")
    parents(settings, place.key(VARIABLE))


def parents(settings: Settings, place: Place) -> None:
    """Sections build on a C(defaults) section that comes before them."""
    before: list[str] = []
    for section in ordered(settings):
        if section.from_ and section.from_ not in before:
            place.item(settings.extra_sections.index(section)).key("from").wrong(
                section.from_,
                f"is not a defaults section of {VARIABLE} before this one",
                did_you_mean(section.from_, before) or "Add it there.",
            )
        if section.type == "defaults":
            before.append(section.name or "")


def names(line: str) -> t.Iterator[tuple[str, str]]:
    """The kinds and names of the sections that a line refers to."""
    if not MAY_REFER.search(line):  # nearly all lines
        return
    words = split(line)
    for kind, before, starts in WORDS_BEFORE_NAMES:
        if words[0] in starts and before in words[:-1]:
            yield kind, words[words.index(before) + 1]
    for kind, call in CALLS:
        for name in call.findall(line):
            yield kind, name
    # Words of servers also stand alone, for us to add them.
    options = ServerOptions(words[OPTIONS_OF_SERVERS.get(words[0], 0) :])
    if (words[0] in OPTIONS_OF_SERVERS or not options.unknown) and options.has("resolvers"):
        yield "resolvers", options.argument("resolvers")
    if words[0] == "log":
        yield from rings(words)


def rings(words: Words) -> t.Iterator[tuple[str, str]]:
    for word in words:
        if word.startswith("ring@"):
            yield "ring", word[len("ring@") :]


def ordered(settings: Settings) -> list[ExtraSection]:
    """Sections in an order in which none changes another: a proxy builds on the last C(defaults) or on one it names."""

    def rank(section: ExtraSection) -> int:
        return 1 if section.type == "defaults" else 2 if section.from_ else 0

    return sorted(settings.extra_sections, key=rank)


def sections(settings: Settings) -> list[SectionText]:
    return [SectionText(heading(section), peers.with_peers(section.lines, settings)) for section in ordered(settings)]


def heading(section: ExtraSection) -> str:
    parent = f"from {section.from_}" if section.from_ else ""
    return " ".join(filter(None, (section.type, section.name, parent)))
