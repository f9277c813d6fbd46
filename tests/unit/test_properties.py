# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever the validator accepts, HAProxy takes without a warning.

Services and settings are made up from the schema's own rows, so a new key takes part at once. Where the schema takes
any text that HAProxy understands, the words come from the tables here; a new key of that kind fails until it has some.

``PROPERTIES`` is the number of examples, ``HAPROXY`` another HAProxy to ask.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
import typing as t

import jinja2
import jsonschema
import pytest
from ansible.plugins.filter.core import comment
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema import kinds
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.table import Key, Record
from ansible_collections.lbforge.haproxy.plugins.module_utils._services import kinds as haproxy_kinds
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.hosts import node_names
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.model import build
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.schema import SERVICE
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.settings import SETTINGS
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.validate import Checked, check

BINARY = shutil.which(os.environ.get("HAPROXY", "haproxy"), path=f"{os.environ['PATH']}:/usr/sbin")
VERSION = (
    subprocess.run([BINARY, "-v"], capture_output=True, text=True, check=True).stdout.split()[2][:3] if BINARY else ""
)
TEMPLATES = pathlib.Path(__file__).parents[2] / "roles" / "haproxy_server" / "templates"
SCHEMA = jsonschema.Draft202012Validator(
    json.loads((pathlib.Path(__file__).parents[2] / "docs" / "haproxy_services.schema.json").read_text())
)
EXAMPLES = int(os.environ.get("PROPERTIES", "300"))

Data = dict[str, t.Any]
Strategy = st.SearchStrategy[t.Any]

# In the place of a file that has to be there, and of the directories that hold it.
STORE, PEM, PAGE, ETC = "/TEST/ssl", "/TEST/ssl/a.pem", "/TEST/503.http", "/etc/haproxy"
HOST = "lb1"

# Names that others refer to; those of any form take part too.
MAPS = ["m", "n"]
SERVICES = ["web", "api", "db", "acme", "a.b:c"]
ACL_RULES = ["path_beg /api", "hdr(host) -i a.example.org", "src 10.0.0.0/8 fd00::/8", "dst_port 80", "always_true"]
BACKEND_LINES = [
    "http-check expect string OK",
    "tcp-check expect string OK",
    "default-server inter 5s send-proxy-v2",
    "http-request set-header X-A b",
    "http-response del-header Server",
    "tcp-request inspect-delay 2s",
    "tcp-request content accept",
    "hash-type consistent",
    "fullconn 100",
    "http-request return status 200 if { path /pong }",
    "log-tag my-tag",
    "option allbackups",
]
FRONTEND_LINES = [
    "http-request set-header X-A b",
    "http-response set-header X-B c if { status 200 }",
    "http-request deny if { path /secret }",
    "redirect prefix https://www.example.org if { hdr(host) example.org }",
    "tcp-request connection reject if { src 192.0.2.1 }",
    "acl local src 127.0.0.0/8",
    # Once in a section.
    "tcp-request inspect-delay 2s",
    "tcp-request content accept if HTTP",
    "capture request header Host len 64",
    "monitor-uri /up",
    "log-format %ci",
    "option dontlog-normal",
    "rate-limit sessions 100",
]
SERVER_WORDS = [
    "send-proxy-v2",
    "on-marked-down shutdown-sessions",
    "slowstart 30s",
    "maxqueue 5",
    "no-check",
    "fastinter 1s",
    "send-proxy check-send-proxy",
    "ssl verify none alpn h2",
    "no-ssl",
    "no-check-ssl",
    "proto h1",
]
STICKINESS = [
    [],
    ["stick-table type ip size 1k", "stick on src"],
    [
        "stick-table type ip size 1k expire 30m store conn_cur,http_req_rate(10s)",
        "stick match src",
        "stick store-request src",
    ],
]
CHECKS = [
    [],
    ["send meth HEAD uri /up", "expect status 200-399", "disable-on-404"],
    ["connect port 8080", "send meth GET uri / ver HTTP/1.1 hdr Host a.example.org", "expect rstring ^OK"],
    "expect status 204",
]

