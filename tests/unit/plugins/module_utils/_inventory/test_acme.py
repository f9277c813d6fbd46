# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a node is told of orders; certbot's options are those of its manual, the directories Let's Encrypt's own."""

from __future__ import annotations

import json
import pathlib
import typing as t

import jinja2
import pytest
import yaml

from ansible_collections.lbforge.haproxy.plugins.filter.acme_config import acme_config
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme import places
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.settings import Peer, Settings, Wanted

ROLE = pathlib.Path(__file__).parents[5] / "roles" / "haproxy_server"
SERVICE = {"haproxy_service_name": "letsencrypt"}
CERTIFICATES = [{"name": "www.example.org", "domains": ["www.example.org"], "files": ["haproxy_lb1-203.0.113.10"]}]
VARIABLES = {
    "inventory_hostname": "lb1",
    "haproxy_use_keepalived": True,
    "haproxy_ssl_cert_path": "/etc/haproxy/ssl",
    "haproxy_bind_external_lb_vip_address": "203.0.113.10",
    "haproxy_ssl_letsencrypt_certbot_authenticator": "standalone",
    "haproxy_ssl_letsencrypt_certbot_backend_port": 8888,
    "haproxy_ssl_letsencrypt_certbot_binary": "certbot",
    "haproxy_ssl_letsencrypt_certbot_bind_address": "10.0.0.11",
    "haproxy_ssl_letsencrypt_certbot_challenge": "http-01",
    "haproxy_ssl_letsencrypt_certbot_server": "",
    "haproxy_ssl_letsencrypt_config_path": "/etc/letsencrypt/live",
    "haproxy_ssl_letsencrypt_email": "ops@example.org",
    "haproxy_ssl_letsencrypt_key_type": "ECDSA",
    "haproxy_ssl_letsencrypt_peers": {"lb1": "10.0.0.11", "lb2": "10.0.0.12"},
    "haproxy_ssl_letsencrypt_peers_port": 22,
    "haproxy_ssl_letsencrypt_renew_before_days": 0,
    "haproxy_ssl_letsencrypt_service": SERVICE,
    "haproxy_ssl_letsencrypt_setup_extra_params": "",
    "haproxy_ssl_letsencrypt_staging": False,
}


def config(services: t.Sequence[t.Any] = (SERVICE,), vip: str = "", **variables: t.Any) -> dict[str, t.Any]:
    context = jinja2.Environment().from_string("").new_context({**VARIABLES, **variables})
    return acme_config(context, CERTIFICATES, services, {"address": vip} if vip else {})


def options(words: t.Sequence[str]) -> dict[str, str]:
    """The options of a command line that take a value."""
    return {word: value for word, value in zip(words, words[1:]) if word.startswith("--") and value[:2] != "--"}


def test_the_role_has_all_variables() -> None:
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    assert VARIABLES.keys() - defaults.keys() == {"inventory_hostname"}


def test_certbot_is_told_what_the_node_needs() -> None:
    words = config()["certbot"]
    assert words[:3] == ["certbot", "--non-interactive", "--agree-tos"]
    assert options(words[3:]) == {
        "--config": "/etc/haproxy-acme/certbot.ini",
        "--config-dir": "/etc/letsencrypt",
        "--email": "ops@example.org",
        "--server": "https://acme-v02.api.letsencrypt.org/directory",
        "--authenticator": "standalone",
        "--preferred-challenges": "http-01",
        "--http-01-address": "10.0.0.11",
        "--http-01-port": "8888",
    }


def test_without_the_services_own_retries_a_hook_answers_first() -> None:
    assert options(config([{"haproxy_service_name": "web"}])["certbot"])["--pre-hook"] == (
        "/etc/letsencrypt/renewal-hooks/pre/haproxy"
    )


def test_dns_needs_no_address_to_answer_at() -> None:
    words = config(
        [],
        haproxy_ssl_letsencrypt_certbot_challenge="dns-01",
        haproxy_ssl_letsencrypt_certbot_authenticator="dns-rfc2136",
    )["certbot"]
    assert words[-4:] == ["--authenticator", "dns-rfc2136", "--preferred-challenges", "dns-01"]


@pytest.mark.parametrize(
    "variables, server",
    [
        ({"haproxy_ssl_letsencrypt_staging": True}, "https://acme-staging-v02.api.letsencrypt.org/directory"),
        ({"haproxy_ssl_letsencrypt_staging": "true"}, "https://acme-staging-v02.api.letsencrypt.org/directory"),
        ({"haproxy_ssl_letsencrypt_staging": "false"}, "https://acme-v02.api.letsencrypt.org/directory"),
        ({"haproxy_ssl_letsencrypt_certbot_server": "https://ca.example.org/dir"}, "https://ca.example.org/dir"),
    ],
)
def test_the_server_is_that_of_certbot(variables: dict[str, t.Any], server: str) -> None:
    found = config(**variables)
    assert (found["server"], options(found["certbot"])["--server"]) == (server, server)


@pytest.mark.parametrize(
    "vip, variables, address",
    [
        ("203.0.113.12", {}, "203.0.113.12"),
        ("", {}, "203.0.113.10"),
        ("", {"haproxy_bind_external_lb_vip_address": "2001:db8::10"}, "2001:db8::10"),
        ("", {"haproxy_keepalived_external_vip_cidr": "203.0.113.11/24"}, "203.0.113.10"),
        *[
            (
                "",
                {"haproxy_bind_external_lb_vip_address": bound, "haproxy_keepalived_external_vip_cidr": cidr},
                "203.0.113.11",
            )
            for bound in ("www.example.org", "*")
            for cidr in ("203.0.113.11/24", ["203.0.113.11/24", "2001:db8::11/64"])
        ],
        (
            "",
            {"haproxy_bind_external_lb_vip_address": "www.example.org", "haproxy_keepalived_external_vip_cidr": ""},
            "www.example.org",
        ),
        ("203.0.113.12", {"haproxy_use_keepalived": False}, ""),
        ("203.0.113.12", {"haproxy_use_keepalived": "false"}, ""),
    ],
)
def test_the_holder_of_the_external_vip_orders(vip: str, variables: dict[str, t.Any], address: str) -> None:
    assert config(vip=vip, **variables)["vip"] == address


def test_haproxy_acme_reads_it(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "SETTINGS", tmp_path)
    # Texts, as `-e name=value` gives them.
    texts = {"peers_port": "2222", "renew_before_days": "20", "certbot_backend_port": "8889"}
    variables = {f"haproxy_ssl_letsencrypt_{name}": value for name, value in texts.items()}
    found = config(haproxy_ssl_letsencrypt_setup_extra_params="--dns-x '/etc/a b'", **variables)
    (tmp_path / "config.json").write_text(json.dumps(found))

    settings = Settings.load()
    assert settings.peers == (Peer("lb2", "10.0.0.12", 2222),)
    assert settings.certbot[-3:] == ("8889", "--dns-x", "/etc/a b")
    assert settings.certificates == (
        Wanted(
            "www.example.org",
            ("www.example.org",),
            ("haproxy_lb1-203.0.113.10",),
            "ecdsa",
            "https://acme-v02.api.letsencrypt.org/directory",
            20 * 24 * 60 * 60,
        ),
    )
    assert settings.certbot_directory == pathlib.Path("/etc/letsencrypt")
    assert (settings.store, settings.stats_socket) == (pathlib.Path("/etc/haproxy/ssl"), "/run/haproxy/admin.sock")
