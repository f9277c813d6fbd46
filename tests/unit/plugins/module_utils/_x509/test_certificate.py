# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ssl
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.certificate import Unreadable, key_pem, load_key


@pytest.fixture(scope="module")
def pem() -> bytes:
    """An RSA key that is none of ours."""
    command = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-quiet"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def test_an_rsa_key_of_openssl_is_whole(pem: bytes) -> None:
    assert key_pem(load_key(pem)) == pem


@pytest.mark.parametrize("damaged", ["p", "q", "d", "dmp1", "dmq1", "iqmp"])
def test_an_rsa_key_whose_numbers_do_not_fit_together_is_damaged(pem: bytes, damaged: str) -> None:
    key = load_key(pem)
    assert isinstance(key, rsa.RSAPrivateKey)
    number = getattr(key.private_numbers(), damaged)
    size = (number.bit_length() + 7) // 8
    der = ssl.PEM_cert_to_DER_cert(pem.decode().replace("PRIVATE KEY", "CERTIFICATE"))
    assert number.to_bytes(size, "big") in der
    bad = der.replace(number.to_bytes(size, "big"), (number ^ 4).to_bytes(size, "big"))
    with pytest.raises(Unreadable, match="damaged"):
        load_key(ssl.DER_cert_to_PEM_cert(bad).replace("CERTIFICATE", "PRIVATE KEY").encode())
