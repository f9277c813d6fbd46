# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of value that HAProxy has, beside those that belong to nobody."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.sections import SECTIONS
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.schema import EXPECTATION_OF_SERVICE
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.kinds import (
    INVALID,
    Boolean,
    DictOf,
    Form,
    Integer,
    JsonSchema,
    Kind,
    ListOf,
    Text,
    in_any_case,
    one_line,
    one_of,
    unsupported,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.place import AnyPlace, Place
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.table import Record
from ansible_collections.lbforge.haproxy.plugins.module_utils._services import networks, raw_lines
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.typed import TypedRecord
from ansible_collections.lbforge.haproxy.plugins.module_utils.characters import CONTROL
from ansible_collections.lbforge.haproxy.plugins.module_utils.hints import did_you_mean

# A label of a DNS name (RFC 1123 section 2.1), underscores included since people use them.
HOSTNAME = re.compile(r"(?=.{1,253}\Z)(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")

# For JSON Schema, which can only look at the form of an address.
_OCTET = "(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
IPV4 = rf"({_OCTET}\.){{3}}{_OCTET}"
IPV6 = r"[0-9a-fA-F:]*:[0-9a-fA-F:.]*"
LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
# HAProxy stores durations as signed 32-bit milliseconds (configuration manual, section 2.5).
LONGEST_DURATION_MS = 2**31 - 1

DURATION = re.compile(r"([0-9]{1,15})(us|ms|s|m|h|d)?")

MS_PER_UNIT = {"us": 0.001, "ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, None: 1}

# The character set of proxy and server names: configuration manual, section 2.2 and "server".
NAME = Text(r"[A-Za-z0-9_.:-]+", "a name", "Use letters, digits, '-', '_', '.' and ':' only.")

# A file of the release lies flat in the configuration directory, so its name is no path.
FILE_NAME = Text(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", "a file name", "Use letters, digits, '-', '_' and '.' only.")

PATH = Text(
    "/[^\\s'\"#\\\\]*",
    "an absolute path",
    "Start the path with '/', and use neither blanks nor quotes, backslashes or '#'.",
)

# What the authority calls its own, or where something else lies.
NAME_OR_PATH = Text("/[^\\s'\"\\[\\]#\\\\]*|[A-Za-z0-9_][A-Za-z0-9_.:@%+-]*", "a name or an absolute path")

PORT = Integer(
    1,
    65535,
    "a port",
    (Form(r"[0-9]+\s*-\s*[0-9]+", "is a port range, which is not supported", "Write one service for each port."),),
)

COUNT = Integer(1, 1_000, "a count")

# HAProxy's own bound for maxconn values on one process.
CONNECTIONS = Integer(1, 2_000_000, "a number of connections")

SOURCE_CONNECTIONS = Integer(0, 2_000_000, "a number of connections")

WEIGHT = Integer(0, 256, "a weight")


@dataclasses.dataclass(frozen=True)
class Duration(Kind):
    """A time as HAProxy writes it (configuration manual, section 2.5); a bare number is milliseconds."""

    #: what HAProxy would make of 0
    zero: str = "is out of range for a duration"

    def read(self, value: t.Any, place: Place) -> t.Any:
        text = "" if isinstance(value, bool) or not isinstance(value, (str, int)) else str(value).strip()
        match = DURATION.fullmatch(text)
        hint = "Write a number with the unit us, ms, s, m, h or d, such as 30s; a bare number is milliseconds."
        if not match:
            place.wrong(value, "is not a duration", hint)
            return INVALID
        if not 0 < milliseconds(text) <= LONGEST_DURATION_MS:
            why = "is out of range for a duration" if milliseconds(text) else self.zero
            place.wrong(value, why, "Use more than 0 and less than 24.8 days.")
            return INVALID
        return text

    def words(self) -> str:
        return "duration (`30s`, `500ms`; a bare number is milliseconds)"

    def json_schema(self) -> JsonSchema:
        return {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": LONGEST_DURATION_MS},
                {"type": "string", "pattern": r"^\s*(?=0*[1-9])[0-9]{1,15}(us|ms|s|m|h|d)?\s*$|\{[{%]"},
            ]
        }


# HAProxy warns of such a configuration itself: "you will certainly encounter various problems".
TIMEOUT = Duration("switches the timeout off, and dead connections would stay forever")


def milliseconds(duration: str) -> float:
    """How long a duration is that has been read already."""
    match = DURATION.fullmatch(duration)
    return int(match[1]) * MS_PER_UNIT[match[2]] if match else 0


# What HAProxy takes for an address: configuration manual, section 11 and keyword `bind`.
NOT_ADDRESSES = (
    Form(r"(unix@|abnsz?@|/).*", "is a UNIX socket, which is not supported", "Use the address of a TCP socket."),
    Form(
        r"(quic[46]|ipv[46]|udp[46]?|fd|sockpair|rhttp)@.*",
        "begins with an address family, which is not supported",
        "Write only the address.",
    ),
    Form(
        r"[0-9a-fA-F.:\[\]]+/[0-9]*",
        "is neither an IP address nor a DNS name",
        "Write only the address, without prefix length and port.",
    ),
    Form(
        r"\[.*\]:[0-9-]*|[^:]*:[0-9-]*",
        "is neither an IP address nor a DNS name",
        "Write only the address, without prefix length and port; the port has its own key.",
    ),
)


@dataclasses.dataclass(frozen=True)
class Address(Kind):
    """An IPv4 or IPv6 address or a DNS name, and the wildcards where something listens."""

    wildcard: bool = False

    def read(self, value: t.Any, place: Place) -> t.Any:
        text = one_line(value, place)
        if text is INVALID:
            return INVALID
        text = text.strip()
        if self.wildcard and text == "*":
            return text
        bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
        if "%" in text:
            place.wrong(value, "names an interface", "Write only the address; binds have the key interface.")
            return INVALID
        try:
            address = ipaddress.ip_address(bare)
        except ValueError:
            pass
        else:
            # One address, one spelling: two binds on it must be seen as such.
            return str(getattr(address, "ipv4_mapped", None) or address)
        if re.fullmatch(r"[\d.]+", text) or not HOSTNAME.fullmatch(text):
            why, hint = unsupported(text, NOT_ADDRESSES) or (
                "is neither an IP address nor a DNS name",
                "Write an address such as 192.0.2.10 or 2001:db8::10, or a DNS name.",
            )
            place.wrong(value, why, hint)
            return INVALID
        return text

    def words(self) -> str:
        return "IPv4 or IPv6 address, DNS name" + (" or `*`" if self.wildcard else "")

    def json_schema(self) -> JsonSchema:
        name = rf"(?=[^ ]*[^0-9. ]){LABEL}(\.{LABEL})*\.?"
        forms = [IPV4, IPV6, rf"\[{IPV6}\]", name, *([r"\*"] if self.wildcard else [])]
        return {"type": "string", "pattern": rf"^ *({'|'.join(forms)}) *$|\{{[{{%]"}


@dataclasses.dataclass(frozen=True)
class Network(Kind):
    """An address, a network, a range or a wildcard, or the name of a list of them; whether it exists others know."""

    def read(self, value: t.Any, place: Place) -> t.Any:
        text = one_line(value, place)
        if text is INVALID:
            return INVALID
        text = text.strip()
        if networks.is_list_name(text):
            place.problems.references.append((place, text))
            return text
        try:
            networks.cidrs(text)
        except networks.NetworkError as error:
            place.wrong(value, error.why, error.hint)
            return INVALID
        return text

    def words(self) -> str:
        return "network in CIDR notation, range, wildcard or name of `haproxy_network_lists`"

    def json_schema(self) -> JsonSchema:
        lengths = {IPV4: rf"3[0-2]|[12]?[0-9]|{IPV4}", IPV6: "12[0-8]|1[01][0-9]|[1-9]?[0-9]"}
        forms = [f"{address}(/({length}))?" for address, length in lengths.items()]
        forms += [f"{address} *- *{address}" for address in lengths]
        forms += [r"(?=[^ ]*[*-])[0-9*-]+(\.[0-9*-]+){3}", networks.LIST_NAME.pattern]
        return {"type": "string", "pattern": rf"^ *({'|'.join(forms)}) *$|\{{[{{%]"}


@dataclasses.dataclass(frozen=True)
class Balance(Kind):
    """A load balancing algorithm: configuration manual, keyword `balance`."""

    plain: t.ClassVar[tuple[str, ...]] = ("roundrobin", "static-rr", "leastconn", "first", "source", "random", "uri")
    #: those that take arguments, the pattern of these, and an example
    with_arguments: t.ClassVar[dict[str, tuple[str, str]]] = {
        "uri": (r"uri( (len|depth) \d+| whole| path-only)*", "uri depth 2"),
        "random": (r"random(\([1-9][0-9]*\))?", "random(2)"),
        "url_param": (r"url_param [\w.-]+( check_post)?", "url_param userid"),
        "hdr": (r"hdr\([\w-]+\)( use_domain_only)?", "hdr(host)"),
        "hash": (r"hash \S.*", "hash path"),
        "rdp-cookie": (r"rdp-cookie(\([\w-]+\))?", "rdp-cookie(mstshash)"),
    }

    def read(self, value: t.Any, place: Place) -> t.Any:
        text = one_line(value, place)
        if text is INVALID:
            return INVALID
        word = re.split(r"[ (]", text.strip())[0]
        pattern, example = self.with_arguments.get(word, ("|".join(self.plain), ""))
        if not re.fullmatch(pattern, text.strip()):
            known = sorted({*self.plain, *self.with_arguments})
            if example:
                place.wrong(value, f"is not how {word} takes its arguments", f"Write it as in {example}.")
            else:
                near = "" if word in known else did_you_mean(word, known)
                place.wrong(value, "is not a balance algorithm", near or one_of(known))
            return INVALID
        line = raw_lines.read_line(text, place, before=1)
        return INVALID if line is None else line

    def words(self) -> str:
        return "balance algorithm with its arguments"

    def json_schema(self) -> JsonSchema:
        forms = "|".join([*self.plain, *(pattern for pattern, _example in self.with_arguments.values())])
        return {"type": "string", "pattern": rf"^ *({forms}) *$|\{{[{{%]"}


@dataclasses.dataclass(frozen=True)
class Line(Text):
    """A line of HAProxy configuration, or what follows its first words; comments are left out.

    ``before`` is the number of these first words, which we write; without any, it is a whole line.
    """

    what: str = "a line of HAProxy configuration inside a section"
    hint: str = "Write a single line of text."
    before: int = 0

    def read(self, value: t.Any, place: Place) -> t.Any:
        lines = self.lines(value, place)
        if len(lines) != 1:
            place.wrong(value, "contains a newline" if lines else "is empty", self.hint)
            return INVALID
        return lines[0]

    def lines(self, value: t.Any, place: Place) -> list[t.Any]:
        """All lines of a text that are not empty, INVALID for each that is wrong."""
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            place.wrong(value, "is not text", "Write a single line of text.")
            return [INVALID]
        text = str(value).replace("\r\n", "\n")
        if CONTROL.search(text.translate({ord("\n"): "", ord("\t"): ""})):
            place.wrong(value, "contains a newline or control character", "Write text without control characters.")
            return [INVALID]
        lines = [self.line(line, place) for line in text.split("\n")]
        return [line for line in lines if line != ""]

    def line(self, text: str, place: Place) -> t.Any:
        line = raw_lines.read_line(text, place, self.before)
        if line is None:
            return INVALID
        if line and not re.fullmatch(self.pattern, line):
            place.wrong(text, f"is not {self.what}", self.hint)
            return INVALID
        return line

    def json_schema(self) -> JsonSchema:
        if self.pattern != Text.pattern:
            return super().json_schema()
        if self.before:
            return {"type": "string"}
        sections = "|".join(word.replace(".", "\\.") for word in (*SECTIONS, *raw_lines.DIRECTIVES))
        return {"type": "string", "pattern": rf"^(?!\s*({sections})(\s|$))"}


LINE = Line()


@dataclasses.dataclass(frozen=True)
class Lines(ListOf):
    """Lines of HAProxy configuration; an item may be a block of several. What is empty or a comment is left out."""

    of: Line = LINE
    #: whether we write all items on one line, behind each other
    joined: bool = False

    def read(self, value: t.Any, place: Place) -> t.Any:
        if isinstance(value, str):
            return self.read_items([(value, place)])
        if isinstance(value, (list, tuple)):
            return self.read_items([(item, place.item(index)) for index, item in enumerate(value)])
        return super().read(value, place)

    def read_items(self, items: t.Iterable[tuple[t.Any, Place]]) -> t.Any:
        result: list[t.Any] = []
        for item, place in items:
            lines = self.of.lines(item, place)
            if self.joined and len(lines) > 1:
                place.wrong(item, "contains a newline", self.of.hint)
            result += lines
        return INVALID if any(line is INVALID for line in result) else result

    def words(self) -> str:
        return f"list of: {self.of.words()}" + ("" if self.joined else ", or blocks of such lines")


def holds_lines(kind: Kind) -> bool:
    """Whether values of this kind are raw lines, or have some in them."""
    if isinstance(kind, Record):
        return any(holds_lines(key.kind) for key in kind.keys)
    return holds_lines(kind.of) if isinstance(kind, (ListOf, DictOf)) else isinstance(kind, Line)


def lines_in(kind: Kind, value: t.Any, place: AnyPlace) -> t.Iterator[tuple[str, AnyPlace]]:
    """Every raw line in a value that has been read, with its place."""
    if isinstance(kind, Line):
        yield value, place
    elif isinstance(kind, ListOf):
        for index, item in enumerate(value or ()):
            yield from lines_in(kind.of, item, place.item(index))
    elif isinstance(kind, DictOf):
        for name, item in (value or {}).items():
            yield from lines_in(kind.of, item, place.key(name))
    elif isinstance(kind, TypedRecord):
        for key, inner in kind.given(value):
            yield from lines_in(key.kind, inner, place.key(key.name))


@dataclasses.dataclass(frozen=True)
class BooleanOrPath(Kind):
    """A path, or true or false where a default path is known; ``also_true`` is another word for that path."""

    also_true: str = ""

    def read(self, value: t.Any, place: Place) -> t.Any:
        if isinstance(value, str) and value.startswith("/"):
            return PATH.read(value, place)
        if self.also_true and value == self.also_true:
            return True
        if str(value).strip().lower() not in ("true", "false", "yes", "no"):
            hint = "Use true, false or a path that starts with '/'."
            place.wrong(value, "is neither true, false nor an absolute path", hint)
            return INVALID
        return Boolean().read(value, place)

    def words(self) -> str:
        return "true, false or absolute path"

    def json_schema(self) -> JsonSchema:
        words = "|".join(map(in_any_case, ("true", "false", "yes", "no")))
        others = [{"enum": [self.also_true]}] if self.also_true else []
        return {
            "anyOf": [
                {"type": "boolean"},
                {"type": "string", "pattern": rf"^\s*({words})\s*$"},
                PATH.json_schema(),
                *others,
            ]
        }


class Expectations(Kind):
    """Expectations of a service. Their keys have everyday names, so no hint sends a misplaced one there."""

    _list = ListOf(EXPECTATION_OF_SERVICE)

    def read(self, value: t.Any, place: Place) -> t.Any:
        return self._list.read(value, place)

    def words(self) -> str:
        return f"list of: {EXPECTATION_OF_SERVICE.what}"

    def json_schema(self) -> JsonSchema:
        return self._list.json_schema()
