# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each key of a service means in haproxy.cfg, and that HAProxy has nothing to say against it."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from .conftest import NODES, WEB, Rendered

Render = t.Callable[..., Rendered]
Says = t.Callable[[Rendered], list[str]]

FRONT = "frontend web-front-1"
BACK = "backend web-back"
SYSTEM_CA = "/etc/ssl/certs/ca-certificates.crt"
ELSEWHERE = "server w1 10.0.0.21:80 check port 9 inter 12000 rise 3 fall 3"
SERVER = "server w1 10.0.0.21:80 check inter 12000 rise 3 fall 3"

# Keys added to the service "web", a section, a line that must be in it.
LINES: list[tuple[dict[str, t.Any], str, str]] = [
    ({}, FRONT, "bind 203.0.113.10:80"),
    ({}, "frontend web-front-2", "bind 10.0.0.10:80"),
    ({}, FRONT, "option httplog"),
    ({}, FRONT, "option forwardfor except 127.0.0.0/8"),
    ({}, FRONT, "option idle-close-on-response"),
    ({}, FRONT, "http-request set-header X-Forwarded-Proto http"),
    ({}, FRONT, "default_backend web-back"),
    ({}, BACK, "balance leastconn"),
    ({}, BACK, "option forwardfor"),
    ({}, BACK, SERVER),
    ({"haproxy_bind": ["10.0.0.99"]}, FRONT, "bind 10.0.0.99:80"),
    ({"haproxy_bind": [{"address": "*", "interface": "eth1"}]}, FRONT, "bind *:80 interface eth1"),
    ({"haproxy_bind": ["fd00::11"]}, FRONT, "bind [fd00::11]:80"),
    (
        {"haproxy_bind": "127.0.0.1", "haproxy_bind_options": ["accept-proxy", "maxconn 10"]},
        FRONT,
        "bind 127.0.0.1:80 accept-proxy maxconn 10",
    ),
    (
        {"haproxy_bind": [{"address": "127.0.0.1", "options": "v4v6"}], "haproxy_bind_options": ["maxconn 10"]},
        FRONT,
        "bind 127.0.0.1:80 maxconn 10 v4v6",
    ),
    ({}, FRONT, "http-request del-header x-forwarded- -m beg"),
    ({"haproxy_trusted_proxies": ["192.0.2.0/24"]}, FRONT, "acl trusted_proxy src 192.0.2.0/24"),
    ({"haproxy_trusted_proxies": ["192.0.2.0/24"]}, BACK, "option forwardfor if-none"),
    ({}, "defaults", "maxconn 3072"),
    (
        {"haproxy_connections_per_source": 10},
        "backend web-sources",
        "stick-table type ipv6 size 100k expire 1m store conn_cur",
    ),
    ({"haproxy_connections_per_source": 10}, FRONT, "tcp-request connection track-sc2 src table web-sources"),
    # A PROXY header has to be read before the client is known.
    (
        {"haproxy_connections_per_source": 10, "haproxy_bind_options": ["accept-proxy"]},
        FRONT,
        "tcp-request session reject if { sc2_conn_cur gt 10 }",
    ),
    ({"haproxy_frontend_maxconn": "100"}, FRONT, "maxconn 100"),
    ({"haproxy_timeout_client": "1h"}, FRONT, "timeout client 1h"),
    ({"haproxy_timeout_server": "2h"}, BACK, "timeout server 2h"),
    ({"haproxy_timeout_tunnel": "3h"}, BACK, "timeout tunnel 3h"),
    ({"haproxy_timeout_queue": "4s"}, BACK, "timeout queue 4s"),
    ({"haproxy_timeout_check": 500}, BACK, "timeout check 500"),
    ({"haproxy_http_reuse": "always"}, BACK, "http-reuse always"),
    ({"haproxy_retry_on": ["conn-failure", "503"]}, BACK, "retry-on conn-failure 503"),
    ({"haproxy_retry_on": []}, BACK, "retry-on none"),
    ({"haproxy_cookie": "SRV insert indirect nocache"}, BACK, "cookie SRV insert indirect nocache"),
    ({"haproxy_cookie": "SRV insert indirect nocache"}, BACK, f"{SERVER} cookie w1"),
    ({"haproxy_http_keepalive_mode": "forceclose"}, FRONT, "option httpclose"),
    ({"haproxy_http_keepalive_mode": "http-server-close"}, FRONT, "option http-server-close"),
    ({"haproxy_balance_alg": "hdr(host)"}, BACK, "balance hdr(host)"),
    ({"haproxy_balance_type": "tcp"}, FRONT, "option tcplog"),
    ({"haproxy_balance_type": "tcp"}, FRONT, "mode tcp"),
    ({"haproxy_balance_type": "tcp"}, BACK, "mode tcp"),
    ({"haproxy_ssl": "yes"}, FRONT, "bind 203.0.113.10:80 ssl crt TMP/haproxy_lb1-203.0.113.10.pem alpn h2,http/1.1"),
    ({"haproxy_ssl": True}, "frontend web-front-2", "bind 10.0.0.10:80"),
    ({"haproxy_ssl": True}, FRONT, "http-request set-header X-Forwarded-Proto https"),
    ({"haproxy_ssl": True}, "frontend web-front-2", "http-request set-header X-Forwarded-Proto http"),
    (
        {"haproxy_ssl": True, "haproxy_ssl_all_vips": True},
        "frontend web-front-2",
        "bind 10.0.0.10:80 ssl crt TMP/haproxy_lb1-10.0.0.10.pem alpn h2,http/1.1",
    ),
    # HAProxy from 2.9 on offers h2 when nothing is said.
    (
        {"haproxy_ssl": True, "haproxy_frontend_h2": False},
        FRONT,
        "bind 203.0.113.10:80 ssl crt TMP/haproxy_lb1-203.0.113.10.pem alpn http/1.1",
    ),
    (
        {"haproxy_ssl": True, "haproxy_balance_type": "tcp"},
        FRONT,
        "bind 203.0.113.10:80 ssl crt TMP/haproxy_lb1-203.0.113.10.pem",
    ),
    (
        {"haproxy_ssl": True, "haproxy_port": 443, "haproxy_redirect_http_port": 80},
        "frontend web-redirect-front-1",
        "redirect scheme https if !{ ssl_fc }",
    ),
    (
        {
            "haproxy_ssl": True,
            "haproxy_port": 443,
            "haproxy_redirect_http_port": 80,
            "haproxy_redirect_scheme": "https code 301 if !{ ssl_fc }",
        },
        "frontend web-redirect-front-1",
        "redirect scheme https code 301 if !{ ssl_fc }",
    ),
    # What an ACL takes elsewhere is not redirected; the redirect is evaluated first.
    (
        {
            "haproxy_ssl": True,
            "haproxy_port": 443,
            "haproxy_redirect_http_port": 80,
            "haproxy_frontend_acls": {"acme": {"rule": "path_beg /.well-known/"}},
        },
        "frontend web-redirect-front-1",
        "redirect scheme https if !{ ssl_fc } !acme",
    ),
    ({"haproxy_acls": {"api": {"rule": "path_beg /api", "backend_name": "web"}}}, FRONT, "acl api path_beg /api"),
    ({"haproxy_acls": {"api": {"rule": "path_beg /api"}}}, FRONT, "use_backend web-back if api"),
    ({"haproxy_allowlist_networks": ["192.168.0.0/16"]}, FRONT, "acl allow_list src 127.0.0.0/8 ::1 192.168.0.0/16"),
    # Empty is not absent: the node itself and nobody else.
    ({"haproxy_allowlist_networks": []}, FRONT, "acl allow_list src 127.0.0.0/8 ::1"),
    ({"haproxy_whitelist_networks": "192.168.0.0/16"}, FRONT, "tcp-request session reject if !allow_list"),
    (
        {"haproxy_denylist_networks": ["192.0.2.0/24", "2001:db8::/32"]},
        FRONT,
        "acl deny_list src 192.0.2.0/24 2001:db8::/32",
    ),
    ({"haproxy_denylist_networks": "192.0.2.0/24"}, FRONT, "tcp-request connection reject if deny_list"),
    ({"haproxy_frontend_raw": ["http-response set-header X-A b"]}, FRONT, "http-response set-header X-A b"),
    (
        {
            "haproxy_maps": ["use_backend %[path,map_reg(/etc/haproxy/m.map)]"],
            "haproxy_map_entries": [{"name": "m", "entries": ["/ web-back"]}],
        },
        FRONT,
        "use_backend %[path,map_reg(/etc/haproxy/m.map)]",
    ),
    ({"haproxy_backend_options": ["httpchk HEAD /"]}, BACK, "option httpchk HEAD /"),
    ({"haproxy_backend_httpcheck_options": ["send meth HEAD uri /up", "expect status 204"]}, BACK, "option httpchk"),
    ({"haproxy_backend_httpcheck_options": ["expect status 204"]}, BACK, "http-check expect status 204"),
    ({"haproxy_backend_httpcheck_options": ["disable-on-404"]}, BACK, "option httpchk"),
    ({"haproxy_backend_arguments": ["http-check expect string OK"]}, BACK, "option httpchk"),
    ({"haproxy_backend_arguments": ["tcp-check connect", "tcp-check expect string OK"]}, BACK, "option tcp-check"),
    ({"haproxy_stick_table": ["stick-table type ip size 1k", "stick on src"]}, BACK, "stick on src"),
    ({"haproxy_backend_port": 8080}, BACK, "server w1 10.0.0.21:8080 check inter 12000 rise 3 fall 3"),
    ({"haproxy_check_port": 9}, BACK, "server w1 10.0.0.21:80 check port 9 inter 12000 rise 3 fall 3"),
    (
        {"haproxy_interval": "2s", "haproxy_backend_rise": 1, "backend_fall": 2},
        BACK,
        "server w1 10.0.0.21:80 check inter 2s rise 1 fall 2",
    ),
    ({"haproxy_backend_server_options": ["send-proxy-v2"]}, BACK, f"{SERVER} check-send-proxy send-proxy-v2"),
    ({"haproxy_backend_server_options": ["send-proxy"], "haproxy_check_port": 9}, BACK, f"{ELSEWHERE} send-proxy"),
    ({"haproxy_backend_server_options": ["no-check"]}, BACK, "server w1 10.0.0.21:80 no-check"),
    (
        {
            "haproxy_backup_nodes": [
                {"name": "b", "ip_addr": "10.0.0.30", "backend_server_options": ["track web-back/w2"]}
            ]
        },
        BACK,
        "server b 10.0.0.30:80 backup track web-back/w2",
    ),
    (
        {"haproxy_backend_server_options": ["no-check"], "haproxy_backend_ssl": True, "haproxy_backend_h2": True},
        BACK,
        "server w1 10.0.0.21:80 ssl verify none alpn h2,http/1.1 no-check",
    ),
    (
        {"haproxy_backend_nodes": [{"name": "a", "ip_addr": "10.0.0.5", "check_port": 80}]},
        BACK,
        "server a 10.0.0.5:80 check inter 12000 rise 3 fall 3",
    ),
    (
        {"haproxy_balance_type": "tcp", "haproxy_backend_ssl_check": True, "haproxy_backend_sni": "a.example.org"},
        BACK,
        f"{SERVER} verify none check-ssl check-sni a.example.org",
    ),
    (
        {"haproxy_backend_server_options": ["ssl verify none sni str(a.example.org) alpn h2"]},
        BACK,
        f"{SERVER} check-ssl check-sni a.example.org check-alpn h2 ssl verify none sni str(a.example.org) alpn h2",
    ),
    ({"haproxy_backend_ssl": True, "haproxy_backend_server_options": ["no-ssl"]}, BACK, f"{SERVER} no-ssl"),
    ({"haproxy_backend_ssl": True}, BACK, f"{SERVER} ssl verify none check-ssl"),
    (
        {
            "haproxy_backend_ssl": True,
            "haproxy_backend_ssl_check": False,
            "haproxy_backend_ca": True,
            "haproxy_backend_verifyhost": "a.example.org",
        },
        BACK,
        f"{SERVER} ssl verify required ca-file {SYSTEM_CA} verifyhost a.example.org no-check-ssl",
    ),
    (
        {"haproxy_backend_ssl": True, "haproxy_backend_sni": "a.example.org"},
        BACK,
        f"{SERVER} ssl verify none sni str(a.example.org) check-ssl check-sni a.example.org",
    ),
    (
        {"haproxy_backend_ssl": True, "haproxy_backend_sni": "ssl_fc_sni"},
        BACK,
        f"{SERVER} ssl verify none sni ssl_fc_sni check-ssl",
    ),
    ({"haproxy_backend_h2": True}, BACK, f"{SERVER} proto h2"),
    (
        {"haproxy_backend_h2": True, "haproxy_backup_nodes": [{"name": "b", "ip_addr": "10.0.0.30"}], "backup_rise": 7},
        BACK,
        "server b 10.0.0.30:80 check inter 12000 rise 7 fall 3 backup proto h2",
    ),
    (
        {"haproxy_backend_h2": True, "haproxy_backend_ssl": True},
        BACK,
        f"{SERVER} ssl verify none alpn h2,http/1.1 check-ssl check-alpn h2,http/1.1",
    ),
    (
        {"haproxy_backend_nodes": [{"name": "a", "ip_addr": "fd00::5", "backend_port": 81, "weight": 0, "maxconn": 9}]},
        BACK,
        "server a [fd00::5]:81 check inter 12000 rise 3 fall 3 weight 0 maxconn 9",
    ),
    (
        {"haproxy_backend_nodes": [{"name": "a", "ip_addr": "localhost"}]},
        BACK,
        "server a localhost:80 check inter 12000 rise 3 fall 3 init-addr libc,last,none",
    ),
    (
        {"haproxy_backend_nodes": [{"name": "a", "ip_addr": "10.0.0.5", "backend_server_options": "slowstart 1s"}]},
        BACK,
        "server a 10.0.0.5:80 check inter 12000 rise 3 fall 3 slowstart 1s",
    ),
    (
        {"haproxy_backend_nodes": [], "haproxy_backend_arguments": ["http-request return status 404"]},
        BACK,
        "http-request return status 404",
    ),
]


