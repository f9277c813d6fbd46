# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example of Let's Encrypt in chapter 1, as printed, with a real ACME server."""

from __future__ import annotations

import pathlib
import re
import socket
import ssl
import subprocess
import threading

import pytest
from bench import MOLECULE, Node, until

DOMAIN = "www.example.com"
PEM = f"/etc/haproxy/ssl/haproxy_lb1-{DOMAIN}.pem"
HOOK = "/etc/letsencrypt/renewal-hooks/deploy/haproxy"
RENEW = "certbot renew --force-renewal --no-random-sleep-on-renew"


class Client:
    """Shakes hands with the load balancer, and believes only the root of the ACME server."""

    def __init__(self, balancer: Node, root: pathlib.Path) -> None:
        self.address = balancer.address
        self.context = ssl.create_default_context(cafile=root)

    def serial(self) -> str:
        """The serial number of the certificate that is served; it must be valid."""
        with (
            socket.create_connection((self.address, 443), timeout=2) as connection,
            self.context.wrap_socket(connection, server_hostname=DOMAIN) as secured,
        ):
            certificate = secured.getpeercert()
        assert certificate
        return str(certificate["serialNumber"])


class Prober(threading.Thread):
    """One handshake after the other until it is told to stop."""

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


@pytest.fixture
def client(balancer: Node, root: pathlib.Path) -> Client:
    return Client(balancer, root)


def fetch(url: str) -> tuple[str, str]:
    """Status and where a redirect leads."""
    command = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code} %{redirect_url}", url]
    status, _blank, target = subprocess.check_output(command, text=True).partition(" ")
    return status, target


def run_again() -> int:
    """How many tasks of another run of the play changed something."""
    command = ["ansible-playbook", f"--inventory={MOLECULE / 'seed' / 'inventory'}"]
    result = subprocess.run(
        [*command, MOLECULE / "seed" / "letsencrypt.yml"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    changed = re.search(r"^lb1 .*changed=(\d+)", re.sub(r"\x1b\[[\d;]*m", "", result.stdout), re.MULTILINE)
    assert changed, result.stdout
    return int(changed[1])


def held_by_certbot(balancer: Node) -> str:
    """The serial number of certbot's certificate."""
    return balancer.run(f"openssl x509 -noout -serial -in /etc/letsencrypt/live/{DOMAIN}/cert.pem").strip()[7:]


def test_the_site_has_a_certificate_of_the_ca(balancer: Node, client: Client) -> None:
    assert client.serial() == held_by_certbot(balancer)


def test_its_key_is_for_root_alone(balancer: Node) -> None:
    file = balancer.host.file(PEM)
    assert (file.user, file.group, f"{file.mode:o}") == ("root", "root", "600")
    assert balancer.run("find /etc/haproxy/ssl -mindepth 1").split() == [PEM]


def test_the_site_answers_with_the_dummy_page(balancer: Node, root: pathlib.Path) -> None:
    resolve = f"{DOMAIN}:443:{balancer.address}"
    command = ["curl", "--silent", "--cacert", str(root), "--resolve", resolve, f"https://{DOMAIN}/"]
    assert subprocess.check_output(command, text=True) == "OK lb1\n"


def test_plain_requests_are_redirected_but_challenges_are_not(balancer: Node) -> None:
    assert fetch(f"http://{balancer.address}/x") == ("302", f"https://{balancer.address}/x")
    # certbot does not listen now.
    assert fetch(f"http://{balancer.address}/.well-known/acme-challenge/x") == ("503", "")


def test_a_timer_renews(balancer: Node) -> None:
    timer = balancer.host.service("haproxy-acme.timer")
    assert timer.is_running and timer.is_enabled


def test_a_renewal_loses_no_handshake(balancer: Node, client: Client) -> None:
    before = client.serial()
    with Prober(client) as prober:
        balancer.run(RENEW)
        after = held_by_certbot(balancer)
        served = until(lambda: after in prober.serials)
    assert after != before
    assert served
    assert prober.failures == []
    assert set(prober.serials) == {before, after}


BROKEN = [
    pytest.param(
        "openssl ecparam -name prime256v1 -genkey -noout >privkey.pem", "does not belong to the certificate", id="key"
    ),
    pytest.param("truncate --size=0 fullchain.pem", "holds no certificate", id="certificate"),
    pytest.param(
        "openssl x509 -in cert.pem -signkey privkey.pem -days -1 -out fullchain.pem", "has expired", id="expired"
    ),
]


@pytest.mark.parametrize(("damage", "words"), BROKEN)
def test_what_cannot_be_right_is_refused(balancer: Node, client: Client, damage: str, words: str) -> None:
    live, kept = f"/etc/letsencrypt/live/{DOMAIN}", balancer.run(f"cat {PEM}")
    balancer.run("cp -a /etc/letsencrypt /tmp/kept")
    try:
        balancer.run(f"cd {live} && {damage}")
        hook = balancer.host.run(HOOK)
    finally:
        balancer.run("rm -r /etc/letsencrypt && mv /tmp/kept /etc/letsencrypt")
    assert hook.rc == 1 and words in hook.stderr
    assert balancer.run(f"cat {PEM}") == kept
    assert client.serial() == held_by_certbot(balancer)


def test_other_certificates_are_not_for_haproxy(balancer: Node) -> None:
    assert balancer.run(f"RENEWED_LINEAGE=/etc/letsencrypt/live/other.example.com {HOOK}") == ""


def test_a_lost_file_heals_and_then_nothing_is_left_to_do(balancer: Node, client: Client) -> None:
    before = client.serial()
    balancer.run(f"rm {PEM}")
    assert run_again() == 2
    # Not ordered again, and not the one to start with.
    assert client.serial() == held_by_certbot(balancer) == before
    assert run_again() == 0
    assert client.serial() == before