# What to write under keys whose kind takes any text: the key's name, and its words.
WORDS: dict[str, t.Sequence[str]] = {
    "rule": ACL_RULES,
    "backend_name": SERVICES,
    "haproxy_default_backend": SERVICES,
    "haproxy_limit_hosts": [HOST, "lb2"],
    "backend_server_options": SERVER_WORDS,
    "haproxy_backend_server_options": SERVER_WORDS,
    "haproxy_bind_options": ["accept-proxy", "maxconn 10", "transparent", "defer-accept", "tfo"],
    "options": ["maxconn 20", "backlog 100"],
    "haproxy_redirect_scheme": ["https if !{ ssl_fc }", "https code 301", "https code 308 if !{ ssl_fc }"],
    "haproxy_maps": [
        f"use_backend %[path,map_beg({ETC}/m.map)]",
        f"http-request set-header X-M %[src,map({ETC}/n.map,none)]",
    ],
    "haproxy_frontend_raw": FRONTEND_LINES,
    "haproxy_backend_options": [
        "httpchk",
        "httpchk HEAD /",
        "tcp-check",
        "ssl-hello-chk",
        "mysql-check user haproxy",
        "forwardfor",
        "prefer-last-server",
        "log-health-checks",
        "tcplog",
        "httplog",
        "http-server-close",
        "srvtcpka",
    ],
    "haproxy_backend_arguments": BACKEND_LINES,
    "haproxy_cookie": ["SRV insert indirect nocache", "SRV insert", "JSESSIONID prefix nocache"],
    "haproxy_backend_sni": ["www.example.org", "ssl_fc_sni", "hdr(host)", "str(a.example.org)"],
    "haproxy_backend_verifyhost": ["www.example.org", "a.example.org"],
    "entries": ["/ web-back", "/api api-back", "10.0.0.0/8 x", "# remark", "/a b c"],
    # Settings.
    "ansible_host": [HOST],
    "haproxy_host": [HOST],
    "haproxy_version": [VERSION],
    "haproxy_frontend_extra_raw": FRONTEND_LINES[:6],
    "haproxy_frontend_redirect_extra_raw": ["http-request set-header X-A b", "option dontlog-normal"],
    "haproxy_ssl_bind_options": ["ssl-min-ver TLSv1.2 no-tls-tickets", "ssl-min-ver TLSv1.3"],
    "haproxy_ssl_server_options": ["ssl-min-ver TLSv1.2 no-tls-tickets", "ssl-min-ver TLSv1.3"],
    "haproxy_ssl_cipher_suite_tls12": ["ECDHE+AESGCM:ECDHE+CHACHA20", "HIGH:!aNULL"],
    "haproxy_ssl_cipher_suite_tls13": ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"],
    "haproxy_ssl_curves": ["X25519:P-256", "P-384"],
    "haproxy_ssl_letsencrypt_email": ["a@example.org"],
    "haproxy_ssl_letsencrypt_domains": ["www.example.org"],
    "haproxy_global_raw": ["spread-checks 5", "ssl-load-extra-files key", "h1-case-adjust a A", "ulimit-n 100000"],
    "haproxy_defaults_raw": [
        "option tcpka",
        "option log-health-checks",
        "timeout queue 30s",
        "timeout check 5s",
        "timeout tunnel 1h",
        "backlog 1000",
        "compression algo gzip",
        "balance source",
    ],
    "haproxy_log_socket": ["/dev/log", "127.0.0.1:514", "[::1]:514", "stdout", "stderr"],
    "src": ["files/a.http"],
    # Files that have to be there.
    "haproxy_ssl_path": [PEM, STORE],
    "haproxy_ssl_client_ca": [PEM, "Clients"],
    "haproxy_user_ssl_cert": ["/own.crt"],
    "haproxy_user_ssl_key": ["/own.key"],
    "haproxy_user_ssl_ca_cert": ["/chain.crt"],
    "user_ssl_cert": ["/own.crt"],
    "user_ssl_key": ["/own.key"],
    "user_ssl_ca_cert": ["/chain.crt"],
    "haproxy_backend_ca": [PEM],
    "haproxy_system_ca": [PEM],
    "haproxy_ssl_cert_path": [STORE],
    "haproxy_stats_ssl_cert_path": [PEM],
    "haproxy_stats_ssl_client_cert_ca": [PEM],
    "path": [PAGE],
}
# What makes sense only as a whole.
WHOLE: dict[str, Strategy] = {
    "haproxy_stick_table": st.sampled_from(STICKINESS),
    "haproxy_backend_httpcheck_options": st.sampled_from(CHECKS),
    "haproxy_tuning_params": st.fixed_dictionaries(
        {},
        optional={
            "nbthread": st.just(1),
            "tune.bufsize": st.sampled_from([32768, "65536"]),
            "tune_maxrewrite": st.just("2048"),
            "tune.http.maxhdr": st.just(200),
        },
    ),
    "haproxy_ssl_certificates": st.lists(
        st.sampled_from(
            [
                PEM,
                {"name": PEM, "hosts": ["*.example.org", "!b.example.org"]},
                {"name": PEM, "hosts": ["c.example.org"], "options": f"verify optional ca-file {PEM} alpn h2"},
            ]
        ),
        max_size=3,
    ),
    "haproxy_ssl_letsencrypt_certificates": st.lists(
        st.fixed_dictionaries(
            {"name": st.sampled_from(["shop", "more"]), "domains": st.just(["a.example.org", "b.example.org"])}
        ),
        max_size=2,
    ),
    "haproxy_pki_roots": st.just(["Root", "Clients"]),
    # There is no list of an authority that made itself for this test.
    "haproxy_pki_revoking": st.just([]),
    "haproxy_ssl_client_crl": st.nothing(),
    "haproxy_network_lists": st.just(
        {
            "office": ["10.0.0.0/8", "192.0.2.10-192.0.2.19", "::ffff:198.51.100.0/120"],
            "blocked": {"networks": ["203.0.*.*", "::/0"], "except": ["office", "203.0.113.7"]},
            "nobody": [],
        }
    ),
    "haproxy_vips": st.lists(
        st.sampled_from(
            [
                {"name": "public", "address": "203.0.113.10/24", "type": "external", "names": ["www.example.org"]},
                {"name": "bound", "address": "203.0.113.12/24", "bind_address": "203.0.113.13"},
                {"name": "inside", "address": ["10.0.0.10/24", "fd00::10/64"], "type": "internal", "tls": True},
                {"name": "more", "address": "203.0.113.11/24", "tls": False},
            ]
        ),
        max_size=3,
        unique_by=repr,
    ),
    "haproxy_peers": st.just({HOST: "10.0.0.1", "lb2": "10.0.0.2"}),
    "haproxy_extra_sections": st.lists(
        st.sampled_from(
            [
                {"type": "userlist", "name": "admins", "lines": ["user a insecure-password 'it''s # 1'"]},
                {"type": "resolvers", "name": "dns", "lines": "nameserver a 127.0.0.1:53\nhold valid 10s\n"},
                {"type": "cache", "name": "pages", "lines": ["total-max-size 4"]},
                {"type": "backend", "name": "tables", "lines": ["stick-table type ip size 1k", "mode tcp"]},
                {"type": "defaults", "name": "slow", "lines": ["timeout server 1h", "timeout connect 1s"]},
                {"type": "backend", "name": "slow", "from": "slow", "lines": ["server a 127.0.0.1:9"]},
            ]
        ),
        max_size=4,
    ),
    # The service decides where the request goes, so nothing is expected that it could miss.
    "haproxy_expect": st.just(
        [{"name": "nothing", "request": {"url": "http://192.0.2.1/"}, "expect": {"not": {"status": 599}}}]
    ),
    "haproxy_expectations": st.just(
        [{"name": "nobody listens", "request": {"connect": "192.0.2.1:1"}, "expect": "refused"}],
    ),
    "content": st.text(),
    "condition": st.booleans(),
}
# Without these too much is refused.
LIKELY = (
    *("haproxy_port", "haproxy_backend_nodes", "haproxy_stats_password"),
    *("haproxy_ssl_letsencrypt_email", "haproxy_ssl_letsencrypt_domains", "haproxy_hatop_download_checksum"),
)
# What HAProxy says of these, the validator has said before.
TOLD = re.compile("has no effect in tcp mode|needs HTTP, and the service is tcp|has no effect with(out)? option")


