# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Conditions of rules, and the requests that meet them or narrowly do not. Pure.

HAProxy Configuration Manual, section 7, "Using ACLs and fetching samples". Which requests meet a condition decides
HAProxy; here it only matters that there is one on either side of every limit.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import itertools
import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import Words
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.regex_examples import examples

#: what a request has to have: a path, a host, a source, ``header NAME`` …
Wish = t.Mapping[str, str]
#: the text of a file that a configuration names; empty if it is not there
Read = t.Callable[[str], str]

FOUND = "rehearsal"  # a value where only the presence of one counts
_MOST_PATTERNS = 8

_CALL = re.compile(r"(?P<name>[\w.]+)(?:\((?P<argument>[^()]*)\))?")
_METHODS = ("str", "beg", "end", "sub", "dir", "dom", "reg", "len", "int", "ip", "found", "bool")
_FLAGS_WITH_VALUE = ("-m", "-f", "-u")
_OPERATORS = ("eq", "ge", "gt", "le", "lt")
# Predefined ACLs, section 7.4, that a request can meet or not.
_PREDEFINED: dict[str, Words] = {
    **{f"METH_{method}": ("method", method) for method in ("DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT")},
    "HTTP_URL_SLASH": ("path_beg", "/"),
    "LOCALHOST": ("src", "127.0.0.1/8"),
    "TRUE": ("always_true",),
    "FALSE": ("always_false",),
    "HTTP": ("always_true",),
    "HTTP_2.0": ("always_false",),
    "WAIT_END": ("always_true",),
}
# Other words for the same sample.
_ALIASES = {
    "url": "path", "pathq": "path", "hdr": "req.hdr", "req.fhdr": "req.hdr", "fhdr": "req.hdr", "cook": "req.cook",
    "cookie": "req.cook", "urlp": "url_param", "req_ssl_sni": "ssl_fc_sni", "req.ssl_sni": "ssl_fc_sni",
    "base": "base", "capture.req.uri": "path", "capture.req.method": "method",
}  # fmt: skip
# Samples that each request has, or that its bind decides.
_GIVEN = ("always_true", "always_false", "dst", "dst_port", "req.proto_http", "req_proto_http", "req.ssl_hello_type",
          "req_ssl_hello_type", "req.ssl_ver", "fe_id", "so_id", "fe_name")  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Term:
    """One condition of a rule, with requests that meet it (``inside``) and that narrowly do not (``outside``)."""

    text: str
    inside: tuple[Wish, ...] = ()
    outside: tuple[Wish, ...] = ()
    negated: bool = False
    is_known: bool = True

    @property
    def met(self) -> Wish:
        """What a request needs so that the rule is not kept from it by this."""
        wishes = self.outside if self.negated else self.inside
        # A request without anything special does not match.
        return {} if self.negated or not wishes else wishes[0]


