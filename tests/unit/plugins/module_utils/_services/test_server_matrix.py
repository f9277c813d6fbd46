# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every way in which servers are spoken to and checked, against real servers: what we write, they understand.

The servers are a second HAProxy, which says what it sees of a connection. All of them are healthy, then some answer
500 to checks, then all are gone. The servers are in the configuration, or added to empty pools at run time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import itertools
import os
import pathlib
import random
import re
import shutil
import ssl
import subprocess
import tempfile
import time
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._release.changes import execute
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.plan import Loaded, compare
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import Release
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import RuntimeClient
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.stats import Row, parse_stats
from ansible_collections.lbforge.haproxy.tests.unit.plugins.conftest import eventually, stop
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._services.conftest import Rendered

Data = dict[str, t.Any]
Render = t.Callable[..., Rendered]

BINARY = shutil.which(os.environ.get("HAPROXY", "haproxy"), path=f"{os.environ['PATH']}:/usr/sbin")
PATIENCE = 60.0  # seconds, for a machine with more to do
CLIENT, BALANCER = "127.9.9.9", "127.0.0.1"
NAME = "origin.example.org"

ORIGINS = """
global
    stats socket @home@/origins level admin
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 5s
"""
# What a server listens on; the first bytes of a connection are looked at before, where only one kind may pass.
BINDS = {
    "plain": "",
    "tls": "ssl crt @home@/a.pem alpn http/1.1",
    "named": "ssl crt @home@/a.pem strict-sni alpn http/1.1",
    "h2": "ssl crt @home@/a.pem alpn h2,http/1.1",
    "h2_only": "ssl crt @home@/a.pem alpn h2",
    "h2c": "proto h2",
    "proxy1": "accept-proxy",
    "proxy2": "accept-proxy",
    "proxy1_tls": "accept-proxy ssl crt @home@/a.pem alpn http/1.1",
    "proxy2_h2": "accept-proxy ssl crt @home@/a.pem alpn h2,http/1.1",
}
GATES = {
    "proxy1": '{ req.payload(0,6) -m str "PROXY " }',
    "proxy2": "{ req.payload(0,12),hex -m str 0D0A0D0A000D0A515549540A }",
}
ORIGIN = """
frontend {name}
    bind {address} {options}
    http-request return status 500 if {{ path /health }} {{ str(sick) -f @home@/sick.acl }}
    http-request return status 200 content-type text/plain lf-string "%[src] %[req.ver] %[ssl_fc_alpn] %[ssl_fc_sni]"
"""
GATE = """
listen {name}-gate
    mode tcp
    bind {address}:{port}
    tcp-request inspect-delay 5s
    tcp-request content accept if {condition}
    tcp-request content reject if {{ req.len ge 12 }}
    server inner unix@@home@/{name}.sock
"""
# On one port TLS and plain text.
BOTH = """
listen both
    mode tcp
    bind {address}:{port}
    tcp-request inspect-delay 5s
    tcp-request content accept if {{ req.ssl_hello_type 1 }}
    tcp-request content accept if HTTP
    use-server tls if {{ req.ssl_hello_type 1 }}
    server plain {address}:{plain} weight 1
    server tls {address}:{tls} weight 0
"""

HTTP = {"haproxy_backend_httpcheck_options": ["send meth GET uri /health", "expect status 200"]}
HTTP_1_1 = {
    "haproxy_backend_httpcheck_options": [
        f"send meth GET uri /health ver HTTP/1.1 hdr Host {NAME}",
        "expect status 200",
    ]
}
OPTION = {"haproxy_backend_options": ["httpchk GET /health"]}
BYTES = {
    "haproxy_backend_arguments": [
        r"tcp-check send GET\ /health\ HTTP/1.0\r\n\r\n",
        "tcp-check expect rstring ^HTTP/1...200",
    ]
}
TLS: Data = {"haproxy_backend_ssl": True}
H2: Data = {"haproxy_backend_h2": True}
TCP: Data = {"haproxy_balance_type": "tcp"}
CHECKED_BY_TLS: Data = {"haproxy_backend_ssl_check": True}
CHECKED_IN_CLEAR: Data = {"haproxy_backend_ssl_check": False}
VERIFIED: Data = {**TLS, "haproxy_backend_ca": "@home@/ca.pem", "haproxy_backend_verifyhost": NAME}


