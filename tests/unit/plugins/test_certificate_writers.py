# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All that write certificates on a load balancer, as processes beside each other. A client sees what is served."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import time
import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._host import lock
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.served import CertificateStore
from ansible_collections.lbforge.haproxy.tests.unit.plugins.installed import install
from ansible_collections.lbforge.haproxy.tests.unit.plugins.made import Made, make
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._release.machine import (
    BASE,
    BINARY,
    Machine,
    private_machine,
    served_certificate,
)

CONFIGURATION = f"""{BASE}\
frontend web-front-1
    bind 127.0.0.1:{{port}} ssl crt {{ssl}}/vip.pem
    http-request return status 200
"""
# A HAProxy whose check of a configuration lasts until somebody lets it go on.
SLOW_BINARY = """#!/bin/sh
case " $* " in *" -c "*)
    touch {home}/checking
    tries=0
    while [ ! -e {home}/go ] && [ $tries -lt 3000 ]; do tries=$((tries + 1)); sleep 0.1; done ;;
esac
exec {binary} "$@"
"""
RUN_MODULE = """\
import importlib, json, pathlib, sys
from ansible.module_utils.testing import patch_module_args
from ansible_collections.lbforge.haproxy.plugins.module_utils._host import lock
lock._DIRECTORY = pathlib.Path(sys.argv[1])
module = importlib.import_module(f"ansible_collections.lbforge.haproxy.plugins.modules.{sys.argv[2]}")
with patch_module_args(json.loads(sys.argv[3])):
    module.main()
"""
PATIENCE = 300.0  # seconds; a machine may be busy with something else
Process = subprocess.Popen[str]


