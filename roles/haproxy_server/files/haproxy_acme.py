# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates by ACME for all load balancers of a cluster: one of them orders, the others get the same.

    haproxy-acme run [SECONDS]      take what peers have that is newer; order what is due, if that is for this node to
                                    do; wait that long for the VIP to be somewhere (what the timer and the role call)
    haproxy-acme take [LINEAGE]     take what certbot holds (what certbot calls after a renewal by hand)
    haproxy-acme deploy             give HAProxy what is here
    haproxy-acme inbox              take what peers have sent, and send what they asked for
    haproxy-acme identity           print the public keys of this node, made if need be
    haproxy-acme trust              let in the peers whose identities come on standard input, and no others
    haproxy-acme status             print what this node has, and how its last orders ended
    haproxy-acme receive PEER       answer a peer; all that a peer's key may do here

What it changes it prints, and nothing else. docs/lets-encrypt.md of the collection says how it all works.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import fcntl
import functools
import hashlib
import ipaddress
import json
import os
import pathlib
import re
import shlex
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import typing as t
import zlib

SETTINGS = pathlib.Path("/etc/haproxy-acme")
STATE = pathlib.Path("/var/lib/haproxy-acme")
HOST_KEYS = pathlib.Path("/etc/ssh")
LOCK = pathlib.Path("/run/haproxy-acme.lock")

LARGEST_MESSAGE = 1 << 20
MOST_MESSAGES = 100
CERTIFICATES_PER_MESSAGE = 50
DELIVERY = 30.0  # seconds until a peer has taken what it was sent
RELOAD = 20.0  # seconds until HAProxy has reloaded
CLOCKS = 300.0  # seconds that clocks may differ

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL)
KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----\n?", re.DOTALL)
PUBLIC_KEY = re.compile(r"[a-z0-9@.-]+ [A-Za-z0-9+/=]+")
# What certbot keeps of an account: its server, the path there, a number, and one of three files.
ACCOUNT = re.compile(r"[A-Za-z0-9][\w.:-]*(/[A-Za-z0-9][\w.~-]*)+/(meta|private_key|regr)\.json")


class Refused(Exception):
    """Something is not done, and why."""


