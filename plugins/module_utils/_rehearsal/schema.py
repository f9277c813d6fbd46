# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of what an expectation may hold. Meanings may use Markdown's backticks."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.kinds import (
    INVALID,
    Boolean,
    Choice,
    DictOf,
    Integer,
    JsonSchema,
    Kind,
    ListOf,
    Text,
    or_template,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.place import Place
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.table import Key, Record
from ansible_collections.lbforge.haproxy.plugins.module_utils.addresses import is_ip

VARIABLE = "haproxy_expectations"

LINE = Text()
NAME = Text(r"\S+", "a name without blanks", "Write one word.")
# Characters of a field name: RFC 9110, section 5.6.2.
FIELD = Text(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", "the name of a header", "Write it without the colon.")
SERVER = Text(r"[^\s/]+(/[^\s/]+)?", "a server", "Write its name, or BACKEND/NAME.")
URL = Text(r"https?://[^\s/?#]+([/?]\S*)?", "a URL", "Write one such as https://www.example.com/path.")
ENDPOINT = Text(r"(\[[0-9a-fA-F:]+\]|[^\s:]+):\d{1,5}", "an address and a port", "Write one such as 203.0.113.10:5432.")
METHOD = Text(r"[A-Z]+", "a method of HTTP", "Write one in capitals, such as GET.")
STATUS = Integer(100, 599, "a status code")
HTTP = Choice(("1", "2"))
CONNECTIONS = ("refused", "reset", "timeout")


class Address(Kind):
    """An IP address."""

    def read(self, value: object, place: Place) -> object:
        if not is_ip(str(value)):
            place.wrong(value, "is not an IP address", "Write one such as 198.51.100.7.")
            return INVALID
        return str(value)

    def words(self) -> str:
        return "an IP address"

    def json_schema(self) -> JsonSchema:
        return or_template({"type": "string", "pattern": r"^[0-9a-fA-F:.]+$"})


@dataclasses.dataclass(frozen=True)
class RequestRecord(Record):
    """A request; what belongs to TLS needs TLS."""

    def read_keys(self, value: t.Mapping[str, t.Any], place: Place) -> tuple[dict[str, t.Any], bool]:
        result, is_valid = super().read_keys(value, place)
        is_tls = result.get("url", "").startswith("https://") or bool(result.get("tls") or result.get("sni"))
        if "certificate" in result and not is_tls:
            hint = "Ask for an https URL, or set tls: true beside connect."
            place.key("certificate").wrong(None, "has no effect without TLS", hint)
            is_valid = False
        return result, is_valid


CLIENT_CERTIFICATE = Record(
    what="a client certificate",
    short_for="name",
    keys=(
        Key("name", LINE, "Common name (CN) of its subject.", required=True),
        Key(
            "subject",
            DictOf(LINE, Text(r"C|ST|L|O|OU|DC|UID|emailAddress", "a part of a subject", "Write one such as O or OU.")),
            "Further parts of its subject, such as `OU: operators`.",
        ),
        Key("names", ListOf(NAME), "DNS names, addresses, mail addresses and URIs on it."),
        Key(
            "state",
            Choice(("valid", "expired", "revoked", "untrusted")),
            "Whether it is to be accepted. `revoked` needs a revocation list of the bind; `untrusted` is signed by"
            " itself.",
            "valid",
        ),
    ),
)

REQUEST = RequestRecord(
    what="a request",
    one_of=("url", "connect"),
    keys=(
        Key("url", URL, "What an HTTP client asks for."),
        Key("connect", ENDPOINT, "Address and port that a TCP client connects to."),
        Key("method", METHOD, "Method of HTTP.", "GET"),
        Key("headers", DictOf(LINE, FIELD), "Headers that the client sends."),
        Key("body", LINE, "What the client sends; with `connect`, its first line."),
        Key("http", HTTP, "Version of HTTP; 2 needs a curl that speaks it.", "1"),
        Key("from", Address(), "The client's address; a public one if missing."),
        Key(
            "to",
            Address(),
            "Address that the client connects to, such as a VIP; if missing, the first one that listens on the port.",
        ),
        Key("tls", Boolean(), "Whether a client that connects speaks TLS.", False),
        Key("sni", NAME, "Name that the client asks for in TLS; the host of the URL if missing."),
        Key(
            "certificate",
            CLIENT_CERTIFICATE,
            "Certificate that the client shows, from an authority that binds trust in rehearsals only.",
        ),
        Key("times", Integer(1, 1000, "a number of times"), "How often the client does so.", 1),
        Key("timeout", Integer(1, 60, "seconds"), "Seconds that the client waits.", 10),
    ),
)


class Patterns(Kind):
    """Entries of a map, keys with their values, or of an ACL, patterns."""

    _of_map = DictOf(LINE, NAME)
    _of_acl = ListOf(LINE)

    def read(self, value: object, place: Place) -> t.Any:
        return (self._of_map if isinstance(value, dict) else self._of_acl).read(value, place)

    def words(self) -> str:
        return "dictionary of keys and values for a map, list of patterns for an ACL"

    def json_schema(self) -> JsonSchema:
        return {"anyOf": [self._of_map.json_schema(), self._of_acl.json_schema()]}


SERVERS = ListOf(SERVER)
GIVEN = Record(
    what="what is given",
    keys=(
        Key("down", SERVERS, "Servers, or their addresses, that are down."),
        Key("drained", SERVERS, "Servers, or their addresses, that are drained."),
        Key("maintenance", SERVERS, "Servers, or their addresses, that are in maintenance."),
        Key(
            "maps",
            DictOf(Patterns(), NAME),
            "Entries that maps and files of ACLs have besides their own, by the file's name or path. A value takes the"
            " place of the one that its key has in the file.",
        ),
    ),
)

CERTIFICATE = Record(
    what="a certificate",
    keys=(
        Key("names", ListOf(LINE), "Names and addresses that are on it, perhaps among others."),
        Key("issuer", LINE, "Common name of its issuer."),
    ),
)

_EXPECTED = (
    Key("connection", Choice(CONNECTIONS), "How the connection ends, where there is no answer."),
    Key("service", NAME, "The service, by `haproxy_service_name`, to whose backend the request goes."),
    Key("frontend", NAME, "A frontend that takes the request."),
    Key("backend", NAME, "The backend to which the request goes."),
    Key("server", SERVERS, "The server that is asked; of a list one, and with `times` each at least once."),
    Key(
        "same_server",
        Boolean(),
        "Whether the server is the one that was asked before, by the same request with `times` or in the step before.",
    ),
    Key("status", STATUS, "Status code of the answer."),
    Key("target", LINE, "Path and query that the server is asked for."),
    Key("location", LINE, "Where the answer redirects to."),
    Key("request_headers", DictOf(LINE, FIELD), "Headers that the server gets."),
    Key("without_request_headers", ListOf(FIELD), "Headers that the server does not get."),
    Key("response_headers", DictOf(LINE, FIELD), "Headers that the client gets."),
    Key("without_response_headers", ListOf(FIELD), "Headers that the client does not get."),
    Key("body", LINE, "A part of the body of the answer."),
    Key("http", HTTP, "Version of HTTP of the answer."),
    Key("certificate", CERTIFICATE, "The certificate that the client is shown."),
)

UNWANTED = Record(what="what must not come", keys=_EXPECTED, short_for="connection")
EXPECTED = Record(
    what="what should come",
    keys=(*_EXPECTED, Key("not", UNWANTED, "What must not come, with the same keys.")),
    short_for="connection",
)


@dataclasses.dataclass(frozen=True)
class ExpectationRecord(Record):
    """An expectation: a request with what should come of it, or steps with both."""

    needs_expect: bool = True

    def read_keys(self, value: t.Mapping[str, t.Any], place: Place) -> tuple[dict[str, t.Any], bool]:
        result, is_valid = super().read_keys(value, place)
        if result.get("steps") == []:
            place.key("steps").wrong(None, "is empty", "Write a list of steps, or request and expect.")
            is_valid = False
        if "steps" in result and "expect" in result:
            place.key("expect").wrong(None, "cannot be combined with steps", "Move it into a step.")
            is_valid = False
        # A wrong one is told already.
        if self.needs_expect and not any(self.is_given(value.get(name)) for name in ("expect", "steps")):
            self.refuse_missing(next(key for key in self.keys if key.name == "expect"), place.key("expect"))
            is_valid = False
        return result, self._can_compare(result, place) and is_valid

    def _can_compare(self, read: t.Mapping[str, t.Any], place: Place) -> bool:
        """Whether there is a server to compare with where that is asked for."""
        alone = [(read, place)] if "request" in read else []
        alone += [(step, place.key("steps").item(0)) for step in read.get("steps", ())[:1]]
        wrong = [
            here
            for step, its_place in alone
            if step["request"].get("times", 1) == 1
            for expected, here in _both(step.get("expect", {}), its_place.key("expect"))
            if "same_server" in expected
        ]
        for here in wrong:
            here.key("same_server").wrong(
                None, "has no request before it to compare with", "Write a step before it, or set times in the request."
            )
        return not wrong

    def json_schema(self) -> JsonSchema:
        schema = super().json_schema()
        rules: list[JsonSchema] = [{"if": self._given("steps"), "then": {"not": self._given("expect")}}]
        rules.append({"properties": {"steps": {"minItems": 1}}})
        if self.needs_expect:
            rules.append({"if": self._given("request"), "then": self._given("expect")})
        return {**schema, "allOf": rules}


def _both(expected: t.Mapping[str, t.Any], place: Place) -> list[tuple[t.Mapping[str, t.Any], Place]]:
    """What should come and what must not, with their places."""
    return [(expected, place), (expected.get("not", {}), place.key("not"))]


def _expectation(*, needs_expect: bool) -> ExpectationRecord:
    request = Key("request", REQUEST, "What a client does.")
    expect = Key("expect", EXPECTED, "What comes of it.")
    step = Record(
        what="a step",
        keys=(dataclasses.replace(request, required=True), dataclasses.replace(expect, required=needs_expect)),
    )
    return ExpectationRecord(
        what="an expectation",
        one_of=("request", "steps"),
        keys=(
            Key("name", LINE, "What is expected, in the words of a report.", required=True),
            request,
            Key("given", GIVEN, "What is otherwise than on a good day."),
            expect,
            Key(
                "steps",
                ListOf(step),
                "Requests of one client, each with what comes of it, instead of `request` and `expect`. The client"
                " keeps its cookies.",
            ),
        ),
        needs_expect=needs_expect,
    )


EXPECTATION = _expectation(needs_expect=True)
# For one of a service, the service itself is expected where nothing is said of the place that a request goes to.
EXPECTATION_OF_SERVICE = _expectation(needs_expect=False)
