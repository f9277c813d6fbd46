# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load balancers, the ACME server, and a client that shakes hands all the time."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import threading
import typing as t

from bench import CACHE, MOLECULE, Node, until

# As in inventory/.
NAME = "lbfl"
INTERNAL, EXTERNAL = "10.217.1", "10.217.2"
VIP = f"{EXTERNAL}.100"
SITE, SHOP = "www.bench.test", "shop.bench.test"
SITE_PEM = f"/etc/haproxy/ssl/haproxy_{{}}-{VIP}.pem"
SHOP_PEM = "/etc/haproxy/ssl/shop.pem"


class Authority:
    """pebble, and the DNS that it asks."""

    def __init__(self) -> None:
        self.node = Node("ca", f"{NAME}-ca", f"{EXTERNAL}.31")

    def root(self) -> pathlib.Path:
        """The root certificate that pebble made when it started."""
        path = CACHE / NAME / "root.pem"
        path.write_text(self.node.run("curl --silent --insecure https://localhost:15000/roots/0"))
        return path

    @property
    def issued(self) -> int:
        """How many certificates it has issued in all."""
        return self.node.run("journalctl --unit=pebble --no-pager").count("Issued certificate serial")

    @contextlib.contextmanager
    def down(self) -> t.Iterator[None]:
        """Frozen and not stopped: it would forget accounts, and be another root."""
        self.node.systemctl("kill --signal=STOP pebble")
        try:
            yield
        finally:
            self.node.systemctl("kill --signal=CONT pebble")

    @contextlib.contextmanager
    def wrong_dns(self) -> t.Iterator[None]:
        """Every name leads to the ACME server itself, where nobody answers on port 80."""
        self._default(f"{EXTERNAL}.31")
        try:
            yield
        finally:
            self._default(VIP)

    def _default(self, address: str) -> None:
        data = json.dumps({"ip": address})
        self.node.run(f"curl --silent --fail --data '{data}' http://localhost:8055/set-default-ipv4")


class Client:
    """Shakes hands with the VIP, and believes only the root of the ACME server."""

    def __init__(self, root: pathlib.Path) -> None:
        self.context = ssl.create_default_context(cafile=root)

    def serial(self, name: str = SITE) -> str:
        """The serial number of the certificate that is served; it must be valid."""
        with (
            socket.create_connection((VIP, 443), timeout=2) as connection,
            self.context.wrap_socket(connection, server_hostname=name) as secured,
        ):
            certificate = secured.getpeercert()
        assert certificate
        return str(certificate["serialNumber"])

    def key(self, name: str) -> str:
        """The kind of key that is served, as openssl calls it."""
        client = ["openssl", "s_client", "-connect", f"{VIP}:443", "-servername", name]
        served = subprocess.run(client, input="", capture_output=True, text=True, check=True).stdout
        reader = ["openssl", "x509", "-noout", "-text"]
        told = subprocess.run(reader, input=served, capture_output=True, text=True, check=True).stdout
        return told.partition("Public Key Algorithm: ")[2].partition("\n")[0]


class Prober(threading.Thread):
    """One handshake after the other until the block ends."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        self.client = client
        self.serials: list[str] = []
        self.failures: list[Exception] = []
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.wait(0.02):
            try:
                self.serials.append(self.client.serial())
            except OSError as error:
                self.failures.append(error)

    def __enter__(self) -> Prober:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.done.set()
        self.join()


class Balancer(Node):
    """A load balancer and what it has."""

    @property
    def pem(self) -> str:
        """The site's certificate file."""
        return SITE_PEM.format(self.name)

    def serials(self, pem: str = "") -> list[str]:
        """Of the file, and of what the running HAProxy shows."""
        file = pem or self.pem
        of_file = f"openssl x509 -noout -serial -in '{file}' | sed 's/serial=//'"
        loaded = f"echo 'show ssl cert {file}' | nc -U /run/haproxy/admin.sock | sed -n 's/^Serial: //p'"
        return self.run(f"{of_file}; {loaded}").split()

    @property
    def serial(self) -> str:
        return self.serials()[0]

    @property
    def pid(self) -> str:
        """HAProxy's worker: another one after a reload."""
        return self.run("echo 'show info' | nc -U /run/haproxy/admin.sock | sed -n 's/^Pid: //p'").strip()

    def status(self, name: str = SITE) -> dict[str, t.Any]:
        said: dict[str, t.Any] = json.loads(self.run(f"cat /var/lib/haproxy-acme/status/{name}.json"))
        return said

    def renew(self) -> tuple[int, str]:
        """What the timer starts; its outcome and what it said."""
        result = self.host.run("systemctl start haproxy-acme.service")
        said = self.run("journalctl --unit=haproxy-acme.service --no-pager --output=cat --lines=30")
        return int(result.rc), said

    @contextlib.contextmanager
    def configured(self, **settings: object) -> t.Iterator[None]:
        """With other settings, as another run of the role would leave them."""
        path = "/etc/haproxy-acme/config.json"
        kept = self.run(f"cat {path}")
        self.write(path, json.dumps(json.loads(kept) | settings))
        try:
            yield
        finally:
            self.write(path, kept)

    def write(self, path: str, text: str) -> None:
        command = ["podman", "exec", "--interactive", self.container, "sh", "-c", f"cat >{path}"]
        subprocess.run(command, input=text, text=True, check=True)


class Cluster:
    """All of them."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.nodes = [Balancer(f"lb{n}", f"{NAME}-lb{n}", f"{EXTERNAL}.1{n}") for n in (1, 2, 3)]

    @property
    def holders(self) -> list[Balancer]:
        return [node for node in self.nodes if node.holds(VIP)]

    @property
    def holder(self) -> Balancer:
        (holder,) = self.holders
        return holder

    def others(self, holder: Balancer) -> list[Balancer]:
        return [node for node in self.nodes if node is not holder]

    def serials(self, name: str = "") -> set[str]:
        """Of all files and all running processes."""
        return {serial for node in self.nodes for serial in node.serials(name)}

    def settle(self) -> None:
        """Wait until all nodes run, one holds the VIP, and all have the same certificates."""
        assert until(lambda: all(node.state == "running" for node in self.nodes))
        assert until(lambda: [node.name for node in self.holders] == ["lb1"], 30), self.holders
        for pem in ("", SHOP_PEM):
            assert until(lambda pem=pem: len(self.serials(pem)) == 1), self.serials(pem)


def play(*arguments: str, playbook: str = "haproxy_install") -> tuple[int, dict[str, int], str]:
    """Run a playbook: its outcome, how many tasks changed something on each node, and what it said."""
    inventory = MOLECULE / "letsencrypt" / "inventory"
    everywhere = [f"--inventory={inventory}", "--extra-vars=haproxy_serial=100%"]
    command = ["ansible-playbook", *everywhere, *arguments, str(MOLECULE.parent / "playbooks" / f"{playbook}.yml")]
    environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "false", "ANSIBLE_NOCOLOR": "true"}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    recap = re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", result.stdout, re.MULTILINE)
    return result.returncode, {host: int(changed) for host, changed in recap}, result.stdout + result.stderr


def report(*arguments: str) -> tuple[int, list[str]]:
    """Ask for the report of all certificates: its outcome and its lines."""
    outcome, changed, said = play("--tags=report", *arguments, playbook="haproxy_certificates")
    assert not any(changed.values()), said
    found = re.search(r'^ok: \[\w+\] => \{\s+"msg": (\[.*?\])\s+\}', said, re.MULTILINE | re.DOTALL)
    assert found, said
    return outcome, [" ".join(line.split()) for line in json.loads(found[1])]
