# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""VIPs as users write them: dictionaries, each of whose keys is read here and nowhere else. Pure."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.vip import (
    DEFAULT_ADVERT_INT,
    TYPES,
    WILDCARDS,
    Address,
    UserCertificate,
    Vip,
    is_ip,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem, shown
from ansible_collections.lbforge.haproxy.plugins.module_utils.hints import did_you_mean


class Key(t.NamedTuple):
    """A key of a VIP, for the documentation."""

    name: str
    value: str
    meaning: str


KEYS = (
    Key("name", "a name, required", "Name of the VIP, and of its VRRP instance; that for IPv6 has `_ipv6` behind it."),
    Key(
        "address",
        "an address with prefix length, or a list; required",
        "What clients connect to, such as `203.0.113.10/24`. Several addresses, also of both families, move together."
        " Where keepalived is not used, the prefix length may be left out.",
    ),
    Key(
        "interface",
        "an interface name",
        "Interface of the nodes that carries the addresses; the default is that of the default route.",
    ),
    Key(
        "type",
        "`external` or `internal`",
        "Whose clients it is for; `external` if missing. ACME certificates are for external VIPs, and the first VIP of"
        " each type gives `external_lb_vip_address` and `internal_lb_vip_address`.",
    ),
    Key("names", "a list of names", "By which clients know it, the first one first; they are on its certificate."),
    Key(
        "tls",
        "true or false",
        "Whether services with `haproxy_ssl` speak TLS on it. If missing, they do so on the first VIP, and on others"
        " with `haproxy_ssl_all_vips`.",
    ),
    Key(
        "certificate",
        "a dictionary of paths",
        "A certificate of the user's: `cert`, `key` and, if there is a chain, `ca_cert`, on the setup host. Without it"
        " the authority issues one.",
    ),
    Key("letsencrypt", "a name", "Another certificate of `haproxy_ssl_letsencrypt_certificates` than the first."),
    Key("bind_address", "an address or a wildcard", "What frontends bind in place of the addresses, such as `*`."),
    Key("bind_interface", "an interface name", "Interface that frontends bind."),
    Key("hosts", "a list of hosts", "Nodes that are to hold it before all others, the preferred one first."),
    Key("sync_group", "a name", "VIPs with the same one move together."),
    Key(
        "virtual_router_id",
        "1 to 255",
        "VRRP router id, the same on all nodes and nobody else's on that network. If missing, it follows from the name;"
        " for the first VIP of each type it is `haproxy_keepalived_external_virtual_router_id` or"
        " `haproxy_keepalived_internal_virtual_router_id`.",
    ),
    Key("advert_int", "seconds", "Time between two adverts; `keepalived_advert_int` if missing."),
)
_NAMES = tuple(key.name for key in KEYS)
_PATHS = UserCertificate._fields
_OLDER = {"cidr": "address"}
_INTERFACE = re.compile(r"[A-Za-z0-9_.@+-]{1,15}")
_WORD = re.compile(r"\S+")
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def read_entries(
    variable: str, entries: t.Any, *, is_older: bool = False, needs_prefix: bool = True
) -> tuple[list[Vip], list[Problem]]:
    """The VIPs of a list, and what is wrong with the others.

    An older list says no types, and leaves a VIP out by an empty address.
    """
    if not isinstance(entries, (list, tuple)):
        hint = "Write a list of dictionaries, each with name and address."
        return [], [Problem(variable, shown(entries), f"{entries!r} is not a list of VIPs", hint)]
    vips: list[Vip] = []
    problems: list[Problem] = []
    for index, entry in enumerate(entries):
        path = f"{variable}[{index}]"
        if not isinstance(entry, t.Mapping):
            hint = "Write a dictionary with name and address."
            problems.append(Problem(path, shown(entry), f"{entry!r} is not a VIP", hint))
            continue
        reader = Reader(entry, path)
        if not (is_older and not items(reader.entry.get("address"))):
            vips += reader.vips("" if is_older else TYPES[0], needs_prefix)
            problems += reader.problems
    return vips, problems


def items(value: t.Any) -> list[t.Any]:
    """One thing or many as a list, without empty ones."""
    many = value if isinstance(value, (list, tuple)) else [value]
    return [one for one in many if one not in (None, "")]