@pytest.mark.parametrize(("keys", "heading", "line"), LINES)
def test_a_key_becomes_its_line(
    keys: dict[str, t.Any], heading: str, line: str, render: Render, haproxy_says: Says, tmp_path: pathlib.Path
) -> None:
    rendered = render({**WEB, **keys})
    assert line.replace("TMP", str(tmp_path)) in rendered.section(heading)
    assert haproxy_says(rendered) == []


SETTINGS: list[tuple[dict[str, t.Any], str, str]] = [
    ({}, "global", "description @release@"),
    ({}, "global", "hard-stop-after 30m"),
    ({}, "global", "server-state-file /run/haproxy/servers.state"),
    ({}, "defaults", "load-server-state-from-file global"),
    ({}, "defaults", "option http-keep-alive"),
    ({"haproxy_keepalive_mode": "forceclose"}, "defaults", "option httpclose"),
    ({"haproxy_tuning_params": {"nbthread": 2, "tune.ssl_cachesize": 100}}, "global", "tune.ssl.cachesize 100"),
    ({"haproxy_tuning_params": {"nbthread": 2}}, "global", "nbthread 2"),
    ({"haproxy_log_socket": "stdout"}, "global", "log stdout format short local0"),
    ({"haproxy_global_raw": ["set-dumpable"]}, "global", "set-dumpable"),
    ({"haproxy_defaults_raw": ["timeout queue 3s"]}, "defaults", "timeout queue 3s"),
    ({"haproxy_maxconn": 77}, "global", "maxconn 77"),
    ({"haproxy_retries": "5"}, "defaults", "retries 5"),
    (
        {"haproxy_errorfiles": [{"code": 503, "path": "/etc/haproxy/errors/503.http"}]},
        "defaults",
        "errorfile 503 /etc/haproxy/errors/503.http",
    ),
    ({"haproxy_ssl_dh_param": 4096}, "global", "tune.ssl.default-dh-param 4096"),
    (
        {"haproxy_stats_enabled": True, "haproxy_stats_password": "it's #1"},
        "listen stats",
        r"stats auth 'admin:it'\''s #1'",
    ),
    (
        {"haproxy_stats_enabled": True, "haproxy_stats_password": "x", "haproxy_stats_prometheus_enabled": True},
        "listen stats",
        "http-request use-service prometheus-exporter if { path /metrics }",
    ),
    (
        {"haproxy_stats_enabled": True, "haproxy_stats_password": "x", "haproxy_stats_ssl": True},
        "listen stats",
        "bind 127.0.0.1:1936 ssl crt TMP/haproxy_lb1-10.0.0.10.pem",
    ),
    ({"extra_lb_vip_addresses": ["10.0.0.77"]}, "frontend web-front-3", "bind 10.0.0.77:80"),
    (
        {"haproxy_frontend_extra_raw": ["http-response set-header X-A b", "timeout client 7s"]},
        FRONT,
        "timeout client 7s",
    ),
    ({"haproxy_bind_external_lb_vip_interface": "eth0"}, FRONT, "bind 203.0.113.10:80 interface eth0"),
    ({"haproxy_bind_external_lb_vip_address": "*"}, FRONT, "bind *:80"),
]


