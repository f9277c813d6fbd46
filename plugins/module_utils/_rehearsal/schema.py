# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of what an expectation may hold. Meanings may use Markdown's backticks."""

from __future__ import annotations

import dataclasses

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


REQUEST = Record(
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
        Key("times", Integer(1, 1000, "a number of times"), "How often the client does so.", 1),
        Key("timeout", Integer(1, 60, "seconds"), "Seconds that the client waits.", 10),
    ),
)

SERVERS = ListOf(SERVER)
GIVEN = Record(
    what="what is given",
    keys=(
        Key("down", SERVERS, "Servers, or their addresses, that are down."),
        Key("drained", SERVERS, "Servers, or their addresses, that are drained."),
        Key("maintenance", SERVERS, "Servers, or their addresses, that are in maintenance."),
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

EXPECTATION = Record(
    what="an expectation",
    keys=(
        Key("name", LINE, "What is expected, in the words of a report.", required=True),
        Key("request", REQUEST, "What a client does.", required=True),
        Key("given", GIVEN, "What is otherwise than on a good day."),
        Key("expect", EXPECTED, "What comes of it.", required=True),
    ),
)

# For one of a service, the service itself is expected where nothing is said of the place that a request goes to.
EXPECTATION_OF_SERVICE = dataclasses.replace(
    EXPECTATION,
    keys=tuple(dataclasses.replace(key, required=False) if key.name == "expect" else key for key in EXPECTATION.keys),
)