def until(question: t.Callable[[], t.Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not question():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


class Host:
    """A load balancer with haproxy-acme, which has a certificate, and HAProxy, which has none yet."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.home = machine.home
        self.file = machine.ssl / "vip.pem"
        self.locks = self.home / "locks"
        self.locks.mkdir()
        (self.home / "haproxy").write_text(SLOW_BINARY.format(home=self.home, binary=BINARY))
        (self.home / "haproxy").chmod(0o755)
        self.authority = make("Root", authority=True)
        # All are for one name and valid; which of them is served, is to be seen by the key.
        self.signed, self.ordered, self.other = (self.leaf() for _number in range(3))
        self._install_acme()

    def leaf(self) -> Made:
        return make("www.example.org", self.authority)

    def _install_acme(self) -> None:
        state = self.home / "state"
        for path in (state / "certificates", state / "status", self.home / "acme"):
            path.mkdir(parents=True)
        (state / "certificates" / "site.pem").write_text(self.ordered.pem)
        config = {
            "node": "lb1",
            "peers": {},
            "peers_port": 22,
            "vip": "",
            "server": "x",
            "key_type": "ecdsa",
            "renew_before": 0,
            "certbot": ["false"],
            "certbot_extra": "",
            "certbot_directory": "/nowhere",
            "certificates": [{"name": "site", "domains": ["www.example.org"], "files": ["vip"]}],
            "store": str(self.machine.ssl),
            "stats_socket": f"{self.home}/admin",
        }
        (self.home / "acme" / "config.json").write_text(json.dumps(config))
        paths = {"/etc/haproxy-acme": self.home / "acme", "/var/lib/haproxy-acme": state, "/run/lock": self.locks}
        install("haproxy_acme", self.home / "haproxy-acme", paths)

    def start(self, *command: str | pathlib.Path) -> Process:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/")

    def module(self, program: str, /, **arguments: t.Any) -> Process:
        return self.start(sys.executable, "-c", RUN_MODULE, str(self.locks), program, json.dumps(arguments))

    def config(self, text: str = "", *, binary: str = "", check_mode: bool = False) -> Process:
        """haproxy_config with a certificate to start with."""
        configuration = CONFIGURATION.format(home=self.home, port=self.machine.port, ssl=self.file.parent)
        return self.module(
            "haproxy_config",
            files={"haproxy.cfg": configuration + text},
            certificates=[{"name": "vip.pem", "content": self.signed.pem, "bootstrap": True}],
            config_dir=str(self.machine.etc),
            certificate_dir=str(self.machine.ssl),
            master_socket=f"{self.home}/master",
            binary=binary or str(BINARY),
            timeout=int(PATIENCE),
            _ansible_check_mode=check_mode,
        )

    def checking(self) -> Process:
        """haproxy_config at the moment when it knows what it is going to write, and has not."""
        process = self.config(binary=str(self.home / "haproxy"))
        until(lambda: (self.home / "checking").exists() or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        return process

    def go_on(self) -> None:
        (self.home / "go").touch()

    def acme(self) -> Process:
        return self.start(self.home / "haproxy-acme", "deploy")

    def certificate(self) -> Process:
        name, timeout = str(self.file), int(PATIENCE)
        return self.module(
            "haproxy_certificate", name=name, content=self.other.pem, socket=f"{self.home}/admin", timeout=timeout
        )

    def files(self) -> Process:
        return self.module("node_files", files=[{"dest": str(self.file), "content": self.other.pem, "mode": "0600"}])

    def waits(self, process: Process) -> bool:
        """Whether a process has come to the lock of the directory, which somebody else holds."""
        assert process.poll() is None, process.communicate()
        opened = set()
        for handle in pathlib.Path(f"/proc/{process.pid}/fd").iterdir():
            try:
                opened.add(handle.readlink().parent)
            except FileNotFoundError:
                continue
        return self.locks in opened

    def end(self, *processes: Process) -> list[str]:
        """What processes said that have to end well."""
        said = []
        for process in processes:
            out, err = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, out + err
            said.append(out)
        return said

    def serves(self, made: Made) -> bool:
        return served_certificate(self.machine.port).strip() in made.crt


@pytest.fixture
def host() -> t.Iterator[Host]:
    if BINARY is None:
        pytest.skip("needs haproxy")
    with private_machine() as machine:
        yield Host(machine)


def test_what_was_ordered_is_not_replaced_by_what_is_there_to_start_with(host: Host) -> None:
    """haproxy-acme deploys while the first run of haproxy_config, which saw no certificate, is under way."""
    config = host.checking()
    acme = host.acme()
    until(lambda: host.waits(acme))
    assert not host.file.exists()
    host.go_on()
    _said, deployed = host.end(config, acme)
    assert host.file.read_text() == host.ordered.pem
    assert host.serves(host.ordered)
    assert deployed == f"{host.file}: HAProxy serves {host.ordered.serial}\n"


def test_what_was_ordered_before_is_kept(host: Host) -> None:
    host.end(host.acme())
    host.end(host.config())
    assert host.file.read_text() == host.ordered.pem
    assert host.serves(host.ordered)


def test_both_at_once(host: Host) -> None:
    """Whoever is first, what was ordered is served in the end."""
    host.end(host.config(), host.acme())
    for number in range(3):
        newer = host.leaf()
        (host.home / "state" / "certificates" / "site.pem").write_text(newer.pem)
        host.file.unlink()
        host.end(*(host.config(f"# {number}\n"), host.acme())[:: 1 if number % 2 else -1])
        assert host.file.read_text() == newer.pem
        assert host.serves(newer)


@pytest.mark.parametrize("writer", ["certificate", "files"])
def test_others_wait_for_a_release_and_its_proof(host: Host, writer: str) -> None:
    """What they write is neither overwritten by the run nor, when it fails, put back to what was there before."""
    host.end(host.config())
    assert host.serves(host.signed)
    host.file.unlink()
    config = host.checking()
    process = getattr(host, writer)()
    until(lambda: host.waits(process))
    assert not host.file.exists()
    host.go_on()
    host.end(config, process)
    assert host.file.read_text() == host.other.pem


def test_who_only_looks_waits_for_nobody(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_DIRECTORY", host.locks)
    with CertificateStore(host.machine.ssl).lock(1):
        host.end(host.config(check_mode=True))
    assert not host.file.exists()