def words(*options: str) -> Data:
    return {"haproxy_backend_server_options": list(options)}


def defaults(options: str) -> Data:
    return {"haproxy_backend_arguments": [f"default-server {options}"]}


@dataclasses.dataclass(frozen=True)
class Case:
    """A kind of server, the keys of a service that lead to it, and what it sees of a client's request."""

    origin: str
    keys: Data
    seen: str
    tls_client: bool = False
    #: the kind of server that the checks go to, where it is another
    checked: str = ""


# What a server sees: address, HTTP version, and of a TLS handshake ALPN and name, where they are told.
SERVERS: dict[str, Case] = {
    "plain": Case("plain", {}, f"{BALANCER} 1.1"),
    "tls": Case("tls", TLS, f"{BALANCER} 1.1"),
    "tls-verified": Case("named", {**VERIFIED, "haproxy_backend_sni": NAME}, f"{BALANCER} 1.1 {NAME}"),
    "tls-raw": Case("tls", words("ssl verify none"), f"{BALANCER} 1.1"),
    "tls-raw-name": Case("named", words(f"ssl verify none sni str({NAME})"), f"{BALANCER} 1.1 {NAME}"),
    "h2": Case("h2", {**TLS, **H2}, f"{BALANCER} 2.0 h2"),
    "h2-only": Case("h2_only", {**TLS, **H2}, f"{BALANCER} 2.0 h2"),
    "h2-not-taken": Case("tls", {**TLS, **H2}, f"{BALANCER} 1.1 http/1.1"),
    "h2-raw": Case("h2_only", words("ssl verify none alpn h2"), f"{BALANCER} 2.0 h2"),
    "h2-raw-tls": Case("h2", {**H2, **words("ssl verify none")}, f"{BALANCER} 2.0 h2"),
    "h2-defaults": Case("h2_only", defaults("ssl verify none alpn h2"), f"{BALANCER} 2.0 h2"),
    "proxy2-defaults": Case("proxy2", defaults("send-proxy-v2"), f"{CLIENT} 1.1"),
    "h2c": Case("h2c", H2, f"{BALANCER} 2.0"),
    "h2c-raw": Case("h2c", words("proto h2"), f"{BALANCER} 2.0"),
    "proxy1": Case("proxy1", words("send-proxy"), f"{CLIENT} 1.1"),
    "proxy2": Case("proxy2", words("send-proxy-v2"), f"{CLIENT} 1.1"),
    "proxy1-tls": Case("proxy1_tls", {**TLS, **words("send-proxy")}, f"{CLIENT} 1.1"),
    "proxy1-tls-raw": Case("proxy1_tls", words("ssl verify none", "send-proxy"), f"{CLIENT} 1.1"),
    "proxy2-h2": Case("proxy2_h2", {**TLS, **H2, **words("send-proxy-v2-ssl-cn")}, f"{CLIENT} 2.0 h2"),
    "tcp": Case("plain", TCP, f"{BALANCER} 1.1"),
    "tcp-proxy1": Case("proxy1", {**TCP, **words("send-proxy")}, f"{CLIENT} 1.1"),
    "tcp-proxy2-tls": Case("proxy2_h2", {**TCP, **TLS, **words("send-proxy-v2")}, f"{CLIENT} 1.1"),
    "passed-through": Case("tls", {**TCP, **CHECKED_BY_TLS}, f"{BALANCER} 1.1 {NAME}", tls_client=True),
    "passed-through-verified": Case(
        "named",
        {**TCP, **VERIFIED, "haproxy_backend_ssl": False, **CHECKED_BY_TLS, "haproxy_backend_sni": NAME},
        f"{BALANCER} 1.1 {NAME}",
        tls_client=True,
    ),
    "passed-through-raw": Case(
        "tls", {**TCP, **words("check-ssl verify none")}, f"{BALANCER} 1.1 {NAME}", tls_client=True
    ),
    "checked-in-clear": Case("both", {**TLS, **CHECKED_IN_CLEAR}, f"{BALANCER} 1.1", checked="plain"),
    "elsewhere": Case("plain", {}, f"{BALANCER} 1.1", checked="plain"),
    "elsewhere-by-tls": Case("plain", CHECKED_BY_TLS, f"{BALANCER} 1.1", checked="tls"),
    "tls-elsewhere": Case("tls", TLS, f"{BALANCER} 1.1", checked="tls"),
    "tls-elsewhere-in-clear": Case("tls", {**TLS, **CHECKED_IN_CLEAR}, f"{BALANCER} 1.1", checked="plain"),
    "tls-raw-elsewhere": Case("tls", words("ssl verify none"), f"{BALANCER} 1.1", checked="plain"),
    "h2-elsewhere": Case("h2", {**TLS, **H2}, f"{BALANCER} 2.0 h2", checked="tls"),
    "h2c-elsewhere": Case("h2c", H2, f"{BALANCER} 2.0", checked="h2c"),
    "proxy2-elsewhere": Case("proxy2", words("send-proxy-v2"), f"{CLIENT} 1.1", checked="plain"),
    "proxy2-elsewhere-too": Case(
        "proxy2", words("send-proxy-v2", "check-send-proxy"), f"{CLIENT} 1.1", checked="proxy2"
    ),
}
# What checks are, and how HAProxy calls one that went well, with TLS below it and without.
CHECKS: dict[str, tuple[Data, tuple[str, str]]] = {
    "none": (words("no-check"), ("", "")),
    "tcp": ({}, ("L4OK", "L6OK")),
    "http": (HTTP, ("L7OK", "L7OK")),
    "http-1.1": (HTTP_1_1, ("L7OK", "L7OK")),
    "option": (OPTION, ("L7OK", "L7OK")),
    "bytes": (BYTES, ("L7OK", "L7OK")),
}