def of_record(record: Record) -> Strategy:
    """Dictionaries with some of the record's keys. None means not set."""
    keys = {key.name: of_key(key) for key in record.keys}
    sure = {key.name: keys[key.name] for key in record.keys if key.required}
    sure.update({name: mostly(keys[name]) for name in keys if name in LIKELY})
    whole = st.fixed_dictionaries(sure, optional={name: keys[name] for name in keys if name not in sure})
    return whole | keys[record.short_for] if record.short_for else whole


def mostly(values_of_key: Strategy) -> Strategy:
    return st.one_of(*[values_of_key] * 9, st.none())


def of_key(key: Key) -> Strategy:
    return WHOLE[key.name] if key.name in WHOLE else of_kind(key.kind, key.name)


def of_kind(kind: kinds.Kind, name: str) -> Strategy:
    """Values of a kind, right as far as the kind alone can tell."""
    if isinstance(kind, Record):
        return of_record(kind)
    if isinstance(kind, kinds.ListOf):
        item = of_kind(kind.of, name)
        return st.lists(item, min_size=1, max_size=3, unique_by=repr) | item | st.just([])
    if isinstance(kind, kinds.DictOf):
        return st.dictionaries(of_kind(kind.names, f"names in {name}"), of_kind(kind.of, name), max_size=3)
    if name in WORDS:
        words: Strategy = st.sampled_from(WORDS[name])
        return words | st.booleans() if isinstance(kind, haproxy_kinds.BooleanOrPath) else words
    if kind == haproxy_kinds.PATH or type(kind) not in SCALARS:
        raise AssertionError(
            f"{name} takes what only HAProxy understands: add words for it to the tables of this test."
        )
    made_up = SCALARS[type(kind)](kind)
    return st.sampled_from(MAPS) | made_up if kind == haproxy_kinds.FILE_NAME else made_up


