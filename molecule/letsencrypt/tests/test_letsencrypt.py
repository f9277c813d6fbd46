# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of a real ACME server on three load balancers, through everything that may happen to them."""

from __future__ import annotations

import contextlib
import json
import re

from bench import until
from cluster import EXTERNAL, INTERNAL, SHOP, SHOP_PEM, SITE, VIP, Authority, Client, Cluster, Prober, play, report

DAYS = 86400
# Longer than what pebble issues is valid, so that it is due at once.
DUE = 30 * DAYS


def test_one_order_for_each_certificate_of_the_cluster(cluster: Cluster, authority: Authority, client: Client) -> None:
    """After the first run of the playbook and one that had nothing to do."""
    assert authority.issued == 2
    for name, pem in ((SITE, ""), (SHOP, SHOP_PEM)):
        (serial,) = cluster.serials(pem)
        assert client.serial(name) == serial
        assert client.key(name) == "id-ecPublicKey"
    assert {node.status()["source"] for node in cluster.nodes} == {cluster.holder.name}


def test_keys_are_for_root_alone(cluster: Cluster) -> None:
    for node in cluster.nodes:
        found = node.run("grep -rlE 'BEGIN ([A-Z]+ )?PRIVATE KEY' /etc/haproxy /etc/haproxy-acme /var/lib").split()
        assert len([path for path in found if "/certificates/" in path]) == 2
        for path in found:
            file = node.host.file(path)
            assert (file.user, f"{file.mode:o}") == ("root", "600"), path
        assert node.run("find /var/lib/haproxy-acme/spool -type f") == ""
        journal = node.run("journalctl --no-pager").splitlines()
        assert not [line[:100] for line in journal if "PRIVATE KEY" in line]


def test_a_peer_can_do_no_more_than_its_key_is_for(cluster: Cluster) -> None:
    holder = cluster.holder
    peer = json.loads(holder.run("cat /etc/haproxy-acme/config.json"))["peers"]["lb2"]
    known = "-F none -oUserKnownHostsFile=/etc/haproxy-acme/known_hosts -oHostKeyAlias=lb2 -oBatchMode=yes"
    ssh = f"ssh {known} -i /etc/haproxy-acme/key haproxy-acme@{peer}"
    for command in ("id", "cat /var/lib/haproxy-acme/certificates/shop.pem", ""):
        answer = holder.host.run(f"{ssh} {command}")
        assert (answer.rc, answer.stdout) == (1, "")
        assert "only status, put and request" in answer.stderr
    answer = json.loads(holder.run(f"{ssh} status"))
    assert set(answer["certificates"]) == {SITE, "shop"}
    # One whose key nobody has told.
    assert "Host key verification failed" in holder.host.run(f"{ssh.replace('Alias=lb2', 'Alias=lb9')} status").stderr


def test_what_a_peer_sends_is_looked_at(cluster: Cluster) -> None:
    holder, (node, *_rest) = cluster.holder, cluster.others(cluster.holder)
    kept = node.run(f"cat {node.pem}")
    foreign = holder.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=x"
        f" -addext subjectAltName=DNS:{SITE} -keyout /dev/stdout 2>/dev/null"
    )
    server = json.loads(holder.run("cat /etc/haproxy-acme/config.json"))["server"]
    messages = [
        ({"name": "../x"}, "is not a certificate of this node"),
        ({"name": SITE, "pem": ""}, "holds no certificate"),
        ({"name": "shop", "pem": foreign}, f"is for {SITE}"),
        ({"name": SITE, "pem": kept, "server": "https://acme.example.org"}, "comes from https://acme.example.org"),
    ]
    for said, words in messages:
        certificate = {"server": server, "source": "x", **said}
        message = json.dumps({"account": {}, "certificates": [certificate]})
        node.write("/var/lib/haproxy-acme/spool/tmp/x", message)
        node.run("mv /var/lib/haproxy-acme/spool/tmp/x /var/lib/haproxy-acme/spool/new/lb9:put:x")
        assert until(lambda words=words: words in node.run("journalctl -u haproxy-acme-inbox --no-pager")), words
    assert node.run(f"cat {node.pem}") == kept


def test_the_timer_renews_on_the_holder_and_no_handshake_fails(
    cluster: Cluster, authority: Authority, client: Client
) -> None:
    holder, issued, before = cluster.holder, authority.issued, client.serial()
    pids = [node.pid for node in cluster.nodes]
    for node in cluster.nodes:
        timer = node.host.service("haproxy-acme.timer")
        assert timer.is_running and timer.is_enabled
        assert node.renew()[0] == 0
    assert authority.issued == issued, "nothing was due"
    with Prober(client) as prober, contextlib.ExitStack() as stack:
        for node in cluster.nodes:
            stack.enter_context(node.configured(renew_before=DUE))
        for node in (*cluster.others(holder), holder):
            assert node.renew()[0] == 0
        assert until(lambda: client.serial() in prober.serials)
    assert authority.issued == issued + 2
    assert prober.failures == []
    assert set(prober.serials) == {before, client.serial()} and before != client.serial()
    assert cluster.serials() == {client.serial()}
    assert [node.pid for node in cluster.nodes] == pids, "no reload"


