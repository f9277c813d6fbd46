# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks at their most talkative, and no secret anywhere: not in what they say, in the list of processes, in a log
or in a file that others may read.

What installs, fails and looks is run always, every playbook in a long run.
"""

from __future__ import annotations

import json
import os
import pathlib
import secrets as random
import shutil
import string
import subprocess
import time
import typing as t

import pytest
from bench import CACHE, MOLECULE, Node
from cluster import NAME, Cluster
from leaks import Leak, Processes, Secrets, SystemLog, found_here, found_on, private_keys

BENCH = CACHE / NAME
# What the inventory has made.
PASSWORDS = BENCH / "secrets"
PLAYBOOKS = MOLECULE.parent / "playbooks"

NODE_AREAS = ["/etc", "/var", "/run", "/usr/local", "/opt", "/root", "/home", "/srv", "/tmp", "/dev/shm"]
HERE_AREAS = ["/etc", "/var", "/run", "/opt", "/root", "/home", "/tmp", "/dev/shm"]

CONFIGURATION = "--tags=haproxy-service-config,keepalived-config,letsencrypt"
BACK = "keepalived_switchover_back=true"
PROBE = "keepalived_probe_port=8081"
GOOD, BAD = 0, 2
# What each playbook is run with, options and extra variables, and how that ends, since errors show arguments too.
Play = tuple[str, int, list[str]]
ALWAYS: list[Play] = [
    ("haproxy_validate", GOOD, [f"haproxy_render_to={BENCH}/rendered"]),
    ("haproxy-install", BAD, ["@{invalid}"]),
    ("haproxy_rehearse", GOOD, []),
    ("haproxy_install", GOOD, ["haproxy_pki_regen_cert=true"]),
    # Without pipelining modules and what they are told pass through files.
    ("haproxy_install", BAD, ["@{refused}", "--limit=lb3", CONFIGURATION, "ansible_ssh_pipelining=false"]),
    ("haproxy_status", GOOD, []),
]
LONG: list[Play] = [
    # With the secrets that are new since.
    ("haproxy_install", GOOD, []),
    ("haproxy_install", GOOD, ["--check", "--limit=lb2", CONFIGURATION]),
    ("haproxy_certificates", GOOD, ["haproxy_pki_regen_cert=true"]),
    ("haproxy_drain", GOOD, ["haproxy_drain_host=lb3"]),
    ("haproxy_drain", GOOD, ["haproxy_drain_host=lb3", "haproxy_drain_state=ready"]),
    ("haproxy_explain", GOOD, ["haproxy_explain_url=https://guarded.bench.test:8443/"]),
    ("haproxy_rollback", GOOD, []),
    ("keepalived_switchover", GOOD, [PROBE, "keepalived_switchover_host=lb1"]),
    ("keepalived_switchover", GOOD, ["keepalived_switchover_host=lb1", BACK]),
    ("keepalived_upgrade", GOOD, []),
    ("keepalived_drill", GOOD, [PROBE, "keepalived_drill_consent=true", "{{keepalived_drill_faults: [planned_stop]}}"]),
]


class Evidence(t.NamedTuple):
    """What was written down while the playbooks ran."""

    directory: pathlib.Path
    secrets: Secrets
    began: float
    plays: int


def renewed(name: str) -> None:
    """Another password of the same length."""
    path = PASSWORDS / name
    letters = string.ascii_letters + string.digits
    path.write_text("".join(random.choice(letters) for _letter in path.read_text().strip()) + "\n")


def passwords() -> t.Iterator[tuple[str, str]]:
    for path in PASSWORDS.iterdir():
        if path.suffix == "":
            yield path.name, path.read_text().strip()
    yield "basic", f"user:{(PASSWORDS / 'basic').read_text().strip()}"


def make_certificate() -> None:
    """One that the user brings, with another key each time."""
    key, certificate = PASSWORDS / "user.key", PASSWORDS / "user.crt"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=user"]
    command += ["-addext", "subjectAltName=DNS:guarded.bench.test", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)


def collect(secrets: Secrets, cluster: Cluster) -> None:
    """All passwords and keys that there are now."""
    for name, value in passwords():
        secrets.add(name, value)
    for path, text in private_keys(None, [str(BENCH)]).items():
        secrets.add_keys(path, text)
    for node in cluster.nodes:
        for path, text in private_keys(node, NODE_AREAS).items():
            secrets.add_keys(f"{node.name}:{path}", text)


def write_site() -> dict[str, str]:
    """Variables beside the inventory's, in files, as they are secret: by what name a run asks for which."""
    token = (PASSWORDS / "token").read_text().strip()
    guarded = {
        "haproxy_service_name": "secured",
        "haproxy_port": 8443,
        "haproxy_ssl": True,
        "haproxy_ssl_certificates": [{"name": "user", "hosts": ["guarded.bench.test"]}],
        "haproxy_backend_arguments": ["http-request return status 200"],
    }
    user = {"name": "user", "cert": str(PASSWORDS / "user.crt"), "key": str(PASSWORDS / "user.key")}
    # HAProxy and the validation both quote what they do not understand.
    wrong = {
        "invalid": {"haproxy_frontend_raw": [{"http-request deny unless": token}, f"userlist {token}"]},
        "refused": {"haproxy_frontend_raw": [f"http-request {token}", f"http-request auth realm {token} {token}"]},
    }
    files = {"site": [guarded], **{name: [guarded | keys] for name, keys in wrong.items()}}
    for name, services in files.items():
        said = {"haproxy_user_certificates": [user], "site_services": services}
        (PASSWORDS / f"{name}.json").write_text(json.dumps(said))
        (PASSWORDS / f"{name}.json").chmod(0o600)
    return {name: str(PASSWORDS / f"{name}.json") for name in files}