# Certificates


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A certificate with its chain and its key, and what its certificate says."""

    pem: str
    serial: str
    not_before: int
    not_after: int
    names: frozenset[str]
    key_type: str

    @classmethod
    def read(cls, pem: str) -> Bundle:
        """Read a PEM; a Refused says what cannot be right in any case."""
        chain, key = CERTIFICATE.findall(pem), KEY.search(pem)
        told = openssl("x509", "-noout", "-serial", "-startdate", "-enddate", "-ext", "subjectAltName", text=chain[:1])
        if not chain or told is None:
            raise Refused("holds no certificate")
        facts = dict(re.findall(r"^(serial|notBefore|notAfter)=(.*)$", told, re.MULTILINE))
        text = openssl("x509", "-noout", "-text", text=chain[:1]) or ""
        public = openssl("x509", "-noout", "-pubkey", text=chain[:1])
        own = openssl("pkey", "-pubout", text=[key[0]]) if key else None
        if not own:
            raise Refused("holds no key")
        if own != public:
            raise Refused("holds a key that is not the certificate's")
        return cls(
            pem="".join(f"{part.strip()}\n" for part in (*chain, key[0] if key else "")),
            serial=facts["serial"],
            not_before=ssl.cert_time_to_seconds(facts["notBefore"]),
            not_after=ssl.cert_time_to_seconds(facts["notAfter"]),
            names=frozenset(name.lower() for name in re.findall(r"(?:DNS|IP Address):([^,\s]+)", told)),
            key_type="ecdsa" if "id-ecPublicKey" in text else "rsa" if "rsaEncryption" in text else "other",
        )

    @property
    def age(self) -> tuple[int, str]:
        """What makes one of two the newer, on all nodes alike."""
        return self.not_before, self.serial

    @property
    def leaf(self) -> str:
        return str(CERTIFICATE.findall(self.pem)[0])

    @property
    def sha1(self) -> str:
        """By this HAProxy shows it; for nothing else would SHA-1 do."""
        return hashlib.sha1(ssl.PEM_cert_to_DER_cert(self.leaf), usedforsecurity=False).hexdigest().upper()

    def problem(self, names: t.Collection[str], now: float) -> str:
        """Why HAProxy cannot have it, or nothing."""
        if now >= self.not_after:
            return "has expired"
        if now + CLOCKS < self.not_before:
            return "is not valid yet"
        if self.names != {name.lower() for name in names}:
            return f"is for {listed(self.names)} and not for {listed(names)}"
        chain = CERTIFICATE.findall(self.pem)
        with tempfile.TemporaryDirectory() as directory:
            for number, (subject, issuer) in enumerate(zip(chain, chain[1:])):
                files = [pathlib.Path(directory, f"{number}-{role}") for role in ("issuer", "subject")]
                for file, text in zip(files, (issuer, subject)):
                    file.write_text(text)
                if openssl("verify", "-partial_chain", "-trusted", *map(str, files)) is None:
                    return f"has a chain that breaks after certificate {number + 1}"
        return ""


def openssl(*words: str, text: t.Sequence[str] = ()) -> str | None:
    """What openssl answers; nothing if it fails. Keys go in by standard input."""
    command = ["openssl", *words]
    result = subprocess.run(command, input="".join(text), capture_output=True, text=True, check=False, timeout=30)
    return result.stdout if result.returncode == 0 else None


def due(bundle: Bundle | None, wanted: Wanted, server: str, now: float) -> str:
    """Why a certificate should be ordered now, or nothing."""
    if bundle is None:
        return "there is none"
    if bundle.names != {name.lower() for name in wanted.domains}:
        return f"it is for {listed(bundle.names)}"
    if bundle.key_type != wanted.key_type:
        return f"its key is {bundle.key_type.upper()}"
    if server and server != wanted.server:
        return f"it comes from {server}"
    before = wanted.renew_before or (bundle.not_after - bundle.not_before) / 3
    return f"it expires at {instant(bundle.not_after)}" if bundle.not_after - now <= before else ""


def is_overdue(bundle: Bundle | None, now: float) -> bool:
    """Whether somebody should have renewed it long ago."""
    return bundle is None or (bundle.not_after - now) * 6 <= bundle.not_after - bundle.not_before


def age_of(status: t.Mapping[str, t.Any]) -> tuple[str, str]:
    """What makes one of two the newer, by what is told of them."""
    return str(status.get("not_before", "")), str(status.get("serial", ""))


def instant(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def listed(words: t.Iterable[str]) -> str:
    return ", ".join(sorted(words)) or "nobody"


# What the role says


@dataclasses.dataclass(frozen=True)
class Wanted:
    """One certificate: its names, and the files that HAProxy has it by."""

    name: str
    domains: tuple[str, ...]
    files: tuple[str, ...]
    key_type: str
    server: str
    renew_before: float


@dataclasses.dataclass(frozen=True)
class Peer:
    name: str
    address: str
    port: int


@dataclasses.dataclass(frozen=True)
class Settings:
    node: str
    peers: tuple[Peer, ...]
    vip: str  # whoever holds it orders; without one it is the first node that answers
    certbot: tuple[str, ...]
    certbot_directory: pathlib.Path
    store: pathlib.Path
    stats_socket: str
    certificates: tuple[Wanted, ...]

    @classmethod
    def load(cls) -> Settings:
        said = json.loads((SETTINGS / "config.json").read_text())
        return cls(
            node=said["node"],
            peers=tuple(
                Peer(name, address, said["peers_port"])
                for name, address in sorted(said["peers"].items())
                if name != said["node"]
            ),
            vip=said["vip"],
            certbot=(*said["certbot"], *shlex.split(said["certbot_extra"])),
            certbot_directory=pathlib.Path(said["certbot_directory"]),
            store=pathlib.Path(said["store"]),
            stats_socket=said["stats_socket"],
            certificates=tuple(
                Wanted(
                    name=each["name"],
                    domains=tuple(each["domains"]),
                    files=tuple(each.get("files", [each["name"]])),
                    key_type=said["key_type"],
                    server=said["server"],
                    renew_before=said["renew_before"],
                )
                for each in said["certificates"]
            ),
        )

    def wanted(self, name: str) -> Wanted:
        for each in self.certificates:
            if each.name == name:
                return each
        raise Refused("is no certificate of this node")

    @property
    def holds_vip(self) -> bool:
        """Whether the kernel has the address. Binding it would not tell: HAProxy's nodes may bind what is elsewhere."""
        held = json.loads(subprocess.check_output(["ip", "-json", "address", "show"], timeout=10))
        return any(
            ipaddress.ip_address(address["local"]) == vip
            for vip in addresses(self.vip)
            for link in held
            for address in link.get("addr_info", ())
            if "local" in address
        )


