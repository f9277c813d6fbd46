# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation that is made of tables is up to date, and the JSON Schema judges as the validator does."""

from __future__ import annotations

import contextlib
import json
import pathlib
import re
import subprocess
import sys
import typing as t

import jsonschema
import pytest
import yaml

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.document import places
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.table import Record, record_of
from ansible_collections.lbforge.haproxy.plugins.module_utils._vrrp.schema import FILE
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509 import schema as pki
from ansible_collections.lbforge.haproxy.plugins.modules import pki_certificates

ROOT = pathlib.Path(__file__).parents[2]
WEB = {
    "haproxy_service_name": "web",
    "haproxy_port": 80,
    "haproxy_backend_nodes": [{"name": "a", "ip_addr": "10.0.0.1"}],
}


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads((ROOT / "docs" / "haproxy_services.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_documentation_is_not_stale() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "docs", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_every_key_of_keepalived_has_a_row() -> None:
    """Each dictionary has a chapter that names every place where it stands, and a row for each of its keys."""
    page = (ROOT / "docs" / "keepalived-keys.md").read_text()
    chapters = {
        place: set(re.findall(r"(?m)^\| `([\w-]+)`", chapter))
        for chapter in page.split("\n## ")[1:]
        for place in re.findall(r"`([\w.]+)`", chapter.splitlines()[2])
    }
    expected = {
        path: {key.name for key in section.keys if key.name != "raw" and not key.name.startswith(("src_", "dest_"))}
        for section, paths in places(FILE)
        for path in paths
    }
    assert chapters == expected
    assert sum(map(len, chapters.values())) > 650


def test_the_module_documents_every_key_of_the_authority() -> None:
    """By its names, aliases and the keys within it."""

    def documented(options: dict[str, t.Any]) -> dict[str, t.Any]:
        return {
            name: (option.get("aliases", []), documented(option.get("suboptions", {})))
            for name, option in options.items()
        }

    def of_table(record: Record) -> dict[str, t.Any]:
        within = {key.name: record_of(key.kind) for key in record.keys}
        return {
            key.name: (list(key.aliases), of_table(inner) if (inner := within[key.name]) else {}) for key in record.keys
        }

    options = yaml.safe_load(pki_certificates.DOCUMENTATION)["options"]
    assert {name: documented(options[name]["suboptions"]) for name in pki.TABLES} == {
        name: of_table(table) for name, table in pki.TABLES.items()
    }


def services_in(document: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """The variables with services anywhere in a document."""
    if isinstance(document, dict):
        if found := {
            name: document[name] for name in ("haproxy_service_configs", "haproxy_extra_services") if name in document
        }:
            yield found
        for value in document.values():
            yield from services_in(value)
    elif isinstance(document, list):
        for value in document:
            yield from services_in(value)


def test_schema_accepts_what_we_show(validator: jsonschema.Draft202012Validator) -> None:
    """The blocks of the documentation, as far as they are whole, and the examples."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("roles/*/README.md")]
    blocks = [block for page in pages for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)]
    shown = []
    for text in [*blocks, *(path.read_text() for path in ROOT.glob("examples/**/*.yml"))]:
        with contextlib.suppress(yaml.YAMLError):
            shown += [services for document in yaml.safe_load_all(text) for services in services_in(document)]
    assert len(shown) > 10
    assert [error.message for services in shown for error in validator.iter_errors(services)] == []


@pytest.mark.parametrize(
    "service",
    [
        WEB,
        {"service": WEB},
        {**WEB, "haproxy_port": "{{ web_port }}", "haproxy_ssl": "{{ haproxy_ssl }}"},
        {**WEB, "haproxy_backend_nodes": "{{ groups['web'] }}"},
        {**WEB, "haproxy_backend_nodes": ["web1", {"name": "x", "ip_addr": "fd00::1", "weight": 5}]},
        {**WEB, "haproxy_whitelist_networks": ["10.0.0.0/8"], "interval": "2s"},
        "{{ haproxy_ssl_letsencrypt_service }}",
        {"service": "{{ haproxy_letsencrypt_service }}"},
        {**WEB, "haproxy_port": "80", "haproxy_ssl": "yes", "haproxy_service_enabled": "True", "backend_rise": "3"},
        {**WEB, "haproxy_cookie": None, "haproxy_default_backend": "", "haproxy_ssl_path": None},
        {**WEB, "haproxy_bind": ["{{ internal_lb_vip_address }}", {"address": "10.0.0.1", "interface": ""}]},
        {**WEB, "haproxy_map_entries": [{"name": "m", "order": 98, "entries": ["/ web-back"]}]},
        {**WEB, "haproxy_map_entries": [{"name": "m", "state": "absent"}, "{{ my_map }}"]},
        {**WEB, "haproxy_map_entries": "{{ my_maps }}", "haproxy_acls": "{{ my_acls }}"},
        {**WEB, "haproxy_acls": {"docs": "{{ my_acl }}"}, "haproxy_retry_on": [503, "conn-failure"]},
    ],
)
def test_schema_accepts(service: dict[str, t.Any], validator: jsonschema.Draft202012Validator) -> None:
    validator.validate({"haproxy_service_configs": [service]})


@pytest.mark.parametrize(
    "service",
    [
        {**WEB, "haproxy_prot": 80},
        {**WEB, "haproxy_port": 70000},
        {**WEB, "haproxy_balance_type": "udp"},
        {**WEB, "haproxy_balance_alg": "best"},
        {**WEB, "haproxy_backend_nodes": [{"ip_addr": "10.0.0.1"}]},
        {"haproxy_port": 80},
        {"service": {"haproxy_port": 80}},
    ],
)
def test_schema_rejects(service: dict[str, t.Any], validator: jsonschema.Draft202012Validator) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({"haproxy_service_configs": [service]})