def play(number: int, evidence: pathlib.Path, playbook: str, arguments: list[str]) -> int:
    log = evidence / f"{number:02}-{playbook}"
    environment = {
        **os.environ,
        "ANSIBLE_LOG_PATH": f"{log}.log",
        "ANSIBLE_CACHE_PLUGIN": "jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(evidence / "facts"),
    }
    command = ["ansible-playbook", "-vvv", "--diff", f"--inventory={MOLECULE}/letsencrypt/inventory"]
    command += ["--extra-vars=haproxy_serial=100%"]
    command += [word if word.startswith("--") else f"--extra-vars={word}" for word in arguments]
    with pathlib.Path(f"{log}.out").open("wb") as file:
        command.append(str(PLAYBOOKS / f"{playbook}.yml"))
        return subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False, env=environment).returncode


def keep_journal(node: Node, directory: pathlib.Path, *options: str) -> None:
    journal = ["podman", "exec", node.container, "journalctl", "--all", "--output=export", *options]
    with (directory / f"{node.name}.journal").open("wb") as file:
        subprocess.run(journal, stdout=file, check=True)


@pytest.fixture(scope="module", params=[ALWAYS, pytest.param(LONG, marks=pytest.mark.long)], ids=["always", "long"])
def evidence(cluster: Cluster, request: pytest.FixtureRequest) -> Evidence:
    """Of a run of playbooks, with secrets that change meanwhile."""
    directory = BENCH / "evidence"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700)
    secrets, began = Secrets(), time.time()
    make_certificate()
    collect(secrets, cluster)
    for name in ("stats", "vrrp", "basic"):
        renewed(name)
    files = write_site()
    with Processes(directory / "processes"), SystemLog(directory / "syslog"):
        for number, (playbook, outcome, arguments) in enumerate(request.param):
            if playbook.startswith("keepalived") and BACK not in arguments:
                cluster.settle()
            if playbook == "haproxy_certificates":
                collect(secrets, cluster)
                make_certificate()
            given = [argument.format(**files) for argument in ("@{site}", *arguments)]
            started = time.monotonic()
            assert play(number, directory, playbook, given) == outcome, f"{directory}/{number:02}-{playbook}.out"
            print(f"{playbook}: {time.monotonic() - started:.1f} s")
    collect(secrets, cluster)
    for node in cluster.nodes:
        keep_journal(node, directory)
    return Evidence(directory, secrets, began, len(request.param))


