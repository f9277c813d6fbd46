# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The TLS profiles of the role, in a HAProxy that runs, seen by openssl and judged by sslyze."""

from __future__ import annotations

import os
import pathlib
import re
import socket
import subprocess
import sys
import time
import typing as t

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.lbforge.haproxy.plugins.modules import pki_certificates

ROLE = pathlib.Path(__file__).parents[2] / "roles" / "haproxy_server"
SSLYZE = pathlib.Path(sys.executable).with_name("sslyze")
KEYWORDS = {
    "haproxy_ssl_bind_options": "ssl-default-bind-options",
    "haproxy_ssl_cipher_suite_tls12": "ssl-default-bind-ciphers",
    "haproxy_ssl_cipher_suite_tls13": "ssl-default-bind-ciphersuites",
    "haproxy_ssl_curves": "ssl-default-bind-curves",
}


def settings(**variables: str) -> dict[str, str]:
    """The role's variables as Ansible evaluates them."""
    files = [yaml.safe_load((ROLE / room / "main.yml").read_text()) for room in ("defaults", "vars")]
    merged = {**files[0], **files[1], **variables}
    templar = Templar(loader=DataLoader(), variables=trusted(merged))
    return {name: str(templar.template(trusted(merged[name]))) for name in KEYWORDS}


def trusted(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {name: trusted(each) for name, each in value.items()}
    if isinstance(value, list):
        return [trusted(each) for each in value]
    return trust_as_template(value) if isinstance(value, str) else value


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pathlib.Path]:
    """Bundles of the role's own authorities, ECDSA and RSA."""
    home = tmp_path_factory.mktemp("pki")
    authorities = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())["haproxy_pki_authorities"]
    leaf = {"cn": "localhost", "signed_by": "HAProxyIntermediate"}
    result = pki_certificates.run(
        {
            "directory": str(home),
            "authorities": [
                {**each, "basic_constraints": each["basic_constraints"].split(","), "ttl": each["not_after"]}
                for each in authorities
            ],
            "certificates": [{**leaf, "name": "ECDSA"}, {**leaf, "name": "RSA", "key_type": "RSA"}],
            "bundles": ["ECDSA", "RSA"],
        },
        False,
        pki_certificates.datetime.datetime.now(pki_certificates.datetime.timezone.utc),
    )
    paths = {bundle["name"].removesuffix(".pem"): home / bundle["name"] for bundle in result["bundles"]}
    for bundle in result["bundles"]:
        (home / bundle["name"]).write_text(bundle["content"])
    return paths


@pytest.fixture
def serve(tmp_path: pathlib.Path, certificates: dict[str, pathlib.Path]) -> t.Iterator[t.Callable[..., int]]:
    """Start HAProxy with the role's TLS settings; the port it serves on."""
    running: list[subprocess.Popen[bytes]] = []

    def start(*keys: str, **variables: str) -> int:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port: int = probe.getsockname()[1]
        shown = " ".join(f"crt {certificates[key]}" for key in keys or ["ECDSA"])
        lines = [f"    {KEYWORDS[name]} {value}" for name, value in settings(**variables).items() if value]
        (tmp_path / "haproxy.cfg").write_text(
            "\n".join(["global", *lines, "defaults", "    mode http", "    timeout client 9s", "frontend tls"])
            + f"\n    bind 127.0.0.1:{port} ssl {shown}\n    http-request return status 200\n"
        )
        running.append(subprocess.Popen([os.environ.get("HAPROXY", "haproxy"), "-db", "-f", tmp_path / "haproxy.cfg"]))
        for _again in range(1200):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    return port
            time.sleep(0.05)
        raise AssertionError("HAProxy does not start")

    yield start
    for process in running:
        process.kill()
        process.wait()


def shakes_hands(port: int, *options: str) -> bool:
    result = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options],
        input=b"",
        capture_output=True,
        check=False,
    )
    return b"Cipher is (NONE)" not in result.stdout


# From TLS 1.0 to 1.3; OpenSSL itself has the first two only when it is told.
VERSIONS: list[tuple[str, ...]] = [
    ("-tls1", "-cipher", "ALL:@SECLEVEL=0"),
    ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
    ("-tls1_2",),
    ("-tls1_3",),
]


@pytest.mark.parametrize(
    ("profile", "served"),
    [
        ("modern", [False, False, False, True]),
        ("intermediate", [False, False, True, True]),
        ("compatible", [True, True, True, True]),
    ],
)
def test_a_profile_serves_the_versions_it_promises(
    serve: t.Callable[..., int], profile: str, served: list[bool]
) -> None:
    port = serve(haproxy_ssl_profile=profile)
    assert [shakes_hands(port, *version) for version in VERSIONS] == served


@pytest.mark.parametrize(
    ("profile", "key", "remarks"),
    [
        ("intermediate", "ECDSA", set()),
        ("intermediate", "RSA", set()),
        # That certificates live for 90 days at most is for the user to choose.
        ("modern", "ECDSA", {"maximum_certificate_lifespan"}),
    ],
)
def test_a_profile_is_what_mozilla_says(serve: t.Callable[..., int], profile: str, key: str, remarks: set[str]) -> None:
    port = serve(key, haproxy_ssl_profile=profile)
    command = [SSLYZE, f"--mozilla_config={profile}", f"localhost:{port}"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    verdict = said.partition("COMPLIANCE AGAINST TLS CONFIGURATION")[2]
    assert f'against Mozilla\'s "{profile}" configuration' in verdict, said
    # Browsers do not know a private authority.
    assert set(re.findall(r"^ +\* (\w+): ", verdict, re.MULTILINE)) == {"certificate_path_validation", *remarks}, (
        verdict
    )


@pytest.mark.parametrize(
    ("signatures", "kind"), [("ECDSA+SHA256", "id-ecPublicKey"), ("RSA-PSS+SHA256:RSA+SHA256", "rsaEncryption")]
)
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_of_two_certificates_a_client_gets_what_it_can_verify(
    serve: t.Callable[..., int], signatures: str, kind: str, version: str
) -> None:
    port = serve("ECDSA", "RSA")
    command = ["openssl", "s_client", "-connect", f"localhost:{port}", "-servername", "localhost", version]
    shown = subprocess.run([*command, "-sigalgs", signatures], input=b"", capture_output=True, check=False).stdout
    text = subprocess.run(["openssl", "x509", "-noout", "-text"], input=shown, capture_output=True, check=True).stdout
    assert f"Public Key Algorithm: {kind}" in text.decode()


def test_a_single_variable_overrides_its_part(serve: t.Callable[..., int]) -> None:
    port = serve(haproxy_ssl_profile="modern", haproxy_ssl_bind_options="ssl-min-ver TLSv1.2")
    assert [shakes_hands(port, *version) for version in VERSIONS[1:]] == [False, True, True]
