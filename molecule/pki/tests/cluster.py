# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load balancers, the setup host (this machine), and clients that shake hands all the time."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import typing as t
import uuid

from bench import CACHE, MOLECULE, Node

# As in inventory/.
NAME = "lbfp"
INTERNAL, EXTERNAL = "10.216.1", "10.216.2"
VIP = f"{EXTERNAL}.100"
SITE, SHOP, FLEETING = "www.bench.test", "shop.bench.test", "fleeting.bench.test"
INTERMEDIATE, ROOT, CLIENTS = "HAProxyIntermediate", "HAProxyRoot", "Clients"
# What programs on the nodes trust.
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"

PLAYBOOK = MOLECULE.parent / "playbooks" / "haproxy_certificates.yml"


def openssl(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Ask OpenSSL, which never waits for an answer to a question of its own."""
    return subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


def hexadecimal(serial: str) -> str:
    return serial.strip().partition("=")[2].lstrip("0").lower() if "=" in serial else serial.strip().lstrip("0").lower()


@dataclasses.dataclass(frozen=True)
class Issued:
    """A key and its certificate on the setup host."""

    name: str
    directory: pathlib.Path

    @property
    def key(self) -> pathlib.Path:
        return self.directory / "private" / f"{self.name}.key.pem"

    @property
    def certificate(self) -> pathlib.Path:
        return self.directory / "certs" / f"{self.name}.crt"


class Authority(Issued):
    """The files of an authority."""

    @property
    def crl(self) -> pathlib.Path:
        return self.directory / "crl" / f"{self.name}.crl.pem"


class Leaf(Issued):
    """The files of a certificate that an authority has signed."""

    @property
    def chain(self) -> pathlib.Path:
        return self.directory / "certs" / f"{self.name}-chain.crt"

    @property
    def serial(self) -> str:
        return hexadecimal(openssl("x509", "-noout", "-serial", "-in", self.certificate).stdout)

    @property
    def seconds_left(self) -> float:
        end = openssl("x509", "-noout", "-enddate", "-dateopt", "iso_8601", "-in", self.certificate).stdout
        return time.mktime(time.strptime(end.strip(), "notAfter=%Y-%m-%d %H:%M:%SZ")) - time.timezone - time.time()

    def torn(self) -> str:
        """Say which file holds something else than a whole key or whole certificates; one that is missing is whole."""
        readers = {self.key: ["pkey", "-noout", "-in"], self.certificate: ["x509", "-noout", "-in"]}
        readers[self.chain] = ["crl2pkcs7", "-nocrl", "-certfile"]
        broken = [path for path, words in readers.items() if path.exists() and openssl(*words, path).returncode]
        return ", ".join(map(str, broken))

    def flaw(self) -> str:
        """Say what is wrong with the files, judged by OpenSSL alone; nothing if they are whole and a pair."""
        key = openssl("pkey", "-pubout", "-in", self.key)
        certificate = openssl("x509", "-noout", "-pubkey", "-in", self.certificate)
        chain = openssl("crl2pkcs7", "-nocrl", "-certfile", self.chain)
        for said in (key, certificate, chain):
            if said.returncode:
                return f"{self.name}: {said.stderr}"
        if key.stdout != certificate.stdout:
            return f"{self.name}: key and certificate are no pair"
        return ""


class SetupHost:
    """The tree of the authorities."""

    def __init__(self) -> None:
        self.directory = CACHE / NAME / "pki"
        self.root, self.intermediate, self.clients = (
            Authority(name, self.directory / "roots" / name) for name in (ROOT, INTERMEDIATE, CLIENTS)
        )

    def leaf(self, name: str) -> Leaf:
        return Leaf(name, self.directory / "certs")

    @property
    def leaves(self) -> list[Leaf]:
        """All of which there is a key or a certificate: the other may be missing."""
        directory = self.directory / "certs"
        names = {path.name.removesuffix(".key.pem") for path in directory.glob("private/*.key.pem")}
        names |= {
            path.stem for path in directory.glob("certs/*.crt") if not path.stem.endswith(("-chain", "-ca_bundle"))
        }
        return [self.leaf(name) for name in sorted(names)]

    def verify(self, leaf: Leaf, purpose: str, root: pathlib.Path | None = None) -> str:
        """Whether a client that has only the root believes what a server sends; what OpenSSL says if not."""
        options = ["-x509_strict", "-purpose", purpose, "-no-CApath", "-no-CAstore", "-CAfile"]
        said = openssl("verify", *options, root or self.root.certificate, "-untrusted", leaf.chain, leaf.certificate)
        return "" if said.returncode == 0 else said.stdout + said.stderr

    def flaws(self) -> list[str]:
        """Everything that is wrong in the tree."""
        found = [leaf.flaw() or self.verify(leaf, "any") for leaf in self.leaves]
        found += [f"{path} is unfinished" for path in self.directory.rglob(".new-*")]
        return [*filter(None, found), *self.open_secrets()]

    def open_secrets(self) -> list[str]:
        """Files with a key, or part of one, that others than their user could read."""
        return [
            f"{path} has mode {path.stat().st_mode & 0o777:o}"
            for path in self.directory.rglob("*")
            if path.is_file() and path.stat().st_mode & 0o077 and b"PRIVATE" in path.read_bytes()
        ]

    def contents(self) -> dict[pathlib.Path, bytes]:
        """The whole tree, to see whether something has changed."""
        return {path: path.read_bytes() for path in self.directory.rglob("*") if path.is_file()}


class Balancer(Node):
    """A load balancer and what it shows."""

    def ask(self, command: str, path: str = "admin.sock") -> str:
        return self.run(f"printf '%s\\n' '{command}' | nc -N -U /run/{path}")

    @property
    def reloads(self) -> tuple[str, str]:
        """HAProxy's worker, and how often its master has reloaded: both the same as before if there was no reload."""
        worker = re.search(r"^Pid: (\d+)", self.ask("show info", "haproxy/admin.sock"), re.MULTILINE)
        master = re.search(r"^\d+\s+master\s+(\d+) ", self.ask("show proc", "haproxy-master.sock"), re.MULTILINE)
        assert worker and master
        return worker[1], master[1]

    def pem(self, name: str) -> str:
        return f"/etc/haproxy/ssl/{name}.pem"

    def loaded(self, name: str) -> str:
        """The serial number that the running HAProxy has."""
        said = self.ask(f"show ssl cert {self.pem(name)}", "haproxy/admin.sock")
        return hexadecimal(re.findall(r"^Serial: (\w+)", said, re.MULTILINE)[0])

    def shown(self, name: str, root: pathlib.Path) -> str:
        """The serial number that a client sees who comes to this very node and knows the root alone."""
        trust = ["-CAfile", root, "-no-CApath", "-no-CAstore", "-verify_return_error", "-verify_hostname", name]
        said = openssl("s_client", "-connect", f"{self.address}:443", "-servername", name, *trust)
        assert said.returncode == 0, said.stderr
        certificate = subprocess.run(
            ["openssl", "x509", "-noout", "-serial"], input=said.stdout, capture_output=True, text=True, check=True
        )
        return hexadecimal(certificate.stdout)


class Cluster:
    """All of them."""

    def __init__(self, setup_host: SetupHost) -> None:
        self.setup_host = setup_host
        self.nodes = [Balancer(f"lb{n}", f"{NAME}-lb{n}", f"{INTERNAL}.1{n}") for n in (1, 2, 3)]

    @property
    def reloads(self) -> list[tuple[str, str]]:
        return [node.reloads for node in self.nodes]

    def shown(self, name: str) -> list[str]:
        """What each node shows, in the order of the nodes."""
        return [node.shown(name, self.setup_host.root.certificate) for node in self.nodes]

    def own(self, node: Balancer) -> list[Leaf]:
        """The certificates of a node's own, of the VIPs and of its address, of both kinds."""
        return [leaf for leaf in self.setup_host.leaves if leaf.name.startswith(f"haproxy_{node.name}-")]

    def differences(self) -> list[str]:
        """Where a node shows, or has in its file, another certificate than the setup host's."""
        found = []
        for node in self.nodes:
            for leaf in [self.setup_host.leaf("shop"), *self.own(node)]:
                file = hexadecimal(node.run(f"openssl x509 -noout -serial -in {node.pem(leaf.name)}"))
                if not (leaf.serial == node.loaded(leaf.name) == file):
                    found.append(f"{node}: {leaf.name} is {node.loaded(leaf.name)}, file {file}, wanted {leaf.serial}")
        return found


@dataclasses.dataclass(frozen=True)
class Played:
    """What a run of Ansible came to."""

    code: int
    output: str

    @property
    def changed(self) -> int:
        """How many tasks changed something, on all nodes."""
        return sum(map(int, re.findall(r"^\S+\s+: ok=\d+\s+changed=(\d+)", self.output, re.MULTILINE)))


class Run:
    """A playbook that runs, and that can be killed with everything that it has started here."""

    def __init__(self, *arguments: str, **variables: object) -> None:
        self.mark = uuid.uuid4().hex
        inventory = f"--inventory={MOLECULE / 'pki' / 'inventory'}"
        # Certificates of hours are as long as they should be.
        given = {"haproxy_certificates_days": 0, **variables}
        command = ["ansible-playbook", inventory, f"--extra-vars={json.dumps(given)}", *arguments, str(PLAYBOOK)]
        environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "false", "ANSIBLE_NOCOLOR": "true", "RUN": self.mark}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
            env=environment,
        )  # fmt: skip

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *exception: object) -> None:
        """Leave nothing behind that a test which failed has started."""
        if self.process.poll() is None:
            self.kill()

    def end(self) -> Played:
        output, _nothing = self.process.communicate()
        return Played(self.process.returncode, output)

    def kill_at(self, task: str, moment: t.Callable[[], bool] = lambda: True) -> None:
        """Kill it in a task, as soon as it is this moment there."""
        assert self.process.stdout
        said: list[str] = []
        while not said or task not in said[-1]:
            said.append(self.process.stdout.readline())
            assert said[-1], "".join(said)
        while not moment():
            assert self.process.poll() is None, self.end().output
        assert self.kill() > 1, "the playbook, and more"

    def kill(self) -> int:
        """Kill it and all its descendants at once, modules on this machine among them; how many there were."""
        marked = f"RUN={self.mark}".encode()
        killed = 0
        for environment in pathlib.Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if marked in environment.read_bytes().split(b"\0"):
                    os.kill(int(environment.parent.name), signal.SIGKILL)
                    killed += 1
        self.process.wait()
        return killed


