# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host with a real HAProxy, for tests of the whole sequence.

Systemd is the one thing played: a script in its place starts and watches the real process. ``HAPROXY`` names another
HAProxy to test with.
"""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import subprocess
import tempfile
import time
import typing as t
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.expectations import parse
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.apply import Host, Outcome, Wanted, apply
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.check import Checker
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.live import Live
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.process import HAProxy, Service
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.rehearse import Rehearsal
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.store import ReleaseStore
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import Release
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.watch import Watch, apply_watched
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.client import RuntimeClient
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.served import CertificateStore
from ansible_collections.lbforge.haproxy.tests.unit.plugins.ports import free_port

BINARY = shutil.which(os.environ.get("HAPROXY", "haproxy"), path=f"{os.environ['PATH']}:/usr/sbin")

SYSTEMCTL = """#!/bin/sh
runs() {{ grep -q '^State:.[^ZX]' "/proc/$(cat {home}/pid)/status" 2>/dev/null; }}
case $1 in
is-active) runs && echo active || echo inactive ;;
start)
    runs && exit 0
    {binary} -W -f {home}/etc/haproxy.cfg {master} >>{home}/log 2>&1 &
    echo $! >{home}/pid
    sleep 0.5
    runs || {{ echo 'Job for haproxy.service failed.' >&2; exit 1; }} ;;
esac
"""
JOURNALCTL = "#!/bin/sh\ncat {home}/log\n"

#: what the configurations of tests begin with
BASE = """\
global
    description @release@
    stats socket {home}/admin mode 600 level admin
    hard-stop-after 60s
defaults
    mode http
    timeout client 60s
    timeout connect 10s
    timeout server 60s
"""
CONFIGURATION = f"""{BASE}\
    option idle-close-on-response
frontend web-front-1
    bind 127.0.0.1:{{port}}
    http-request return status 200 content-type text/plain lf-string "{{text}} %[path,map(ETC/a.map,none)]"
"""


@dataclass
class Machine:
    """A host with one HAProxy in a directory of its own."""

    home: Path
    port: int
    template: str = CONFIGURATION
    expectations: t.Sequence[t.Any] = ()

    @property
    def etc(self) -> Path:
        return self.home / "etc"

    @property
    def ssl(self) -> Path:
        return self.etc / "ssl"

    def host(self) -> Host:
        store = ReleaseStore(self.etc)
        return Host(
            store,
            CertificateStore(self.ssl),
            Checker(BINARY, store, self.ssl, self.home / "run"),
            Rehearsal(BINARY, self.etc, self.ssl, parse(list(self.expectations))),
            HAProxy(RuntimeClient(self.home / "master", 30), Service("haproxy"), 30),
            Live(30),
        )

    def files(self, text: str, *lines: str, mapped: str = "x") -> dict[str, str]:
        configuration = self.template.format(port=self.port, text=text, home=self.home) + "".join(
            f"    {line}\n" for line in lines
        )
        return {"haproxy.cfg": configuration.replace("ETC", str(self.etc)), "a.map": f"/ {mapped}\n"}

    def wanted(self, text: str = "one", *lines: str, mapped: str = "x", pem: bytes = b"") -> Wanted:
        return Wanted(Release.made_of(self.files(text, *lines, mapped=mapped)), {"a.pem": pem} if pem else {})

    def apply(
        self, wanted: Wanted, host: Host | None = None, *, check_mode: bool = False, watch: Watch | None = None
    ) -> Outcome:
        if watch:
            return apply_watched(lambda: wanted, host or self.host(), watch, keep=3, patience=30)
        return apply(lambda: wanted, host or self.host(), keep=3, patience=30, check_mode=check_mode)

    def answer(self, path: str = "/") -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path)
        return connection.getresponse().read().decode()

    @property
    def pid(self) -> int:
        """The worker that serves."""
        worker = self.host().haproxy.worker()
        return worker.pid if worker else 0

    def tell(self, command: str) -> str:
        """Do something by hand in the running HAProxy."""
        return RuntimeClient(self.home / "admin", 30).read(command)

    def tree(self) -> dict[str, str]:
        """Everything below the directory of the configuration that matters to HAProxy."""
        return {
            str(path.relative_to(self.etc)): str(path.readlink()) if path.is_symlink() else path.read_text()
            for path in self.etc.rglob("*")
            if (path.is_symlink() or path.is_file()) and path.name != ".journal"
        }


@contextmanager
def private_machine() -> t.Iterator[Machine]:
    """A host of its own, with nothing on it; what it runs ends with it."""
    with tempfile.TemporaryDirectory() as name:  # short: the path of a socket is limited
        home, path = Path(name), os.environ["PATH"]
        for directory in ("etc", "bin", "run"):
            (home / directory).mkdir()
        for program, text in (("systemctl", SYSTEMCTL), ("journalctl", JOURNALCTL)):
            script = home / "bin" / program
            script.write_text(text.format(home=home, binary=BINARY, master=f"-S {home}/master"))
            script.chmod(0o755)
        os.environ["PATH"] = f"{home}/bin:{path}"
        try:
            yield Machine(home, free_port())
        finally:
            os.environ["PATH"] = path
            if (home / "pid").exists():
                end(int((home / "pid").read_text()))


def end(pid: int) -> None:
    """End a master and come back when it, and so its workers, are gone: they remove their sockets themselves."""
    deadline = time.monotonic() + 60
    with suppress(FileNotFoundError, ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X"):
            assert time.monotonic() < deadline, "HAProxy does not end"
            time.sleep(0.02)


def served_certificate(port: int) -> str:
    """The leaf that a client gets, as PEM without its frame."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True, input="").stdout
    return shown.split("-----BEGIN CERTIFICATE-----")[1].split("-----END")[0]


def killed(
    machine: Machine,
    wanted: Wanted,
    kind: type,
    step: str,
    count: int = 1,
    *,
    late: bool,
    watch: Watch | None = None,
) -> None:
    """Apply in another process, which is killed just before or after its n-th call of a step."""
    pid = os.fork()
    if pid == 0:
        real, calls = getattr(kind, step), []

        def deadly(*args: t.Any, **options: t.Any) -> t.Any:
            calls.append(step)
            if len(calls) == count and not late:
                os.kill(os.getpid(), signal.SIGKILL)
            result = real(*args, **options)
            if len(calls) == count:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        setattr(kind, step, deadly)
        try:
            machine.apply(wanted, watch=watch)
        finally:
            os._exit(0)
    _pid, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), f"the run ended before call {count} of {step}"
    assert os.WTERMSIG(status) == signal.SIGKILL