def addresses(host: str) -> list[t.Any]:
    """The addresses of a host, which may be one itself."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


# Files


def replace(path: pathlib.Path, content: str, mode: int) -> None:
    """Write a file whole or not at all."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = pathlib.Path(name)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(content)
            file.flush()
            os.fchmod(handle, mode)
            os.fsync(handle)
        temporary.replace(path)
    except BaseException:
        temporary.unlink()
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)


@contextlib.contextmanager
def locked(path: pathlib.Path) -> t.Iterator[None]:
    """Wait for whoever does the same; the system gives the lock back when its holder dies."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


class Store:
    """What this node has: certificates that only root reads, and what anybody may know of them."""

    def bundle(self, name: str) -> Bundle | None:
        try:
            return Bundle.read((STATE / "certificates" / f"{name}.pem").read_text())
        except (OSError, Refused):
            return None

    def keep(self, wanted: Wanted, bundle: Bundle, source: str) -> None:
        replace(STATE / "certificates" / f"{wanted.name}.pem", bundle.pem, 0o600)
        self.tell(
            wanted,
            domains=sorted(bundle.names),
            serial=bundle.serial,
            not_before=instant(bundle.not_before),
            not_after=instant(bundle.not_after),
            server=wanted.server,
            source=source,
            files=[f"{file}.pem" for file in wanted.files],
        )
        self.tell_result(wanted, "")

    def status(self, name: str) -> dict[str, t.Any]:
        try:
            said: dict[str, t.Any] = json.loads((STATE / "status" / f"{name}.json").read_text())
        except (OSError, ValueError):
            return {}
        return said

    def tell(self, wanted: Wanted, **news: t.Any) -> None:
        said = {"name": wanted.name, **self.status(wanted.name), **news}
        replace(STATE / "status" / f"{wanted.name}.json", f"{json.dumps(said, indent=2, sort_keys=True)}\n", 0o644)

    def forget(self, but: t.Iterable[str]) -> None:
        """Say nothing more of others. They themselves stay, for they may be wanted again."""
        for path in {*(STATE / "status").glob("*.json")} - {STATE / "status" / f"{name}.json" for name in but}:
            path.unlink()

    def tell_result(self, wanted: Wanted, error: str) -> None:
        self.tell(
            wanted,
            last_attempt=instant(time.time()),
            last_result="failed" if error else "ok",
            last_error=error,
        )


# HAProxy


class HAProxy:
    """The process that runs, by its stats socket."""

    def __init__(self, settings: Settings) -> None:
        self.socket = settings.stats_socket
        self.directory = settings.store
        # The same as of lbforge.haproxy's modules: HAProxy has one transaction for all who change certificates.
        number = zlib.crc32(os.path.realpath(self.socket).encode())
        self.lock = pathlib.Path(f"/run/lock/lbforge-haproxy-{number:08x}.lock")

    def ask(self, command: str) -> str:
        answer = bytearray()
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(self.socket)
            connection.sendall(f"{command}\n".encode())
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                answer += part
        return answer.decode(errors="replace")

    def shows(self, path: pathlib.Path) -> str | None:
        """The fingerprint of what is loaded; nothing when HAProxy does not run, or its configuration lacks this."""
        try:
            if str(path) not in self.ask("show ssl cert").splitlines():
                return None
            found = re.search(r"^SHA1 FingerPrint: (\w+)$", self.ask(f"show ssl cert {path}"), re.MULTILINE)
        except OSError:
            return None
        return found[1] if found else ""

    def give(self, file: str, bundle: Bundle) -> str:
        """Let it have a certificate, the file first so that every reload finds the same. Says what was done."""
        path = self.directory / f"{file}.pem"
        with locked(self.lock):
            is_new = not path.is_file() or path.read_text() != bundle.pem
            if is_new:
                self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                replace(path, bundle.pem, 0o600)
            shown = self.shows(path)
            if shown is None:
                return f"{path}: written" if is_new else ""
            if shown == bundle.sha1 and not is_new:
                return ""
            why = self.swap(path, bundle)
        return f"{path}: HAProxy {self.reload(path, bundle, why) if why else 'serves'} {bundle.serial}"

    def swap(self, path: pathlib.Path, bundle: Bundle) -> str:
        """Replace it in the process; says why that did not work."""
        try:
            if transaction := re.search(r"^\*(.*)$", self.ask("show ssl cert"), re.MULTILINE):
                return f"somebody is changing {transaction[1]}"
            answer = self.ask(f"set ssl cert {path} <<\n{bundle.pem}\n")
            if f"ransaction created for certificate {path}!" in answer:
                answer = self.ask(f"commit ssl cert {path}")
                if "Success!" in answer and self.shows(path) == bundle.sha1:
                    return ""
                self.ask(f"abort ssl cert {path}")
        except OSError as error:
            answer = str(error)
        return " ".join(answer.split())

    def reload(self, path: pathlib.Path, bundle: Bundle, why: str) -> str:
        result = subprocess.run(["systemctl", "reload", "haproxy"], capture_output=True, text=True, check=False)
        deadline = time.monotonic() + RELOAD
        while self.shows(path) != bundle.sha1:
            if result.returncode or time.monotonic() > deadline:
                raise Refused(
                    f"{path} is written, but HAProxy serves another certificate: it took neither a new one ({why})"
                    f" nor a reload {' '.join(result.stderr.split())}".rstrip()
                )
            time.sleep(0.2)
        return f"reloaded, as it did not take the new one ({why}), and serves"


# Peers


class Link:
    """What may be asked of a peer. Its host key is pinned, and this node's key may do no more than this there."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer

    def _ask(self, verb: str, message: t.Any = None) -> str:
        command = [
            *("ssh", "-F", "none", "-i", str(SETTINGS / "key"), "-p", str(self.peer.port), "-T"),
            *(f"-oUserKnownHostsFile={SETTINGS / 'known_hosts'}", "-oGlobalKnownHostsFile=none"),
            *(f"-oHostKeyAlias={self.peer.name}", "-oStrictHostKeyChecking=yes", "-oIdentitiesOnly=yes"),
            *("-oBatchMode=yes", "-oConnectTimeout=5", "-oServerAliveInterval=5", "-oLogLevel=ERROR"),
            *("-oUpdateHostKeys=no", f"haproxy-acme@{self.peer.address}", verb),
        ]
        try:
            result = subprocess.run(
                command, input=json.dumps(message), capture_output=True, text=True, check=False, timeout=DELIVERY + 20
            )
        except subprocess.TimeoutExpired:
            raise Refused(f"{self.peer.name} does not answer") from None
        if result.returncode:
            raise Refused(f"{self.peer.name} does not answer: {' '.join(result.stderr.split()) or 'ssh failed'}")
        return result.stdout

    def status(self) -> dict[str, t.Any]:
        """Whether it holds the VIP, and what it has."""
        said: dict[str, t.Any] = json.loads(self._ask("status"))
        return said

    def put(self, message: dict[str, t.Any]) -> dict[str, t.Any]:
        """Send certificates; it answers with its status when it has looked at them."""
        said: dict[str, t.Any] = json.loads(self._ask("put", message))
        return said

    def request(self, names: t.Sequence[str]) -> None:
        """Ask for certificates; they come by the peer's own put."""
        self._ask("request", list(names))