def play(*arguments: str, **variables: object) -> Played:
    """Renew what is due; without the report that follows, unless it is asked for."""
    return Run(*(arguments or ["--skip-tags=report"]), **variables).end()


@dataclasses.dataclass
class Seen:
    """What a client saw; see prober.py."""

    serials: dict[str, int] = dataclasses.field(default_factory=dict)
    failures: list[tuple[float, str]] = dataclasses.field(default_factory=list)

    @property
    def handshakes(self) -> int:
        return sum(self.serials.values())

    @property
    def order(self) -> list[str]:
        return [hexadecimal(serial) for serial in self.serials]


@contextlib.contextmanager
def probing(
    cafile: pathlib.Path | str, name: str = SITE, kind: str = "ECDSA", node: Node | None = None, address: str = VIP
) -> t.Iterator[Seen]:
    """Shake hands meanwhile, from this machine or from a node; what was seen is known when the block has ended."""
    program = pathlib.Path(__file__).with_name("prober.py")
    arguments = [address, name, str(cafile), kind]
    here = [sys.executable, str(program), *arguments]
    there = ["podman", "exec", "--interactive", node.container, "python3", "-c", program.read_text()] if node else []
    seen = Seen()
    command = [*there, *arguments] if node else here
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as prober:
        try:
            assert prober.stdout and prober.stdout.readline() == "ready\n"
            time.sleep(0.2)
            yield seen
        finally:
            output, _nothing = prober.communicate()
    said = json.loads(output)
    seen.serials, seen.failures = said["serials"], said["failures"]