@pytest.mark.parametrize(("settings", "heading", "line"), SETTINGS)
def test_a_setting_becomes_its_line(
    settings: dict[str, t.Any], heading: str, line: str, render: Render, haproxy_says: Says, tmp_path: pathlib.Path
) -> None:
    if settings.get("haproxy_bind_external_lb_vip_address") == "*":
        settings = {**settings, "haproxy_bind_internal_lb_vip_address": "*"}
    rendered = render(WEB, **settings)
    assert line.replace("TMP", str(tmp_path)) in rendered.section(heading)
    assert haproxy_says(rendered) == []


def test_which_vips_speak_tls(render: Render) -> None:
    """The table of openstack-ansible: external TLS, internal plain, extra TLS VIPs TLS, extra VIPs plain."""
    extra = {"extra_lb_tls_vip_addresses": ["203.0.113.11"], "extra_lb_vip_addresses": ["10.0.0.12"]}

    def tls(**keys: t.Any) -> list[bool]:
        rendered = render({**WEB, **keys}, **extra)
        return [" ssl " in rendered.section(f"frontend web-front-{number}")[0] for number in (1, 2, 3, 4)]

    assert tls(haproxy_ssl=False) == [False, False, False, False]
    assert tls(haproxy_ssl=True) == [True, False, True, False]
    assert tls(haproxy_ssl=True, haproxy_ssl_all_vips=True) == [True, True, True, False]


