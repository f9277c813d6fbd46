# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client of the load balancers sees. molecule/shared/inventory holds the services asked here."""

from __future__ import annotations

import re

import pytest
import testinfra
from bench import Bench, brackets, until

VIPS = ["external_vip", "internal_vip", "ipv6_vip"]


@pytest.mark.parametrize("vip", VIPS)
def test_requests_reach_both_servers_through_each_vip(bench: Bench, vip: str) -> None:
    assert bench.servers(f"http://{brackets(getattr(bench, vip))}:8001/") == {"web1", "web2"}


@pytest.mark.usefixtures("web_stopped")
def test_a_stopped_server_gets_no_requests(bench: Bench) -> None:
    assert until(lambda: bench.servers(f"http://{bench.external_vip}:8001/") == {"web2"})


def test_tcp_service_passes_bytes_on_untouched(bench: Bench) -> None:
    answer = bench.fetch(f"http://{bench.external_vip}:8004/some/path").json
    assert answer["path"] == "/some/path"
    assert not [name for name in answer["headers"] if name.startswith("x-forwarded")]


# TLS

VIP_NAMES = [
    pytest.param("external_vip", "domain", id="external by name"),
    pytest.param("external_vip", "external_vip", id="external by address"),
    pytest.param("internal_vip", "internal_vip", id="internal by address"),
    pytest.param("ipv6_vip", "ipv6_vip", id="IPv6 by address"),
]


def s_client(bench: Bench, vip: str, name: str, *options: str) -> str:
    kind = "-verify_hostname" if re.search("[g-z]", name) else "-verify_ip"
    result = testinfra.get_host("local://").run(
        "openssl s_client -connect %s -CAfile %s -no-CApath -no-CAstore -verify_return_error -showcerts "
        f"{kind} %s {' '.join(options)} </dev/null",
        f"{brackets(vip)}:443",
        str(bench.root),
        name,
    )
    assert result.succeeded, result.stderr
    return result.stdout


@pytest.mark.parametrize(("vip", "name"), VIP_NAMES)
def test_certificate_is_valid_for_who_knows_the_root_alone(bench: Bench, vip: str, name: str) -> None:
    assert "Verify return code: 0 (ok)" in s_client(bench, getattr(bench, vip), getattr(bench, name))


@pytest.mark.parametrize("vip", VIPS)
def test_certificate_names_no_other_vip(bench: Bench, vip: str) -> None:
    address = getattr(bench, vip)
    chain = s_client(bench, address, address)
    leaf = chain[chain.index("-----BEGIN") : chain.index("-----END CERTIFICATE-----") + 25]
    command = f"openssl x509 -noout -ext subjectAltName <<'EOF'\n{leaf}\nEOF"
    # OpenSSL writes IPv6 addresses in capitals and in full.
    names = testinfra.get_host("local://").check_output(command)
    own = {getattr(bench, name) for case_vip, name in (case.values for case in VIP_NAMES) if case_vip == vip}
    foreign = {bench.domain, *bench.vips} - own
    assert not [name for name in foreign if re.search(rf"[: ]{re.escape(openssl_spelling(name))}\b", names)], names


def openssl_spelling(name: str) -> str:
    if ":" not in name:
        return name
    head, _gap, tail = name.partition("::")
    groups = head.split(":") + ["0"] * (8 - len(name.replace("::", ":").split(":"))) + tail.split(":")
    return ":".join(groups).upper()


