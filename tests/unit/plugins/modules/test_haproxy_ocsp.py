# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OCSP responses that HAProxy gets from a responder of openssl's, and staples for a client of openssl's."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import typing as t

import jinja2
import pytest
from ansible.plugins.filter.core import comment

from ansible_collections.lbforge.haproxy.plugins.filter.haproxy_model import haproxy_model
from ansible_collections.lbforge.haproxy.plugins.modules import haproxy_certificate, haproxy_info
from ansible_collections.lbforge.haproxy.tests.unit.plugins.conftest import eventually
from ansible_collections.lbforge.haproxy.tests.unit.plugins.made import Made, make, served
from ansible_collections.lbforge.haproxy.tests.unit.plugins.ports import free_port

Run = t.Callable[..., dict[str, t.Any]]

TEMPLATES = pathlib.Path(__file__).parents[4] / "roles" / "haproxy_server" / "templates"
VERSION = subprocess.run(
    [os.environ.get("HAPROXY", "haproxy"), "-v"], capture_output=True, text=True, check=True
).stdout.split()[2]

pytestmark = pytest.mark.skipif(
    tuple(map(int, VERSION.split(".")[:2])) < (3, 0),
    reason=f"HAProxy {VERSION} asks no responder by itself, and the role refuses the setting for it",
)

SECTIONS = """\
frontend web-front-1
    bind 127.0.0.1:@port-tls@ ssl crt @home@/a.pem
    http-request return status 200
"""
DATABASE = """\
[ca]
default_ca = responder
[responder]
database = {home}/index.txt
default_md = sha256
"""


class Responder:
    """A responder that knows what the database of ``openssl ca`` says."""

    def __init__(self, home: pathlib.Path) -> None:
        self.home = home
        self.port = free_port()
        self.root = make("Root", authority=True)
        self._process: subprocess.Popen[str] | None = None
        (home / "root.crt").write_text(self.root.crt)
        (home / "root.key").write_text(self.root.key)
        (home / "ca.cnf").write_text(DATABASE.format(home=home))
        (home / "index.txt").touch()

    def issue(self) -> Made:
        """A certificate that names this responder, which knows it as good."""
        leaf = make("www.test", self.root, ocsp=f"http://127.0.0.1:{self.port}")
        self._tell("-valid", leaf)
        return leaf

    def revoke(self, leaf: Made) -> None:
        self._tell("-revoke", leaf)

    def bundle(self, leaf: Made) -> str:
        return leaf.pem + self.root.crt

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _tell(self, word: str, leaf: Made) -> None:
        """Write it into the database, which the responder reads when it starts."""
        (self.home / "leaf.crt").write_text(leaf.crt)
        signer = ["-cert", self.home / "root.crt", "-keyfile", self.home / "root.key"]
        command = ["openssl", "ca", "-config", self.home / "ca.cnf", *signer, word, self.home / "leaf.crt"]
        subprocess.run(command, check=True, capture_output=True)
        self.stop()
        signer = ["-CA", self.home / "root.crt", "-rsigner", self.home / "root.crt", "-rkey", self.home / "root.key"]
        self._process = subprocess.Popen(
            ["openssl", "ocsp", "-index", self.home / "index.txt", "-port", str(self.port), *signer, "-nmin", "60"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout
        while "waiting for OCSP client connections" not in (line := self._process.stdout.readline()):
            assert line, "the responder does not start"


@pytest.fixture
def responder(tmp_path: pathlib.Path) -> t.Iterator[Responder]:
    one = Responder(tmp_path)
    yield one
    one.stop()


def role_says(**settings: t.Any) -> str:
    """The lines about OCSP that the role writes into the global section."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True)
    environment.filters["comment"] = comment
    model = haproxy_model([], settings={"haproxy_version": "3.0", **settings})
    text = environment.get_template("haproxy.cfg.j2").render(haproxy=model, ansible_managed="")
    return "\n".join(line for line in text.splitlines() if "ocsp" in line)


def stapled(port: int) -> tuple[str, str]:
    """The serial number and state in the response that a client gets; empty without one."""
    hello = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "www.test", "-status"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    found = re.search(r"Serial Number: (\w+)\n\s*Cert Status: (\w+)", hello)
    assert found or "OCSP response: no response sent" in hello
    return (found[1], found[2]) if found else ("", "")


def test_it_is_off_unless_asked_for(haproxy: t.Callable[..., t.Any], responder: Responder, run_module: Run) -> None:
    assert role_says() == ""
    running = haproxy(SECTIONS, role_says(), a_pem=responder.bundle(responder.issue()))
    assert stapled(running.ports["tls"]) == ("", "")
    (shown,) = run_module(haproxy_info, socket=running.admin, gather=["certificates"])["certificates"]
    assert shown["ocsp_update"] is None


def test_clients_see_what_the_responder_says(
    haproxy: t.Callable[..., t.Any], responder: Responder, run_module: Run
) -> None:
    first = responder.issue()
    running = haproxy(SECTIONS, role_says(haproxy_ssl_ocsp_update=True), a_pem=responder.bundle(first))
    port, path = running.ports["tls"], f"{running.home}/a.pem"
    eventually(lambda: stapled(port) == (first.serial, "good"))

    responder.revoke(first)
    assert stapled(port) == (first.serial, "good")
    running.ask(f"update ssl ocsp-response {path}")
    eventually(lambda: stapled(port) == (first.serial, "revoked"))

    # A certificate that is swapped brings its response along, and it comes again after a reload.
    second = responder.issue()
    args = {"socket": running.admin, "name": path, "content": responder.bundle(second), "hostnames": ["www.test"]}
    assert run_module(haproxy_certificate, **args)["certificates"][0]["swapped"]
    assert served(port) == second.serial
    eventually(lambda: stapled(port) == (second.serial, "good"))
    assert not run_module(haproxy_certificate, **args)["changed"]
    running.reload()
    eventually(lambda: stapled(port) == (second.serial, "good"))


def test_one_certificate_alone(haproxy: t.Callable[..., t.Any], responder: Responder) -> None:
    """As an option of haproxy_ssl_certificates."""
    leaf = responder.issue()
    sections = SECTIONS.replace("crt @home@/a.pem", "crt @home@/b.pem crt-list @home@/web.list")
    files = {"a_pem": responder.bundle(leaf), "b_pem": make("b.test").pem}
    running = haproxy(sections, web_list="@home@/a.pem [ocsp-update on]\n", **files)
    eventually(lambda: stapled(running.ports["tls"]) == (leaf.serial, "good"))


def test_what_names_no_responder_is_left_alone(haproxy: t.Callable[..., t.Any]) -> None:
    plain = make("www.test", make("Root", authority=True))
    running = haproxy(SECTIONS, role_says(haproxy_ssl_ocsp_update=True), a_pem=plain.pem)
    assert served(running.ports["tls"]) == plain.serial
    assert stapled(running.ports["tls"]) == ("", "")


def test_a_responder_that_is_down_harms_nobody(
    haproxy: t.Callable[..., t.Any], responder: Responder, run_module: Run
) -> None:
    leaf = responder.issue()
    responder.stop()
    running = haproxy(SECTIONS, role_says(haproxy_ssl_ocsp_update=True), a_pem=responder.bundle(leaf))
    assert served(running.ports["tls"]) == leaf.serial
    assert stapled(running.ports["tls"]) == ("", "")

    def told() -> str:
        (shown,) = run_module(haproxy_info, socket=running.admin, gather=["certificates"])["certificates"]
        return str(shown["ocsp_update"])

    eventually(lambda: told() == "HTTP error")
