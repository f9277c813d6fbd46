# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services of 22 releases of OpenStack-Ansible are accepted and mean the same, or are refused for a true reason.

The services are other people's data and not a part of this collection. They are read from beside the checkout, each a
YAML file with ``hosts`` (addresses of the inventory), ``vars`` and the verdict that is ``expected``. What their own
role makes of a service is written here anew, after what it does.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
import re
import typing as t

import jsonschema
import pytest
import yaml

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.hosts import node_addresses
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.lines import is_frontend_option, is_http_only
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.problems import Problem
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.validate import check

from .conftest import Rendered

ROOT = pathlib.Path(__file__).parents[5]
CORPUS = ROOT.parent / "shared" / "corpus"
CASES = sorted(CORPUS.glob("*/*.yml"))
LOAD_BALANCERS = {f"lb{number}": f"172.29.236.{number}" for number in (1, 2, 3)}

# Where we refuse what the corpus expects to be accepted: the key that is named, and why it stays so. All of these are
# made up, no release of OpenStack-Ansible has them. docs/migrating-from-openstack-ansible.md tells of each.
REFUSED = {
    "nodes-empty-string": ("haproxy_backend_nodes", "'' is not set, and whoever means \"no servers\" writes []"),
    "port-range": ("haproxy_port", "ports are compared, drained and proved one by one: a service for each"),
    "timeout-0": ("haproxy_timeout_client", "HAProxy itself warns of it, and runs must be free of warnings"),
}

Data = dict[str, t.Any]
# HAProxy itself refuses these, there as here.
INVALID = {"option-no": "negation/default is not supported for option 'forwardfor'"}
# Files that services name and that somebody else puts on the load balancers.
FILES = ("/etc/haproxy/security.txt", "/etc/ca.pem")

Render = t.Callable[..., Rendered]
Says = t.Callable[[Rendered], list[str]]

pytestmark = pytest.mark.skipif(not CASES, reason=f"there are no services of OpenStack-Ansible in {CORPUS}")


@functools.cache
def schema() -> jsonschema.Draft202012Validator:
    text = (ROOT / "docs" / "haproxy_services.schema.json").read_text()
    return jsonschema.Draft202012Validator(json.loads(text))


class Case:
    """One file of the corpus."""

    def __init__(self, path: pathlib.Path) -> None:
        self.name = path.stem
        self.data: Data = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
        self.settings: Data = {
            **self.data["vars"],
            "inventory_hostname": "lb1",
            "haproxy_hosts": list(LOAD_BALANCERS),
            "haproxy_peers": LOAD_BALANCERS,
        }
        self.services: list[Data] = self.settings.pop("haproxy_service_configs")
        hostvars = {name: {"ansible_host": address} for name, address in (self.data["hosts"] | LOAD_BALANCERS).items()}
        self.hosts = node_addresses(self.services, hostvars)

    def errors(self) -> list[Problem]:
        settings = {**self.settings, "haproxy_host": "lb1"}
        return check({"haproxy_service_configs": self.services}, settings, self.hosts).problems.errors

    def expected_errors(self) -> set[str]:
        """The places that have to be refused, and no others."""
        if self.name in REFUSED:
            return {f"haproxy_service_configs[0].{REFUSED[self.name][0]}"}
        return {text.split(" ")[0] for text in self.data.get("expected_because", ())}