def test_one_frontend_where_both_vips_are_one(render: Render) -> None:
    rendered = render({**WEB, "haproxy_ssl": True}, internal_lb_vip_address="203.0.113.10")
    assert rendered.headings() == ["frontend web-front-1", "backend web-back"]


def test_certificates_hold_the_names_of_their_own_vip_only(render: Render) -> None:
    rendered = render(
        {**WEB, "haproxy_ssl": True, "haproxy_ssl_all_vips": True},
        external_lb_vip_address="www.example.org",
        haproxy_bind_external_lb_vip_address="203.0.113.10",
        internal_lb_vip_address="internal.example.org",
        haproxy_bind_internal_lb_vip_address="10.0.0.10",
        extra_lb_tls_vip_addresses=["203.0.113.11"],
    )
    assert [(certificate["name"], certificate["san"]) for certificate in rendered.model["certificates"]] == [
        ("haproxy_lb1-203.0.113.10", {"dns": ["www.example.org"], "ip": ["203.0.113.10"]}),
        ("haproxy_lb1-10.0.0.10", {"dns": ["internal.example.org"], "ip": ["10.0.0.10"]}),
        ("haproxy_lb1-203.0.113.11", {"dns": [], "ip": ["203.0.113.11"]}),
    ]


def test_no_certificate_where_a_path_is_given_or_nothing_speaks_tls(render: Render) -> None:
    assert render({**WEB, "haproxy_ssl": True, "haproxy_ssl_path": "/x.pem"}).model["certificates"] == []
    assert render(WEB).model["certificates"] == []