CHECKS_OF_ALL = ("none", "tcp", "http", "bytes")
SERVERS_OF_ALL_CHECKS = ("plain", "tls", "h2", "h2-only", "h2c", "proxy2-h2")


def combinations() -> t.Iterator[tuple[str, Case, str]]:
    for (name, case), check in itertools.product(SERVERS.items(), CHECKS):
        # A server that speaks nothing but HTTP/2 does not understand bytes of HTTP/1.
        makes_sense = check != "bytes" or (case.checked or case.origin) not in ("h2c", "h2_only")
        # Other ways to write the same are tried with some.
        if makes_sense and (check in CHECKS_OF_ALL or name in SERVERS_OF_ALL_CHECKS):
            yield f"{name}.{check}", case, check


def own_network() -> str:
    """Three bytes of loopback addresses on which nobody else listens, with any luck."""
    return f"127.{random.randint(10, 250)}.{random.randint(0, 250)}"


class Origins:
    """The servers."""

    def __init__(self, home: pathlib.Path) -> None:
        self.home = home
        self.address = f"{own_network()}.1"
        self.ports = {name: 9000 + number for number, name in enumerate((*BINDS, "both"))}
        text = ORIGINS
        for name, options in BINDS.items():
            gate = GATES.get(name.partition("_")[0])
            address = f"unix@{home}/{name}.sock" if gate else f"{self.address}:{self.ports[name]}"
            text += ORIGIN.format(name=name, address=address, options=options)
            text += GATE.format(name=name, address=self.address, port=self.ports[name], condition=gate) if gate else ""
        numbers = {"port": self.ports["both"], "plain": self.ports["plain"], "tls": self.ports["tls"]}
        text += BOTH.format(address=self.address, **numbers)
        (home / "sick.acl").write_text("")
        (home / "origins.cfg").write_text(text.replace("@home@", str(home)))
        self.process = start(home, "origins")

    def get_sick(self) -> None:
        RuntimeClient(f"{self.home}/origins", 10).ask(f"add acl {self.home}/sick.acl sick")