PRINTABLE = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])
SMALL = st.integers(1, 9)
SCALARS: dict[type[kinds.Kind], t.Callable[[t.Any], Strategy]] = {
    kinds.Boolean: lambda _kind: st.booleans(),
    kinds.Integer: lambda kind: st.integers(kind.minimum, kind.maximum),
    kinds.Choice: lambda kind: st.sampled_from([*kind.choices, *dict(kind.synonyms)]),
    kinds.Text: lambda kind: st.from_regex(kind.pattern, fullmatch=True, alphabet=PRINTABLE),
    haproxy_kinds.Duration: lambda _kind: (
        st.integers(1, haproxy_kinds.LONGEST_DURATION_MS)
        | st.from_regex(r"[1-9][0-9]{0,2}(us|ms|s|m|h)?", fullmatch=True)
    ),
    # HAProxy looks names up when it starts; this one is there.
    haproxy_kinds.Address: lambda kind: (
        st.ip_addresses().map(str) | st.sampled_from(["localhost", "*"][: 1 + kind.wildcard])
    ),
    haproxy_kinds.Network: lambda _kind: (
        st.ip_addresses().map(str)
        | st.ip_addresses(v=4).map("{}/20".format)
        | st.sampled_from(["fd00::/8", "::/0", "10.0.0.1-10.0.0.9", "10.0.*.*", "office", "blocked", "nobody"])
    ),
    haproxy_kinds.Balance: lambda kind: st.one_of(
        st.sampled_from(kind.plain),
        st.builds("uri depth {} len {}".format, SMALL, SMALL),
        st.builds("random({})".format, SMALL),
        st.sampled_from(["uri whole", "uri path-only", "url_param id", "url_param id check_post", "hdr(host)"]),
        st.sampled_from(["hdr(host) use_domain_only", "hdr(User-Agent)", "rdp-cookie", "rdp-cookie(mstshash)"]),
    ),
}
# Half of the names are such that others refer to them.
LISTS: Strategy = st.lists(
    st.builds(
        lambda service, name: {**service, **name},
        of_record(SERVICE),
        st.fixed_dictionaries({}, optional={"haproxy_service_name": st.sampled_from(SERVICES)}),
    ),
    min_size=1,
    max_size=4,
    unique_by=(lambda service: service["haproxy_service_name"], lambda service: repr(service["haproxy_port"])),
)