def receive(peer: str) -> None:
    """Answer one request; runs as haproxy-acme, which can read no key and write to the spool alone."""
    verb = os.environ.get("SSH_ORIGINAL_COMMAND", "")
    if verb not in ("status", "put", "request") or not NAME.fullmatch(peer):
        raise Refused("this key may only status, put and request")
    if verb != "status":
        message = leave(peer, verb)
        deadline = time.monotonic() + DELIVERY
        # Who requests must not wait: what it gets comes through its own spool.
        while verb == "put" and message.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
    say(json.dumps(own_status(Settings.load())))


def own_status(settings: Settings) -> dict[str, t.Any]:
    """What anybody may know of this node; of what was never ordered just the names that are wanted."""
    store = Store()
    return {
        "holds_vip": bool(settings.vip) and settings.holds_vip,
        "certificates": {
            wanted.name: {"name": wanted.name, "domains": sorted(wanted.domains), **store.status(wanted.name)}
            for wanted in settings.certificates
        },
    }


def leave(peer: str, verb: str) -> pathlib.Path:
    """Leave a message in the spool, for root to find."""
    content = sys.stdin.buffer.read(LARGEST_MESSAGE + 1)
    spool = STATE / "spool"
    if len(content) > LARGEST_MESSAGE or len(list((spool / "new").iterdir())) >= MOST_MESSAGES:
        raise Refused("this is more than the spool takes")
    handle, name = tempfile.mkstemp(dir=spool / "tmp")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    temporary = pathlib.Path(name)
    return temporary.rename(spool / "new" / f"{peer}:{verb}:{temporary.name}")