def test_another_holder_renews(cluster: Cluster, authority: Authority, client: Client) -> None:
    first, issued, before = cluster.holder, authority.issued, client.serial()
    first.systemctl("stop keepalived")
    try:
        assert until(lambda: [node for node in cluster.holders if node is not first])
        second = cluster.holder
        with second.configured(renew_before=DUE), first.configured(renew_before=DUE):
            assert first.renew()[0] == 0
            assert authority.issued == issued
            assert second.renew()[0] == 0
        cluster_has = cluster.serials()
    finally:
        first.systemctl("start keepalived")
    assert authority.issued == issued + 2
    assert cluster_has == {second.serial} and second.serial != before
    assert first.status()["source"] == second.name
    # It is the same customer.
    accounts = {node.run("find /etc/letsencrypt/accounts -name private_key.json").strip() for node in cluster.nodes}
    assert len(accounts) == 1


def test_a_node_that_was_down_catches_up(cluster: Cluster, authority: Authority, client: Client) -> None:
    holder, issued = cluster.holder, authority.issued
    absent = cluster.nodes[2]
    absent.podman("kill", "--signal=KILL")
    try:
        with holder.configured(renew_before=DUE):
            outcome, said = holder.renew()
        assert outcome == 0
        assert f"is not at {absent.name} yet" in said
        assert list(holder.status()["undelivered"]) == [absent.name]
    finally:
        absent.podman("start")
    assert until(lambda: absent.host.run("systemctl is-active haproxy").succeeded, 40)
    assert until(lambda: absent.renew()[0] == 0)
    assert authority.issued == issued + 2
    assert cluster.serials() == {client.serial()}
    assert holder.renew()[0] == 0
    assert holder.status()["undelivered"] == {}


def test_without_the_acme_server_the_old_one_serves_on(cluster: Cluster, authority: Authority, client: Client) -> None:
    holder, issued, before = cluster.holder, authority.issued, client.serial()
    config = json.loads(holder.run("cat /etc/haproxy-acme/config.json"))
    dead = {
        "certbot": [word.replace(":14000/", ":14009/") for word in config["certbot"]],
        "certificates": config["certificates"][:1],
    }
    with Prober(client) as prober, holder.configured(renew_before=DUE, **dead):
        outcome, said = holder.renew()
    assert outcome != 0
    assert "the current certificate stays in use" in said and "refused" in said
    assert holder.host.run("systemctl is-failed haproxy-acme.service").stdout.strip() == "failed"
    status = holder.status()
    assert (status["last_result"], status["serial"]) == ("failed", holder.serial)
    assert "refused" in status["last_error"]
    assert prober.failures == [] and set(prober.serials) == {before}
    assert authority.issued == issued
    assert holder.renew()[0] == 0, "nothing is due, so it is not failed any more"
    assert holder.status()["last_result"] == "ok"


def test_wrong_dns_is_told_and_nothing_is_lost(cluster: Cluster, authority: Authority, client: Client) -> None:
    holder, issued, before = cluster.holder, authority.issued, client.serial()
    site = json.loads(holder.run("cat /etc/haproxy-acme/config.json"))["certificates"][:1]
    with authority.wrong_dns(), holder.configured(renew_before=DUE, certificates=site):
        outcome, said = holder.renew()
        status = holder.status()
    assert outcome != 0
    assert SITE in status["last_error"] and "refused" in status["last_error"].lower()
    assert status["last_result"] == "failed"
    assert "Domain: www.bench.test" in said
    assert authority.issued == issued and client.serial() == before
    outcome, lines = report("--check")
    assert outcome != 0
    assert lines[0].startswith(f"RENEWAL FAILED {SITE} ({SITE}) on {holder.name}, 19 d left, tried at 20"), lines
    assert f"{SITE}: Get" in lines[0] and lines[0].endswith("connection refused")
    assert not [line for line in lines[1:] if "FAILED" in line]
    with holder.configured(renew_before=DUE, certificates=site):
        assert holder.renew()[0] == 0
    assert authority.issued == issued + 1
    assert holder.status()["last_result"] == "ok"
    outcome, lines = report()
    assert outcome == 0
    assert lines and all(re.match(r"\d+ d left ", line) for line in lines), lines


