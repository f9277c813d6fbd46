# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module says to the user. What it does is in the tests of module_utils/_release and of integration."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lbforge.haproxy.plugins.modules import haproxy_config

RunModule = t.Callable[..., dict[str, t.Any]]

BINARY = shutil.which(os.environ.get("HAPROXY", "haproxy"), path=f"{os.environ['PATH']}:/usr/sbin")

OLD = "global\nuserlist u\n    user a insecure-password OLD-SECRET\n"
NEW = """\
global
    description @release@
defaults
    mode http
    timeout client 5s
    timeout connect 5s
    timeout server 5s
userlist u
    user a insecure-password OTHER-SECRET
frontend f
    bind 127.0.0.1:8099
    redirect location /y if { path /x }
    http-request set-header X RAW-SECRET
"""
SECRETS = ["OLD-SECRET", "OTHER-SECRET", "RAW-SECRET", "PRIVATE KEY", "BEGIN CERTIFICATE"]


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, t.Any]:
    """A host where HAProxy is installed, has a configuration, and does not run."""
    if BINARY is None:
        pytest.skip("needs haproxy")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -keyout k -out c"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "haproxy.cfg").write_text(OLD)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "systemctl").write_text("#!/bin/sh\necho inactive\n")
    (tmp_path / "bin" / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    return {
        "files": {"haproxy.cfg": NEW},
        "certificates": [{"name": "a.pem", "content": (tmp_path / "c").read_text() + (tmp_path / "k").read_text()}],
        "secrets": ["RAW-SECRET"],
        "config_dir": str(tmp_path / "etc"),
        "certificate_dir": str(tmp_path / "etc" / "ssl"),
        "master_socket": str(tmp_path / "master"),
        "binary": BINARY,
    }


def test_all_wrong_options_at_once(run_module: RunModule) -> None:
    result = run_module(
        haproxy_config,
        files={"a/b": "x", "ssl": "x", "b": 5},
        certificates=[{"name": "a.pem", "content": "PEM-1"}] * 2,
        keep_releases=1,
        timeout=0,
        watch_limits={"ratio": -1},
    )
    assert result["failed"]
    assert len(result["errors"]) == 8
    assert result["msg"] == "\n".join(error["text"] for error in result["errors"])


def test_a_rollback_is_not_watched(run_module: RunModule) -> None:
    result = run_module(haproxy_config, state="rolled_back", watch_seconds=5)
    assert [error["path"] for error in result["errors"]] == ["watch_seconds"]


def test_the_first_run_in_check_mode(run_module: RunModule, arguments: dict[str, t.Any]) -> None:
    etc = Path(arguments["config_dir"])
    result = run_module(haproxy_config, **arguments, _ansible_check_mode=True)
    assert result["changed"]
    assert (result["action"], result["previous_release"], result["worker_pid"]) == ("start", "original", 0)
    assert (result["files_changed"], result["certificates_changed"]) == (["haproxy.cfg"], ["a.pem"])
    assert [path.name for path in etc.iterdir()] == ["haproxy.cfg"]


@pytest.mark.parametrize(
    ("there", "bootstrap", "changed"),
    [(None, True, ["a.pem"]), ("other", True, []), ("other", False, ["a.pem"])],
)
def test_a_certificate_to_start_with(
    run_module: RunModule, arguments: dict[str, t.Any], there: str | None, bootstrap: bool, changed: list[str]
) -> None:
    content = arguments["certificates"][0]["content"]
    arguments["certificates"][0]["bootstrap"] = bootstrap
    if there:
        Path(arguments["certificate_dir"]).mkdir(mode=0o700)
        (Path(arguments["certificate_dir"]) / "a.pem").write_text(f"# {there}\n{content}")
    assert run_module(haproxy_config, **arguments, _ansible_check_mode=True)["certificates_changed"] == changed


def test_check_mode_before_haproxy_is_installed(run_module: RunModule, arguments: dict[str, t.Any]) -> None:
    arguments["binary"] = "haproxy-that-is-not-there"
    assert run_module(haproxy_config, **arguments, _ansible_check_mode=True)["action"] == "start"
    assert "haproxy-that-is-not-there" in run_module(haproxy_config, **arguments)["msg"]


def ansible(arguments: dict[str, t.Any], *options: str) -> str:
    """Run the module as Ansible runs it on this machine, and return what it says."""
    command = ["ansible", "localhost", "--inventory=localhost,", "--connection=local", *options]
    command += ["--module-name=lbforge.haproxy.haproxy_config", f"--args={json.dumps(arguments, ensure_ascii=False)}"]
    environment = {**os.environ, "ANSIBLE_PYTHON_INTERPRETER": sys.executable}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return done.stdout + done.stderr


def test_a_large_release_arrives_as_it_is(run_module: RunModule, arguments: dict[str, t.Any]) -> None:
    arguments["files"]["large.map"] = "".join(f"/{number} ü\n" for number in range(9000))
    expected = run_module(haproxy_config, **arguments, _ansible_check_mode=True)
    said = ansible(arguments, "--check")
    assert f'"release": "{expected["release"]}"' in said
    assert "haproxy.cfg" in said and "large.map" in said
    # What it returns is not what it was given.
    assert "/8999" not in said and "files_packed" not in said
    assert '"diff"' not in said


@pytest.mark.parametrize(
    ("bad_lines", "shown"),
    [
        ("", ["insecure-password ********", "http-request set-header X ********"]),
        (
            "    foo RAW-SECRET\n    user b insecure-password OTHER-SECRET\n",
            ["foo ********", "insecure-password ********"],
        ),
    ],
    ids=["a difference, and a warning about a line with a secret", "a failure"],
)
def test_nothing_secret_is_shown(arguments: dict[str, t.Any], bad_lines: str, shown: list[str]) -> None:
    arguments["files"]["haproxy.cfg"] += bad_lines
    said = ansible(arguments, "-vvv", "--diff", "--check")
    assert "haproxy.cfg line 1" in said
    assert [words for words in shown if words not in said] == []
    assert [secret for secret in SECRETS if secret in said] == []


def test_nothing_secret_is_logged(
    run_module: RunModule, arguments: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(AnsibleModule, "log", lambda self, message, **options: logged.append(str(message)))
    run_module(haproxy_config, **arguments, _ansible_check_mode=True)
    assert [secret for secret in SECRETS if secret in " ".join(logged)] == []
