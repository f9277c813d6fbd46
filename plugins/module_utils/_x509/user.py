# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates of the user's, checked before HAProxy or any client would fail on them."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._x509 import certificate as crypto
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509 import pem
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.issue import Holding
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.request import PkiError, UserCertificate
from ansible_collections.lbforge.haproxy.plugins.module_utils.addresses import is_ip
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import Problem, shown

if t.TYPE_CHECKING:
    from cryptography import x509

_T = t.TypeVar("_T")


def load_user_certificates(
    wanted: t.Iterable[UserCertificate], read: t.Callable[[str], bytes], now: datetime.datetime
) -> dict[str, Holding]:
    """Read and check every user certificate; raise PkiError with all that is wrong with any of them."""
    problems: list[Problem] = []
    # One for several addresses is read, and reported, once.
    loaded: dict[tuple[t.Any, ...], Holding | None] = {}
    holdings = {}
    for user in wanted:
        what = (user.cert, user.key, user.ca_cert, user.names)
        if what not in loaded:
            loaded[what] = _load(user, read, now, problems)
        if holding := loaded[what]:
            holdings[user.name] = holding
    if problems:
        raise PkiError(problems)
    return holdings


def _load(
    user: UserCertificate, read: t.Callable[[str], bytes], now: datetime.datetime, problems: list[Problem]
) -> Holding | None:
    def parsed(option: str, path: str, load: t.Callable[[bytes], _T]) -> _T | None:
        try:
            return load(read(path))
        except OSError as error:
            problems.append(Problem(f"{user.path}.{option}", shown(path), f"{path} cannot be read: {error.strerror}"))
        except crypto.Unreadable as error:
            problems.append(Problem(f"{user.path}.{option}", shown(path), f"{path} {error}"))
        return None

    key = parsed("key", user.key, crypto.load_key)
    own = parsed("cert", user.cert, crypto.load_certificates)
    extra = parsed("ca_cert", user.ca_cert, crypto.load_certificates) if user.ca_cert else []
    if key is None or own is None or extra is None:
        return None

    chain = [("cert", user.cert, certificate) for certificate in own[1:]]
    chain += [("ca_cert", user.ca_cert, certificate) for certificate in extra if certificate not in own]
    for option, why in _flaws(user, key, own, chain, now):
        problems.append(Problem(f"{user.path}.{option}", shown(getattr(user, option)), why))
    return Holding(key, own[0], tuple(certificate for _option, _path, certificate in chain))


def _flaws(
    user: UserCertificate,
    key: crypto.PrivateKey,
    own: t.Sequence[x509.Certificate],
    chain: t.Sequence[tuple[str, str, x509.Certificate]],
    now: datetime.datetime,
) -> t.Iterator[tuple[str, str]]:
    """Yield the mistakes: the option, and the reason."""
    if why := _key_problem(user, key, own):
        yield "key", why
    if why := _name_problem(user, own[0]):
        yield "cert", why
    below = own[0]
    for option, path, certificate in chain:
        if not crypto.is_signed_by(below, certificate):
            names = f"{crypto.name_text(certificate)!r} does not sign {crypto.name_text(below)!r}"
            why = (
                f"the chain in {path} is broken: {names}, which comes before it. After the leaf in {user.cert} (key"
                f" {user.key}), add the intermediate certificates, each followed by its issuer"
            )
            yield option, why
            break
        below = certificate
    for option, path, certificate in [("cert", user.cert, own[0]), *chain]:
        if flaw := crypto.expiry_problem(certificate, now):
            why = (
                f"{crypto.name_text(certificate)!r} in {path} {flaw}. Renew it, and save the new files as {user.cert}"
                f" and {user.key}"
            )
            yield option, why


def _key_problem(user: UserCertificate, key: crypto.PrivateKey, own: t.Sequence[x509.Certificate]) -> str:
    if crypto.belongs(key, own[0]):
        return ""
    if any(crypto.belongs(key, other) for other in own[1:]):
        return f"{user.cert} must begin with the leaf that {user.key} belongs to, followed by its chain"
    return f"{user.key} is not the key of {user.cert}. Use the key that the certificate was ordered with"


def _name_problem(user: UserCertificate, leaf: x509.Certificate) -> str:
    (certificate,) = pem.certificates(crypto.certificates_pem([leaf]).decode())
    if not user.names or any(map(certificate.covers, user.names)):
        return ""
    # Clients that connect to an address may use any name.
    if certificate.names and all(map(is_ip, user.names)):
        return ""
    hosts = ", ".join([*certificate.names, *certificate.addresses]) or "no host"
    return (
        f"{user.cert} (key {user.key}) is for {hosts}, but clients ask for {', '.join(user.names)}. Use a certificate"
        " for one of these, or add a name of the certificate to them"
    )
