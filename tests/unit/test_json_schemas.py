# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables and the JSON Schemas that are made of them get the same inputs, right and wrong ones, and judge the same."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import pathlib
import re
import typing as t

import jsonschema
import pytest
import yaml

from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal import schema as rehearsal
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.kinds import ListOf
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.place import Place, Problems
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.schema import SERVICE
from ansible_collections.lbforge.haproxy.plugins.module_utils._vips.entries import read_entries
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp import kinds
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.schema import FILE
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.section import RAW
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509 import schema as pki
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._services.test_bad_input import (
    GOOD,
    WEB,
    WRONG_KEYS,
)
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._vrrp import test_model, test_schema
from ansible_collections.lbforge.haproxy.tests.unit.plugins.module_utils._x509 import test_request

ROOT = pathlib.Path(__file__).parents[2]
PKI_VARIABLES = {
    "authorities": "pki_authorities",
    "certificates": "pki_certificates",
    "user_certificates": "pki_user_certificates",
    "files": "pki_install_certificates",
    "anchors": "pki_install_ca",
}

Data = dict[str, t.Any]


@functools.cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((ROOT / "docs" / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def said_by_schema(name: str, variables: Data) -> list[str]:
    """What an editor says of a file of variables. Its keys are text, as in JSON."""
    return [error.message for error in validator(name).iter_errors(json.loads(json.dumps(variables)))]


def said_of_service(service: Data) -> tuple[list[str], list[str]]:
    problems = Problems()
    SERVICE.read_keys(service, Place(problems))
    return list(map(str, problems.errors)), said_by_schema("haproxy_services", {"haproxy_service_configs": [service]})


def said_of_keepalived(variables: Data) -> tuple[list[str], list[str]]:
    problems = Problems()
    place = kinds.Place(problems)
    lines = variables.get("global_defs", [])
    RAW.kind.read(lines, place.key("keepalived_global_defs"))
    FILE.read_keys({name: value for name, value in variables.items() if name != "global_defs"}, place)
    whole = {f"keepalived_{name}": value for name, value in variables.items()}
    return list(map(str, problems.errors)), said_by_schema("keepalived", whole)


def said_of_pki(params: Data) -> tuple[list[str], list[str]]:
    problems = Problems()
    for option, table in pki.TABLES.items():
        for entry in params.get(option, ()):
            table.read_keys(entry, Place(problems, option))
    variables = {PKI_VARIABLES[option]: entries for option, entries in params.items() if option in PKI_VARIABLES}
    return list(map(str, problems.errors)), said_by_schema("pki", variables)


def is_plain(entry: t.Any) -> bool:
    """Whether it is a service by itself, not in the older form or one that the inventory resolves."""
    return isinstance(entry, dict) and "service" not in entry


SERVICES = [{**WEB, **keys} for keys, _path, _words in WRONG_KEYS] + list(filter(is_plain, itertools.chain(*GOOD)))
KEEPALIVED = [variables for variables, _path, _words in test_model.MISTAKES]
KEEPALIVED += [test_schema.variables(case) for case in test_schema.cases()]
PKI = [params for params, _path, _words in test_request.MISTAKES]
PKI += [
    test_request.leaf(ttl="90d", key_type="rsa", key_size=2048, san="DNS:a.example,IP:192.0.2.1", names=None),
    test_request.leaf(common_name="a.example", cn=None, not_after="+1w2d", san={"dns": ["*.a.example"], "ip": None}),
    test_request.root(basic_constraints=["CA:TRUE", "pathlen:1"], name_constraints_permitted=["DNS:example.org"]),
    test_request.root(revoked=[{"serial": "01:ab", "reason": "superseded"}], key_usage=["digitalSignature"]),
    {"files": [{"src": "/a", "dest": "/b", "mode": "0600"}], "anchors": [{"name": "Root", "condition": "yes"}]},
]
VIP = {"name": "external", "address": "203.0.113.10/24"}
VIPS: list[Data] = [
    VIP,
    {**VIP, "address": ["203.0.113.10/24", "2001:db8::10/64", ""], "hosts": "lb2", "names": ["www.example.org"]},
    {**VIP, "type": "internal", "tls": "no", "virtual_router_id": "52", "advert_int": 0.5, "interface": None},
    {**VIP, "certificate": {"cert": "/a.crt", "key": "/a.key"}, "bind_address": "*", "sync_group": ""},
    {"name": "older", "cidr": "203.0.113.10/24", "certificate": {}},
    {"address": "203.0.113.10/24"},
    {"name": "external", "address": []},
    *(
        {**VIP, key: value}
        for key, value in (
            ("adress", "x"),
            ("name", "two words"),
            ("address", "www.example.org"),
            ("address", ""),
            ("type", "exernal"),
            ("tls", "maybe"),
            ("names", ["a b"]),
            ("interface", "much-too-long-a-name"),
            ("bind_address", "10.0.0.1/24"),
            ("virtual_router_id", "ten"),
            ("certificate", "/a.pem"),
            ("certificate", {"cert": "/a.crt"}),
            ("certificate", {"cert": "a.crt", "key": "/a.key"}),
            ("cidr", "203.0.113.11/24"),
        )
    ),
]
# What the form of a value does not show: the table refuses it, and an editor cannot know.
BEYOND_FORMS = (
    # Which of the lines of a text are empty or comments, and control characters within them.
    *("contains a newline", "line break"),
    # Sums.
    *("is out of range for a duration", "is longer than 36525 days", "999w' is not a lifetime"),
    # Host bits in a network.
    "'IP:10.0.0.1/8' is not a valid value",
    # Other variables of the same file are no business of ours.
    "keepalived_nonsense: unknown key",
)


def judge(said: tuple[list[str], list[str]]) -> None:
    by_table, by_schema = said
    if not by_table:
        assert by_schema == []
    elif not any(words in text for text in by_table for words in BEYOND_FORMS):
        assert by_schema != [], by_table


@pytest.mark.parametrize("service", SERVICES, ids=range(len(SERVICES)))
def test_a_service(service: Data) -> None:
    judge(said_of_service(service))


EXPECTATION: Data = {"name": "x", "request": {"url": "http://a.test/"}, "expect": "refused"}
STEP: Data = {"request": {"url": "http://a.test/"}, "expect": {"same_server": False}}
EXPECTATIONS: list[Data] = [
    EXPECTATION,
    {**EXPECTATION, "expect": {"status": "{{ status }}"}, "given": {"maps": {"a.map": {"k": "v"}, "a.acl": ["k"]}}},
    {"name": "x", "steps": [{**STEP, "expect": {}}, STEP]},
    {"name": "x", "steps": [{**STEP, "expect": {}}, STEP], "request": None, "expect": ""},
    {**EXPECTATION, "request": {"url": "https://a.test/", "certificate": {"name": "a", "subject": {"OU": "b"}}}},
    *(
        {**EXPECTATION, **keys}
        for keys in (
            {"request": None},
            {"expect": None},
            {"steps": [STEP]},
            {"request": None, "steps": [{**STEP, "expect": {}}]},
            {"request": None, "expect": None, "steps": []},
            {"request": None, "expect": None, "steps": [{"request": STEP["request"]}]},
            {"request": {"url": "https://a.test/", "certificate": {"state": "valid"}}},
            {"request": {"url": "https://a.test/", "certificate": {"name": "a", "subject": {"cn": "b"}}}},
            {"given": {"maps": {"a.map": {"a key": "v"}}}},
        )
    ),
]


@pytest.mark.parametrize("expectation", EXPECTATIONS, ids=range(len(EXPECTATIONS)))
def test_an_expectation(expectation: Data) -> None:
    problems = Problems()
    ListOf(rehearsal.EXPECTATION).read([without_templates(expectation)], Place(problems))
    judge(
        (list(map(str, problems.errors)), said_by_schema("haproxy_services", {"haproxy_expectations": [expectation]}))
    )


def test_an_expectation_of_a_service() -> None:
    """It need not say what it expects."""
    short = {key: value for key, value in EXPECTATION.items() if key != "expect"}
    judge(said_of_service({**WEB, "haproxy_expect": [short, {"name": "y", "steps": [{"request": short["request"]}]}]}))


def without_templates(value: t.Any) -> t.Any:
    """What Ansible makes of the templates here: a status."""
    if isinstance(value, dict):
        return {name: without_templates(item) for name, item in value.items()}
    return 200 if isinstance(value, str) and value.startswith("{{") else value


@pytest.mark.parametrize("variables", KEEPALIVED, ids=range(len(KEEPALIVED)))
def test_variables_of_keepalived(variables: Data) -> None:
    judge(said_of_keepalived(variables))


@pytest.mark.parametrize("params", PKI, ids=range(len(PKI)))
def test_what_is_asked_of_the_authority(params: Data) -> None:
    judge(said_of_pki(params))


@pytest.mark.parametrize("vip", VIPS, ids=range(len(VIPS)))
def test_a_vip(vip: Data) -> None:
    _found, problems = read_entries("haproxy_vips", [vip])
    for name in ("haproxy_services", "keepalived"):
        judge((list(map(str, problems)), said_by_schema(name, {"haproxy_vips": [vip]})))
    assert len(problems) <= 1


def test_there_are_right_and_wrong_ones() -> None:
    """Else a table or a schema that says nothing would pass."""
    for inputs, said in ((SERVICES, said_of_service), (KEEPALIVED, said_of_keepalived), (PKI, said_of_pki)):
        verdicts = [bool(said(given)[0]) for given in inputs]
        assert {True, False} == set(verdicts)
        assert sum(verdicts) > 30


@pytest.mark.parametrize(
    ("name", "variables"),
    [
        ("keepalived", {"keepalived_instances": "{{ my_instances }}", "keepalived_scripts": {"a": "{{ script }}"}}),
        ("keepalived", {"keepalived_virtual_servers": [{"ip": "{{ vip }}", "real_servers": "{{ servers }}"}]}),
        ("keepalived", {"keepalived_global_defs": ["vrrp_version 3", "{{ line }}"], "my_variable": 1}),
        ("pki", {"pki_certificates": "{{ mine }}", "pki_authorities_of_ours": [{"name": "A", "cn": "{{ cn }}"}]}),
        ("pki", {"pki_install_ca": [{"name": "Root", "condition": "{{ is_mine }}"}, "{{ another }}"]}),
    ],
)
def test_templates_are_welcome(name: str, variables: Data) -> None:
    assert said_by_schema(name, variables) == []


@pytest.mark.parametrize("name", ["haproxy_services", "keepalived", "pki"])
def test_patterns_are_those_of_editors(name: str) -> None:
    """ECMA-262 with the flag u, as JSON Schema wants them: neither Python's groups nor escapes without need."""
    found = [text for text in strings(validator(name).schema, "pattern") if NOT_ECMA.search(text)]
    assert found == []


# Groups with flags and names, looking back, and escapes of what is no syntax.
NOT_ECMA = re.compile(r"\(\?(?![:=!])|\\[^dDsSwWbBntrfvx0^$\\.*+?()\[\]{}|/]")


def strings(schema: t.Any, key: str) -> t.Iterator[str]:
    if isinstance(schema, dict):
        for name, value in schema.items():
            if name == key and isinstance(value, str):
                yield value
            yield from strings(value, key)
    elif isinstance(schema, list):
        for item in schema:
            yield from strings(item, key)


def test_examples_are_accepted() -> None:
    """What the documentation and the examples show, as far as it is whole."""
    shown = {"keepalived": 0, "pki": 0}
    for variables in documents():
        for name in shown:
            own = {key: value for key, value in variables.items() if key.startswith((f"{name}_", f"haproxy_{name}_"))}
            shown[name] += bool(own)
            assert said_by_schema(name, own) == []
    assert min(shown.values()) > 1


def documents() -> t.Iterator[Data]:
    """Every dictionary of variables in blocks of the documentation and in files of examples."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("roles/*/README.md")]
    texts = [block for page in pages for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)]
    texts += [path.read_text() for path in ROOT.glob("examples/**/*.yml")]
    for text in texts:
        with contextlib.suppress(yaml.YAMLError):
            yield from (document for document in yaml.safe_load_all(text) if isinstance(document, dict))