def test_a_vip_shows_the_certificate_its_user_brings(render: Render) -> None:
    own = {"user_ssl_cert": "/own/a.crt", "user_ssl_key": "/own/a.key", "user_ssl_ca_cert": "/own/chain.crt"}
    binds = [{"address": "203.0.113.10", **own}, {"address": "10.0.0.10", "type": "internal"}]
    service = {**WEB, "haproxy_ssl": True, "haproxy_ssl_all_vips": True}
    brought = {
        "name": "haproxy_lb1-203.0.113.10",
        "cert": "/own/a.crt",
        "key": "/own/a.key",
        "ca_cert": "/own/chain.crt",
        "names": ["203.0.113.10"],
    }
    assert render(service, haproxy_vip_binds=binds).model["user_certificates"] == [brought]
    alone = {**service, "haproxy_bind": [{**binds[0], "address": "203.0.113.99"}]}
    assert render(alone).model["user_certificates"] == [
        {**brought, "name": "haproxy_lb1-203.0.113.99", "names": ["203.0.113.99"]}
    ]
    for_all = {"haproxy_user_ssl_cert": "/all.crt", "haproxy_user_ssl_key": "/all.key"}
    assert render(service, haproxy_vip_binds=binds, **for_all).model["user_certificates"] == [
        brought,
        {
            "name": "haproxy_lb1-10.0.0.10",
            "cert": "/all.crt",
            "key": "/all.key",
            "ca_cert": "",
            "names": ["10.0.0.10"],
        },
    ]


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, [["203.0.113.10", "10.0.0.10"]]),
        ({"external_lb_vip_address": "www.example.org"}, [["www.example.org", "203.0.113.10", "10.0.0.10"]]),
        # What stands in for a name when none is said is none that clients know.
        ({"external_lb_vip_address": "lb1.example.org"}, [["203.0.113.10", "10.0.0.10"]]),
        ({f"{kind}_lb_vip_address": "*" for kind in ("external", "haproxy_bind_external", "internal")}, [[]]),
        (
            {
                "haproxy_vip_binds": [
                    {
                        "address": "203.0.113.10",
                        "pki_san_records": ["a.example.org"],
                        "user_ssl_cert": "/a.crt",
                        "user_ssl_key": "/a.key",
                    },
                    {"address": "10.0.0.10", "type": "internal"},
                ]
            },
            [["a.example.org", "203.0.113.10"], ["10.0.0.10"]],
        ),
    ],
)
def test_a_users_certificate_is_for_what_clients_ask_for(
    render: Render, settings: dict[str, t.Any], names: list[list[str]]
) -> None:
    """One that several VIPs show may be for any of them."""
    service = {**WEB, "haproxy_ssl": True, "haproxy_ssl_all_vips": True}
    own = {"haproxy_user_ssl_cert": "/own.crt", "haproxy_user_ssl_key": "/own.key", "ansible_host": "lb1.example.org"}
    own |= {"haproxy_bind_external_lb_vip_address": "203.0.113.10", "external_lb_vip_address": "203.0.113.10"}
    model = render(service, **{**own, **settings}).model
    by_files = {(each["cert"], tuple(each["names"])) for each in model["user_certificates"]}
    assert sorted(names for _cert, names in by_files) == sorted(map(tuple, names))


def test_ecdsa_and_rsa_side_by_side(render: Render, haproxy_says: Says, tmp_path: pathlib.Path) -> None:
    service = {**WEB, "haproxy_ssl": True, "haproxy_ssl_all_vips": True}
    own = {"address": "203.0.113.10", "user_ssl_cert": "/own/a.crt", "user_ssl_key": "/own/a.key"}
    rendered = render(
        service, haproxy_pki_key_type="both", haproxy_vip_binds=[own, {"address": "10.0.0.10", "type": "internal"}]
    )
    assert [(each["name"], each["key_type"]) for each in rendered.model["certificates"]] == [
        ("haproxy_lb1-203.0.113.10", "ECDSA"),
        ("haproxy_lb1-10.0.0.10", "ECDSA"),
        ("haproxy_lb1-10.0.0.10-rsa", "RSA"),
    ]
    name = f"{tmp_path}/haproxy_lb1-10.0.0.10"
    (bind,) = [line for line in rendered.section("frontend web-front-2") if line.startswith("bind ")]
    assert bind == f"bind 10.0.0.10:80 ssl crt {name}.pem crt {name}-rsa.pem alpn h2,http/1.1"
    assert haproxy_says(rendered) == []


def test_a_client_needs_a_certificate(render: Render, haproxy_says: Says, tmp_path: pathlib.Path, pem: str) -> None:
    (tmp_path / "clients.pem").write_text(pem)
    asked = {**WEB, "haproxy_ssl": True, "haproxy_ssl_client_ca": f"{tmp_path}/clients.pem"}
    rendered = render({**asked, "haproxy_ssl_client_verify": "optional"})
    assert f"verify optional ca-file {tmp_path}/clients.pem" in rendered.section(FRONT)[0]
    assert haproxy_says(rendered) == []
    rendered = render({**asked, "haproxy_ssl_client_crl": f"{tmp_path}/clients.crl"})
    assert (
        f"verify required ca-file {tmp_path}/clients.pem crl-file {tmp_path}/clients.crl" in rendered.section(FRONT)[0]
    )
    assert "verify" not in rendered.section("frontend web-front-2")[0]


