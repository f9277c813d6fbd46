# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module against a real HAProxy; what it says is compared with what openssl, the kernel and a client know."""

from __future__ import annotations

import http.client
import socket
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.lbforge.haproxy.plugins.module_utils._insight.facts import RELOADING, Facts
from ansible_collections.lbforge.haproxy.plugins.modules import haproxy_info

RunModule = t.Callable[..., dict[str, t.Any]]

CONFIGURATION = """\
frontend web
    bind 127.0.0.1:@port-web@
    bind 127.0.0.1:@port-tls@ ssl crt @home@/one.pem
    http-request track-sc0 src table seen
    http-request deny if { src -f @home@/denied.acl }
    use_backend %[path,map(@home@/paths.map,web-back)]
    default_backend web-back
backend web-back
    server one 127.0.0.1:@port-back@ weight 7 check inter 50ms
    server two 127.0.0.1:@port-nothing@ check inter 50ms fall 1
backend seen
    stick-table type ip size 100 expire 1m store http_req_cnt
frontend back
    bind 127.0.0.1:@port-back@
    http-request return status 200
"""


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("openssl")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=www.example.com"
        " -addext subjectAltName=DNS:www.example.com -days 42 -set_serial 4711 -keyout k -out c"
    )
    subprocess.run(command.split(), cwd=directory, check=True, capture_output=True)
    return (directory / "c").read_text() + (directory / "k").read_text()