def test_tls_1_1_is_refused_and_1_2_is_not(bench: Bench) -> None:
    assert "Cipher is ECDHE-" in s_client(bench, bench.external_vip, bench.domain, "-tls1_2")
    with pytest.raises(AssertionError, match="alert protocol version"):
        s_client(bench, bench.external_vip, bench.domain, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")


@pytest.mark.parametrize(("option", "version"), [("--http2", "2"), ("--http1.1", "1.1")])
def test_tls_clients_speak_the_http_version_they_want(bench: Bench, option: str, version: str) -> None:
    assert bench.fetch(f"https://{bench.domain}/", option).version == version


def test_tls_outside_and_plain_inside(bench: Bench) -> None:
    assert bench.fetch(f"https://{bench.domain}:8000/").json["server"].startswith("web")
    assert bench.fetch(f"http://{bench.internal_vip}:8000/").json["server"].startswith("web")
    assert bench.fetch(f"http://{bench.external_vip}:8000/").status != 200


def test_tls_to_the_web_servers(bench: Bench) -> None:
    answer = bench.fetch(f"http://{bench.internal_vip}:8005/").json
    assert (answer["tls"], answer["port"]) == (True, 8443)


# Headers

FORWARDED = [
    pytest.param("http://{0.external_vip}:8001/", "https", id="plain"),
    pytest.param("https://{0.domain}/", "http", id="TLS"),
    pytest.param("https://{0.domain}/api", "http", id="TLS, by an ACL"),
]


@pytest.mark.parametrize(("url", "lie"), FORWARDED)
def test_forwarded_headers_cannot_be_made_up(bench: Bench, url: str, lie: str) -> None:
    url = url.format(bench)
    headers = bench.fetch(url, "-H", f"X-Forwarded-Proto: {lie}", "-H", "X-Forwarded-For: 192.0.2.1").json["headers"]
    assert headers.get("x-forwarded-proto", []) in ([], [url.partition(":")[0]])
    assert headers["x-forwarded-for"][-1].endswith(".2.1") and headers["x-forwarded-for"][-1] != "192.0.2.1"


def test_backend_learns_that_the_client_used_tls(bench: Bench) -> None:
    assert bench.fetch(f"https://{bench.domain}/").json["headers"]["x-forwarded-proto"] == ["https"]


# Routing

ROUTES = [("/", 8080), ("/ap", 8080), ("/api", 8081), ("/api/v1", 8081), ("/static", 8082), ("/static/logo", 8082)]


@pytest.mark.parametrize(("path", "port"), ROUTES)
def test_acl_and_map_choose_the_backend(bench: Bench, path: str, port: int) -> None:
    answer = bench.fetch(f"https://{bench.domain}{path}").json
    assert (answer["path"], answer["port"]) == (path, port)


def test_plain_requests_are_redirected(bench: Bench) -> None:
    answer = bench.fetch(f"http://{bench.domain}/some/path?and=query")
    assert (answer.status, answer.redirect) == (302, f"https://{bench.domain}/some/path?and=query")


def test_allow_list_refuses_others(bench: Bench) -> None:
    url = f"http://{bench.internal_vip}:8002/"
    assert bench.fetch(url, source=bench.webs[0]).status == 200
    for refused in (bench.fetch(url, source=bench.webs[1]), bench.fetch(url)):
        assert refused.status == 0 and refused.error


def test_allow_list_is_not_opened_by_a_header(bench: Bench) -> None:
    header = f"X-Forwarded-For: {bench.webs[0].address}"
    assert bench.fetch(f"http://{bench.internal_vip}:8002/", "-H", header).status == 0


def test_backup_server_waits_for_its_turn(bench: Bench) -> None:
    assert bench.servers(f"http://{bench.internal_vip}:8003/") == {"web1"}


@pytest.mark.usefixtures("web_stopped")
def test_backup_server_takes_over(bench: Bench) -> None:
    assert until(lambda: bench.fetch(f"http://{bench.internal_vip}:8003/").status == 200)
    assert bench.servers(f"http://{bench.internal_vip}:8003/") == {"web2"}


def test_failed_health_check_takes_a_server_out(bench: Bench) -> None:
    url = f"http://{bench.internal_vip}:8003/"
    bench.webs[0].run("touch /run/unhealthy")
    try:
        assert until(lambda: bench.servers(url) == {"web2"})
    finally:
        bench.webs[0].run("rm /run/unhealthy")
    assert until(lambda: bench.servers(url) == {"web1"})


# Watching


def stats(bench: Bench, path: str, *options: str) -> list[int]:
    """The page belongs to each node, and carries the internal VIP's certificate."""
    return [
        bench.fetch(
            f"https://{bench.internal_vip}:1936{path}",
            *("--connect-to", f"{bench.internal_vip}:1936:{node.address}:1936", *options),
        ).status
        for node in bench.balancers
    ]


def test_stats_page_wants_the_password(bench: Bench) -> None:
    assert stats(bench, "/") == [401] * 3
    assert stats(bench, "/", "--user", f"{bench.stats_user}:wrong") == [401] * 3
    assert stats(bench, "/", "--user", f"{bench.stats_user}:{bench.stats_password}") == [200] * 3


def test_prometheus_metrics(bench: Bench) -> None:
    answer = bench.fetch(f"http://{bench.internal_vip}:8404/metrics")
    assert answer.status == 200
    up = re.findall(
        r'^haproxy_server_status\{proxy="plain-back",server="(.*)",state="UP"\} 1$', answer.text, re.MULTILINE
    )
    assert up == ["web1", "web2"]