class Reader:
    """One entry, whose mistakes are all noted.

    ``paths`` says of keys where they are written, if that is not in the entry.
    """

    def __init__(self, entry: t.Mapping[str, t.Any], path: str, paths: t.Mapping[str, str] | None = None) -> None:
        self.entry = {_OLDER.get(str(key), str(key)): value for key, value in entry.items()}
        self.paths = paths or {_OLDER.get(str(key), str(key)): f"{path}.{key}" for key in entry}
        self.path = path
        self.problems: list[Problem] = []
        self.name = str(self.entry.get("name") or "")

    def vips(self, default_type: str = "", needs_prefix: bool = True) -> list[Vip]:
        """The VIP, or nothing if there is a mistake in it."""
        vip = self._vip(default_type, needs_prefix)
        return [] if self.problems else [vip]

    def _vip(self, default_type: str, needs_prefix: bool) -> Vip:
        for key in self.entry:
            if key not in _NAMES:
                hint = did_you_mean(key, _NAMES) or f"Its keys are {', '.join(_NAMES)}."
                self.wrong(key, None, f"{key} is not a key of a VIP", hint)
        if not self.name:
            self.wrong("name", None, "name is required", "Name the VIP, such as external.")
        router_id, advert_int = self.number("virtual_router_id"), self.number("advert_int")
        certificate, letsencrypt = self.certificate(), self.text("letsencrypt", "a name")
        if certificate and letsencrypt:
            why = "certificate is not used beside a certificate from Let's Encrypt"
            self.wrong("certificate", None, why, "Remove certificate or letsencrypt.")
        return Vip(
            addresses=self.addresses(needs_prefix),
            name=self.text("name", "a name without blanks"),
            path=self.path,
            type=self.choice("type", TYPES) or default_type,
            names=self.texts("names", "a name"),
            tls=self.boolean("tls"),
            certificate=certificate,
            letsencrypt=letsencrypt,
            bind_address=self.bind_address(),
            bind_interface=self.interface("bind_interface"),
            interface=self.interface("interface"),
            virtual_router_id=None if router_id is None else int(router_id),
            advert_int=DEFAULT_ADVERT_INT if advert_int is None else advert_int,
            hosts=self.texts("hosts", "the name of a host"),
            sync_group=self.text("sync_group", "a name"),
        )

    def wrong(self, key: str, value: t.Any, why: str, hint: str = "") -> None:
        self.problems.append(Problem(self.at(key), shown(value), why, hint, self.name))

    def at(self, key: str) -> str:
        return self.paths.get(key, f"{self.path}.{key}")

    def addresses(self, needs_prefix: bool) -> tuple[Address, ...]:
        value, path = self.entry.get("address"), self.at("address")
        if not items(value):
            self.wrong("address", None, "address is required", "Write an address with prefix length, or a list.")
        found = []
        for index, text in enumerate(value if isinstance(value, (list, tuple)) else [value]):
            if text in (None, ""):
                continue
            address = Address(str(text).strip(), f"{path}[{index}]" if isinstance(value, (list, tuple)) else path)
            mistake = address.mistake(needs_prefix=needs_prefix, name=self.name)
            if mistake:
                self.problems.append(mistake)
            else:
                found.append(address)
        return tuple(found)

    def bind_address(self) -> str:
        text = self.text("bind_address", "an address")
        if text and text not in WILDCARDS and not is_ip(text):
            why = f"{text!r} is neither an address nor a wildcard"
            self.wrong("bind_address", text, why, "Write an address without prefix length, or '*'.")
        return text

    def certificate(self) -> UserCertificate | None:
        value = self.entry.get("certificate")
        if value in (None, "", {}):
            return None
        if not isinstance(value, t.Mapping):
            self.wrong("certificate", value, f"{value!r} is not a certificate", "Write a dictionary of cert and key.")
            return None
        for name in value:
            if name not in _PATHS:
                hint = did_you_mean(str(name), _PATHS) or f"Its keys are {', '.join(_PATHS)}."
                self.wrong(f"certificate.{name}", None, f"{name} is not a key of a certificate", hint)
        for name in _PATHS:
            path = value.get(name)
            if path and not str(path).startswith("/"):
                why = f"{path!r} is not an absolute path"
                self.wrong(f"certificate.{name}", path, why, "Write a path on the setup host that begins with '/'.")
            elif not path and name != "ca_cert":
                self.wrong(f"certificate.{name}", None, f"{name} is required", "Set the paths of both cert and key.")
        return UserCertificate.of(value, "")

    def text(self, key: str, what: str) -> str:
        value = self.entry.get(key)
        if value in (None, ""):
            return ""
        if not isinstance(value, (str, int, float)) or not _WORD.fullmatch(str(value)):
            self.wrong(key, value, f"{value!r} is not {what}", "Write one word.")
            return ""
        return str(value)

    def texts(self, key: str, what: str) -> tuple[str, ...]:
        found = []
        for value in items(self.entry.get(key)):
            if isinstance(value, (str, int, float)) and _WORD.fullmatch(str(value)):
                found.append(str(value))
            else:
                self.wrong(key, value, f"{value!r} is not {what}", "Write a list of words.")
        return tuple(found)

    def interface(self, key: str) -> str:
        text = self.text(key, "an interface name")
        if text and not _INTERFACE.fullmatch(text):
            self.wrong(key, text, f"{text!r} is not an interface name", "Linux allows 15 characters.")
        return text

    def choice(self, key: str, choices: t.Sequence[str]) -> str:
        text = self.text(key, "a word")
        if text and text not in choices:
            hint = did_you_mean(text, choices)
            self.wrong(key, text, f"{text!r} is not a valid value; use {' or '.join(choices)}", hint)
        return text

    def boolean(self, key: str) -> bool | None:
        value = self.entry.get(key)
        if value in (None, ""):
            return None
        found = _BOOLEANS.get(str(value).lower())
        if found is None:
            self.wrong(key, value, f"{value!r} is not a valid value; use true or false")
        return found

    def number(self, key: str) -> float | None:
        value = self.entry.get(key)
        if value in (None, ""):
            return None
        try:
            return float(value)
        except (TypeError, ValueError):
            self.wrong(key, value, f"{key} must be a number, not {value!r}")
            return None
