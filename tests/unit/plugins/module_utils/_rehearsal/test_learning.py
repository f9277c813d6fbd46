# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is learned of a configuration holds for it, and not for one with a mistake.

``WRONG_CHANGES`` is the number of mistakes to try in each configuration.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import typing as t

import pytest
import yaml

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.configuration import parse as parse_text
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.conditions import Conditions
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.expectations import parse
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.learning import Learned, learn
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.probes import MOST, probes
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.regex_examples import examples
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.rehearsal import Trial, rehearse
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.report import learned_files
from ansible_collections.lbforge.haproxy.tests.unit.plugins.conftest import BINARY
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._rehearsal import inherited
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._rehearsal.conftest import SHOP
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._rehearsal.test_mutations import MUTATIONS

ROOT = pathlib.Path(__file__).parents[5]
PLACE = pathlib.Path("/etc/haproxy/haproxy.cfg")
NEEDED = pytest.mark.skipif(BINARY is None or not shutil.which("ip"), reason="needs haproxy and ip")
TRIED = int(os.environ.get("WRONG_CHANGES", "8"))
Files = t.Mapping[str, str]
Mutations = t.Mapping[str, tuple[str, str]]

THREE_NODES: dict[str, tuple[str, str]] = {
    "the API begins elsewhere": ("acl is_api path_beg /api/", "acl is_api path_beg /api/v2/"),
    "the API is lost": ("    use_backend api-back if is_api\n", ""),
    "all go to the API": ("default_backend web-back", "default_backend api-back"),
    "nobody is redirected": ("    redirect scheme https if !{ ssl_fc }\n", "    default_backend web-back\n"),
    "the redirect is permanent": ("redirect scheme https if", "redirect scheme https code 301 if"),
    "the database is open": ("    tcp-request session reject if !allow_list\n", ""),
    "a wrong allow list": ("::1 10.0.0.0/24", "::1 10.0.0.0/16"),
    "negate is lost": ("reject if !allow_list", "reject if allow_list"),
    "two databases": ("5432 check inter 12000 rise 3 fall 3 backup", "5432 check inter 12000 rise 3 fall 3"),
    "a header is wrong": (
        "http-request set-header X-Forwarded-Proto https", "http-request set-header X-Forwarded-Proto http"),
    "HSTS is lost": ("    http-response set-header Strict-Transport-Security max-age=31536000\n", ""),
    "the client's headers are kept": ("    http-request del-header x-forwarded- -m beg\n", ""),
    # One with its default weight of 1 among 200 and 50 would be asked too rarely to be seen.
    "a backup is a server": ("fall 3 backup\n\nbackend database", "fall 3 weight 50\n\nbackend database"),
    "HTTP/2 is lost": (" alpn h2,http/1.1", " alpn http/1.1"),
    "metrics for the world": ("bind 127.0.0.1:8404", "bind *:8404"),
    "statistics without a password": ("    stats auth admin:only-an-example\n", ""),
}  # fmt: skip


def trial(files: Files, expectations: t.Sequence[t.Mapping[str, t.Any]] = ()) -> Trial:
    contents = {PLACE.with_name(name): text.encode() for name, text in files.items()}
    return Trial(PLACE, contents, parse(list(expectations)), binary=str(BINARY), patience=600)


def changed(files: Files, old: str, new: str) -> dict[str, str]:
    text = files["haproxy.cfg"]
    assert old in text, old
    return {**files, "haproxy.cfg": text.replace(old, new)}


def uncaught(files: Files, learned: Learned, mutations: Mutations) -> list[str]:
    """The wrong changes with which all that was learned is as before. HAProxy starts with each, or they would raise."""
    # Of those without an answer each costs seconds.
    kept = [one for one in learned.expectations if one["expect"].get("connection") != "timeout"]
    # Most are caught by a part of what was learned, in the fraction of the time.
    parts = [kept[start::4] for start in range(4)]
    return [
        name
        for name, (old, new) in mutations.items()
        if all(is_as_before(changed(files, old, new), part) for part in parts)
    ]