def identity(node: str) -> dict[str, t.Any]:
    """The key that this node shows to its peers, and those by which they know it."""
    key = SETTINGS / "key"
    if not key.exists():
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"haproxy-acme@{node}", "-f", str(key)], check=True
        )
    return {
        "node": node,
        "key": public(key.with_suffix(".pub").read_text()),
        "host_keys": sorted(public(path.read_text()) for path in HOST_KEYS.glob("ssh_host_*_key.pub")),
    }


def public(text: str) -> str:
    found = PUBLIC_KEY.match(text)
    if not found:
        raise Refused(f"{text[:40]!r} is no public key")
    return found[0]


def trust(settings: Settings, identities: t.Sequence[t.Mapping[str, t.Any]]) -> t.Iterator[str]:
    """Know the peers by their keys. One that is silent today keeps those that it had."""
    names = {peer.name for peer in settings.peers}
    told = {said["node"]: said for said in identities if said["node"] in names}
    hosts, keys = SETTINGS / "known_hosts", STATE / ".ssh" / "authorized_keys"
    silent = names - told.keys()
    known = [line for line in lines(hosts) if line.partition(" ")[0] in silent]
    known += [f"{name} {public(key)}" for name, said in told.items() for key in said["host_keys"]]
    allowed = [line for line in lines(keys) if line.rpartition("haproxy-acme@")[2] in silent]
    program = pathlib.Path(__file__).resolve()
    allowed += [
        f'restrict,command="{program} receive {name}" {public(said["key"])} haproxy-acme@{name}'
        for name, said in told.items()
    ]
    for path, wanted in ((hosts, sorted(known)), (keys, sorted(allowed))):
        if lines(path) != wanted:
            replace(path, "".join(f"{line}\n" for line in wanted), 0o644)
            yield f"{path}: knows {listed(names & told.keys() | silent)}"