def test_a_client_needs_a_certificate_of_our_own_authority(
    render: Render, haproxy_says: Says, tmp_path: pathlib.Path, pem: str
) -> None:
    (tmp_path / "Clients.ca.pem").write_text(pem)
    asked = {**WEB, "haproxy_ssl": True, "haproxy_ssl_client_ca": "Clients"}
    rendered = render(asked, haproxy_pki_roots=["Clients"])
    assert f"verify required ca-file {tmp_path}/Clients.ca.pem alpn" in rendered.section(FRONT)[0]
    assert rendered.model["client_authorities"] == ["Clients"]
    assert haproxy_says(rendered) == []
    rendered = render(asked, haproxy_pki_roots=["Clients"], haproxy_pki_revoking=["Clients"])
    assert f"ca-file {tmp_path}/Clients.ca.pem crl-file {tmp_path}/Clients.crl.pem alpn" in rendered.section(FRONT)[0]


def test_names_have_certificates_of_their_own(
    render: Render, haproxy_says: Says, tmp_path: pathlib.Path, pem: str
) -> None:
    for name in ("shop.pem", "brought.pem", "clients.pem"):
        (tmp_path / name).write_text(pem)
    certificates = [
        "shop",
        {"name": f"{tmp_path}/brought.pem", "hosts": ["*.example.org", "!b.example.org"]},
        {
            "name": "shop",
            "hosts": "private.example.org",
            "options": f"verify required ca-file {tmp_path}/clients.pem",
        },
    ]
    rendered = render({**WEB, "haproxy_ssl": True, "haproxy_ssl_certificates": certificates})
    assert rendered.model["crt_lists"] == {
        "web.crt-list": f"{tmp_path}/shop.pem\n"
        f"{tmp_path}/brought.pem *.example.org !b.example.org\n"
        f"{tmp_path}/shop.pem [verify required ca-file {tmp_path}/clients.pem] private.example.org\n"
    }
    assert "crt-list /etc/haproxy/web.crt-list" in rendered.section(FRONT)[0]
    assert haproxy_says(rendered) == []


def test_an_acme_server_renews_what_is_external(render: Render) -> None:
    settings = {
        "external_lb_vip_address": "www.example.org",
        "haproxy_bind_external_lb_vip_address": "203.0.113.10",
        "extra_lb_tls_vip_addresses": ["203.0.113.11"],
        "haproxy_ssl_letsencrypt_email": "ops@example.org",
    }
    assert render(WEB, **settings).model["acme_certificates"] == []
    rendered = render(WEB, **settings, haproxy_ssl_letsencrypt_enable=True)
    assert rendered.model["acme_certificates"] == [
        {
            "name": "www.example.org",
            "domains": ["www.example.org"],
            "files": ["haproxy_lb1-203.0.113.10", "haproxy_lb1-203.0.113.11"],
        }
    ]
    wild = render(
        WEB,
        **settings,
        haproxy_ssl_letsencrypt_enable=True,
        haproxy_ssl_letsencrypt_domains=["*.example.org"],
        haproxy_ssl_letsencrypt_certbot_challenge="dns-01",
        haproxy_ssl_letsencrypt_certbot_authenticator="dns-rfc2136",
    )
    assert [(each["name"], each["domains"]) for each in wild.model["acme_certificates"]] == [
        ("example.org", ["*.example.org"])
    ]


def test_a_vip_chooses_a_certificate_of_an_acme_server(render: Render, haproxy_says: Says) -> None:
    """Until it is there, the VIP shows one of the authority, with the VIP's names."""
    www, shop, office = (f"haproxy_lb1-{address}" for address in ("203.0.113.10", "203.0.113.11", "10.0.0.10"))
    settings = {
        "external_lb_vip_address": "www.example.org",
        "haproxy_ssl_letsencrypt_enable": True,
        "haproxy_ssl_letsencrypt_email": "ops@example.org",
        "haproxy_ssl_letsencrypt_certificates": [
            {"name": "shop", "domains": ["shop.example.org"]},
            {"name": "spare", "domains": ["spare.example.org"]},
        ],
        # One of the user's for all others is not for these.
        "haproxy_user_ssl_cert": "/own.crt",
        "haproxy_user_ssl_key": "/own.key",
    }
    binds = [
        {"address": "203.0.113.10"},
        {"address": "203.0.113.11", "pki_san_records": ["shop.example.org"], "letsencrypt": "shop"},
        {"address": "10.0.0.10", "type": "internal"},
    ]
    service = {**WEB, "haproxy_ssl": True, "haproxy_ssl_all_vips": True}

    def files(rendered: Rendered) -> dict[str, list[str]]:
        return {each["name"]: each["files"] for each in rendered.model["acme_certificates"]}

    rendered = render(service, haproxy_vip_binds=binds, **settings)
    assert files(rendered) == {"www.example.org": [www], "shop": ["shop", shop], "spare": ["spare"]}
    made = {each["name"]: each["san"]["dns"] for each in rendered.model["certificates"]}
    assert made[shop] == ["www.example.org", "shop.example.org"]
    assert [each["name"] for each in rendered.model["user_certificates"]] == [www, office]
    assert any(f"/{shop}.pem " in line for line in rendered.section("frontend web-front-2"))
    assert haproxy_says(rendered) == []
    # By its name the first is there for others as well; nobody orders what nobody shows, or looks at its names.
    binds[2]["letsencrypt"] = "www.example.org"
    assert files(render(service, haproxy_vip_binds=binds, **settings))["www.example.org"] == [www, office]
    binds[0]["letsencrypt"] = binds[2]["letsencrypt"] = "shop"
    rendered = render(service, haproxy_vip_binds=binds, **{**settings, "external_lb_vip_address": "203.0.113.10"})
    assert files(rendered) == {"shop": ["shop", www, shop, office], "spare": ["spare"]}