def is_as_before(files: Files, expectations: t.Sequence[t.Mapping[str, t.Any]]) -> bool:
    return all(result["passed"] for result in rehearse(trial(files, expectations))["results"])


@pytest.fixture(scope="module")
def three_nodes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The files of the first load balancer of an example, as the role renders them."""
    directory = tmp_path_factory.mktemp("rendered")
    tasks: list[dict[str, t.Any]] = [
        {"import_role": {"name": "lbforge.haproxy.haproxy_server", "tasks_from": name}}
        for name in ("validate", "render")
    ]
    content = "{{ haproxy_server_rendered_files | to_json }}"
    tasks.append({"copy": {"content": content, "dest": str(directory / "files.json"), "mode": "0600"}})
    tasks[-1].update({"run_once": True, "delegate_to": "localhost"})
    (directory / "play.yml").write_text(json.dumps([{"hosts": "haproxy", "gather_facts": False, "tasks": tasks}]))
    command = ["ansible-playbook", "-i", ROOT / "examples" / "three-nodes" / "inventory.yml", directory / "play.yml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 0, done.stdout
    files: dict[str, str] = json.loads((directory / "files.json").read_text())
    return files


def prove_of(files: Files, mutations: Mutations) -> None:
    learned = learn(trial(files))
    again = rehearse(trial(files, learned.expectations))["results"]
    assert [result["failures"] for result in again if not result["passed"]] == []
    tried = dict(list(mutations.items())[:: max(1, len(mutations) // TRIED)])
    missed = uncaught(files, learned, tried)
    assert len(missed) <= len(tried) * 0.05, missed


@NEEDED
@pytest.mark.parametrize(
    ("files", "mutations"),
    [
        ({"haproxy.cfg": SHOP}, MUTATIONS),
        ({"haproxy.cfg": inherited.CONFIGURATION, **inherited.MAPS}, inherited.MUTATIONS),
    ],
    ids=["the shop", "an inherited one"],
)
def test_wrong_changes_are_caught_by_what_was_learned(files: Files, mutations: Mutations) -> None:
    prove_of(files, mutations)


@NEEDED
def test_wrong_changes_to_an_example_are_caught_by_what_was_learned(three_nodes: dict[str, str]) -> None:
    prove_of(three_nodes, THREE_NODES)


@NEEDED
def test_what_changes_by_itself_is_not_learned() -> None:
    changing = SHOP.replace(
        "    option forwardfor\n",
        "    http-request set-header X-Time %[date()]\n"
        "    http-request redirect location /%[rand(1000000)] if { path /any }\n",
    ).replace("\nbackend shop-back\n", "\nbackend shop-back\n    balance random\n")
    learned = learn(trial({"haproxy.cfg": changing}))
    by_url = {one["request"].get("url"): one["expect"] for one in learned.expectations}
    assert by_url["http://203.0.113.10/any"] == {
        "frontend": "shop-front-1",
        "status": 302,
        "response_headers": {"cache-control": "no-cache"},
    }
    assert "x-time" not in str([one["expect"].get("request_headers") for one in learned.expectations])
    again = rehearse(trial({"haproxy.cfg": changing}, learned.expectations))["results"]
    assert [result["failures"] for result in again if not result["passed"]] == []


@NEEDED
def test_secrets_are_not_learned() -> None:
    secret = SHOP.replace(
        "    option forwardfor\n",
        "    http-request deny unless { req.hdr(X-Key) only-here } or { path_beg / }\n"
        "    http-request set-header X-Token only-there\n",
    )
    learned = learn(trial({"haproxy.cfg": secret}), ["only-here", "only-there"])
    assert "only-" not in str(learned)
    assert any("because they would name a secret" in sentence for sentence in learned.untold)


def test_the_files_of_load_balancers() -> None:
    """Those that answer alike share one, and YAML reads back what was learned."""
    one = [{"name": 'a: "b" # c', "request": {"url": "http://a/"}, "expect": {"status": 200, "server": ["1", "no"]}}]
    learned = {"lb1": {"learned": one}, "lb2": {"learned": []}, "lb3": {"learned": one}}
    files = learned_files(learned, "kept/learned.yml")
    assert [file["path"] for file in files] == ["kept/learned.yml", "kept/learned-lb2.yml"]
    assert [yaml.safe_load(file["content"])["haproxy_expectations"] for file in files] == [one, []]
    assert "lb1, lb3" in files[0]["content"]


def wishes(condition: str, *lines: str, files: Files | None = None) -> list[tuple[list[t.Any], list[t.Any]]]:
    found = Conditions([tuple(line.split()) for line in lines], lambda name: (files or {}).get(name, ""))
    return [
        (list(term.inside), list(term.outside)) for terms in found.terms(tuple(condition.split())) for term in terms
    ]


def test_requests_on_either_side_of_a_condition() -> None:
    """Configuration Manual, section 7.1: what matches, and what does not."""
    ((inside, outside),) = wishes("{ src 10.0.0.0/8 }")
    assert [wish["source"] for wish in inside] == ["10.0.0.1", "10.0.0.0", "10.255.255.255"]
    assert [wish["source"] for wish in outside] == ["9.255.255.255", "11.0.0.0"]
    ((inside, outside),) = wishes("{ path_beg /api/ }")
    assert {"path": "/api/x"} in inside
    assert {"path": "/apix"} in outside
    (_site, (inside, outside)) = wishes("is_site !{ path_end .jpg }", "acl is_site hdr(host) -i a.test b.test")
    assert [wish["host"] for wish in _site[0]] == ["a.test", "b.test"]
    assert (inside[0], outside[0]) == ({"path": "/x.jpg"}, {"path": "/x.jpgx"})
    ((inside, outside),) = wishes("{ urlp(page) -m int gt 2 }")
    assert ([wish["query"] for wish in inside], [wish["query"] for wish in outside]) == (["page=3"], ["page=2"])
    ((inside, _outside),) = wishes("{ path,map(a.map) -m found }", files={"a.map": "# old\n/old /new\n/x /y\n"})
    assert [wish["path"] for wish in inside] == ["/old", "/OLD", "/x"]
    ((inside, _outside),) = wishes("{ src -f a.lst }", files={"a.lst": "192.0.2.0/30\n"})
    assert {"source": "192.0.2.3"} in inside


def test_a_variable_that_depends_on_itself() -> None:
    line = "http-request set-var(txn.a) bool(true) if { var(txn.a) -m bool }"
    assert wishes("{ var(txn.a) -m bool }", line) == [([], [])]


@pytest.mark.parametrize(
    ("regex", "texts"),
    [
        (r"^/app/v[12]/", ["/app/v1/"]),
        (r"\.(?:jpg|png)$", [".jpg", ".png"]),
        (r"^/(.*)$", ["/x", "/"]),
        (r"^a{3}\d+[^x]?$", ["aaa11", "aaa1"]),
        (r"(?=a)b", []),
        ("(", []),
    ],
)
def test_texts_that_match_an_expression(regex: str, texts: list[str]) -> None:
    assert examples(regex) == texts


def test_requests_are_few_and_what_is_missing_is_told() -> None:
    rules = "".join(f"    use_backend b if {{ path_beg /{number}/ }}\n" for number in range(200))
    text = f"""\
defaults
    mode http
frontend many
    bind 192.0.2.1:80
{rules}    http-request deny if {{ sc_http_req_rate(0) gt 10 }}
frontend behind
    bind 192.0.2.1:81 accept-proxy
backend b
    server one 192.0.2.9:80
"""
    found = probes(parse_text(text), lambda _name: "")
    asked = [probe["request"] for probe in found.requests]
    assert len([one for one in asked if one.get("url", "").startswith("http://192.0.2.1/")]) == MOST
    assert len({json.dumps(one) for one in found.requests}) == len(found.requests)
    assert [sentence.partition(":")[0] for sentence in found.untold] == ["behind", "many", "many"]
    assert "sc_http_req_rate(0) gt 10" in found.untold[1]
    assert probes(parse_text(text), lambda _name: "") == found
