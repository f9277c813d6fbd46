# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates that the user brings: checked before HAProxy, and every client, would stumble over them."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils.x509 import certificate as crypto
from ansible_collections.lbforge.haproxy.plugins.module_utils.x509.issue import Holding
from ansible_collections.lbforge.haproxy.plugins.module_utils.x509.request import PkiError, Problem, UserCertificate

if t.TYPE_CHECKING:
    from cryptography import x509

_T = t.TypeVar("_T")


def load_user_certificates(
    wanted: t.Iterable[UserCertificate], read: t.Callable[[str], bytes], now: datetime.datetime
) -> dict[str, Holding]:
    """Read and check every user certificate; raise PkiError with all that is wrong with any of them."""
    problems: list[Problem] = []
    holdings = {}
    for user in wanted:
        found: list[Problem] = []
        holding = _load(user, read, now, found)
        problems += found
        if holding and not found:
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
            problems.append(Problem(f"{user.path}.{option}", path, f"{path} cannot be read: {error.strerror}"))
        except crypto.Unreadable as error:
            problems.append(Problem(f"{user.path}.{option}", path, f"{path} {error}"))
        return None

    key = parsed("key", user.key, crypto.load_key)
    own = parsed("cert", user.cert, crypto.load_certificates)
    extra = parsed("ca_cert", user.ca_cert, crypto.load_certificates) if user.ca_cert else []
    if key is None or own is None or extra is None:
        return None

    leaf, problem = own[0], _key_problem(user, key, own)
    if problem:
        problems.append(Problem(f"{user.path}.key", user.key, problem))
    chain = [("cert", user.cert, certificate) for certificate in own[1:]]
    chain += [("ca_cert", user.ca_cert, certificate) for certificate in extra if certificate not in own]
    below = leaf
    for option, path, certificate in chain:
        if not crypto.is_signed_by(below, certificate):
            names = f"{crypto.name_text(certificate)!r} does not sign {crypto.name_text(below)!r}"
            why = f"the chain in {path} is broken: {names}, which comes before it"
            problems.append(Problem(f"{user.path}.{option}", path, why))
            break
        below = certificate
    for option, path, certificate in [("cert", user.cert, leaf), *chain]:
        flaw = crypto.expiry_problem(certificate, now)
        if flaw:
            why = f"{crypto.name_text(certificate)!r} in {path} {flaw}"
            problems.append(Problem(f"{user.path}.{option}", path, why))
    return Holding(key, leaf, tuple(certificate for _option, _path, certificate in chain))


def _key_problem(user: UserCertificate, key: crypto.PrivateKey, own: t.Sequence[x509.Certificate]) -> str:
    if crypto.belongs(key, own[0]):
        return ""
    if any(crypto.belongs(key, other) for other in own[1:]):
        return f"{user.cert} must begin with the certificate that {user.key} belongs to, followed by its chain"
    return f"{user.key} is not the key of {user.cert}"