def start(home: pathlib.Path, name: str) -> subprocess.Popen[bytes]:
    """HAProxy with NAME.cfg, once its stats socket NAME answers."""
    assert BINARY
    with (home / f"{name}.log").open("wb") as log:
        process = subprocess.Popen([BINARY, "-db", "-f", f"{name}.cfg"], cwd=home, stdout=log, stderr=log)

    def answers() -> bool:
        assert process.poll() is None, (home / f"{name}.log").read_text()
        return "Pid: " in RuntimeClient(f"{home}/{name}", 10).ask("show info")

    eventually(answers, PATIENCE)
    return process


@pytest.fixture
def home(pem: str) -> t.Iterator[pathlib.Path]:
    if BINARY is None:
        pytest.skip("needs haproxy")
    # A short path, for that of a socket is limited.
    with tempfile.TemporaryDirectory(prefix="hap.") as directory:
        home = pathlib.Path(directory)
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-days", "2", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
        subprocess.run([*command, "-keyout", home / "key", "-out", home / "ca.pem"], check=True, capture_output=True)
        (home / "a.pem").write_text((home / "ca.pem").read_text() + (home / "key").read_text())
        yield home


class Balancer:
    """The load balancer: services as the role configures them, each at an address of its own."""

    def __init__(self, home: pathlib.Path, render: Render, origins: Origins, *, tracks: bool) -> None:
        self.home, self.render, self.origins, self.tracks = home, render, origins, tracks
        self.network = own_network()
        # Beside a default-server the planner adds nothing: what is added does not get it.
        self.cases = {name: (case, check) for name, case, check in combinations() if tracks or "defaults" not in name}
        self.addresses = {name: f"{self.network}.{number}" for number, name in enumerate(self.cases, start=1)}

    def service(self, name: str, *, is_empty: bool) -> Data:
        case, check = self.cases[name]
        # Both may have raw lines.
        parts = (case.keys, CHECKS[check][0], words("fastinter 1s"))
        raw = ("haproxy_backend_server_options", "haproxy_backend_arguments")
        keys = {**case.keys, **CHECKS[check][0]}
        keys.update({key: [line for part in parts for line in part.get(key, ())] for key in raw})
        if case.checked:
            keys["haproxy_check_port"] = self.origins.ports["both" if case.origin == "both" else case.checked]
        node = {"name": "w", "ip_addr": self.origins.address, "backend_port": self.origins.ports[case.origin]}
        if case.checked:
            node["check_port"] = keys["haproxy_check_port"]
        return {
            **{
                key: value.replace("@home@", str(self.home)) if key.endswith("_ca") else value
                for key, value in keys.items()
            },
            "haproxy_service_name": name,
            "haproxy_port": 8080,
            "haproxy_bind": [self.addresses[name]],
            # So long because it limits connecting, too, and other tests may have the processors.
            "interval": "5s",
            "backend_rise": 1,
            "backend_fall": 3,
            "haproxy_backend_nodes": [] if is_empty else [node],
        }

    def text(self, *, is_empty: bool) -> str:
        services = [self.service(name, is_empty=is_empty) for name in self.cases]
        # HAProxy reads a CA file when it starts.
        first = self.service("tls-verified.none", is_empty=False)
        services.append({**first, "haproxy_service_name": "first", "haproxy_bind": [f"{self.network}.252"]})
        if self.tracks:
            tracking = {**self.service("plain.http", is_empty=False), **words("track plain.http-back/w")}
            services.append({**tracking, "haproxy_service_name": "tracking", "haproxy_bind": [f"{self.network}.251"]})
        text = self.render(
            *services,
            external_lb_vip_address=f"{self.network}.253",
            internal_lb_vip_address=f"{self.network}.253",
            haproxy_log_socket="stdout",
        ).text
        text = re.sub(r"^    (chroot|user|group|log|stats socket /run/haproxy.stat) .*\n", "", text, flags=re.MULTILINE)
        text = text.replace("/run/haproxy/admin.sock", f"{self.home}/balancer")
        return text.replace("/run/haproxy/", f"{self.home}/")

    def write(self, *, is_empty: bool) -> None:
        (self.home / "servers.state").write_text("1\n")
        (self.home / "balancer.cfg").write_text(self.text(is_empty=is_empty))

    def fill(self) -> list[str]:
        """Let the planner add the servers to empty pools. The reasons for which a reload would be needed."""
        old, new = (Release.made_of({"haproxy.cfg": self.text(is_empty=is_empty)}) for is_empty in (True, False))
        with RuntimeClient(f"{self.home}/balancer", 10).session() as session:
            difference = compare(old, new, self.home, {}, Loaded(session.version))
            execute(difference.changes, session)
        return difference.reasons

    def rows(self) -> dict[str, Row]:
        answer = RuntimeClient(f"{self.home}/balancer", 10).ask("show stat")
        return {str(row["pxname"]).removesuffix("-back"): row for row in parse_stats(answer) if row["svname"] == "w"}

    def wait_for(self, wanted: t.Callable[[str, Row], bool]) -> None:
        """Wait until the servers of all services are as they should be."""

        def wrong() -> dict[str, tuple[t.Any, ...]]:
            rows = self.rows()
            return {
                name: tuple(rows[name].get(key) for key in ("status", "check_status", "check_code", "last_chk"))
                for name in self.cases
                if not wanted(name, rows[name])
            }

        deadline = time.monotonic() + PATIENCE
        while wrong() and time.monotonic() < deadline:
            time.sleep(0.2)
        assert wrong() == {}

    def ask(self, name: str) -> tuple[int, str]:
        """What a client gets."""
        kind = TlsClient if self.cases[name][0].tls_client else http.client.HTTPConnection
        client = kind(self.addresses[name], 8080, timeout=PATIENCE, source_address=(CLIENT, 0))
        with contextlib.closing(client):
            client.request("GET", "/")
            answer = client.getresponse()
            return answer.status, " ".join(answer.read().decode().split())