def test_the_account_is_bound_by_a_key_that_no_command_line_has(cluster: Cluster, authority: Authority) -> None:
    """pebble refuses accounts that are not, so whatever it issued proves that the right key works."""
    holder, issued = cluster.holder, authority.issued
    config = holder.run("cat /etc/haproxy-acme/config.json")
    said = holder.run("cat /etc/haproxy-acme/certbot.ini")
    key = said.partition("eab-hmac-key = ")[2].strip()
    assert key and key not in config
    assert holder.host.file("/etc/haproxy-acme/certbot.ini").mode == 0o600
    # Another customer, whose key is wrong.
    holder.run("mkdir --mode=700 /etc/another")
    holder.write("/etc/another/wrong.ini", said.replace(key, key[::-1]))
    another = {"/etc/haproxy-acme/certbot.ini": "/etc/another/wrong.ini", "/etc/letsencrypt": "/etc/another"}
    certbot = [another.get(word, word) for word in json.loads(config)["certbot"]]
    site = json.loads(config)["certificates"][:1]
    with holder.configured(renew_before=DUE, certbot=certbot, certificates=site):
        assert holder.renew()[0] != 0
    holder.run("rm --recursive /etc/another")
    assert "external account binding JWS verification error" in holder.status()["last_error"]
    assert authority.issued == issued
    assert holder.renew()[0] == 0


def test_challenges_reach_whichever_node_answers(cluster: Cluster) -> None:
    """The VIP may have moved in the middle of an order; there are no health checks that would have to notice."""
    for node in cluster.nodes:
        listen = f"8888 --bind {node.address.replace(EXTERNAL, INTERNAL)} --directory /etc/haproxy-acme"
        node.run(f"systemd-run --unit=answer python3 -m http.server {listen}")
        try:
            url = f"http://{VIP}/.well-known/acme-challenge/x"
            ask = f"curl --silent --output /dev/null --write-out '%{{http_code}} ' {url}"
            # It lacks this file, so it answers 404; HAProxy alone would say 503.
            assert until(lambda ask=ask: "404" in cluster.authority.node.run(ask))
            answers = cluster.authority.node.run(" && ".join([ask] * 20)).split()
        finally:
            node.systemctl("stop answer")
        assert answers == ["404"] * 20


OTHER = {
    "haproxy_ssl_letsencrypt_key_type": "RSA",
    "haproxy_ssl_letsencrypt_domains": [SITE, "*.bench.test"],
    "haproxy_ssl_letsencrypt_certbot_challenge": "dns-01",
    "haproxy_ssl_letsencrypt_certbot_authenticator": "manual",
    "haproxy_ssl_letsencrypt_setup_extra_params": (
        "--manual-auth-hook /usr/local/bin/dns-auth --manual-cleanup-hook /usr/local/bin/dns-cleanup"
    ),
}


def test_to_the_own_authority_and_back_with_other_names_and_keys(
    cluster: Cluster, authority: Authority, client: Client
) -> None:
    """An added wildcard takes DNS; all that differs is ordered by one run of the playbook."""
    issued, before, holder = authority.issued, client.serial(), cluster.holder
    # What these switches concern; a run without tags does the same, and takes longer.
    tags = "--tags=haproxy-service-config,letsencrypt"
    outcome, _changed, said = play(tags, "--extra-vars=haproxy_ssl_letsencrypt_enable=false")
    assert outcome == 0, said
    assert before not in cluster.nodes[0].serials()
    issuer = cluster.nodes[0].run(f"openssl x509 -noout -issuer -in {cluster.nodes[0].pem}")
    assert "HAProxy Intermediate CA" in issuer
    for node in cluster.nodes:
        timer = node.host.service("haproxy-acme.timer")
        assert not timer.is_running and not timer.is_enabled
        for verb, path in (("auth", "set-txt"), ("cleanup", "clear-txt")):
            body = '{"host": "_acme-challenge.$CERTBOT_DOMAIN.", "value": "$CERTBOT_VALIDATION"}'
            url = f"http://{authority.node.address}:8055/{path}"
            script = f"#!/bin/sh\ncurl --silent --fail --data @- {url} <<END\n{body}\nEND\n"
            node.write(f"/usr/local/bin/dns-{verb}", script)
            node.run(f"chmod 755 /usr/local/bin/dns-{verb}")

    outcome, changed, said = play(tags, f"--extra-vars={json.dumps(OTHER)}")
    assert outcome == 0, said
    assert set(changed) == {"lb1", "lb2", "lb3"}
    assert authority.issued == issued + 2, "one for its names and its key, one for its key alone"
    assert client.serial("any.bench.test") == client.serial(SITE) == holder.serial != before
    assert set(holder.status()["domains"]) == {SITE, "*.bench.test"}
    assert client.key(SHOP) == client.key(SITE) == "rsaEncryption"


def test_at_the_end_all_nodes_serve_the_same(cluster: Cluster, client: Client) -> None:
    for name, pem in ((SITE, ""), (SHOP, SHOP_PEM)):
        assert cluster.serials(pem) == {client.serial(name)}
    said = [node.status() for node in cluster.nodes]
    assert len({status["serial"] for status in said}) == 1
    assert all(re.fullmatch(r"[\d-]{10}T[\d:]{8}Z", status["not_after"]) for status in said)