class Conditions:
    """The conditions of one section: its ACLs, and its variables by the samples that they hold."""

    def __init__(self, lines: t.Iterable[Words], read: Read) -> None:
        self._read = read
        self._acls: dict[str, list[Words]] = {}
        self._variables: dict[str, str] = {}
        self._set_if: dict[str, Words] = {}
        for line in lines:
            if line[0] == "acl" and len(line) > 2:
                self._acls.setdefault(line[1], []).append(line[2:])
            for at, word in enumerate(line[:-1]):
                if found := re.fullmatch(r"set-var\((?P<name>[^,)]+)[^)]*\)", word):
                    self._variables.setdefault(found["name"], line[at + 1])
                    if line[at + 2 : at + 3] == ("if",):
                        self._set_if.setdefault(found["name"], line[at + 3 :])

    def terms(self, words: Words) -> list[list[Term]]:
        """The alternatives of what follows ``if`` or ``unless``, each the terms that have to be met together."""
        alternatives: list[list[Term]] = [[]]
        negated, place = False, 0
        while place < len(words):
            word = words[place]
            place += 1
            if word in ("or", "||"):
                alternatives.append([])
                continue
            if word.startswith("!"):
                negated, word = not negated, word[1:]
                if not word:
                    continue
            if word == "{":
                end = words.index("}", place) if "}" in words[place:] else len(words)
                term = self._term(words[place:end])
                place = end + 1
            else:
                term = self._named(word)
            alternatives[-1].append(dataclasses.replace(term, negated=negated))
            negated = False
        return [terms for terms in alternatives if terms]

    def wanted(self, sample: str) -> list[tuple[str, Wish]]:
        """The keys of a map that a sample is looked up in: what each leads to, and what asks for it."""
        source, map_file, method = self._source(sample)
        found = []
        for line in _lines(self._read(map_file)) if map_file else ():
            key, _blank, value = line.partition(" ")
            inside, _outside = _values(method, key, is_path=source.startswith("path"))
            found += [(value.strip(), wish) for wish in _wishes(source, inside[:1])]
            if len(found) == 1:
                found += [(value.strip(), wish) for wish in _wishes(source, [inside[0].upper()])]
        return found

    def asked(self, sample: str, values: t.Sequence[str]) -> list[Wish]:
        """What asks for a sample with these values."""
        return _wishes(self._source(sample)[0], values)

    def _named(self, name: str) -> Term:
        definitions = self._acls.get(name) or ([_PREDEFINED[name]] if name in _PREDEFINED else [])
        found = [self._term(words) for words in definitions]
        return Term(
            name,
            tuple(wish for term in found for wish in term.inside),
            tuple(wish for term in found for wish in term.outside),
            is_known=bool(found) and all(term.is_known for term in found),
        )

    def _term(self, words: Words) -> Term:
        if not words:
            return Term("", is_known=False)
        sample, options, patterns = _split(words)
        text = " ".join(words)
        variable = _CALL.fullmatch(sample)
        if variable and variable["name"] == "var" and variable["argument"] in self._set_if:
            # It is met where the variable was set.
            condition = self._set_if.pop(variable["argument"])  # which may ask for it itself
            alternatives = self.terms(condition)
            self._set_if[variable["argument"]] = condition
            if len(alternatives) == 1 and len(alternatives[0]) == 1 and not alternatives[0][0].negated:
                return dataclasses.replace(alternatives[0][0], text=text)
        source, map_file, _method = self._source(sample)
        method = options.get("-m") or _method_of(sample, source)
        if source in _GIVEN:
            return Term(text, ({},))
        if source == "ssl_fc":
            return Term(text, ({"tls": "yes"},), ({"tls": "no"},))
        if source.startswith(("nbsrv", "srv_is_up")):
            return _of_servers(text, source)
        if map_file:
            wishes = [wish for value, wish in self.wanted(sample) if method == "found" or value in patterns]
            return Term(text, tuple(wishes[:_MOST_PATTERNS]), is_known=bool(wishes))
        if "-f" in options:
            patterns = [line.split(" ")[0] for line in _lines(self._read(options["-f"]))] + patterns
        inside: list[Wish] = []
        outside: list[Wish] = []
        for pattern in _few(patterns) if method not in ("found", "bool") else [""]:
            matching, near = _values(method, pattern, is_path=source.startswith("path"))
            inside += _wishes(source, matching)
            outside += _wishes(source, near)
        return Term(text, tuple(inside), tuple(outside), is_known=bool(inside))

    def _source(self, sample: str, depth: int = 0) -> tuple[str, str, str]:
        """Where a sample comes from, such as ``req.hdr host``; and the map that it is looked up in, with its method."""
        first, *converters = _calls(sample)
        name, argument = first
        if name == "var" and argument in self._variables and depth < 5:
            source, map_file, method = self._source(self._variables[argument], depth + 1)
        else:
            for suffix in ("", *(f"_{method}" for method in (*_METHODS, "val", "cnt"))):
                base = name[: len(name) - len(suffix)] if suffix and name.endswith(suffix) else name
                known = _ALIASES.get(base, base)
                if known in _SOURCES or known in _GIVEN:
                    name = known
                    break
            source, map_file, method = f"{name} {argument.split(',')[0].lower()}".strip(), "", ""
        for converter, its_argument in converters:
            if converter == "map" or converter.startswith("map_"):
                map_file = its_argument.split(",")[0]
                method = converter.split("_")[1] if "_" in converter else "str"
        return source, map_file, method


def _of_servers(text: str, source: str) -> Term:
    """Whether a pool, or one server, is up."""
    kind, _blank, name = source.partition(" ")
    return Term(text, ({"down" if kind == "nbsrv" else "server down": name},), ({},), is_known=bool(name))


def _calls(sample: str) -> list[tuple[str, str]]:
    return [(found["name"], found["argument"] or "") for found in _CALL.finditer(sample)] or [("", "")]


def _split(words: Words) -> tuple[str, dict[str, str], list[str]]:
    """A sample, the flags with their values, and the patterns."""
    sample, rest = words[0], list(words[1:])
    options: dict[str, str] = {}
    while rest and rest[0].startswith("-") and len(rest[0]) == 2:
        flag = rest.pop(0)
        if flag == "--":
            break
        options[flag] = rest.pop(0) if flag in _FLAGS_WITH_VALUE and rest else ""
    patterns: list[str] = []
    while rest:
        word = rest.pop(0)
        patterns.append(f"{word} {rest.pop(0)}" if word in _OPERATORS and rest else word)
    return sample, options, patterns


def _method_of(sample: str, source: str) -> str:
    """How a sample is matched unless ``-m`` says so."""
    (name, _argument), *converters = _calls(sample)
    if any(converter in ("length", "bytes") for converter, _argument in converters):
        return "len"
    suffix = name.rpartition("_")[2]
    if source == "src" or (suffix == "ip" and name.endswith("hdr_ip")):
        return "ip"
    if suffix in ("cnt", "val"):
        return "int"
    return suffix if suffix in _METHODS and "_" in name else "str"


