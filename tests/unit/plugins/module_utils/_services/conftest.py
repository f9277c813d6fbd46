# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services become a configuration as in the role, and the real HAProxy says what it thinks of it."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import subprocess
import tempfile
import threading
import typing as t
from contextlib import ExitStack

import jinja2
import pytest
from ansible.plugins.filter.core import comment

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.model import build
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.validate import check
from ansible_collections.lbforge.haproxy.tests.unit.plugins.conftest import BINARY, Running, launched
from ansible_collections.lbforge.haproxy.tests.unit.plugins.rehearsals import failures, results_of

from .traffic import Mirror, MirrorServer

TEMPLATES = pathlib.Path(__file__).parents[5] / "roles" / "haproxy_server" / "templates"
NODES = [{"name": "w1", "ip_addr": "10.0.0.21"}, {"name": "w2", "ip_addr": "10.0.0.22"}]
WEB = {"haproxy_service_name": "web", "haproxy_port": 80, "haproxy_backend_nodes": NODES}
# Files of tests lie in /tmp.
VIPS = {
    "external_lb_vip_address": "203.0.113.10",
    "internal_lb_vip_address": "10.0.0.10",
    "haproxy_host": "lb1",
    "haproxy_systemd_hardening": False,
}


@dataclasses.dataclass(frozen=True)
class Rendered:
    """A configuration, and the sections of it."""

    text: str
    model: dict[str, t.Any]
    warnings: list[str]

    def section(self, heading: str) -> list[str]:
        """The lines of a section, such as "frontend web-front-1"; fails if there is none."""
        found = re.search(rf"^{re.escape(heading)}\n((?: .*\n)*)", self.text, flags=re.MULTILINE)
        assert found, f"no section {heading} in:\n{self.text}"
        return [line.strip() for line in found[1].splitlines()]

    def headings(self) -> list[str]:
        return re.findall(r"^(?:frontend|backend|listen) .*$", self.text, flags=re.MULTILINE)


@pytest.fixture(scope="session")
def pem(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Any certificate with its key."""
    directory = tmp_path_factory.mktemp("pem")
    subprocess.run(
        [
            *[
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=test",
            ],
            *("-keyout", directory / "key.pem", "-out", directory / "crt.pem"),
        ],
        check=True,
        capture_output=True,
    )
    return (directory / "crt.pem").read_text() + (directory / "key.pem").read_text()


def read_file(path: str) -> str:
    """A file on the controller."""
    return pathlib.Path(path).read_text()


@pytest.fixture
def render(tmp_path: pathlib.Path) -> t.Callable[..., Rendered]:
    """The configuration of services; certificates lie in a directory of the test."""

    def renderer(*services: dict[str, t.Any], hosts: dict[str, str] | None = None, **settings: t.Any) -> Rendered:
        settings = {**VIPS, "haproxy_ssl_cert_path": str(tmp_path), **settings}
        checked = check(
            {"haproxy_service_configs": list(services)}, settings, hosts or {}, read_file=read_file
        ).or_raise()
        model = build(checked).as_dict()
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True, undefined=jinja2.StrictUndefined
        )
        environment.filters["comment"] = comment
        text = environment.get_template("haproxy.cfg.j2").render(haproxy=model, ansible_managed="Ansible managed")
        return Rendered(f"{text}\n", model, [problem.why for problem in checked.problems.warnings])

    return renderer


def files_of(rendered: Rendered) -> dict[str, str]:
    """The files beside the configuration."""
    return {
        name: text for kind in ("maps", "network_lists", "crt_lists") for name, text in rendered.model[kind].items()
    }


@pytest.fixture
def haproxy_says(tmp_path: pathlib.Path, pem: str) -> t.Callable[[Rendered], list[str]]:
    """What haproxy -c has to say of a configuration: its alerts and warnings, so an empty list is praise."""

    def check_with_haproxy(rendered: Rendered) -> list[str]:
        for certificate in rendered.model["certificates"]:
            (tmp_path / f"{certificate['name']}.pem").write_text(pem)
        text = rendered.text
        for name, content in files_of(rendered).items():
            (tmp_path / name).write_text(content)
            text = text.replace(f"/etc/haproxy/{name}", str(tmp_path / name))
        # The unit of HAProxy makes this file before every start; without it there is a warning.
        (tmp_path / "servers.state").write_text("1\n")
        path = tmp_path / "haproxy.cfg"
        path.write_text(text.replace("/run/haproxy/servers.state", str(tmp_path / "servers.state")))
        done = subprocess.run([str(BINARY), "-W", "-c", "-f", path], capture_output=True, text=True, check=False)
        said = [line for line in done.stderr.splitlines() if "[ALERT]" in line or "[WARNING]" in line]
        assert done.returncode == 0 or said, done.stderr
        return said

    return check_with_haproxy


@pytest.fixture
def unmet(render: t.Callable[..., Rendered]) -> t.Callable[..., list[str]]:
    """What services do not do of what is expected of them, rehearsed with their configuration; empty if all is well."""

    def rehearse(
        services: t.Sequence[dict[str, t.Any]], *expectations: dict[str, t.Any], **settings: t.Any
    ) -> list[str]:
        rendered = render(*services, **settings)
        return failures(results_of(rendered.text, expectations, files_of(rendered)))

    return rehearse


@pytest.fixture
def serve(render: t.Callable[..., Rendered], pem: str) -> t.Iterator[t.Callable[..., Running]]:
    """A HAProxy that runs the configuration of services, as this user and in a directory of its own."""
    with ExitStack() as stack:

        def start(*services: dict[str, t.Any], **settings: t.Any) -> Running:
            home = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hap.")))
            told = subprocess.run([str(BINARY), "-v"], capture_output=True, text=True, check=True).stdout
            version = ".".join(told.split()[2].split(".")[:2])
            rendered = render(*services, haproxy_ssl_cert_path=str(home), haproxy_version=version, **settings)
            for certificate in rendered.model["certificates"]:
                (home / f"{certificate['name']}.pem").write_text(pem)
            text = re.sub(r"(?m)^    (chroot|user|group) .*\n", "", rendered.text)
            for path, name in (("/admin.sock", "admin"), (".stat", "stat"), ("/servers.state", "servers.state")):
                text = text.replace(f"/run/haproxy{path}", f"{home}/{name}")
            for name, content in files_of(rendered).items():
                (home / name).write_text(content)
                text = text.replace(f"/etc/haproxy/{name}", str(home / name))
            # These names are for all processes of a machine.
            (home / "haproxy.cfg").write_text(text.replace("abns@", f"abns@{home.name}"))
            return launched(stack, home)

        yield start


@pytest.fixture(scope="module")
def mirror() -> t.Iterator[int]:
    """The port of such a server."""
    server = MirrorServer(("127.0.0.1", 0), Mirror)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield int(server.server_address[1])
    server.shutdown()
    server.server_close()
