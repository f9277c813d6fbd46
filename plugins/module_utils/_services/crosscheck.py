# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What services say must fit what other services say."""

from __future__ import annotations

import dataclasses
import re
import typing as t
from functools import cached_property

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import split
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.table import Key
from ansible_collections.lbforge.haproxy.plugins.module_utils._services import binds, extra_sections, peers
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.kinds import holds_lines, lines_in
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.problems import (
    Place,
    Problems,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.records import (
    MapEntries,
    Node,
    Service,
    Settings,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.schema import SERVICE
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.servers import (
    own_options,
    place_of,
    raw_options,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.settings import SETTINGS
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.sockets import Bind
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.typed import held
from ansible_collections.lbforge.haproxy.plugins.module_utils.hints import did_you_mean

# The section of a service, as raw lines name it, and the words that it follows.
BACKEND = re.compile(r"([\w.:-]+)-back")
CHOOSES_BACKEND = ("use_backend", "default_backend")
MAP_FILE = re.compile(r"/etc/haproxy/([\w.-]+)\.map\b")
# A converter that looks something up, and its file: configuration manual, section 7.3.1, "map".
MAP = re.compile(r"\bmap(?:_\w+)?\(\s*[\"']?([^\s,)\"']+)")
# The name of a backend that is only known when a request comes: use_backend BEFORE%[EXPRESSION]AFTER.
COMPUTED_NAME = re.compile(r"(?P<before>[^%]*)%\[(?P<expression>[^%]*)\](?P<after>[^%]*)")
KEYS_WITH_LINES = [key for key in SERVICE.keys if holds_lines(key.kind)]
SETTINGS_WITH_LINES = [key for key in SETTINGS.keys if holds_lines(key.kind)]


@dataclasses.dataclass(frozen=True)
class Item:
    """A service and where it came from; of one that is not ``whole``, the keys that are right."""

    place: Place
    service: Service
    is_whole: bool

    @property
    def name(self) -> str:
        return self.place.name

    @cached_property
    def nodes(self) -> list[tuple[Place, Node]]:
        """The servers, each with its place."""
        return [
            (pool.item(index), node)
            for pool, nodes in ((self.place.key(key), nodes) for key, nodes in self.service.nodes_by_key.items())
            for index, node in enumerate(nodes)
        ]


def names(wanted: t.Sequence[Item]) -> None:
    """Names of services are unique, and so are those of the sections that they become."""
    first: dict[str, Item] = {}
    for item in wanted:
        if item.name in first:
            item.place.key("haproxy_service_name").wrong(
                item.name,
                f"is already the name of {first[item.name].place.path}",
                "Give each service its own name.",
            )
        first.setdefault(item.name, item)
    for item in wanted:
        kinds = ["redirect"] if item.service.redirect_http_port else []
        kinds += ["tls", "plain"] if item.service.accept_both_protocols else []
        for kind in kinds:
            if f"{item.name}-{kind}" in first:
                first[f"{item.name}-{kind}"].place.key("haproxy_service_name").wrong(
                    f"{item.name}-{kind}",
                    f'would give its frontend the name of a {kind} frontend of service "{item.name}"',
                    "Give it another name.",
                )


def servers(every: t.Iterable[Item]) -> None:
    """Names of servers are unique within a service."""
    for item in every:
        first: dict[str, Place] = {}
        for place, node in item.nodes:
            if node.name in first:
                where = first[node.name].path.removeprefix(f"{item.place.path}.")
                place.wrong(node.name, f"is already a server of this service, at {where}", "Remove one of them.")
            first.setdefault(node.name, place)


def tracking(wanted: t.Sequence[Item]) -> None:
    """A server that tracks another has no checks of its own, and that other one is there and has some."""
    pools = {f"{item.name}-back": item for item in wanted}
    for item in wanted:
        for place, node in item.nodes:
            if not raw_options(node, item.service):  # nearly all
                continue
            own = own_options(node, item.service)
            target = own.argument("track")
            if not target:
                continue
            here = place_of("track", node, place, item.place)
            pool, _slash, name = target.rpartition("/")
            tracked = pools.get(pool) if pool else item
            if own.switched("check") or own.has("agent-check"):
                here.wrong(target, "is tracked by a server that has checks of its own", "Keep track or the checks.")
            elif tracked and not tracked.service.backend_arguments:  # these may hold more servers
                tracked_server(name, tracked, here)


def tracked_server(name: str, pool: Item, here: Place) -> None:
    followed = {node.name: own_options(node, pool.service) for _place, node in pool.nodes}
    if name not in followed:
        hint = did_you_mean(name, followed) or "Write track BACKEND/SERVER, such as web-back/web1."
        here.wrong(name, f'is tracked but is not a server of service "{pool.name}"', hint)
    elif followed[name].switched("check") is False and not followed[name].has("agent-check"):
        here.wrong(name, "is tracked but has no health check", "Track a server that has one.")


def sockets(items: t.Sequence[Item], settings: Settings, problems: Problems) -> None:
    """No two sockets at one address: HAProxy itself would not notice. A wildcard may have addresses beside it."""
    by_port: dict[int, list[tuple[Bind, Place]]] = {}

    def claim(bind: Bind, place: Place) -> None:
        for other, owner in by_port.setdefault(bind.port, []):
            whose = f'service "{owner.name}"' if owner.name else owner.path
            # Of what is no service nobody expects to share a port, and certbot could not.
            is_taken = not owner.name and (bind.overrides(other) or other.overrides(bind))
            if bind.is_same(other) or is_taken:
                place.wrong(
                    str(bind),
                    f"is already taken by {whose} ({other}), and {overlap_reason(bind, other)}",
                    "Choose another port or haproxy_bind.",
                )
                return
            if owner.name != place.name:
                shared_port(bind, other, whose, place)
        by_port[bind.port].append((bind, place))

    for key, own in own_binds(items, settings):
        claim(own, Place(problems, key))
    for bind, place in service_sockets(items):
        claim(bind, place)
    for bind, place in extra_sections.sockets(settings, Place(problems, "")):
        claim(bind, place)


def service_sockets(items: t.Sequence[Item]) -> t.Iterator[tuple[Bind, Place]]:
    """Where services listen, with the key that says the port."""
    for item in items:
        if not item.service.port or not item.service.is_served:
            continue
        for bind in item.service.binds:
            yield bind, item.place.key("haproxy_port")
        for bind in binds.redirecting(item.service, item.service.binds):
            yield bind, item.place.key("haproxy_redirect_http_port")


def overlap_reason(bind: Bind, other: Bind) -> str:
    """What would happen if both were bound; HAProxy would let it happen."""
    if bind.is_same(other):
        return "connections would go to either at random"
    return "one of them would take connections meant for the other"


def shared_port(bind: Bind, other: Bind, whose: str, place: Place) -> None:
    """Warn of a wildcard's connections that go elsewhere, where that may not be meant."""
    if bind.overrides(other):
        winner, loser, how = bind, other, f"takes {{}} from {whose} ({other})"
    elif other.overrides(bind):
        winner, loser, how = other, bind, f"leaves {{}} to {whose} ({other})"
    else:
        return
    are_wildcards = {winner.address, loser.address} <= {"*", "0.0.0.0", "::"}
    if are_wildcards and not loser.has_word("v4v6"):
        return
    connections = "IPv4 connections" if are_wildcards else f"connections to {winner.address}"
    place.warn(
        str(bind),
        f"{how.format(connections)}, since Linux prefers the more exact address",
        "If that is not intended, choose another port or haproxy_bind.",
    )


def own_binds(items: t.Sequence[Item], settings: Settings) -> t.Iterator[tuple[str, Bind]]:
    """What listens beside the services, with the setting that says where."""
    if settings.stats_enabled:
        yield "haproxy_stats_port", binds.stats_bind(settings)
    certbot = settings.ssl_letsencrypt_certbot_bind_address
    if settings.ssl_letsencrypt_enable and certbot:
        yield "haproxy_ssl_letsencrypt_certbot_backend_port", binds.certbot_bind(certbot, settings)
    if peers.are_used((item.service for item in items), settings):
        yield "haproxy_peers_port", peers.own_bind(settings)


def challenges(items: t.Sequence[Item], settings: Settings, problems: Problems) -> None:
    """Somebody must send the CA's requests to certbot."""
    is_http = settings.ssl_letsencrypt_certbot_challenge == "http-01"
    if (
        settings.ssl_letsencrypt_enable
        and is_http
        and not any(binds.is_certbot(item.service, settings) for item in items)
    ):
        Place(problems, "haproxy_ssl_letsencrypt_certbot_backend_port").warn(
            settings.ssl_letsencrypt_certbot_backend_port,
            "is the haproxy_backend_port of no service, so no challenge reaches certbot and no certificate is issued",
            "Add haproxy_ssl_letsencrypt_service to the services, and haproxy_ssl_letsencrypt_acl to the"
            " haproxy_frontend_acls of one on port 80.",
        )


def shared_tables(items: t.Sequence[Item], settings: Settings, problems: Problems) -> None:
    """Whoever shares stick tables must know where the others are, and be one of them."""
    if not peers.are_used((item.service for item in items), settings):
        return
    place, own, unknown = Place(problems, "haproxy_peers"), settings.inventory_hostname, peers.unknown(settings)
    if own not in settings.peers:
        place.wrong(
            None,
            f"lacks {own}, and HAProxy shares tables only if it is a peer itself",
            "Add its address, or set it to {}.",
        )
    if unknown:
        place.warn(
            None,
            f"has no IP address of {', '.join(unknown)}, so stick tables are not shared with it",
            "Gather the facts of all load balancers, or list their addresses in haproxy_peers.",
        )


@dataclasses.dataclass(frozen=True)
class Backends:
    """The services that others may send requests to."""

    every: t.Mapping[str, Item]
    present: frozenset[str]
    usable: frozenset[str]

    def refer(self, name: str, place: Place, mode: str) -> None:
        """Notes what is wrong with a reference from a frontend of this mode to a service's backend."""
        if name in self.usable:
            if mode == "http" and self.every[name].service.balance_type == "tcp":
                place.wrong(name, "is a tcp service, and requests are http", "Give both the same haproxy_balance_type.")
        elif name not in self.every:
            place.wrong(name, "is not a service", did_you_mean(name, self.usable) or "Use the name of a service.")
        elif name not in self.present:
            place.wrong(name, "is a disabled service", "Enable the service, or send the requests elsewhere.")
        elif self.every[name].service.frontend_only:
            place.wrong(name, "has no backend: haproxy_frontend_only is set", "Use a service that has one.")

    def refer_section(self, section: str, place: Place, mode: str) -> None:
        """The same for a section's own name, as maps hold it."""
        if section.endswith("-back"):
            self.refer(section[: -len("-back")], place, mode)
        else:
            hint = f"Write {section}-back." if section in self.usable else "Write the name of a service with -back."
            place.wrong(section, "is not a backend", hint)


def references(wanted: t.Sequence[Item], every: t.Mapping[str, Item], lines: t.Sequence[tuple[str, Place]]) -> None:
    """Whoever sends requests to another service's backend must find one there; ``lines`` are all raw lines."""
    backends = Backends(
        every,
        frozenset(item.name for item in wanted),
        frozenset(item.name for item in wanted if item.service.has_backend),
    )
    in_raw_lines(lines, wanted, backends)
    uses = map_uses(line for line, _place in lines)
    for item in wanted:
        service, place, mode = item.service, item.place, item.service.balance_type
        if service.default_backend:
            backends.refer(service.default_backend, place.key("haproxy_default_backend"), mode)
        for key, acls, key_mode in (
            ("haproxy_acls", service.acls, mode),
            ("haproxy_frontend_acls", service.frontend_acls, "http"),
        ):
            for name, acl in (acls or {}).items():
                if acl.backend_name:
                    backends.refer(acl.backend_name, place.key(f"{key}.{name}.backend_name"), key_mode)
        for index, entries in enumerate(service.map_entries or ()):
            use = uses.get(entries.name)
            if use and entries.is_present:
                map_entries(entries, place.key("haproxy_map_entries").item(index).key("entries"), use, backends)


def in_raw_lines(lines: t.Iterable[tuple[str, Place]], wanted: t.Sequence[Item], backends: Backends) -> None:
    """Backends, tables and maps that raw lines name."""
    modes = {item.name: item.service.balance_type for item in wanted}
    maps = {entries.name for item in wanted for entries in item.service.map_entries or ()}
    for line, place in lines:
        words = split(line)
        for number, (before, word) in enumerate(zip(words, words[1:])):
            section = BACKEND.fullmatch(word)
            if section and number == 0 and before in CHOOSES_BACKEND:
                backends.refer(section[1], place, modes.get(place.name, "tcp"))
            elif section and before == "table":
                backends.refer(section[1], place, "tcp")
        for name in dict.fromkeys(name for word in words for name in MAP_FILE.findall(word)):
            if name not in maps and (hint := did_you_mean(name, maps)):
                place.warn(name, "is not a map of haproxy_map_entries", hint)


def load_balancers(items: t.Iterable[Item], settings: Settings) -> None:
    """Services are limited to load balancers that are there; others may be those of another inventory."""
    known = settings.hosts
    if known is None or settings.host != settings.inventory_hostname:
        return
    for item in items:
        for index, name in enumerate(item.service.limit_hosts or ()):
            if name not in known:
                item.place.key("haproxy_limit_hosts").item(index).warn(
                    name, "is not one of the load balancers", did_you_mean(name, known)
                )


def map_entries(entries: MapEntries, place: Place, use: MapUse, backends: Backends) -> None:
    """Each line of a file that is used as a map has a value, and it is a backend where the map chooses one."""
    for index, line in enumerate(entries.entries or ()):
        words = line.split(maxsplit=1)
        if line.startswith("#"):
            continue
        if len(words) < 2:
            why = f"has no value, and {use.line!r} looks up a value"
            say = place.item(index).wrong if use.names else place.item(index).warn
            say(line, why, f"Write a key, a blank and a {'backend' if use.names else 'value'}.")
        else:
            for before, after in use.names:
                backends.refer_section(f"{before}{words[1]}{after}", place.item(index), "http")


@dataclasses.dataclass
class MapUse:
    """A line that looks values up in a map, and what stands before and after them where they name a backend."""

    line: str
    names: set[tuple[str, str]] = dataclasses.field(default_factory=set)


def map_uses(lines: t.Iterable[str]) -> dict[str, MapUse]:
    """How maps are used, by their name."""
    uses: dict[str, MapUse] = {}
    for line in lines:
        for path in MAP.findall(line):
            use = uses.setdefault(re.sub(r".*/|\.map$", "", path), MapUse(line))
            words = split(line)
            name = COMPUTED_NAME.fullmatch(words[1]) if words[0] == "use_backend" and len(words) > 1 else None
            if name and path in MAP.findall(name["expression"]):
                use.line = line
                use.names.add((name["before"], name["after"]))
    return uses


def raw_lines(items: t.Iterable[Item], settings: Settings | None, problems: Problems) -> t.Iterator[tuple[str, Place]]:
    """All raw lines of services, and of the settings where they are asked for."""
    for item in items:
        yield from lines_of(item.service, KEYS_WITH_LINES, item.place)
    if settings:
        yield from lines_of(settings, SETTINGS_WITH_LINES, Place(problems, ""))


def lines_of(record: Service | Settings, keys: t.Iterable[Key], place: Place) -> t.Iterator[tuple[str, Place]]:
    """The raw lines under these keys of a record."""
    for key in keys:
        if value := held(record, key.name):
            yield from lines_in(key.kind, value, place.key(key.name))
