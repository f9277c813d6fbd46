# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates of stand-ins, issued with openssl(1): on nodes, modules have no library for that."""

from __future__ import annotations

import functools
import re
import ssl
import threading
import typing as t
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.command import run
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.expectations import (
    Certificate,
    ClientCertificate,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils.addresses import is_ip
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_DAYS = 2  # that certificates are valid
_REVOKED = 0xDEAD  # the serial number of all certificates that are revoked
_NAMES = re.compile(r"(?:DNS|IP Address):([^,\s]+)")
_ISSUER = re.compile(r"^issuer=.*?CN ?= ?([^,\n]+)", re.MULTILINE)


class Authority:
    """A certificate authority that only this rehearsal trusts. Its files are in a private directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._of_clients: dict[ClientCertificate, Path] = {}
        self._lock = threading.Lock()
        self._certificate, self._key = directory / "authority.pem", directory / "authority.key"
        _openssl(
            *("req", "-x509", *_NEW_KEY, "-days", str(_DAYS), "-subj", "/CN=Rehearsal"),
            *("-keyout", str(self._key), "-out", str(self._certificate)),
        )

    @property
    def certificate(self) -> bytes:
        """Its own certificate, as PEM."""
        return self._certificate.read_bytes()

    def pem(self, *names: str) -> bytes:
        """A new certificate for these names and addresses, with its key, as PEM."""
        known = ",".join(f"{'IP' if is_ip(one) else 'DNS'}:{one}" for one in names)
        subject = f"/CN={names[0].replace('/', '_')[:64]}"
        path = self._directory / re.sub(r"[^\w.-]", "_", names[0])
        return self._issued(path, subject, [f"subjectAltName={known}"], self._signer).encode()

    def of_client(self, wanted: ClientCertificate) -> Path:
        """The file of a client's certificate with its key, as PEM."""
        if wanted not in self._of_clients:
            self._of_clients[wanted] = self._made_for_client(
                wanted, self._directory / f"client-{len(self._of_clients)}"
            )
        return self._of_clients[wanted]

    def _made_for_client(self, wanted: ClientCertificate, path: Path) -> Path:
        subject = "".join(f"/{name}={_escaped(value)}" for name, value in (*wanted.subject, ("CN", wanted.name)))
        signer = self._signer
        if wanted.state == "untrusted":
            signer = ("-signkey", f"{path}.key")
        elif wanted.state == "revoked":
            signer += ("-set_serial", str(_REVOKED))
        # One that ended yesterday has never been valid.
        days = -1 if wanted.state == "expired" else _DAYS
        issued = self._issued(path, subject, _client_extensions(wanted.names), signer, days)
        path.write_text(issued, encoding="ascii")
        return path

    @property
    def _signer(self) -> tuple[str, ...]:
        return ("-CA", str(self._certificate), "-CAkey", str(self._key), "-CAcreateserial")

    def _issued(
        self, path: Path, subject: str, extensions: t.Iterable[str], signer: tuple[str, ...], days: int = _DAYS
    ) -> str:
        """A certificate and its key, as PEM. Files that openssl needs begin with ``path``."""
        key, request, settings = (f"{path}.{kind}" for kind in ("key", "csr", "cnf"))
        Path(settings).write_text("\n".join(extensions), encoding="utf-8")
        _openssl("req", "-new", *_NEW_KEY, "-utf8", "-subj", subject, "-keyout", key, "-out", request)
        issued = _openssl("x509", "-req", "-in", request, "-days", str(days), "-extfile", settings, *signer)
        return issued + Path(key).read_text(encoding="ascii")

    @property
    def revocations(self) -> bytes:
        """Its revocation list, as PEM."""
        database, settings = self._directory / "index.txt", self._directory / "revocations.cnf"
        # The format of openssl-ca(1): status, end, revocation, serial number, file and subject.
        database.write_text(f"R\t491231235959Z\t200101000000Z\t{_REVOKED:X}\tunknown\t/CN=revoked\n", encoding="ascii")
        settings.write_text(f"[ca]\ndefault_ca=own\n[own]\ndatabase={database}\ndefault_md=sha256\n", encoding="ascii")
        return _openssl(
            *("ca", "-gencrl", "-config", str(settings), "-crldays", str(_DAYS)),
            *("-cert", str(self._certificate), "-keyfile", str(self._key)),
        ).encode()

    def context(self, *names: str) -> ssl.SSLContext:
        """The TLS context of a server with these names."""
        with self._lock:
            if names[0] not in self._contexts:
                self._contexts[names[0]] = self._made(names)
            return self._contexts[names[0]]

    def _made(self, names: tuple[str, ...]) -> ssl.SSLContext:
        path = self._directory / f"{re.sub(r'[^a-zA-Z0-9.-]', '_', names[0])}.pem"
        path.write_bytes(self.pem(*names))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        # HAProxy then speaks HTTP/1.1 even if it offers HTTP/2.
        context.set_alpn_protocols(["http/1.1"])
        return context


def _escaped(value: str) -> str:
    """A value for the option -subj of openssl-req(1)."""
    return re.sub(r"([/+=\\])", r"\\\1", value)


def _client_extensions(names: t.Iterable[str]) -> t.Iterator[str]:
    """RFC 5280, sections 4.2.1.9, 4.2.1.12 and 4.2.1.6, in the words of x509v3_config(5)."""
    yield "basicConstraints=CA:FALSE"
    yield "extendedKeyUsage=clientAuth"
    kinds = [("IP" if is_ip(name) else "URI" if "://" in name else "email" if "@" in name else "DNS") for name in names]
    if kinds:
        yield "subjectAltName=" + ",".join(f"{kind}:{name}" for kind, name in zip(kinds, names))


@functools.cache
def read(der: bytes) -> Certificate:
    """The names and the issuer of a certificate."""
    out = _openssl("x509", "-noout", "-issuer", "-ext", "subjectAltName", text=ssl.DER_cert_to_PEM_cert(der))
    issuer = _ISSUER.search(out)
    return Certificate(tuple(_NAMES.findall(out)), issuer[1].strip() if issuer else "")


def _openssl(*words: str, text: str = "") -> str:
    done = run(["openssl", *words], text=text)
    if done.code:
        raise LbforgeError(f"openssl {words[0]} failed: {done.stderr.strip()}")
    return done.stdout