@pytest.fixture(params=CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


def test_a_service_is_accepted_and_means_the_same(
    case: Case, render: Render, haproxy_says: Says, tmp_path: pathlib.Path, pem: str
) -> None:
    errors = case.errors()
    if case.data["expected"] == "refused" or case.name in REFUSED:
        told = {error.path for error in errors}
        assert told
        assert not case.expected_errors() or told == case.expected_errors(), "\n".join(map(str, errors))
        # Without what is refused, the rest is as good as any other.
        wrong = {int(index) for path in told for index in re.findall(r"^haproxy_service_configs\[(\d+)\]", path)}
        case.services = [service for index, service in enumerate(case.services) if index not in wrong]
        if case.name in REFUSED or len(case.services) < 2:
            return
        errors = case.errors()
    assert errors == [], "\n".join(map(str, errors))
    schema().validate({"haproxy_service_configs": case.services})
    rendered = render(*case.services, hosts=case.hosts, **case.settings)
    said = haproxy_says(with_files(rendered, tmp_path, pem))
    if case.name in INVALID:
        assert INVALID[case.name] in said[0]
    else:
        # We warn of the same before.
        assert not said or any("has no effect in tcp mode" in why for why in rendered.warnings), "\n".join(said)
    for service in map(unwrapped, case.services):
        if is_rendered(service):
            assert facts(rendered, service) == Original(service, case).facts()


def with_files(rendered: Rendered, directory: pathlib.Path, pem: str) -> Rendered:
    """The configuration with the files that it names, in a directory of the test."""
    text = rendered.text
    for path in FILES:
        file = directory / pathlib.Path(path).name
        file.write_text(pem if path.endswith(".pem") else "HTTP/1.0 200 OK\r\n\r\n")
        text = text.replace(path, str(file))
    return dataclasses.replace(rendered, text=text)


def unwrapped(service: Data) -> Data:
    return service.get("service", service)


def is_rendered(service: Data) -> bool:
    """Whether their role makes sections of it that can be compared with ours."""
    has_servers = service.get("haproxy_backend_nodes") or service.get("haproxy_backup_nodes")
    return bool(
        service.get("state") != "absent"
        and service.get("haproxy_service_enabled", True)
        and (has_servers or service.get("haproxy_frontend_only"))
    )


class Original:
    """What the role of OpenStack-Ansible makes of a service, but for the differences that our documentation tells."""

    def __init__(self, service: Data, case: Case) -> None:
        self.service, self.case = service, case
        self.name = service["haproxy_service_name"]
        self.mode = service.get("haproxy_balance_type") or "http"

    def facts(self) -> Data:
        return {
            "binds": self.binds(),
            "redirects": self.redirects(),
            "modes": {"frontend": [self.mode], "backend": [] if self.is_frontend_only else [self.mode]},
            "balance": [] if self.is_frontend_only else [self.service.get("haproxy_balance_alg") or "leastconn"],
            "servers": [] if self.is_frontend_only else self.servers(),
            "missing lines": [],
        }

    @property
    def is_frontend_only(self) -> bool:
        return bool(self.service.get("haproxy_frontend_only"))

    def addresses(self) -> list[tuple[str, bool]]:
        """Where it listens, and whether with TLS: on the first one, and on all if asked for."""
        if self.service.get("haproxy_backend_only"):
            return []
        given = self.service.get("haproxy_bind")
        vips = [self.case.settings["external_lb_vip_address"], self.case.settings["internal_lb_vip_address"]]
        every = vips if given is None else [given] if isinstance(given, str) else given
        addresses = [entry["address"] if isinstance(entry, dict) else entry for entry in every]
        # Mitaka writes them as text.
        tls, everywhere = (
            str(self.service.get(key, False)).lower() == "true" for key in ("haproxy_ssl", "haproxy_ssl_all_vips")
        )
        return [(address, tls and (index == 0 or everywhere)) for index, address in enumerate(addresses)]

    def binds(self) -> list[tuple[str, bool]]:
        return sorted((endpoint(address, self.service["haproxy_port"]), tls) for address, tls in self.addresses())

    def redirects(self) -> list[str]:
        port = self.service.get("haproxy_redirect_http_port")
        return sorted(endpoint(address, port) for address, tls in self.addresses() if port and tls)

    def servers(self) -> list[Data]:
        service = self.service
        found = []
        for key, is_backup in (("haproxy_backend_nodes", False), ("haproxy_backup_nodes", True)):
            kind = "backup" if is_backup else "backend"
            for given in service.get(key) or ():
                node = given if isinstance(given, dict) else {"name": given}
                own_port = service.get("haproxy_backend_port") or service["haproxy_port"]
                port = node.get("backend_port") or own_port
                # The check of a node with a port of its own follows it here.
                check_port = node.get("check_port") or node.get("backend_port") or service.get("haproxy_check_port")
                found.append(
                    {
                        "name": node["name"],
                        "address": endpoint(
                            node.get("ip_addr") or self.case.hosts.get(node["name"], node["name"]), port
                        ),
                        "check port": str(check_port or own_port),
                        "inter": str(service.get("interval") or service.get("haproxy_interval") or 12000),
                        "rise": str(service.get(f"{kind}_rise") or service.get(f"haproxy_{kind}_rise") or 3),
                        "fall": str(service.get(f"{kind}_fall") or service.get(f"haproxy_{kind}_fall") or 3),
                        "backup": is_backup,
                        "ssl": bool(service.get("haproxy_backend_ssl")),
                    }
                )
        return found


def facts(rendered: Rendered, service: Data) -> Data:
    """The same of the configuration that we make."""
    name = service["haproxy_service_name"]
    own = {*raw(service, "haproxy_frontend_raw"), *raw(service, "haproxy_backend_arguments")}
    fronts = sections(rendered, rf"frontend {re.escape(name)}-front(-\d+)?")
    redirects = sections(rendered, rf"frontend {re.escape(name)}-redirect-front(-\d+)?")
    backs = sections(rendered, rf"backend {re.escape(name)}-back")
    return {
        "binds": sorted(
            (line.split()[1], " ssl " in f"{line} ") for line in starting(fronts, "bind") if line not in own
        ),
        "redirects": sorted(line.split()[1] for line in starting(redirects, "bind")),
        "modes": {
            "frontend": sorted({line.split()[1] for line in starting(fronts, "mode")}) or [mode_of(service)],
            "backend": [line.split()[1] for line in starting(backs, "mode")],
        },
        "balance": [line.split(maxsplit=1)[1] for line in starting(backs, "balance")],
        "servers": [server(line) for line in starting(backs, "server") if line not in own],
        "missing lines": missing(service, fronts, redirects, backs),
    }


def mode_of(service: Data) -> str:
    return service.get("haproxy_balance_type") or "http"


def endpoint(address: str, port: t.Any) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def sections(rendered: Rendered, heading: str) -> list[list[str]]:
    return [rendered.section(found) for found in rendered.headings() if re.fullmatch(heading, found)]


def starting(sections: list[list[str]], keyword: str) -> list[str]:
    return [line for section in sections for line in section if line.split()[0] == keyword]


def server(line: str) -> Data:
    words = line.split()
    after = {word: words[index + 1] for index, word in enumerate(words[:-1])}
    assert "check" in words
    return {
        "name": words[1],
        "address": words[2],
        # Checks go to the port of the server unless told otherwise.
        "check port": after.get("port") or words[2].rpartition(":")[2],
        **{key: after[key] for key in ("inter", "rise", "fall")},
        "backup": "backup" in words,
        "ssl": "ssl" in words,
    }


def missing(service: Data, fronts: list[list[str]], redirects: list[list[str]], backs: list[list[str]]) -> list[str]:
    """Lines of the service that are in no section where they should be."""
    is_http = mode_of(service) == "http"
    wanted_in_fronts = [
        *raw(service, "haproxy_frontend_raw"),
        *raw(service, "haproxy_maps"),
        *prefixed("timeout client", service.get("haproxy_timeout_client")),
    ]
    wanted_in_backs = [
        *raw(service, "haproxy_backend_arguments"),
        *prefixed("timeout server", service.get("haproxy_timeout_server")),
        *(f"http-check {check}" for check in raw(service, "haproxy_backend_httpcheck_options")),
    ]
    for option in raw(service, "haproxy_backend_options"):
        if not is_frontend_option(option) and (is_http or not is_http_only(f"option {option}")):
            # HAProxy 3.0 refuses headers there; test_check_requests.py shows that both send the same.
            visible, _newline, agent = option.partition(r"\r\nUser-agent:\ ")
            wanted_in_backs += [f"option {visible}", *prefixed("http-check send hdr User-agent", agent or None)]
    wanted_in_redirects = prefixed("redirect scheme", service.get("haproxy_redirect_scheme"))
    for name, acl in (service.get("haproxy_frontend_acls") or {}).items():
        wanted_in_redirects += [f"acl {name} {acl['rule']}"]
        wanted_in_redirects += [
            f"use_backend {acl.get('backend_name') or service['haproxy_service_name']}-back if {name}"
        ]
    networks = service.get("haproxy_allowlist_networks") or service.get("haproxy_whitelist_networks") or ()
    return [
        *(line for line in wanted_in_fronts if fronts and not in_all(line, fronts)),
        *(line for line in wanted_in_backs if not in_all(line, backs)),
        *(line for line in wanted_in_redirects if redirects and not in_all(line, redirects)),
        *(
            f"allow {network}"
            for network in networks
            for section in fronts
            if not any(line.startswith("acl allow_list src") and network in line.split() for line in section)
        ),
    ]


def raw(service: Data, key: str) -> list[str]:
    """Lines as HAProxy counts them: blocks of several are several, and empty ones and comments none."""
    lines = [line.strip() for text in service.get(key) or () for line in str(text).splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def prefixed(keyword: str, value: t.Any) -> list[str]:
    return [] if value is None else [f"{keyword} {value}"]


def in_all(line: str, sections: list[list[str]]) -> bool:
    words = line.split()
    return bool(sections) and all(words in [line.split() for line in section] for section in sections)


def test_the_whole_corpus_is_here() -> None:
    """44 services of the newest release, 220 more that differ between older ones, and 21 whole lists."""
    count = {name: len(list(CORPUS.glob(f"{name}*.yml"))) for name in ("openstack-ansible/HEAD-", "openstack-ansible/")}
    assert count == {"openstack-ansible/HEAD-": 44, "openstack-ansible/": 264}
    assert len(list(CORPUS.glob("openstack-ansible-whole/*.yml"))) == 21
    assert {*REFUSED} <= {path.stem for path in CASES}
