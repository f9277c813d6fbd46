# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of a VIP. Meanings may use Markdown's backticks."""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.kinds import (
    INVALID,
    NOTHING,
    TEMPLATE,
    Boolean,
    Choice,
    JsonSchema,
    Kind,
    ListOf,
    Text,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.place import Place
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.table import Key, Record
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.vip import (
    TYPES,
    WILDCARDS,
    Address,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils.addresses import is_ip


@dataclasses.dataclass(frozen=True)
class MovingAddress(Kind):
    """An address with the prefix length of its network, which is required only if keepalived moves it."""

    needs_prefix: bool = True

    def read(self, value: t.Any, place: Place) -> t.Any:
        address = Address(str(value).strip(), place.path)
        if mistake := address.mistake(needs_prefix=self.needs_prefix, name=place.name):
            place.problems.add_error(mistake)
            return INVALID
        return address

    def words(self) -> str:
        return "an address with prefix length"

    def json_schema(self) -> JsonSchema:
        return {"type": "string", "pattern": r"^\s*[0-9a-fA-F:.]+(/\d+)?(\s.*)?$"}


@dataclasses.dataclass(frozen=True)
class Many(ListOf):
    """One item or many; empty ones do not count."""

    def read(self, value: t.Any, place: Place) -> t.Any:
        if not isinstance(value, (list, tuple)):
            given = [(value, place)]
        else:
            given = [(item, self.place_of(index, place)) for index, item in enumerate(value)]
        read = tuple(self.of.read(item, where) for item, where in given if item not in (None, ""))
        return INVALID if INVALID in read else read

    def place_of(self, index: int, place: Place) -> Place:
        return place.item(index)

    def json_schema(self) -> JsonSchema:
        one = self.of.json_schema()
        return {"anyOf": [one, {"type": "array", "items": {"anyOf": [one, TEMPLATE, NOTHING]}}]}


class Words(Many):
    """A few words; mistakes name the word."""

    def place_of(self, index: int, place: Place) -> Place:  # noqa: ARG002 - the word is enough
        return place


class BindAddress(Kind):
    """An address without prefix length, or a wildcard."""

    def read(self, value: t.Any, place: Place) -> t.Any:
        text = str(value)
        if text not in WILDCARDS and not is_ip(text):
            why = "is neither an address nor a wildcard"
            place.wrong(value, why, "Write an address without prefix length, or '*'.")
            return INVALID
        return text

    def words(self) -> str:
        return "an address or a wildcard"

    def json_schema(self) -> JsonSchema:
        return {"type": "string", "pattern": r"^(\*|[0-9a-fA-F:.]+)$|\{[{%]"}


@dataclasses.dataclass(frozen=True)
class Number(Kind):
    """A number; the VRRP instances check its bounds."""

    what: str

    def read(self, value: t.Any, place: Place) -> t.Any:
        try:
            return float(value)
        except (TypeError, ValueError):
            key = place.path.rpartition(".")[2]
            place.wrong(None, f"{key} must be a number, not {place.shown(value)}")
            return INVALID

    def words(self) -> str:
        return self.what

    def json_schema(self) -> JsonSchema:
        return {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*$"}]}


class Table(Record):
    """A dictionary; its messages name the key."""

    nothing: t.ClassVar[JsonSchema] = {
        "title": "nothing",
        "anyOf": [{"enum": [None, "", {}]}, {"type": "array", "items": {"enum": [None, ""]}}],
    }

    def is_given(self, item: t.Any) -> bool:
        return item not in (None, "", {}) and (
            not isinstance(item, (list, tuple)) or any(self.is_given(one) for one in item)
        )

    def refuse_missing(self, key: Key, place: Place) -> None:
        place.wrong(None, f"{key.name} is required", f"Its value is: {key.kind.words()}.")

    def refuse_key(self, name: str, place: Place) -> None:
        known = ", ".join(key.name for key in self.keys)
        place.wrong(None, f"{name} is not a key of {self.what}", self.hint_for(name, place) or f"Its keys are {known}.")


NAME = Text(r"\S+", "a name without blanks", "Write one word.")
HOST = Text(r"\S+", "the name of a host", "Write one word.")
INTERFACE = Text(
    r"[A-Za-z0-9_.@+-]{1,15}",
    "an interface name",
    "Linux allows 15 characters; use letters, digits, '-', '_', '.', '@' and '+'.",
)
FILE = Text("/.*", "an absolute path", "Write a path on the setup host that begins with '/'.")

CERTIFICATE = Table(
    what="a certificate",
    keys=(
        Key("cert", FILE, "Certificate, a path on the setup host.", required=True),
        Key("key", FILE, "Its key.", required=True),
        Key("ca_cert", FILE, "Its chain, if there is one."),
    ),
)

VIP = Table(
    what="a VIP",
    keys=(
        Key(
            "name",
            NAME,
            "Name of the VIP, and of its VRRP instance; the one for IPv6 has the suffix `_ipv6`.",
            required=True,
        ),
        Key(
            "address",
            Many(MovingAddress()),
            "Address for clients, such as `203.0.113.10/24`. Several addresses, even of both families, move together."
            " Without keepalived, the prefix length is optional.",
            aliases=("cidr",),
            required=True,
        ),
        Key(
            "interface",
            INTERFACE,
            "Interface of the nodes that carries the addresses; the default is that of the default route.",
        ),
        Key(
            "type",
            Choice(TYPES),
            "Whether its clients are external or internal. ACME certificates are for external VIPs, and the first VIP"
            " of each type gives `external_lb_vip_address` and `internal_lb_vip_address`.",
            TYPES[0],
        ),
        Key(
            "names",
            Words(Text(r"\S+", "a name", "Write one word.")),
            "Names for clients, the main one first; they are on its certificate.",
        ),
        Key(
            "tls",
            Boolean(),
            "Whether services with `haproxy_ssl` speak TLS on it. If missing, they do so on the first VIP, and on"
            " others with `haproxy_ssl_all_vips`.",
        ),
        Key(
            "certificate",
            CERTIFICATE,
            "The user's own certificate: `cert`, `key` and, with a chain, `ca_cert`, on the setup host. Without it the"
            " authority issues one.",
        ),
        Key(
            "letsencrypt",
            NAME,
            "Another certificate of `haproxy_ssl_letsencrypt_certificates` than the first, by its name.",
        ),
        Key("bind_address", BindAddress(), "Address that frontends bind instead, such as `*`."),
        Key("bind_interface", INTERFACE, "Interface that frontends bind."),
        Key("hosts", Words(HOST), "Preferred nodes, the first choice first."),
        Key("sync_group", NAME, "VIPs with the same group move together."),
        Key(
            "virtual_router_id",
            Number("1 to 255"),
            "VRRP router id, the same on all nodes and unique in the network. If missing, it follows from the"
            " name; for the first VIP of each type it is `haproxy_keepalived_external_virtual_router_id` or"
            " `haproxy_keepalived_internal_virtual_router_id`.",
        ),
        Key(
            "advert_int",
            Number("seconds"),
            "Time between two adverts; `keepalived_advert_int` if missing.",
        ),
    ),
)


@functools.cache
def table(needs_prefix: bool) -> Table:
    """The table of a VIP, with or without prefix lengths."""
    addresses = Many(MovingAddress(needs_prefix))
    keys = (dataclasses.replace(key, kind=addresses) if key.name == "address" else key for key in VIP.keys)
    return dataclasses.replace(VIP, keys=tuple(keys))