def _values(method: str, pattern: str, *, is_path: bool) -> tuple[list[str], list[str]]:
    """Values that match a pattern, and others that are close to it."""
    if method in ("found", "bool"):
        return [FOUND], []
    if method == "ip":
        return _addresses(pattern)
    if method in ("int", "len"):
        numbers = _numbers(pattern)
        on, off = ([_sized(one, is_length=method == "len") for one in side] for side in numbers)
        return on, off
    start = "/x" if is_path else "x"
    if method == "reg":
        found = examples(pattern)
        inside = [one if one.startswith("/") or not is_path else f"/{one}" for one in found]
        return inside, [f"{one}x" for one in inside[:2]] + [start + one for one in inside[:2]]
    last = "y" if pattern.endswith("x") else "x"
    case = [pattern.upper()] if pattern.upper() != pattern else [pattern.lower()]
    cut = [pattern[:-1] + last] if len(pattern) > 1 else []
    near: dict[str, tuple[list[str], list[str]]] = {
        "beg": ([f"{pattern}x", pattern], [*cut, f"{start}{pattern}"]),
        "end": ([f"{start}{pattern}"], [f"{start}{pattern}x", start + pattern[1:]]),
        "sub": ([f"{start}{pattern}x", pattern], [f"{start}{pattern[:-1]}"]),
        "dir": ([f"/{pattern.strip('/')}/x", f"/x/{pattern.strip('/')}"], [f"/{pattern.strip('/')}x"]),
        "dom": ([pattern, f"x.{pattern}"], [f"x{pattern}"]),
    }
    inside, outside = near.get(method, ([pattern], [f"{pattern}x", f"{pattern}/x" if is_path else f"x{pattern}"]))
    return inside, [*outside, *(one for one in case if one != pattern)]


def _sized(number: int, *, is_length: bool) -> str:
    return "/" + "x" * (min(number, 2000) - 1) if is_length else str(number)


def _addresses(pattern: str) -> tuple[list[str], list[str]]:
    try:
        network = ipaddress.ip_network(pattern, strict=False)
    except ValueError:
        return [], []
    first, last = network.network_address, network.broadcast_address
    inside = dict.fromkeys(str(one) for one in (first + min(1, int(last) - int(first)), first, last))
    outside = [
        str(edge + step)
        for edge, step in ((first, -1), (last, 1))
        if 0 < int(edge) + step < 2**network.max_prefixlen - 1
    ]
    return list(inside), outside


def _numbers(pattern: str) -> tuple[list[int], list[int]]:
    operator, _blank, number = pattern.rpartition(" ")
    if not re.fullmatch(r"\d+(:\d+)?", number):
        return [], []
    low, _colon, high = number.partition(":")
    first, last = int(low), int(high or low)
    bounds = {
        "gt": ([first + 1], [first]),
        "ge": ([first], [first - 1]),
        "lt": ([first - 1], [first]),
        "le": ([first], [first + 1]),
    }
    inside, outside = bounds.get(operator, ([first, last], [first - 1, last + 1]))
    return list(dict.fromkeys(max(0, one) for one in inside)), [one for one in outside if one >= 0]


def _wish_of_base(_argument: str, value: str) -> Wish:
    host, slash, path = value.partition("/")
    return {**({"host": host} if host else {}), **({"path": slash + path} if slash else {})}


def _wish_of_path(_argument: str, value: str) -> Wish:
    path, _mark, query = (value if value.startswith("/") else f"/{value}").partition("?")
    return {"path": path, **({"query": query} if query else {})}


# What asks for a sample with a value; the argument of the sample comes first.
_SOURCES: dict[str, t.Callable[[str, str], Wish]] = {
    "path": _wish_of_path,
    "base": _wish_of_base,
    "query": lambda _argument, value: {"query": value},
    "url_param": lambda argument, value: {"query": f"{argument}={value}"},
    "method": lambda _argument, value: {"method": value},
    "src": lambda _argument, value: {"source": value},
    "ssl_fc_sni": lambda _argument, value: {"sni": value, "host": value, "tls": "yes"},
    "req.hdr": lambda argument, value: {"host" if argument == "host" else f"header {argument}": value},
    "req.hdr_ip": lambda argument, value: {f"header {argument}": value},
    "req.cook": lambda argument, value: {"header cookie": f"{argument}={value}"},
    "ssl_fc": lambda _argument, _value: {"tls": "yes"},
    "nbsrv": lambda argument, _value: {"down": argument},
    "srv_is_up": lambda argument, _value: {"server down": argument},
}


def _wishes(source: str, values: t.Iterable[str]) -> list[Wish]:
    name, _blank, argument = source.partition(" ")
    make = _SOURCES.get(name)
    return [make(argument, value) for value in values if value] if make else []


def _lines(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [" ".join(line.split()) for line in lines if line and not line.startswith("#")]


def _few(patterns: t.Sequence[str]) -> list[str]:
    """The first ones and the last one."""
    return list(dict.fromkeys(itertools.chain(patterns[:_MOST_PATTERNS], patterns[-1:])))