class TlsClient(http.client.HTTPConnection):
    """A client that speaks TLS with the server itself, through the load balancer."""

    def connect(self) -> None:
        super().connect()
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock, server_hostname=NAME)


def expected_check(case: Case, check: str) -> str:
    keys = {**case.keys, **CHECKS[check][0]}
    raw = " ".join(
        (*case.keys.get("haproxy_backend_server_options", ()), *case.keys.get("haproxy_backend_arguments", ()))
    )
    by_tls = keys.get("haproxy_backend_ssl_check", keys.get("haproxy_backend_ssl", False)) or "check-ssl" in raw
    by_tls = by_tls or ("ssl" in raw.split() and not case.checked)
    return CHECKS[check][1][by_tls]


@pytest.mark.parametrize("added", [False, True], ids=["configured", "added"])
def test_servers(added: bool, home: pathlib.Path, render: Render) -> None:
    with contextlib.ExitStack() as stack:
        origins = Origins(home)
        stack.callback(stop, origins.process)
        balancer = Balancer(home, render, origins, tracks=not added)
        balancer.write(is_empty=added)
        stack.callback(stop, start(home, "balancer"))
        if added:
            assert {balancer.ask("plain.http")[0], balancer.ask("h2.none")[0]} == {503}
            assert balancer.fill() == []

        def is_well(name: str, row: Row) -> bool:
            good = expected_check(*balancer.cases[name])
            # A star says that the next check is going on.
            return (row["status"], str(row.get("check_status") or "").lstrip("* ")) == (
                "UP" if good else "no check",
                good,
            )

        balancer.wait_for(is_well)
        answers = {name: balancer.ask(name) for name in balancer.cases}
        assert answers == {name: (200, case.seen) for name, (case, _check) in balancer.cases.items()}

        origins.get_sick()
        balancer.wait_for(
            lambda name, row: (
                row["status"] == "DOWN" if CHECKS[balancer.cases[name][1]][1][0] == "L7OK" else is_well(name, row)
            )
        )
        if balancer.tracks:
            tracking = balancer.rows()["tracking"]
            assert (tracking["status"], tracking["tracked"]) == ("DOWN", "plain.http-back/w")

        stop(origins.process)
        balancer.wait_for(
            lambda name, row: row["status"] == ("no check" if balancer.cases[name][1] == "none" else "DOWN")
        )
        assert {balancer.ask(name)[0] for name in ("plain.tcp", "proxy2.http", "h2.none")} == {503}