@pytest.fixture
def running(haproxy: t.Any, pem: str) -> t.Any:
    files = {"one_pem": pem, "denied_acl": "192.0.2.1\n192.0.2.2\n", "paths_map": "/a web-back\n"}
    running = haproxy(CONFIGURATION, settings="    description by-hand\n", **files)
    deadline = time.monotonic() + 60
    while "Connection refused" not in running.ask("show stat web-back 4 -1"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return running


def arguments(running: t.Any, **others: t.Any) -> dict[str, t.Any]:
    paths = {"config_dir": str(running.home), "certificate_dir": str(running.home / "ssl")}
    return {"socket": running.admin, "master_socket": running.master, "timeout": 5, **paths, **others}


def test_everything_at_once(run_module: RunModule, running: t.Any, pem: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.ports["web"], timeout=30)
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
    everything = [*Facts.SUBSETS]
    result = run_module(haproxy_info, **arguments(running, gather=everything))
    assert (result["changed"], set(everything) - set(result)) == (False, set())

    children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text().split()
    assert result["processes"]["master"]["pid"] == running.process.pid
    assert [result["processes"]["serving"]] == [int(child) for child in children]
    assert (result["processes"]["failed_reloads"], result["processes"]["old_workers"]) == (0, [])

    assert result["info"]["Pid"] == result["processes"]["serving"]
    assert result["info"]["description"] == "by-hand"

    web = next(row for row in result["stats"] if (row["pxname"], row["type"]) == ("web", "frontend"))
    assert (web["stot"], web["status"]) == (1, "OPEN")

    one, two = result["servers"]
    assert one == {
        "backend": "web-back",
        "name": "one",
        "address": "127.0.0.1",
        "port": running.ports["back"],
        "fqdn": None,
        "state": "ready",
        "operational": "running",
        "weight": 7,
        "initial_weight": 7,
        "check": True,
        "check_port": None,
        "agent": False,
        "ssl": False,
    }
    assert two["operational"] == "stopped"
    assert result["sessions"]["total"] == 0

    assert result["tables"] == [{"name": "seen", "type": "ip", "size": 100, "used": 1}]
    assert [(each["path"], each["kind"], each["entries"]) for each in result["maps"]] == [
        (f"{running.home}/denied.acl", "acl", 2),
        (f"{running.home}/paths.map", "map", 1),
    ]

    (certificate,) = result["certificates"]
    fingerprint = subprocess.run(
        ["openssl", "x509", "-noout", "-fingerprint", "-sha1"], input=pem, check=True, capture_output=True, text=True
    ).stdout
    assert certificate["sha1"] == fingerprint.partition("=")[2].strip().replace(":", "")
    assert certificate["path"] == f"{running.home}/one.pem"
    assert (certificate["days_left"], int(certificate["serial"], 16), certificate["used"]) == (41, 4711, True)
    assert certificate["not_after"] - certificate["not_before"] == 42 * 86400
    assert certificate["san"] == ["DNS:www.example.com"]
    assert "PRIVATE" not in str(result)

    assert result["status"]["status"] == "DEGRADED"
    assert result["drift"]["release"] is None


def test_what_is_read_by_default(run_module: RunModule, running: t.Any) -> None:
    result = run_module(haproxy_info, **arguments(running))
    assert set(result) - {"invocation", "changed", "warning_details"} == {"info", "status", "report"}


def test_only_a_backend(run_module: RunModule, running: t.Any) -> None:
    gather = ["stats", "servers", "sessions", "status"]
    result = run_module(haproxy_info, **arguments(running, gather=gather, backend="seen"))
    assert {row["pxname"] for row in result["stats"]} == {"seen"}
    assert (result["servers"], result["status"]["frontends"]) == ([], [])
    assert [backend["name"] for backend in result["status"]["backends"]] == ["seen"]


def test_the_report(run_module: RunModule, running: t.Any) -> None:
    result = run_module(haproxy_info, **arguments(running, gather=["status", "drift", "certificates"]))
    lines = result["report"]
    assert lines[0] == "OUT OF SYNC: no release is on the disk, an unknown one runs, 1 difference"
    assert lines[1].startswith(f"  {running.home} contains no release yet")
    assert lines[2:4] == ["certificates", f"  {running.home}/one.pem 41 days left"]
    assert lines[4] == "DEGRADED: 2 frontends, 2 backends (1 DEGRADED), 2 servers (1 ERROR)"
    assert lines[5].startswith("  web ONLINE (OPEN, 0/")
    assert lines[6] == "    web-back DEGRADED (UP)"
    assert lines[7].startswith(f"      one ONLINE (127.0.0.1:{running.ports['back']}, UP for ")
    assert "L4CON Connection refused" in lines[8]
    assert lines[9].startswith("  back ONLINE (OPEN")
    assert lines[10:] == ["  backends without a frontend", "    seen ONLINE"]


@pytest.fixture
def revoking(tmp_path: Path, pem: str) -> tuple[str, str]:
    """An authority, and its list for the next 30 days with one certificate on it; both by openssl."""
    (tmp_path / "index").write_text("")
    (tmp_path / "pem").write_text(pem)
    (tmp_path / "ca.cnf").write_text("[ca]\ndefault_ca=d\n[d]\ndatabase=index\ndefault_md=sha256\n")
    ca = ["openssl", "ca", "-config", "ca.cnf", "-cert", "pem", "-keyfile", "pem"]
    for words in (["-revoke", "pem"], ["-gencrl", "-crldays", "30", "-out", "crl"]):
        subprocess.run([*ca, *words], cwd=tmp_path, check=True, capture_output=True)
    return pem[: pem.index("-----BEGIN PRIVATE")], (tmp_path / "crl").read_text()


def test_a_revocation_list_says_when_it_ends(
    run_module: RunModule, haproxy: t.Any, pem: str, revoking: tuple[str, str]
) -> None:
    authority, crl = revoking
    bind = (
        "bind 127.0.0.1:@port-web@ ssl crt @home@/one.pem verify required ca-file @home@/ca.pem crl-file @home@/ca.crl"
    )
    running = haproxy(f"frontend web\n    mode http\n    {bind}\n", one_pem=pem, ca_pem=authority, ca_crl=crl)
    found = run_module(haproxy_info, **arguments(running, gather=["ca_files"]))["ca_files"]
    ca, revoked = (each for each in found if each["path"] != "@system-ca")  # HAProxy's own HTTP client has it
    assert (ca["path"], ca["kind"], ca["entries"], ca["days_left"]) == (f"{running.home}/ca.pem", "ca", 1, 41)
    assert (revoked["path"], revoked["kind"], revoked["entries"]) == (f"{running.home}/ca.crl", "crl", 1)
    assert (revoked["revoked"], revoked["days_left"]) == (1, 29)


@pytest.mark.parametrize(
    ("level", "refused"),
    [("user", ["sessions", "certificates", "ca_files", "drift"]), ("operator", []), ("admin", [])],
)
def test_a_socket_that_may_not_tell(run_module: RunModule, running: t.Any, level: str, refused: list[str]) -> None:
    path = str(running.home / level)
    result = run_module(haproxy_info, **arguments(running, socket=path, gather=[*Facts.SUBSETS]))
    assert [error["name"] for error in result.get("errors", [])] == refused
    assert [name for name in Facts.SUBSETS if name not in result] == refused
    for error in result.get("errors", []):
        assert error["text"] in result["msg"]
        assert f"The socket {path} has level user, but this needs level operator" in error["text"]


def test_a_socket_that_is_not_there(run_module: RunModule, running: t.Any) -> None:
    nowhere = str(running.home / "nowhere")
    begin = time.monotonic()
    result = run_module(haproxy_info, **arguments(running, socket=nowhere, gather=[*Facts.SUBSETS]))
    assert time.monotonic() - begin < 2 * RELOADING + 10  # it waits for a reload once, not for each
    assert result["processes"]["master"]["pid"] == running.process.pid
    assert [error["name"] for error in result["errors"]] == [name for name in Facts.SUBSETS[1:] if name != "vips"]
    for error in result["errors"]:
        assert error["text"].endswith(f" on {nowhere}: No such file or directory.")
        assert error["text"] in result["msg"]


def test_a_configuration_that_is_not_there(run_module: RunModule, running: t.Any) -> None:
    result = run_module(haproxy_info, **arguments(running, config_dir="/nowhere"))
    assert result["msg"].startswith("gather (status): Cannot read a file: ")
    assert "/nowhere/haproxy.cfg" in result["msg"]
    assert result["info"]["description"] == "by-hand"


def test_over_tcp(run_module: RunModule, running: t.Any) -> None:
    address = f"127.0.0.1:{running.ports['stats']}"
    result = run_module(haproxy_info, **arguments(running, socket=address, gather=["info"]))
    assert result["info"]["Pid"] > 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"timeout": 0}, "at least 1"), ({"gather": ["all"]}, "value of gather must be one or more of: processes, info")],
)
def test_wrong_options(run_module: RunModule, wrong: dict[str, t.Any], message: str) -> None:
    result = run_module(haproxy_info, **wrong)
    assert message in result["msg"]