def test_haproxy_starts_with_a_certificate_for_each_that_an_acme_server_is_to_issue(render: Render) -> None:
    shop = {"name": "shop", "domains": ["shop.example.org", "*.shop.example.org"]}
    for kind, key_type in (("ECDSA", "ECDSA"), ("RSA", "RSA"), ("both", "ECDSA")):
        rendered = render(
            WEB,
            haproxy_ssl_letsencrypt_certificates=[shop],
            haproxy_ssl_letsencrypt_certbot_challenge="dns-01",
            haproxy_pki_key_type=kind,
        )
        (made,) = (entry for entry in rendered.model["certificates"] if entry["name"] == "shop")
        assert (made["key_type"], made["cn"]) == (key_type, "shop.example.org")
        assert made["san"] == {"dns": shop["domains"], "ip": []}


def test_both_protocols_on_one_port(render: Render, haproxy_says: Says) -> None:
    rendered = render(
        {
            **WEB,
            "haproxy_ssl": True,
            "haproxy_accept_both_protocols": True,
            "haproxy_allowlist_networks": ["10.0.0.0/8"],
        }
    )
    assert rendered.section(FRONT)[0] == "bind 203.0.113.10:80"
    assert rendered.section("frontend web-tls-front-1")[0].startswith("bind abns@web-tls-front-1 ssl crt ")
    # The inner frontends learn the client's address and judge it too.
    for inner in ("tls", "plain"):
        section = rendered.section(f"frontend web-{inner}-front-1")
        assert section[0].endswith("accept-proxy")
        assert "tcp-request session reject if !allow_list" in section
        assert rendered.section(f"backend web-{inner}-front-1")[-1].endswith("send-proxy-v2")
    assert haproxy_says(rendered) == []


def test_a_reload_loses_no_request_in_any_http_section(render: Render) -> None:
    """An old worker answers once more on a connection that is idle, and tells the client to close it."""
    services = [
        {**WEB, "haproxy_ssl": True, "haproxy_port": 443, "haproxy_redirect_http_port": 80},
        {
            **WEB,
            "haproxy_service_name": "both",
            "haproxy_port": 8443,
            "haproxy_ssl": True,
            "haproxy_accept_both_protocols": True,
        },
        {**WEB, "haproxy_service_name": "tcp", "haproxy_port": 99, "haproxy_balance_type": "tcp"},
    ]
    rendered = render(*services, haproxy_stats_enabled=True, haproxy_stats_password="x")
    sections = {
        heading: rendered.section(heading) for heading in rendered.headings() if not heading.startswith("backend")
    }
    http = {heading for heading, lines in sections.items() if heading == "listen stats" or "mode http" in lines}
    assert len(http) > 6
    assert {heading for heading, lines in sections.items() if "option idle-close-on-response" in lines} == http


def test_rules_stand_in_the_order_haproxy_evaluates_them(render: Render, haproxy_says: Says) -> None:
    rendered = render(
        {
            **WEB,
            "haproxy_acls": {"a": {"rule": "path /a"}},
            "haproxy_maps": ["use_backend web-back if { path /m }"],
            "haproxy_frontend_raw": [
                "redirect location / if { path /old }",
                "http-request deny if evil",
                "tcp-request content accept",
                "tcp-request connection accept",
                "acl evil path /evil",
                "monitor fail if evil",
            ],
        }
    )
    words = [line.split()[0] for line in rendered.section(FRONT)]
    order = ["acl", "tcp-request", "monitor", "http-request", "redirect", "use_backend", "default_backend"]
    assert [word for word in words if word in order] == sorted(
        (word for word in words if word in order), key=order.index
    )
    assert haproxy_says(rendered) == []


def test_what_haproxy_would_warn_of_is_left_out_and_told(render: Render, haproxy_says: Says) -> None:
    rendered = render({**WEB, "haproxy_backend_options": ["forwardfor", "httpchk", "httplog"]})
    assert rendered.section(BACK).count("option forwardfor") == 1
    assert "option httplog" not in rendered.section(BACK)
    assert any("belongs to frontends" in warning for warning in rendered.warnings)
    assert haproxy_says(rendered) == []


