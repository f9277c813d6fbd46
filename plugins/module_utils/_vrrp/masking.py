# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remove passwords from a configuration text before it is shown."""

from __future__ import annotations

import re
import typing as t

_MASK = "********"
# A block may stand on one line. The key of auth_hmac has a number before it, which tells it from the path of a key for
# SSL.
_SECRET_KEYWORDS = re.compile(r"(?m)^((?:.*[\s{])?(?:auth_pass|password|key\s+\d+)\s+).*$")


def secrets_of(instances: t.Mapping[str, t.Mapping[str, t.Any]], ssl: t.Mapping[str, t.Any]) -> list[str]:
    """The passwords in ``keepalived_instances`` and ``keepalived_ssl``, even if these have other mistakes."""
    found = [ssl.get("password")]
    for instance in map(_mapping, instances.values()):
        keys = _mapping(_mapping(instance.get("auth_hmac")).get("key"))
        found += [instance.get("authentication_password"), *keys.values()]
    return [str(secret) for secret in found if secret]


def _mapping(value: t.Any) -> t.Mapping[str, t.Any]:
    return value if isinstance(value, t.Mapping) else {}


def masked(text: str, secrets: t.Iterable[str] = ()) -> str:
    """The text without the given secrets, and without any other passwords in it."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, _MASK)
    return _SECRET_KEYWORDS.sub(rf"\g<1>{_MASK}", text)