def test_every_playbook_is_among_them() -> None:
    played = {playbook for playbook, _outcome, _arguments in (*ALWAYS, *LONG)}
    assert played == {path.stem for path in PLAYBOOKS.glob("*.yml")}


def test_the_search_finds_what_is_there(cluster: Cluster) -> None:
    """In files, processes, environments and the journal, and only files that others may read are told as such."""
    node, secrets = cluster.nodes[0], Secrets()
    places = ("open", "closed", "encoded", "process", "environment", "journal")
    words = {place: random.token_hex(12) for place in places}
    for place, word in words.items():
        secrets.add(place, word)
    directory = BENCH / "planted"
    directory.mkdir(mode=0o700, exist_ok=True)
    script = f"""
        cd /var/tmp; umask 077
        echo 'x {words["open"]} x' >open; chmod 644 open; echo {words["closed"]} >closed; mkdir hidden
        echo '{{"x": "{words["encoded"]}"}}' | base64 -w0 >hidden/encoded; chmod 644 hidden/encoded
        echo {words["journal"]} | systemd-cat
        (exec -a {words["process"]} sleep 0.5) & X={words["environment"]} sleep 0.5
    """
    try:
        with Processes(directory / "processes"):
            subprocess.run(["podman", "exec", "-i", node.container, "bash"], input=script, text=True, check=True)
        keep_journal(node, directory, "--since=-1min")
        on_node = found_on(node, secrets, ["/var"])
        here = {leak.secret for leak in found_here(secrets, [directory])}
    finally:
        shutil.rmtree(directory)
        node.run("cd /var/tmp && rm -r open closed hidden")
    others = {leak.secret: "nobody" in leak.readers for leak in on_node if "/var/tmp" in leak.where}
    assert others == {"open": True, "closed": False, "encoded": False}
    assert here == {"process", "environment", "journal"}


def test_nothing_that_was_said_or_logged_holds_a_secret(evidence: Evidence) -> None:
    said = {path.name for path in evidence.directory.iterdir()}
    assert {"processes", "syslog", "lb1.journal"} <= said
    assert len([name for name in said if name.endswith(".out")]) == evidence.plays
    assert found_here(evidence.secrets, [evidence.directory]) == []


def test_no_log_on_a_node_holds_a_secret(cluster: Cluster, evidence: Evidence) -> None:
    """Of certbot too, whoever may read it."""
    assert [leak for node in cluster.nodes for leak in found_on(node, evidence.secrets, ["/var/log"])] == []


def test_only_root_reads_secrets_on_the_nodes(cluster: Cluster, evidence: Evidence) -> None:
    for node in cluster.nodes:
        leaks = found_on(node, evidence.secrets, NODE_AREAS)
        kinds = {leak.secret for leak in leaks}
        assert {"stats", "vrrp", "token", "basic", "eab"} <= kinds, "it lies there, so the search must see it"
        assert [leak for leak in leaks if leak.readers and not is_of_haproxy(leak)] == []


def is_of_haproxy(leak: Leak) -> bool:
    """Its configuration, which its group may read."""
    return "/etc/haproxy/releases/" in leak.where and set(leak.readers) <= {"haproxy"} and "key" not in leak.secret


def test_only_their_owner_reads_secrets_here(evidence: Evidence) -> None:
    own = found_here(evidence.secrets, [BENCH / "pki", BENCH / "rendered", BENCH / "secrets"])
    assert {"stats", "passphrase"} <= {leak.secret for leak in own}, "it lies there, so the search must see it"
    others = found_here(evidence.secrets, map(pathlib.Path, HERE_AREAS), evidence.began)
    assert [leak for leak in (*own, *others) if leak.readers] == []