def accepted(services: list[Data], given_settings: Data) -> Checked | None:
    """What the validator accepts, once all that it refuses is left out; None when it still refuses something."""
    for _attempt in range(6):
        hosts = {name: "10.0.0.21" for service in services for name in node_names(service)}
        checked = check({"haproxy_service_configs": services}, given_settings, hosts)
        if not checked.problems.errors:
            return checked
        for problem in reversed(checked.problems.errors):
            place = re.match(r"haproxy_service_configs\[(\d+)\]", problem.path)
            whole = services[int(place[1])] if place else given_settings
            named = re.findall(r"\w+", f"{problem.path} {problem.why}")
            wrong = next((name for name in named if whole.get(name) is not None), None)
            if wrong:
                del whole[wrong]
            elif place:
                whole.clear()
                whole.update(haproxy_service_name="none", state="absent")
            else:
                return None
    return None


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The files that configurations may name."""
    home = tmp_path_factory.mktemp("etc")
    (home / "ssl").mkdir()
    options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=test"]
    command = ["openssl", "req", "-x509", *options, "-keyout", "-", "-out", "-"]
    made = subprocess.run(command, capture_output=True, check=True)
    for name in ("a.pem", "Clients.ca.pem"):
        (home / "ssl" / name).write_bytes(made.stdout)
    (home / "servers.state").write_text("1\n")
    (home / "503.http").write_text("HTTP/1.0 503 Service Unavailable\r\n\r\n")
    return home


@pytest.fixture(scope="module")
def template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["comment"] = comment
    return environment.get_template("haproxy.cfg.j2")


@pytest.mark.skipif(BINARY is None, reason="needs haproxy")
@settings(max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES <= 300, suppress_health_check=list(HealthCheck))
@given(services=LISTS, given_settings=of_record(SETTINGS))
def test_what_the_validator_accepts_haproxy_takes(
    home: pathlib.Path, template: jinja2.Template, services: list[Data], given_settings: Data
) -> None:
    checked = accepted(
        services, {**given_settings, "haproxy_host": HOST, "haproxy_ssl_cert_path": STORE, "haproxy_system_ca": PEM}
    )
    assume(checked is not None)
    # So does the editor that has our schema.
    assert [error.message for error in SCHEMA.iter_errors({"haproxy_service_configs": services})] == []
    assume(checked.services or checked.settings.stats_enabled)
    model = build(checked).as_dict()
    assume(model["frontends"] or checked.settings.stats_enabled)  # something has to listen
    text = template.render(haproxy=model, ansible_managed="Ansible managed") + "\n"
    note(text)
    code, said = haproxy_says(home, text, model)
    doubts = " ".join(str(doubt) for doubt in checked.problems.warnings)
    assert code == 0, said
    assert not said or TOLD.search(doubts), said


def haproxy_says(home: pathlib.Path, text: str, model: Data) -> tuple[int, list[str]]:
    """The exit code of haproxy -c, and what it says, once the files are there that the role puts there."""
    links = [home / "ssl" / f"{certificate['name']}.pem" for certificate in model["certificates"]]
    for link in links:
        link.symlink_to("a.pem")
    for name in MAPS:
        (home / f"{name}.map").write_text(model["maps"].get(f"{name}.map", ""))
    for name, content in {**model["crt_lists"], **model["network_lists"]}.items():
        (home / name).write_text(content.replace("/TEST/", f"{home}/"))
    text = text.replace("/TEST/", f"{home}/").replace(f"{ETC}/", f"{home}/").replace("/run/haproxy/", f"{home}/")
    (home / "haproxy.cfg").write_text(text)
    done = subprocess.run([BINARY, "-c", "-f", home / "haproxy.cfg"], capture_output=True, text=True, check=False)
    for link in links:
        link.unlink()
    return done.returncode, [line for line in done.stderr.splitlines() if line.strip() and "[NOTICE]" not in line]


def test_every_word_belongs_to_a_key() -> None:
    def names(kind: kinds.Kind) -> t.Iterator[str]:
        if isinstance(kind, Record):
            for key in kind.keys:
                yield key.name
                yield from names(key.kind)
        elif isinstance(kind, (kinds.ListOf, kinds.DictOf)):
            yield from names(kind.of)

    assert {*WORDS, *WHOLE, *LIKELY} <= {*names(SERVICE), *names(SETTINGS)}