def lines(path: pathlib.Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


# The whole


class Node:
    """This load balancer."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store()
        self.haproxy = HAProxy(settings)
        self.links = {peer.name: Link(peer) for peer in settings.peers}

    # Taking

    def accept(self, wanted: Wanted, pem: str, source: str) -> bool:
        """Keep a certificate if it is right and newer than what is here."""
        bundle = Bundle.read(pem)
        if problem := bundle.problem(wanted.domains, time.time()):
            raise Refused(problem)
        own = self.store.bundle(wanted.name)
        # What is not for these names, or from another server, gives way to anything that is.
        if own and own.names == bundle.names and self._server(wanted) == wanted.server and own.age >= bundle.age:
            return False
        self.store.keep(wanted, bundle, source)
        return True

    def deploy(self) -> None:
        """Give HAProxy what is here, and tell of nothing else."""
        for wanted in self.settings.certificates:
            self.give(wanted)
        self.store.forget(each.name for each in self.settings.certificates)

    def give(self, wanted: Wanted) -> None:
        bundle = self.store.bundle(wanted.name)
        if bundle and bundle.not_after > time.time():
            for file in wanted.files:
                if done := self.haproxy.give(file, bundle):
                    say(done)

    def take(self, lineage: str) -> None:
        """Take what certbot holds; a lineage of somebody else's is none of our business."""
        names = [each.name for each in self.settings.certificates]
        for name in [pathlib.Path(lineage).name] if lineage else names:
            if name in names:
                wanted = self.settings.wanted(name)
                is_new = self._take(wanted)
                self.give(wanted)
                if is_new:
                    self.send([wanted], self.links)

    def _take(self, wanted: Wanted) -> bool:
        live = self.settings.certbot_directory / "live" / wanted.name
        try:
            pem = "".join((live / file).read_text() for file in ("fullchain.pem", "privkey.pem"))
            return self.accept(wanted, pem, self.settings.node)
        except OSError as error:
            raise Refused(f"HAProxy keeps the certificate it has: {live} has no {error.filename}.") from error
        except Refused as refusal:
            raise Refused(f"HAProxy keeps the certificate it has: {live} {refusal}.") from refusal

    # Renewing

    def run(self, patience: float) -> None:
        """Bring everything up to date. One certificate that fails does not keep the others."""
        self.inbox()
        peers = self.ask_peers()
        self.pull(peers)
        failures: list[str] = []
        for wanted in self.settings.certificates:
            for step in (self.give, functools.partial(self.renew, peers=peers, patience=patience)):
                try:
                    step(wanted)
                except (Refused, OSError, subprocess.SubprocessError) as error:
                    failures.append(f"{wanted.name}: {error}")
        if failures:
            raise Refused("\n".join(failures))

    def renew(self, wanted: Wanted, peers: t.Mapping[str, t.Mapping[str, t.Any]], patience: float) -> None:
        now = time.time()
        own = self.store.bundle(wanted.name)
        if own:
            self.forget_delivered(wanted, own, peers)
        why = due(own, wanted, self._server(wanted), now)
        if not why:
            if self.store.status(wanted.name).get("last_result") == "failed":
                # Nobody wants any more what failed.
                self.store.tell(wanted, last_result="ok", last_error="")
            return
        if self.is_orderer(peers, patience):
            self.order(wanted, why)
        elif is_overdue(own, now):
            # Whoever orders may have done so meanwhile.
            self.pull(self.ask_peers())
            own = self.store.bundle(wanted.name)
            if is_overdue(own, now) and not patience:
                error = f"no node has renewed it, though {why}; asked {listed(peers)} of {listed(self.links)}"
                self.store.tell_result(wanted, error)
                raise Refused(error)

    def forget_delivered(self, wanted: Wanted, own: Bundle, peers: t.Mapping[str, t.Mapping[str, t.Any]]) -> None:
        """A peer that was down may have got it elsewhere meanwhile, or be no peer any more."""
        before = self.store.status(wanted.name).get("undelivered", {})
        told = {name: age_of(answer["certificates"].get(wanted.name, {})) for name, answer in peers.items()}
        mine = instant(own.not_before), own.serial
        left = {name: why for name, why in before.items() if name in self.links and told.get(name, ("", "")) < mine}
        if left != before:
            self.store.tell(wanted, undelivered=left)

    def ask_peers(self) -> dict[str, dict[str, t.Any]]:
        """The answers of those that give any."""
        answers = {}
        for name, link in self.links.items():
            with contextlib.suppress(Refused, ValueError):
                answers[name] = link.status()
        return answers

    def pull(self, peers: t.Mapping[str, t.Mapping[str, t.Any]]) -> None:
        """Get the newest that any peer has of each certificate, where it is newer than what is here."""
        missing: dict[str, list[Wanted]] = {}
        for wanted in self.settings.certificates:
            if newest := max(self._newer(wanted, peers), default=None):
                missing.setdefault(newest[1], []).append(wanted)
        for name, wishes in missing.items():
            with contextlib.suppress(Refused, ValueError):
                self.links[name].request([wanted.name for wanted in wishes])
                deadline = time.monotonic() + DELIVERY
                while time.monotonic() < deadline:
                    self.inbox()
                    if not any(any(self._newer(wanted, {name: peers[name]})) for wanted in wishes):
                        break
                    time.sleep(0.2)

    def _newer(
        self, wanted: Wanted, peers: t.Mapping[str, t.Mapping[str, t.Any]]
    ) -> t.Iterator[tuple[tuple[str, str], str]]:
        """The peers that have something newer, with its age."""
        names = {name.lower() for name in wanted.domains}
        own = self.store.bundle(wanted.name)
        mine = (instant(own.not_before), own.serial) if own and own.names == names else ("", "")
        for name, answer in peers.items():
            said = answer.get("certificates", {}).get(wanted.name, {})
            is_wanted = set(said.get("domains", ())) == names and said.get("server") == wanted.server
            if is_wanted and age_of(said) > mine:
                yield age_of(said), name

    def is_orderer(self, peers: t.Mapping[str, t.Mapping[str, t.Any]], patience: float) -> bool:
        """Whether it is for this node to order: it holds the VIP, or is the first of those that answer."""
        if not self.settings.vip:
            return not any(name < self.settings.node for name in peers)
        deadline = time.monotonic() + patience
        while not self.settings.holds_vip:
            if any(answer.get("holds_vip") for answer in peers.values()) or not patience:
                return False
            if time.monotonic() > deadline:
                raise Refused(f"nobody orders it, for no node that answers holds {self.settings.vip}")
            time.sleep(1)
            peers = self.ask_peers()
        return True

    def order(self, wanted: Wanted, why: str) -> None:
        live = self.settings.certbot_directory / "live" / wanted.name
        if self.store.bundle(wanted.name) is None and live.is_dir():
            # From a time before this program; if it is of use, nothing need be ordered.
            with contextlib.suppress(Refused):
                self._take(wanted)
                why = due(self.store.bundle(wanted.name), wanted, "", time.time())
        if why:
            self.call_certbot(wanted, why)
            try:
                self._take(wanted)
            except Refused as refusal:
                self.store.tell_result(wanted, str(refusal))
                raise
        self.give(wanted)
        self.send([wanted], self.links)

    def call_certbot(self, wanted: Wanted, why: str) -> None:
        words = ["--cert-name", wanted.name, "--domains", ",".join(wanted.domains), "--key-type", wanted.key_type]
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
        # What is ordered is decided here, on one node; certbot's own timer must not order on another.
        only = ["--force-renewal", "--renew-with-new-domains", "--no-autorenew", "--no-directory-hooks"]
        command = [self.settings.certbot[0], "certonly", *only, *words, *self.settings.certbot[1:]]
        try:
            result = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=900, env={**os.environ, **environment}
            )
            said = (reason(result.stdout + result.stderr) or "certbot failed") if result.returncode else ""
        except (OSError, subprocess.TimeoutExpired) as error:
            said = str(error) if isinstance(error, OSError) else "certbot did not come to an end in 900 s"
        if said:
            self.store.tell_result(wanted, said)
            raise Refused(f"cannot be ordered ({why}); what was served goes on being served. {said}")

    # Sharing

    def send(self, wishes: t.Sequence[Wanted], links: t.Mapping[str, Link]) -> None:
        """Send certificates to peers, and see that they have them. One that is down asks for them when it returns."""
        bundles = {wanted: bundle for wanted in wishes if (bundle := self.store.bundle(wanted.name))}
        if not bundles:
            return
        certificates = [
            {
                "name": wanted.name,
                "pem": bundle.pem,
                "server": self._server(wanted),
                "source": self.store.status(wanted.name).get("source", self.settings.node),
            }
            for wanted, bundle in bundles.items()
        ]
        account = self._account()
        missing: dict[Wanted, dict[str, str]] = {wanted: {} for wanted in bundles}
        for name, link in links.items():
            try:
                for start in range(0, len(certificates), CERTIFICATES_PER_MESSAGE):
                    some = certificates[start : start + CERTIFICATES_PER_MESSAGE]
                    answer = link.put({"certificates": some, "account": account})
                why = "it has not taken it; its journal says why (unit haproxy-acme-inbox)"
            except (Refused, ValueError) as error:
                answer, why = {}, str(error)
            for wanted, bundle in bundles.items():
                said = answer.get("certificates", {}).get(wanted.name, {})
                if age_of(said) < (instant(bundle.not_before), bundle.serial):
                    missing[wanted][name] = why
                    warn(f"{wanted.name} is not at {name} yet: {why}")
        for wanted, peers in missing.items():
            before = self.store.status(wanted.name).get("undelivered", {})
            others = {name: why for name, why in before.items() if name not in links}
            self.store.tell(wanted, undelivered={**others, **peers})

    def inbox(self) -> bool:
        """Take what peers have sent, and send what they asked for. Whatever it is, it does not stay."""
        is_good = True
        for path in sorted((STATE / "spool" / "new").glob("*")):
            peer, _colon, rest = path.name.partition(":")
            try:
                handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
                with os.fdopen(handle, "rb") as file:
                    message = json.loads(file.read(LARGEST_MESSAGE))
                if rest.startswith("request:"):
                    self.send([self.settings.wanted(name) for name in message], {peer: self.links[peer]})
                else:
                    self._keep_account(message["account"])
                    self._got(message["certificates"])
            except (Refused, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                is_good = False
                warn(f"{peer} sent what is of no use: {error}.")
            finally:
                path.unlink()
        return is_good

    def _got(self, certificates: t.Sequence[dict[str, t.Any]]) -> None:
        refusals = []
        for said in certificates:
            try:
                wanted = self.settings.wanted(said["name"])
                if said["server"] != wanted.server:
                    raise Refused(f"comes from {said['server']}")
                if self.accept(wanted, said["pem"], str(said["source"])):
                    self.give(wanted)
            except Refused as refusal:
                refusals.append(f"{said['name']} {refusal}")
        if refusals:
            raise Refused("; ".join(refusals))

    def _server(self, wanted: Wanted) -> str:
        return str(self.store.status(wanted.name).get("server", ""))

    def _account(self) -> dict[str, str]:
        """The account goes with the certificate, so that whoever renews is the same customer."""
        root = self.settings.certbot_directory / "accounts"
        files = {str(path.relative_to(root)): path for path in root.glob("**/*.json")}
        return {name: path.read_text() for name, path in files.items() if ACCOUNT.fullmatch(name)}

    def _keep_account(self, files: dict[str, str]) -> None:
        root = self.settings.certbot_directory / "accounts"
        for name, content in files.items():
            path = root / name
            # A server where this node has an account already keeps that one.
            is_other = path.parent.parent.is_dir() and not path.parent.is_dir()
            if ACCOUNT.fullmatch(name) and ".." not in name and not is_other and not path.exists():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                replace(path, content, 0o400 if path.name == "private_key.json" else 0o644)


def reason(output: str) -> str:
    """The lines in which certbot says why, without its advice."""
    noise = re.compile(r"Saving debug log|Renewing an existing|Requesting a certificate|^Ask for help|^See the logfile")
    told = [line.strip() for line in output.splitlines() if line.strip(" -") and not noise.search(line.strip())]
    return " ".join(told)[:2000]


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def warn(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main(verb: str = "", *words: str) -> None:
    os.umask(0o077)
    if verb == "receive" and len(words) == 1:
        receive(words[0])
        return
    settings = Settings.load()
    if verb in ("identity", "status"):
        say(json.dumps(identity(settings.node) if verb == "identity" else own_status(settings)))
        return
    if verb == "trust":
        for done in trust(settings, json.load(sys.stdin)):
            say(done)
        return
    node = Node(settings)
    with locked(LOCK):
        if verb == "run":
            node.run(float(words[0]) if words else 0)
        elif verb == "take":
            node.take(words[0] if words else "")
        elif verb == "deploy":
            node.deploy()
        elif verb == "inbox":
            if not node.inbox():
                raise SystemExit(1)
        else:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (Refused, OSError, subprocess.SubprocessError) as error:
        raise SystemExit(f"haproxy-acme: {error}") from None
