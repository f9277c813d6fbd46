# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requests that tell what a configuration does: on either side of every condition of every rule. Pure."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
import typing as t
import urllib.parse

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.binds import Bind, binds
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import Section, word_after
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.servers import Server, configured_servers
from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import Words
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.conditions import (
    FOUND,
    Conditions,
    Read,
    Term,
    Wish,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.expectations import CLIENT_IPV4
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.regex_examples import examples
from ansible_collections.lbforge.haproxy.plugins.module_utils.addresses import is_ip

Probe = dict[str, t.Any]

MOST = 300  # requests of one frontend
_MOST_SERVERS = 10  # of a pool, that are taken down one by one
_MOST_PAIRED = 12  # rules whose order is tried
_MOST_TURNS = 40  # requests to see each server of a pool

_RULES = ("http-request", "http-response", "http-after-response", "tcp-request", "tcp-response", "redirect",
          "use_backend", "use-server", "block", "force-persist", "ignore-persist", "monitor")  # fmt: skip
_REFUSALS = ("deny", "reject", "redirect", "return", "tarpit", "silent-drop")
_HEADER_RULES = re.compile(r"(?:set|add|del|replace)-(?:header|value)")
# Clients have to send these as they are, or they say who somebody is.
_NOT_SENT = (
    "host",
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "te",
    "transfer-encoding",
    "upgrade",
)
_SAMPLE = re.compile(r"%(?:\{[^}]*\})?\[((?:[^\[\]]|\[[^\]]*\])*)\]")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
# Ports of administration and of databases that should not be open by mistake.
_USUAL_PORTS = (80, 443, 1936, 3306, 5432, 6379, 8080, 8404, 8443, 9000)


@dataclasses.dataclass(frozen=True)
class Probes:
    """Requests, as expectations of nothing yet; the headers that rules change; and what is missed, in sentences."""

    requests: list[Probe]
    request_headers: list[str]
    response_headers: list[str]
    untold: list[str]


def probes(sections: t.Sequence[Section], read: Read, *, has_http2: bool = False) -> Probes:
    """What to ask a configuration; ``read`` reads a file that it names, such as a map."""
    return _Prober(sections, read, has_http2).run()


class _Prober:
    def __init__(self, sections: t.Sequence[Section], read: Read, has_http2: bool) -> None:
        self._read = read
        self._has_http2 = has_http2
        self._sections = {
            section.name: section for section in sections if section.kind in ("frontend", "listen", "backend")
        }
        self._modes = _modes(sections)
        self._defaults = _default_backends(sections)
        self._binds = [bind for bind in binds(sections) if bind.proxy_kind in ("frontend", "listen") and not bind.udp]
        self._pools: dict[str, list[Server]] = {}
        for (pool, _name), server in configured_servers(sections).items():
            self._pools.setdefault(pool, []).append(server)
        self._untold: dict[str, list[str]] = {}
        self._pools_done: set[str] = set()

    def run(self) -> Probes:
        found: dict[str, Probe] = {}
        for name, entries in self._entries().items():
            its = _unique(self._of_frontend(self._sections[name], entries))
            if len(its) > MOST:
                self._miss(name, f"has {len(its)} telling requests, of which the first {MOST} are made")
            found.update({key: probe for key, probe in list(its.items())[:MOST] if key not in found})
        for probe in self._neighbours():
            found.setdefault(description(probe), probe)
        untold = [f"{', '.join(places)}: {what}." for what, places in self._untold.items()]
        return Probes(list(found.values()), *self._headers(), untold)

    def _miss(self, section: str, what: str) -> None:
        places = self._untold.setdefault(what, [])
        if section not in places:
            places.append(section)

    def _entries(self) -> dict[str, list[Bind]]:
        """Where clients get to each frontend, also by way of another one."""
        found: dict[str, list[Bind]] = {}
        for bind in self._binds:
            if "accept-proxy" in bind.line:
                self._miss(bind.proxy, f"bind {bind} accepts the PROXY protocol only, which no request here speaks")
            else:
                found.setdefault(bind.proxy, []).append(bind)
        for section in self._sections.values():
            for line in section.lines_with("bind"):
                for outer in self._relays(line[1] if len(line) > 1 else ""):
                    for bind in found.get(outer, []):
                        found.setdefault(section.name, []).append(
                            dataclasses.replace(bind, section=f"{section.kind} {section.name}", line=line)
                        )
        return {name: its for name, its in found.items() if name in self._sections}

    def _relays(self, address: str) -> list[str]:
        """The frontends that send requests on to a socket of this HAProxy."""
        if not address.startswith(("abns@", "unix@", "/")):
            return []
        pools = [pool for pool, servers in self._pools.items() if any(one.endpoint == address for one in servers)]
        return [
            name
            for name, section in self._sections.items()
            if section.kind != "backend"
            and any(line[1:2] == (pool,) for line in section.lines if line[0].endswith("_backend") for pool in pools)
        ]

    # One frontend.

    def _of_frontend(self, section: Section, entries: list[Bind]) -> t.Iterator[Probe]:
        is_http = self._modes.get(section.name) == "http"
        for bind in entries:
            yield from self._asked(bind, [{}], is_http)
            if self._has_http2 and is_http and "h2" in word_after(bind.line, "alpn").split(","):
                yield from self._asked(bind, [{"http": "2"}], is_http)
        conditions = Conditions(section.lines, self._read)
        # The first entry of each kind has all requests.
        primary = list({"ssl" in bind.line: bind for bind in reversed(entries)}.values())
        passes = _passing(section, conditions)
        for name in ("stats uri", "monitor-uri"):
            for line in section.lines_with(*name.split()):
                wish = {"path": line[len(name.split())]}
                for bind in primary:
                    yield from self._asked(bind, [wish, {**wish, "path": f"{wish['path']}x"}], is_http)
        wishes = [wish for line in section.lines for wish in self._of_rule(section.name, line, conditions)]
        headers = self._sent(section)
        (base, bind), *others = itertools.product([passes, {}] if passes else [{}], primary)
        yield from self._of_rules(bind, base, headers, wishes, is_http)
        for backend, route in self._routes(section, conditions).items():
            yield from self._of_backend(backend, {**passes, **route}, primary, is_http)
        yield from self._asked(bind, [{**base, **wish} for wish in _pairs(section, conditions)], is_http)
        # What is cut of many requests is the same by another way.
        for base, bind in others:
            yield from self._of_rules(bind, base, headers, wishes, is_http)

    def _of_rules(
        self, bind: Bind, base: Wish, headers: Wish, wishes: t.Iterable[Wish], is_http: bool
    ) -> t.Iterator[Probe]:
        yield from self._asked(bind, [base, {**base, **headers}], is_http)
        yield from self._asked(bind, [{**base, **wish} for wish in wishes], is_http)

    def _of_backend(self, name: str, route: Wish, entries: list[Bind], is_http: bool) -> t.Iterator[Probe]:
        section = self._sections.get(name)
        if section is None:
            return
        if section.kind == "backend":
            conditions = Conditions(section.lines, self._read)
            wishes = [wish for line in section.lines for wish in self._of_rule(name, line, conditions)]
            for bind in entries:
                yield from self._asked(bind, [route, {**route, **self._sent(section)}], is_http)
                yield from self._asked(bind, [{**route, **wish} for wish in wishes], is_http)
        if name not in self._pools_done:
            self._pools_done.add(name)
            yield from self._of_pool(name, route, entries, is_http)

    def _of_pool(self, name: str, route: Wish, entries: list[Bind], is_http: bool) -> t.Iterator[Probe]:
        servers = [
            server for server in self._pools.get(name, []) if not server.endpoint.startswith(("abns@", "unix@", "/"))
        ]
        backups = [f"{name}/{server.name}" for server in servers if server.options.has("backup")]
        active = [server for server in servers if not server.options.has("backup")]
        weights = [server.weight for server in active if server.weight] or [1]
        times = max(4, 2 * sum(weights) // math.gcd(*weights))
        if times > _MOST_TURNS:
            self._miss(name, f"needs {times} requests until each server had its turn, and gets {_MOST_TURNS}")
        many = {**route, "times": str(min(times, _MOST_TURNS))}
        wishes: list[Wish] = [many]
        names = [f"{name}/{server.name}" for server in servers]
        wishes += [{**many, "down": one} for one in names[:_MOST_SERVERS]]
        if len(active) > 1 and backups:
            wishes.append({**many, "down": " ".join(one for one in names if one not in backups)})
        if len(names) > 1:
            wishes.append({**route, "down": " ".join(names)})
        # An entry that does not lead there makes no request.
        for bind in entries:
            if found := list(self._asked(bind, wishes, is_http)):
                yield from found
                return

    # Rules.

    def _of_rule(self, place: str, line: Words, conditions: Conditions) -> t.Iterator[Wish]:
        if line[0] not in _RULES:
            return
        action, condition, _is_unless = _parted(line)
        alternatives = conditions.terms(condition) if condition else [[]]
        own = self._own_term(action, conditions)
        for terms in alternatives:
            for term in terms:
                if not term.is_known:
                    self._miss(place, f"no request here decides {{ {term.text} }} of {' '.join(line[:3])}")
            everything = [*terms, own] if own.inside else terms
            met = _merged(term.met for term in everything)
            yield met
            for term in everything:
                others = _merged(one.met for one in everything if one is not term)
                for wish in (*term.inside, *term.outside):
                    yield {**others, **wish}

    def _own_term(self, action: Words, conditions: Conditions) -> Term:
        """Requests that show what an action does with a part of them."""
        wishes: list[Wish] = []
        for at, word in enumerate(action):
            if word in ("replace-path", "replace-pathq", "replace-uri") and at + 1 < len(action):
                wishes += conditions.asked(
                    "path", [one if one.startswith("/") else f"/{one}" for one in examples(action[at + 1])]
                )
            if word in ("replace-header", "replace-value") and at + 2 < len(action):
                wishes += conditions.asked(f"req.hdr({action[at + 1]})", examples(action[at + 2]))
            for sample in _SAMPLE.findall(word):
                wishes += [wish for _value, wish in conditions.wanted(sample)]
                if found := re.search(r"regsub\(\"?([^,\"]+)", sample):
                    wishes += conditions.asked(sample, examples(found[1]))
        if action[0] == "use_backend" and len(action) > 1 and "%[" in action[1]:
            wishes += [wish for _backend, wish in self._named_backends(action[1], conditions)]
        if (
            any("path" in word or "uri" in word or "url" in word for word in action[1:2])
            or "prefix" in action
            or "scheme" in action
        ):
            wishes.append({"path": "/some/path", "query": "x=1"})
        return Term("", tuple(wishes))

    def _named_backends(self, template: str, conditions: Conditions) -> t.Iterator[tuple[str, Wish]]:
        """The backends that a name with a sample in it may mean, and what leads there."""
        found = _SAMPLE.search(template)
        if not found:
            return
        before, after = template[: found.start()], template[found.end() :]
        if wanted := conditions.wanted(found[1]):
            yield from ((f"{before}{value}{after}", wish) for value, wish in wanted)
            return
        for name in self._sections:
            if name.startswith(before) and name.endswith(after) and len(name) > len(before) + len(after):
                value = name[len(before) : len(name) - len(after)]
                yield from ((name, wish) for wish in conditions.asked(found[1], [value])[:1])

    def _routes(self, section: Section, conditions: Conditions) -> dict[str, Wish]:
        """What leads to each backend of a frontend."""
        routes: dict[str, Wish] = {}
        for line in section.lines_with("use_backend"):
            action, condition, is_unless = _parted(line)
            terms = next(iter(conditions.terms(condition)), []) if condition else []
            met = {} if is_unless else _merged(term.met for term in terms)
            if len(action) > 1 and "%[" not in action[1]:
                routes.setdefault(action[1], met)
            elif len(action) > 1:
                for name, wish in self._named_backends(action[1], conditions):
                    routes.setdefault(name, {**met, **wish})
        if section.kind == "listen":
            routes.setdefault(section.name, {})
        for name in [line[1] for line in section.lines_with("default_backend") if len(line) > 1] or [
            self._defaults.get(section.name, "")
        ]:
            routes.setdefault(name, {})
        return routes

    # Requests.

    def _asked(self, bind: Bind, wishes: t.Iterable[Wish], is_http: bool) -> t.Iterator[Probe]:
        for wish in wishes:
            probe = _http(bind, wish) if is_http else _tcp(bind)
            if probe is None or not _fits(bind, wish):
                continue
            request = probe["request"]
            for key, option in (("source", "from"), ("sni", "sni"), ("method", "method")):
                if key in wish and (is_http or key != "method"):
                    request[option] = wish[key]
            if "times" in wish:
                request["times"] = int(wish["times"])
            down = self._down(wish)
            if down is not None:
                yield {**probe, "given": {"down": down}} if down else probe

    def _down(self, wish: Wish) -> list[str] | None:
        """The servers that are down; None if there are no such ones."""
        known = {f"{pool}/{server.name}" for pool, servers in self._pools.items() for server in servers}
        words = [*wish.get("down", "").split(), *wish.get("server down", "").split()]
        found: list[str] = []
        for word in words:
            found += [word] if word in known else [f"{word}/{server.name}" for server in self._pools.get(word, [])]
        return None if words and not found else found

    def _sent(self, section: Section) -> Wish:
        """The headers that rules change, as a client sends them."""
        names = dict.fromkeys(name for kind, name in _changed(section) if kind == "http-request")
        return {f"header {name}": FOUND for name in names if name not in _NOT_SENT}

    def _headers(self) -> tuple[list[str], list[str]]:
        changed = [pair for section in self._sections.values() for pair in _changed(section)]
        asked = dict.fromkeys(name for kind, name in changed if kind == "http-request")
        answered = dict.fromkeys(name for kind, name in changed if kind != "http-request")
        return list(asked), list(answered)

    def _neighbours(self) -> t.Iterator[Probe]:
        """Places where nobody should listen: other addresses of the load balancer, and usual ports."""
        addresses = list(dict.fromkeys(bind.address for bind in self._binds if not bind.is_wildcard))
        ports = dict.fromkeys([*(bind.port for bind in self._binds), *_USUAL_PORTS])
        for address in addresses[:4]:
            for port in list(ports)[:40]:
                if not any(bind.port == port and bind.takes(address) for bind in self._binds):
                    place = f"[{address}]" if ":" in address else address
                    yield {"request": {"connect": f"{place}:{port}"}}


def description(probe: Probe) -> str:
    """A request in words, different for each."""
    request = probe["request"]
    method = request.get("method", "GET")
    words = [*([method] if method != "GET" else []), request.get("url") or f"connection to {request['connect']}"]
    if "to" in request:
        words.append(f"at {request['to']}")
    if "from" in request:
        words.append(f"from {request['from']}")
    if headers := request.get("headers"):
        words.append("with " + ", ".join(f"{name}: {value}" for name, value in headers.items()))
    if "sni" in request:
        words.append(f"by TLS for {request['sni']}")
    if "http" in request:
        words.append("by HTTP/2")
    if "times" in request:
        words.append(f"{request['times']} times")
    if down := probe.get("given", {}).get("down"):
        words.append(f"without {', '.join(down)}")
    return " ".join(words)


def _unique(found: t.Iterable[Probe]) -> dict[str, Probe]:
    unique: dict[str, Probe] = {}
    for probe in found:
        unique.setdefault(description(probe), probe)
    return unique


def _http(bind: Bind, wish: Wish) -> Probe | None:
    tls = "ssl" in bind.line
    address = _address(bind)
    place = f"[{address}]" if ":" in address else address
    host = wish.get("host", "")
    headers = {key.partition(" ")[2]: value for key, value in wish.items() if key.startswith("header ")}
    if not _NAME.fullmatch(host) or is_ip(host):
        # What no URL can have.
        headers.update({"Host": host} if host and host != address else {})
        host = ""
    port = "" if bind.port == (443 if tls else 80) else f":{bind.port}"
    path = urllib.parse.quote(wish.get("path", "/"), safe="/%:@!$&'()*+,;=~.-_[]|")
    query = urllib.parse.quote(wish.get("query", ""), safe="/%:@!$&'()*+,;=~.-_?[]|")
    url = f"{'https' if tls else 'http'}://{host or place}{port}{path}{f'?{query}' if query else ''}"
    request: dict[str, t.Any] = {"url": url}
    if host:
        request["to"] = address
    if headers:
        request["headers"] = headers
    if wish.get("http") == "2":
        request["http"] = "2"
    return {"request": request}


def _tcp(bind: Bind) -> Probe:
    address = _address(bind)
    request: dict[str, t.Any] = {"connect": f"[{address}]:{bind.port}" if ":" in address else f"{address}:{bind.port}"}
    if "ssl" in bind.line:
        request["tls"] = True
    return {"request": request}


def _address(bind: Bind) -> str:
    if not bind.is_wildcard:
        return bind.address
    return "::1" if ":" in bind.address else "127.0.0.1"


def _fits(bind: Bind, wish: Wish) -> bool:
    """Whether such a request can come to a bind."""
    if "tls" in wish and "sni" not in wish and (wish["tls"] == "yes") != ("ssl" in bind.line):
        return False
    source = wish.get("source", CLIENT_IPV4)
    if "source" in wish and (not is_ip(source) or (":" in source) != (":" in bind.address)):
        return False
    if not re.fullmatch(r"[A-Z]+", wish.get("method", "GET")) or wish.get("method") in ("CONNECT", "TRACE"):
        return False
    return all(value.isprintable() and value.isascii() and value == value.strip() for value in wish.values())


def _merged(wishes: t.Iterable[Wish]) -> Wish:
    merged: dict[str, str] = {}
    for wish in wishes:
        merged.update(wish)
    return merged


def _parted(line: Words) -> tuple[Words, Words, bool]:
    """An action, its condition, and whether that is turned by ``unless``."""
    for at, word in enumerate(line):
        if at and word in ("if", "unless"):
            return line[:at], line[at + 1 :], word == "unless"
    return line, (), False


def _passing(section: Section, conditions: Conditions) -> Wish:
    """What a request needs so that no rule refuses it that knows only exceptions, as ``deny unless``."""
    wish: dict[str, str] = {}
    for line in section.lines:
        action, condition, is_unless = _parted(line)
        if action[0] in _RULES and condition and set(action[:3]) & set(_REFUSALS):
            for terms in conditions.terms(condition):
                if is_unless and not any(term.negated for term in terms):
                    wish.update(_merged(term.met for term in terms))
                elif not is_unless and all(term.negated for term in terms):
                    wish.update(next(iter(terms[0].inside), {}))
    wish.pop("tls", None)
    return wish


def _pairs(section: Section, conditions: Conditions) -> t.Iterator[Wish]:
    """Requests that two rules are for of which one decides, so that their order matters."""
    met = []
    for line in section.lines:
        action, condition, is_unless = _parted(line)
        decides = action[0] == "use_backend" or (action[0] in _RULES and set(action[:3]) & set(_REFUSALS))
        if decides and condition and not is_unless:
            met += [_merged(term.met for term in terms) for terms in conditions.terms(condition)[:2]]
    for one, other in itertools.combinations(met[:_MOST_PAIRED], 2):
        if all(one[key] == other[key] for key in one.keys() & other.keys()):
            yield {**one, **other}


def _changed(section: Section) -> t.Iterator[tuple[str, str]]:
    """The headers that rules of a section change, each with the kind of rule."""
    for line in section.lines:
        for at, word in enumerate(line[:-1]):
            # With -m it is a part of a name.
            if _HEADER_RULES.fullmatch(word) and line[0].startswith("http-") and line[at + 2 : at + 3] != ("-m",):
                yield line[0], line[at + 1].lower()
    if section.lines_with("option", "forwardfor"):
        yield "http-request", "x-forwarded-for"


def _inherited(sections: t.Sequence[Section], start: str) -> dict[str, str]:
    """A word behind a keyword, of each proxy, its own or that of its defaults."""
    found: dict[str, str] = {}
    named: dict[str, str] = {}
    latest = ""
    for section in sections:
        words = [line[1] for line in section.lines_with(start) if len(line) > 1]
        heading = section.heading
        base = named.get(word_after(heading, "from"), "") if "from" in heading else latest
        value = words[-1] if words else ("" if section.kind == "defaults" and "from" not in heading else base)
        if section.kind == "defaults":
            latest = value
            named[section.name] = value
        else:
            found[section.name] = value
    return found


def _modes(sections: t.Sequence[Section]) -> dict[str, str]:
    return {name: mode or "tcp" for name, mode in _inherited(sections, "mode").items()}


def _default_backends(sections: t.Sequence[Section]) -> dict[str, str]:
    return _inherited(sections, "default_backend")
