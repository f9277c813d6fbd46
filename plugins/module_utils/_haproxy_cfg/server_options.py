# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a line C(server): their names, their numbers of arguments, and which one counts. Pure.

HAProxy Configuration Manual, section 5.2, "Server and default-server options", of 2.6 and 3.0. A test compares the
table with what HAProxy itself lists (C(haproxy -dKall)).
"""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import Words

#: options that the prefix C(no-) switches off
SWITCHES = (
    *("agent-check", "backup", "check", "check-send-proxy", "check-ssl", "send-proxy", "send-proxy-v2"),
    *("send-proxy-v2-ssl", "send-proxy-v2-ssl-cn", "ssl", "tfo"),
)
_OFF = tuple(f"no-{option}" for option in SWITCHES)
PROXY_PROTOCOL = ("send-proxy", "send-proxy-v2", "send-proxy-v2-ssl", "send-proxy-v2-ssl-cn")
_OLD_TLS = ("sslv3", "tlsv10", "tlsv11", "tlsv12", "tlsv13")
#: the number of words after each option
ARGUMENTS: dict[str, int] = {
    **dict.fromkeys((*SWITCHES, *_OFF), 0),
    **dict.fromkeys((f"{verb}-{version}" for verb in ("force", "no") for version in _OLD_TLS), 0),
    **dict.fromkeys(("allow-0rtt", "check-via-socks4", "disabled", "enabled", "no-ssl-reuse"), 0),
    **dict.fromkeys(("no-tls-tickets", "non-stick", "ssl-reuse", "stick", "tls-tickets"), 0),
    **dict.fromkeys(("addr", "agent-addr", "agent-inter", "agent-port", "agent-send", "alpn", "ca-file"), 1),
    **dict.fromkeys(("check-alpn", "check-proto", "check-sni", "ciphers", "ciphersuites", "client-sigalgs"), 1),
    **dict.fromkeys(("cookie", "crl-file", "crt", "curves", "downinter", "error-limit", "fall", "fastinter"), 1),
    **dict.fromkeys(("guid", "hash-key", "id", "init-addr", "inter", "log-bufsize", "log-proto", "max-reuse"), 1),
    **dict.fromkeys(("maxconn", "maxqueue", "minconn", "namespace", "npn", "observe", "on-error"), 1),
    **dict.fromkeys(("on-marked-down", "on-marked-up", "pool-conn-name", "pool-low-conn", "pool-max-conn"), 1),
    **dict.fromkeys(("pool-purge-delay", "port", "proto", "proxy-v2-options", "redir", "resolve-net"), 1),
    **dict.fromkeys(("resolve-opts", "resolve-prefer", "resolvers", "rise", "set-proxy-v2-tlv-fmt", "shard"), 1),
    **dict.fromkeys(("sigalgs", "slowstart", "sni", "socks4", "ssl-max-ver", "ssl-min-ver", "tcp-ut", "track"), 1),
    **dict.fromkeys(("verify", "verifyhost", "weight", "ws"), 1),
    # The second and third only after the first.
    **dict.fromkeys(("source", "usesrc", "interface"), 1),
}
#: options that C(add server) rejects, or handles differently from the configuration
STATIC = frozenset(
    {
        *("agent-check", "enabled", "init-addr", "log-bufsize", "log-proto", "max-reuse", "namespace", "non-stick"),
        *("on-marked-up", "redir", "resolve-net", "resolve-opts", "resolve-prefer", "resolvers"),
        *("socks4", "ssl-reuse", "stick", "tcp-ut", "track"),
    }
)


class ServerOptions:
    """The options of a line C(server), each with its arguments, in their order."""

    def __init__(self, words: t.Iterable[str]) -> None:
        """Divide the words after the address. An unknown word counts as an option without arguments."""
        self.all: list[Words] = []
        rest = list(words)
        while rest:
            arguments = ARGUMENTS.get(name_of(rest[0]), 0)
            self.all.append(tuple(rest[: 1 + arguments]))
            rest = rest[1 + arguments :]
        # The last of two of the same kind counts.
        self._last = {option[0]: option for option in self.all}
        self._switches = {name.removeprefix("no-"): not name.startswith("no-") for name, *_rest in self.all}

    @property
    def unknown(self) -> str:
        """The first word that is not a known option; empty if there is none."""
        return next((option[0] for option in self.all if name_of(option[0]) not in ARGUMENTS), "")

    def has(self, *names: str) -> bool:
        """Whether any of these options is present."""
        return any(name in self._last for name in names)

    def argument(self, name: str) -> str:
        """The argument of an option; the last one if the option is repeated, empty if it is absent."""
        return "".join(self._last.get(name, ())[1:])

    def switched(self, name: str) -> bool | None:
        """Whether an option is on, or off by C(no-): the last of the two counts. None if both are absent."""
        return self._switches.get(name)

    @property
    def speaks_proxy(self) -> bool:
        """Whether connections begin with a PROXY header."""
        return any(self.switched(option) for option in PROXY_PROTOCOL)

    @property
    def checks_elsewhere(self) -> bool:
        """Whether checks have their own address or port, where HAProxy uses neither TLS nor PROXY by default."""
        return self.has("addr", "port")

    def addition(self) -> list[Words]:
        """The options for C(add server) that make the same server.

        A server that is added inherits nothing: there is nothing to switch off, and its checks speak neither TLS nor
        PROXY as the server does (Management Guide, section 9.3, "add server").
        """
        off = {name for name in SWITCHES if self.switched(name) is False}
        kept = [option for option in self.all if option[0] not in (*off, *_OFF)]
        if self.switched("check") and not self.checks_elsewhere:
            spoken = {"check-ssl": self.switched("ssl"), "check-send-proxy": self.speaks_proxy}
            kept += [(check,) for check, is_on in spoken.items() if is_on and self.switched(check) is None]
        return kept


def name_of(word: str) -> str:
    """An option without its part in brackets, C(set-proxy-v2-tlv-fmt(0x20))."""
    return word.partition("(")[0]