def test_global_lines_about_http_stay_out_of_tcp_sections(render: Render, haproxy_says: Says) -> None:
    rendered = render(
        {**WEB, "haproxy_balance_type": "tcp"},
        haproxy_frontend_extra_raw=["http-response set-header X-A b"],
        haproxy_stick_table=["stick-table type ip size 1k", "http-request track-sc0 src"],
    )
    assert "http-response set-header X-A b" not in rendered.section(FRONT)
    assert "http-request track-sc0 src" not in rendered.section(BACK)
    assert haproxy_says(rendered) == []


def test_a_service_that_listens_nowhere_is_there_for_others(render: Render, haproxy_says: Says) -> None:
    hidden = {**WEB, "haproxy_service_name": "hidden", "haproxy_bind": [], "haproxy_ssl": True}
    rendered = render({**WEB, "haproxy_acls": {"h": {"rule": "path_beg /h", "backend_name": "hidden"}}}, hidden)
    assert rendered.headings() == [
        "frontend web-front-1",
        "frontend web-front-2",
        "backend web-back",
        "backend hidden-back",
    ]
    assert haproxy_says(rendered) == []


def test_a_service_limited_to_no_load_balancer_is_on_none(render: Render) -> None:
    assert "other" not in render(WEB, {**WEB, "haproxy_service_name": "other", "haproxy_limit_hosts": []}).text


def test_no_option_forwardfor_that_nobody_could_take_back(render: Render, haproxy_says: Says) -> None:
    for choice in ("set", "pass", "off"):
        rendered = render({**WEB, "haproxy_forwarded_for": choice, "haproxy_trusted_proxies": ["192.0.2.0/24"]})
        assert "forwardfor" not in rendered.text
        assert haproxy_says(rendered) == []


def test_proxies_have_no_headers_in_tcp_mode(render: Render, haproxy_says: Says) -> None:
    """So an allow list there is about whoever connects."""
    tcp = {**WEB, "haproxy_balance_type": "tcp", "haproxy_allowlist_networks": ["10.0.0.0/8"]}
    rendered = render(tcp, haproxy_trusted_proxies=["192.0.2.0/24"])
    assert "192.0.2.0/24" not in rendered.text
    assert haproxy_says(rendered) == []


def test_services_that_are_not_wanted_leave_no_trace(render: Render) -> None:
    other = {**WEB, "haproxy_service_name": "other", "haproxy_port": 81}
    for key, value in (("state", "absent"), ("haproxy_service_enabled", False), ("haproxy_limit_hosts", ["lb10"])):
        assert "other" not in render(WEB, {**other, key: value}).text
    assert "backend other-back" in render(WEB, {**other, "haproxy_limit_hosts": ["lb1"]}).text


def test_a_service_without_servers_is_there_and_told(render: Render, haproxy_says: Says) -> None:
    empty = {**WEB, "haproxy_service_name": "empty", "haproxy_backend_nodes": []}
    rendered = render({**WEB, "haproxy_default_backend": "empty"}, {**empty, "haproxy_port": 81})
    assert "default_backend empty-back" in rendered.section(FRONT)
    assert rendered.section("backend empty-back") == ["mode http", "balance leastconn", "option forwardfor"]
    assert rendered.warnings == ["is empty, so clients get status 503 until it has servers"]
    assert haproxy_says(rendered) == []


def test_maps_are_sorted_by_order_then_service(render: Render) -> None:
    def entries(order: str, *lines: str) -> dict[str, t.Any]:
        return {"haproxy_map_entries": [{"name": "m", "order": order, "entries": list(lines)}]}

    rendered = render(
        {**WEB, "haproxy_service_name": "c", "haproxy_port": 1, **entries("10", "k1 v")},
        {**WEB, "haproxy_service_name": "b", "haproxy_port": 2, **entries("00", "k3 v", "k2 v")},
        {**WEB, "haproxy_service_name": "a", "haproxy_port": 3, **entries("10", "k0 v")},
    )
    assert rendered.model["maps"] == {"m.map": "k3 v\nk2 v\nk0 v\nk1 v\n"}


def test_more_networks_than_words_on_a_line(render: Render, haproxy_says: Says) -> None:
    rendered = render({**WEB, "haproxy_allowlist_networks": [f"10.{number}.0.0/16" for number in range(200)]})
    assert haproxy_says(rendered) == []


def test_equal_input_gives_equal_bytes(render: Render) -> None:
    services = [{**WEB, "haproxy_service_name": f"s{number}", "haproxy_port": 1000 + number} for number in range(20)]
    assert render(*services).text == render(*[dict(reversed(service.items())) for service in services]).text


def test_many_services_of_every_kind_please_haproxy(render: Render, haproxy_says: Says) -> None:
    services = [
        {**WEB, **keys, "haproxy_service_name": "web" if index == 0 else f"s{index}", "haproxy_port": 2000 + index}
        for index, (keys, _heading, _line) in enumerate(LINES)
        if "haproxy_redirect_http_port" not in keys and "haproxy_maps" not in keys
    ]
    assert len(services) > 50
    assert haproxy_says(render(*services)) == []


def test_nodes_stay_in_the_order_of_the_list(render: Render) -> None:
    servers = [line.split()[1] for line in render(WEB).section(BACK) if line.startswith("server ")]
    assert servers == [node["name"] for node in NODES]
