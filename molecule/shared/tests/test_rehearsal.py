# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rehearsal of a node's configuration answers as the cluster does."""

from __future__ import annotations

import json
import random
import typing as t

import pytest
import testinfra
import yaml
from bench import Answer, Bench, ansible_playbook, brackets

REQUESTS = 300
# The services of molecule/shared/inventory behind a port, and one port that nobody has.
PLAIN, ENCRYPTED = (80, 8001, 8002, 8003, 8004, 8005, 8404, 8999), (443, 443, 443, 8000)
PATHS = (
    *("/", "/api", "/api/", "/api/v1?x=1&y=%20", "/apiary", "/API", "//api", "/x/api", "/static", "/static/a.png"),
    *("/staticfoo", "/Static", "/healthz", "/metrics", "/metrics/", "/%61pi", "/a%20b;c=d", "/?url=/api", "/%E2%82%AC"),
)
HEADERS = {
    "X-Forwarded-For": "192.0.2.1",
    "X-Forwarded-Proto": "https",
    "Forwarded": "for=192.0.2.1",
    "X-Probe": "one, two",
    "Cookie": "a=b",
}
# Where each service's servers listen, by molecule/shared/inventory.
PORTS = {"api": 8081, "static": 8082, "encrypted": 8443}


def requests(bench: Bench, number: int) -> list[dict[str, t.Any]]:
    """Requests of all kinds, the same each time."""
    dice = random.Random(20_26)
    vips = {vip: address_towards(vip) for vip in bench.vips}
    made = []
    for _time in range(number):
        vip = dice.choice(bench.vips)
        scheme = dice.choice(("http", "https"))
        port = dice.choice(PLAIN if scheme == "http" else ENCRYPTED)
        by_name = vip == bench.external_vip and dice.random() < 0.7
        host = bench.domain if by_name else brackets(vip)
        headers = {name: HEADERS[name] for name in dice.sample(sorted(HEADERS), dice.choice((0, 0, 1, 2, 3)))}
        made.append(
            {
                "url": f"{scheme}://{host}:{port}{dice.choice(PATHS)}",
                "method": dice.choice(("GET", "GET", "GET", "HEAD", "POST", "OPTIONS")),
                "headers": headers,
                "from": vips[vip],
                "to": vip,
            }
        )
    return made


def address_towards(vip: str) -> str:
    """The address that this machine has as a client of a VIP."""
    (route,) = json.loads(testinfra.get_host("local://").check_output("ip -json route get %s", vip))
    address: str = route["prefsrc"]
    return address


def asked(bench: Bench, request: t.Mapping[str, t.Any]) -> Answer:
    options = [option for name, value in request["headers"].items() for option in ("-H", f"{name}: {value}")]
    options += ["--head"] if request["method"] == "HEAD" else ["--request", request["method"]]
    return bench.fetch(request["url"], "--http1.1", "--path-as-is", *options)


def seen(request: t.Mapping[str, t.Any], answer: Answer) -> dict[str, t.Any]:
    """What curl and the web server say."""
    found: dict[str, t.Any] = {"status": answer.status}
    if answer.redirect:
        found["location"] = answer.redirect
    if answer.status == 200 and request["method"] != "HEAD" and answer.text.startswith('{"server"'):
        served = answer.json
        headers = {name: ", ".join(values) for name, values in served["headers"].items()}
        found |= {"port": served["port"], "headers": {name: headers.get(name) for name in map(str.lower, HEADERS)}}
    return found


def rehearsed(request: t.Mapping[str, t.Any], result: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The same of a rehearsal."""
    observed = result["observed"]
    found: dict[str, t.Any] = {"status": result["status"]}
    if "location" in observed:
        found["location"] = observed["location"]
    if result["servers"] and request["method"] != "HEAD":
        sent = {name.lower(): value for name, value in request["headers"].items()}
        got = {**sent, **observed.get("request_headers", {})}
        for name in observed.get("without_request_headers", []):
            del got[name]
        service = result["backend"].removesuffix("-back")
        found |= {
            "port": PORTS.get(service, 8080),
            "headers": {name: got.get(name) for name in map(str.lower, HEADERS)},
        }
    return found


@pytest.fixture(scope="module")
def compared(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[t.Any, t.Any, t.Any]]:
    """Each request, what the cluster does with it, and what a rehearsal on a node says."""
    home = tmp_path_factory.mktemp("rehearsal")
    wanted = requests(bench, REQUESTS)
    play = {
        "hosts": bench.balancers[0].name,
        "gather_facts": False,
        "tasks": [
            {
                "name": "Rehearse the requests",
                "lbforge.haproxy.haproxy_rehearsal": {
                    "expectations": [
                        {"name": str(number), "request": request, "expect": {}} for number, request in enumerate(wanted)
                    ],
                },
                "register": "rehearsal",
                # Those that are refused or reset are not answered.
                "failed_when": "rehearsal.results is not defined",
            },
            {
                "name": "Write the results",
                "ansible.builtin.copy": {
                    "content": "{{ rehearsal.results | to_json }}",
                    "dest": str(home / "results.json"),
                    "mode": "0600",
                },
                "delegate_to": "localhost",
                "become": False,
            },
        ],
    }
    (home / "play.yml").write_text(yaml.safe_dump([play], sort_keys=False))
    done = ansible_playbook(home / "play.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((home / "results.json").read_text())
    return [
        (request, seen(request, asked(bench, request)), rehearsed(request, result))
        for request, result in zip(wanted, results)
    ]


def test_the_cluster_does_what_was_rehearsed(compared: list[tuple[t.Any, t.Any, t.Any]]) -> None:
    assert len(compared) == REQUESTS
    assert [(request, real, rehearsal) for request, real, rehearsal in compared if real != rehearsal] == []


def test_the_requests_are_of_all_kinds(compared: list[tuple[t.Any, t.Any, t.Any]]) -> None:
    """Else agreement means little."""
    real = [found for _request, found, _rehearsal in compared]
    assert {found["status"] for found in real} >= {0, 200, 302, 404}
    assert {found["port"] for found in real if "port" in found} == {8080, 8081, 8082, 8443}


@pytest.mark.usefixtures("compared")
def test_a_rehearsal_leaves_no_process(bench: Bench) -> None:
    # The brackets keep pgrep from finding its own shell.
    assert bench.balancers[0].host.run("pgrep --full [l]bforge-rehearsal").stdout == ""