def test_a_haproxy_that_hangs(run_module: RunModule, running: t.Any, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        begin = time.monotonic()
        result = run_module(haproxy_info, **arguments(running, socket=address, timeout=1, gather=["info"]))
    assert "timed out" in result["msg"]
    assert time.monotonic() - begin < 30


def documented(returned: dict[str, t.Any], value: t.Any, path: str) -> t.Iterator[str]:
    """Name what a result has and its documentation lacks, or has with another type."""
    types = {"dict": dict, "list": list, "str": str, "int": int, "bool": bool}
    for key, each in value.items():
        about = returned.get(key)
        if about is None:
            yield f"{path}.{key}"
        elif about["type"] != "raw" and each is not None and not isinstance(each, types[about["type"]]):
            yield f"{path}.{key} is no {about['type']}"
        elif "contains" in about:
            for item in each if isinstance(each, list) else [each]:
                yield from documented(about["contains"], item, f"{path}.{key}")


def test_the_documentation_names_what_is_returned(run_module: RunModule, running: t.Any) -> None:
    subsets = [subset for subset in Facts.SUBSETS if subset not in ("stats", "info")]
    result = run_module(haproxy_info, **arguments(running, gather=subsets))
    returned = {**yaml.safe_load(haproxy_info.RETURN), "changed": {"type": "bool"}, "invocation": {"type": "raw"}}
    assert list(documented(returned, result, "")) == []
    options = yaml.safe_load(haproxy_info.DOCUMENTATION)["options"]
    assert options["gather"]["choices"] == [*Facts.SUBSETS]


def test_what_answers_at_virtual_addresses(run_module: RunModule, haproxy: t.Any) -> None:
    running = haproxy(
        "frontend one\n    bind 127.0.0.2:@port-one@\n    http-request return status 200\n"
        "frontend all\n    bind 127.0.0.2:@port-all@,127.0.0.3:@port-all@\n    http-request return status 200\n"
    )
    one, everywhere = running.ports["one"], running.ports["all"]
    asked = {"gather": ["vips"], "vips": ["127.0.0.2", "127.0.0.3"]}
    result = run_module(haproxy_info, **arguments(running, **asked))
    assert result["vips"] == [
        {"address": "127.0.0.2", "ports": sorted([one, everywhere]), "problems": []},
        {"address": "127.0.0.3", "ports": [everywhere], "problems": []},
    ]
    assert result["report"] == []
    # The file asks for more than what runs.
    with socket.socket() as free:
        free.bind(("127.0.0.2", 0))
        late = free.getsockname()[1]
    with (running.home / "haproxy.cfg").open("a") as file:
        file.write(f"frontend late\n    bind 127.0.0.2:{late}\n    http-request return status 200\n")
    result = run_module(haproxy_info, **arguments(running, **asked))
    assert result["report"] == [f"127.0.0.2:{late} does not answer: connection refused."]


def test_a_virtual_address_on_which_nothing_listens(run_module: RunModule, running: t.Any) -> None:
    result = run_module(haproxy_info, **arguments(running, gather=["vips"], vips=["127.0.0.9"]))
    assert result["vips"][0]["ports"] == []
    assert result["report"] == ["HAProxy does not listen on 127.0.0.9, which is a virtual address."]
