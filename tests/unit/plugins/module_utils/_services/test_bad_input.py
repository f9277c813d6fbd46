# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every mistake is found, at its place, in words that help. One row a mistake."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.problems import Invalid, Problem
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.validate import check

NODE = {"name": "w1", "ip_addr": "10.0.0.21"}
WEB = {"haproxy_service_name": "web", "haproxy_port": 80, "haproxy_backend_nodes": [NODE]}
API = {"haproxy_service_name": "api", "haproxy_port": 81, "haproxy_backend_nodes": [NODE]}
VIPS = {
    "external_lb_vip_address": "203.0.113.10",
    "internal_lb_vip_address": "10.0.0.10",
    "haproxy_host": "lb1",
    "inventory_hostname": "lb1",
    "haproxy_hosts": ["lb1", "lb2"],
    "haproxy_pki_names": ["shop"],
}
HOSTS = {"web1": "10.0.0.21", "web2": "10.0.0.22"}

S0 = "haproxy_service_configs[0]"
S1 = "haproxy_service_configs[1]"

# What is added to the service "web", where the mistake is found, and words of what is said.
WRONG_KEYS: list[tuple[dict[str, t.Any], str, str]] = [
    ({"haproxy_prot": 80}, "haproxy_prot", "not a key of a service. Did you mean haproxy_port?"),
    ({"haproxy_backend_node": []}, "haproxy_backend_node", "Did you mean haproxy_backend_nodes?"),
    ({"balance": "source"}, "balance", "is not a key of a service"),
    ({"haproxy_tcp_upgrade_frontend": True}, "haproxy_tcp_upgrade_frontend", "Use haproxy_accept_both_protocols"),
    ({"haproxy_tls_vip_binds": []}, "haproxy_tls_vip_binds", "It is a role variable"),
    ({"haproxy_service_name": "a b"}, "haproxy_service_name", "is not a name"),
    ({"haproxy_service_name": "a/b"}, "haproxy_service_name", "Use letters, digits"),
    ({"haproxy_service_name": "wéb"}, "haproxy_service_name", "is not a name"),
    ({"haproxy_service_name": ""}, "haproxy_service_name", "is missing"),
    ({"haproxy_service_name": 'we"b'}, "haproxy_service_name", "is not a name"),
    ({"haproxy_service_name": "web\nbackend evil"}, "haproxy_service_name", "newline or control character"),
    ({"state": "gone"}, "state", "is not a valid value"),
    ({"state": "presnt"}, "state", "Did you mean present?"),
    ({"haproxy_service_enabled": "maybe"}, "haproxy_service_enabled", "is not a valid value; use true or false"),
    ({"haproxy_service_enabled": 2}, "haproxy_service_enabled", "is not a valid value; use true or false"),
    ({"haproxy_limit_hosts": ["l b1"]}, "haproxy_limit_hosts[0]", "is not a name"),
    # What restricts and is empty could mean everybody or nobody: null is a list whose items are commented out.
    ({"haproxy_limit_hosts": None}, "haproxy_limit_hosts", "which could mean none or all"),
    ({"haproxy_bind": ""}, "haproxy_bind", "Write [] for none, or remove the key"),
    ({"haproxy_allowlist_networks": None}, "haproxy_allowlist_networks", "which could mean none or all"),
    ({"haproxy_whitelist_networks": ""}, "haproxy_whitelist_networks", "which could mean none or all"),
    ({"haproxy_denylist_networks": ""}, "haproxy_denylist_networks", "which could mean none or all"),
    ({"haproxy_ssl_client_ca": ""}, "haproxy_ssl_client_ca", "which could mean none or all"),
    ({"haproxy_ssl_client_crl": None}, "haproxy_ssl_client_crl", "which could mean none or all"),
    (
        {"haproxy_ssl": True, "haproxy_ssl_certificates": [{"name": "a", "hosts": []}]},
        "haproxy_ssl_certificates[0].hosts",
        "would show the certificate for every name on it",
    ),
    (
        {"haproxy_ssl": True, "haproxy_ssl_certificates": [{"name": "a", "options": ""}]},
        "haproxy_ssl_certificates[0].options",
        "which could mean none or all",
    ),
    (
        {"haproxy_trusted_proxies": "192.0.2.1", "haproxy_frontend_acls": {"trusted_proxy": {"rule": "always_true"}}},
        "haproxy_frontend_acls.trusted_proxy",
        "has the name of the trusted proxies' own ACL and would widen it",
    ),
    ({"haproxy_trusted_proxies": ["cdn.example.org"]}, "haproxy_trusted_proxies[0]", "is not a network"),
    ({"haproxy_forwarded_for": "maybe"}, "haproxy_forwarded_for", "use add, set, pass or off"),
    # HAProxy has no "no option forwardfor".
    (
        {"haproxy_forwarded_for": "off", "haproxy_backend_options": ["forwardfor header X-Client"]},
        "haproxy_forwarded_for",
        "contradicts 'option forwardfor header X-Client'",
    ),
    (
        {"haproxy_ssl": True, "haproxy_accept_both_protocols": True, "haproxy_single_frontend": True},
        "haproxy_single_frontend",
        "exclude each other",
    ),
    (
        {
            "haproxy_connections_per_source": 5,
            "haproxy_frontend_raw": ["http-request deny if { sc_conn_rate(2) gt 5 }"],
        },
        "haproxy_connections_per_source",
        "takes the counter sc2",
    ),
    ({"haproxy_connections_per_source": -1}, "haproxy_connections_per_source", "out of range"),
    ({"haproxy_port": 0}, "haproxy_port", "out of range for a port"),
    ({"haproxy_port": 65536}, "haproxy_port", "Use 1 to 65535"),
    ({"haproxy_port": -1}, "haproxy_port", "out of range"),
    ({"haproxy_port": "http"}, "haproxy_port", "is not a port"),
    ({"haproxy_port": 80.5}, "haproxy_port", "is not a port"),
    ({"haproxy_port": True}, "haproxy_port", "is not a port"),
    ({"haproxy_port": [80]}, "haproxy_port", "is not a port"),
    ({"haproxy_port": "+1"}, "haproxy_port", "is not a port"),
    ({"haproxy_backend_port": 99999}, "haproxy_backend_port", "out of range"),
    ({"haproxy_check_port": "x"}, "haproxy_check_port", "is not a port"),
    ({"haproxy_bind": "10.0.0.300"}, "haproxy_bind", "neither an IP address nor a DNS name"),
    ({"haproxy_bind": ["10.0.0.1/24"]}, "haproxy_bind[0]", "without prefix length"),
    ({"haproxy_bind": ["10.0.0.1:80"]}, "haproxy_bind[0]", "without prefix length and port"),
    ({"haproxy_bind": ["fe80::zz"]}, "haproxy_bind[0]", "neither an IP address"),
    ({"haproxy_bind": [{"interface": "eth0"}]}, "haproxy_bind[0].address", "is missing"),
    (
        {"haproxy_bind": [{"address": "*", "interface": "an-interface-too-long"}]},
        "haproxy_bind[0].interface",
        "15 characters",
    ),
    ({"haproxy_bind": [{"addres": "*"}]}, "haproxy_bind[0].addres", "Did you mean address?"),
    ({"haproxy_bind": 80}, "haproxy_bind", "is not a list"),
    ({"haproxy_bind_options": ["accept-proxy\nbind *:22"]}, "haproxy_bind_options[0]", "newline"),
    ({"haproxy_frontend_maxconn": 0}, "haproxy_frontend_maxconn", "out of range"),
    ({"haproxy_frontend_maxconn": "many"}, "haproxy_frontend_maxconn", "is not a number of connections"),
    ({"haproxy_frontend_only": "x"}, "haproxy_frontend_only", "is not a valid value; use true or false"),
    ({"haproxy_backend_only": True, "haproxy_frontend_only": True}, "haproxy_backend_only", "exclude each other"),
    ({"haproxy_balance_type": "https"}, "haproxy_balance_type", "Did you mean http?"),
    ({"haproxy_balance_type": "udp"}, "haproxy_balance_type", "use http or tcp"),
    ({"haproxy_balance_alg": "round-robin"}, "haproxy_balance_alg", "Did you mean roundrobin?"),
    ({"haproxy_balance_alg": "leastcon"}, "haproxy_balance_alg", "Did you mean leastconn?"),
    ({"haproxy_balance_alg": "hdr"}, "haproxy_balance_alg", "takes its arguments"),
    ({"haproxy_balance_alg": "source\nserver evil 10.6.6.6:80"}, "haproxy_balance_alg", "newline"),
    ({"haproxy_ssl": "tls"}, "haproxy_ssl", "is not a valid value; use true or false"),
    ({"haproxy_ssl_path": "web.pem"}, "haproxy_ssl_path", "absolute path"),
    (
        {"haproxy_bind": [{"address": "10.0.0.99", "user_ssl_cert": "/a.crt"}]},
        "haproxy_bind[0].user_ssl_key",
        "user_ssl_cert needs it",
    ),
    (
        {"haproxy_bind": [{"address": "203.0.113.10", "user_ssl_cert": "/a.crt", "user_ssl_key": "/a.key"}]},
        "haproxy_bind[0].user_ssl_cert",
        "haproxy_vip_binds",
    ),
    ({"haproxy_ssl_path": "/root/web.pem"}, "haproxy_ssl_path", "names /root/web.pem, which the sandbox"),
    (
        {"haproxy_backend_arguments": ["http-request return status 200 file /tmp/page"]},
        "haproxy_backend_arguments[0]",
        "/tmp/page",
    ),
    ({"haproxy_ssl_client_ca": "ca.pem"}, "haproxy_ssl_client_ca", "absolute path"),
    ({"haproxy_ssl_client_crl": "/a.crl"}, "haproxy_ssl_client_crl", "CA that is not named"),
    ({"haproxy_ssl_client_verify": "maybe"}, "haproxy_ssl_client_verify", "required"),
    ({"haproxy_ssl_certificates": [{"hosts": ["a"]}]}, "haproxy_ssl_certificates[0].name", "is missing"),
    (
        {"haproxy_ssl": True, "haproxy_ssl_certificates": ["shpo"]},
        "haproxy_ssl_certificates[0].name",
        "haproxy_user_certificates or haproxy_ssl_letsencrypt_certificates. Did you mean shop?",
    ),
    (
        {"haproxy_frontend_raw": ["tcp-request content accept if white_list"]},
        "haproxy_frontend_raw[0]",
        "The ACL of the allow list is allow_list.",
    ),
    ({"haproxy_frontend_raw": ["use_backend webb-back if { path / }"]}, "haproxy_frontend_raw[0]", "Did you mean web?"),
    ({"haproxy_frontend_raw": ["use_backend 'webb-back' if { path / }"]}, "haproxy_frontend_raw[0]", "you mean web?"),
    (
        {"haproxy_stick_table": ["stick on src table 'nosuch-back'"]},
        "haproxy_stick_table[0]",
        "'nosuch' is not a service",
    ),
    (
        {"haproxy_backend_arguments": ["http-request track-sc0 src table nosuch-back"]},
        "haproxy_backend_arguments[0]",
        "'nosuch' is not a service",
    ),
    ({"haproxy_ssl_certificates": ["a b"]}, "haproxy_ssl_certificates[0]", "a name or an absolute path"),
    ({"haproxy_ssl_certificates": ["../a"]}, "haproxy_ssl_certificates[0]", "a name or an absolute path"),
    (
        {"haproxy_ssl_certificates": [{"name": "a", "hosts": "a b"}]},
        "haproxy_ssl_certificates[0].hosts",
        "*.example.org",
    ),
    (
        {"haproxy_ssl_certificates": [{"name": "a", "options": "verify none] b"}]},
        "haproxy_ssl_certificates[0].options",
        "without brackets",
    ),
    ({"haproxy_ssl_all_vips": []}, "haproxy_ssl_all_vips", "is not a valid value; use true or false"),
    ({"haproxy_redirect_http_port": 8080}, "haproxy_redirect_http_port", "redirects to TLS"),
    ({"haproxy_ssl": True, "haproxy_redirect_http_port": 0}, "haproxy_redirect_http_port", "out of range"),
    ({"haproxy_redirect_scheme": ["https"]}, "haproxy_redirect_scheme", "is not text"),
    ({"haproxy_acls": ["path /x"]}, "haproxy_acls", "is not a dictionary"),
    ({"haproxy_acls": {"a b": {"rule": "path /x"}}}, "haproxy_acls.a b", "is not a name"),
    ({"haproxy_acls": {"a": {}}}, "haproxy_acls.a.rule", "is missing"),
    ({"haproxy_acls": {"a": {"rule": "path /x\nuse_backend evil"}}}, "haproxy_acls.a.rule", "newline"),
    (
        {"haproxy_acls": {"a": {"rule": "path /x", "backend": "api"}}},
        "haproxy_acls.a.backend",
        "Did you mean backend_name?",
    ),
    (
        {"haproxy_acls": {"a": {"rule": "path /x", "backend_name": "aip"}}},
        "haproxy_acls.a.backend_name",
        "is not a service",
    ),
    ({"haproxy_acls": {"a": "path /x"}}, "haproxy_acls.a", "is not an ACL"),
    ({"haproxy_frontend_acls": {"a": {"rule": ""}}}, "haproxy_frontend_acls.a.rule", "is missing"),
    (
        {
            "haproxy_ssl": True,
            "haproxy_balance_type": "tcp",
            "haproxy_redirect_http_port": 8080,
            "haproxy_frontend_acls": {"a": {"rule": "path /x"}},
        },
        "haproxy_frontend_acls.a",
        "this service, which is tcp",
    ),
    (
        {"haproxy_ssl": True, "haproxy_frontend_acls": {"le": {"rule": "path /x", "backend_name": "letsencrypt"}}},
        "haproxy_frontend_acls.le.backend_name",
        "is not a service",
    ),
    ({"haproxy_default_backend": "nobody"}, "haproxy_default_backend", "is not a service"),
    ({"haproxy_default_backend": "webb"}, "haproxy_default_backend", "Did you mean web?"),
    ({"haproxy_maps": {"a": 1}}, "haproxy_maps", "is not text"),
    ({"haproxy_map_entries": [{"entries": ["/ web-back"]}]}, "haproxy_map_entries[0].name", "is missing"),
    ({"haproxy_map_entries": [{"name": "m"}]}, "haproxy_map_entries[0].entries", "is missing"),
    (
        {"haproxy_map_entries": [{"name": "../m", "entries": ["a b"]}]},
        "haproxy_map_entries[0].name",
        "is not a file name",
    ),
    (
        {
            "haproxy_maps": ["use_backend %[path,map_reg(/etc/haproxy/m.map)]"],
            "haproxy_map_entries": [{"name": "m", "entries": ["alone"]}],
        },
        "haproxy_map_entries[0].entries[0]",
        "has no value",
    ),
    ({"haproxy_map_entries": [{"name": "m", "entries": ["a b\nc d"]}]}, "haproxy_map_entries[0].entries[0]", "newline"),
    (
        {
            "haproxy_maps": ["use_backend %[path,map_reg(/etc/haproxy/m.map)]"],
            "haproxy_map_entries": [{"name": "m", "entries": ["/ web-back", "/x nobody-back"]}],
        },
        "haproxy_map_entries[0].entries[1]",
        "'nobody' is not a service",
    ),
    (
        {
            "haproxy_maps": ["use_backend %[path,map_reg(/etc/haproxy/m.map)]"],
            "haproxy_map_entries": [{"name": "m", "entries": ["/ web"]}],
        },
        "haproxy_map_entries[0].entries[0]",
        "Write web-back",
    ),
    ({"haproxy_allowlist_networks": ["10.0.0.0/33"]}, "haproxy_allowlist_networks[0]", "is not a network"),
    ({"haproxy_whitelist_networks": "everyone"}, "haproxy_whitelist_networks", "is not a network"),
    ({"haproxy_allowlist_networks": ["10.0.0/8"]}, "haproxy_allowlist_networks[0]", "CIDR"),
    (
        {"haproxy_whitelist_networks": ["10.0.0.0/8"], "haproxy_allowlist_networks": ["10.0.0.0/8"]},
        "haproxy_allowlist_networks",
        "given twice",
    ),
    (
        {"haproxy_whitelist_networks": ["10.0.0.0/8"], "haproxy_allowlist_networks": ["192.0.2.0/24"]},
        "haproxy_allowlist_networks",
        "['192.0.2.0/24'] is given twice: haproxy_whitelist_networks, another name of the same key, is ['10.0.0.0/8']",
    ),
    ({"interval": 2000, "haproxy_interval": 3000}, "haproxy_interval", "3000 is given twice: interval,"),
    ({"haproxy_http_keepalive_mode": "keep-alive"}, "haproxy_http_keepalive_mode", "Did you mean http-keep-alive?"),
    ({"haproxy_frontend_raw": ["acl a path /\x00"]}, "haproxy_frontend_raw[0]", "control character"),
    ({"haproxy_frontend_raw": ["backend evil"]}, "haproxy_frontend_raw[0]", "does not begin another section"),
    ({"haproxy_frontend_raw": [{"acl": 1}]}, "haproxy_frontend_raw[0]", "is not text"),
    ({"haproxy_backend_nodes": ["web3"]}, "haproxy_backend_nodes[0]", "'web3' is not a host of the inventory"),
    ({"haproxy_backend_nodes": "wbe1"}, "haproxy_backend_nodes[0]", "Did you mean web1?"),
    ({"haproxy_backend_nodes": [{"ip_addr": "10.0.0.1"}]}, "haproxy_backend_nodes[0].name", "is missing"),
    (
        {"haproxy_backend_nodes": [{"name": "x", "ip_addr": "10.0.0.256"}]},
        "haproxy_backend_nodes[0].ip_addr",
        "neither",
    ),
    (
        {"haproxy_backend_nodes": [{"name": "x", "ip": "10.0.0.2"}]},
        "haproxy_backend_nodes[0].ip",
        "not a key of a backend node",
    ),
    ({"haproxy_backend_nodes": [{**NODE, "backend_port": 0}]}, "haproxy_backend_nodes[0].backend_port", "out of range"),
    ({"haproxy_backend_nodes": [{**NODE, "check_port": "a"}]}, "haproxy_backend_nodes[0].check_port", "is not a port"),
    ({"haproxy_backend_nodes": [{**NODE, "weight": 257}]}, "haproxy_backend_nodes[0].weight", "Use 0 to 256"),
    ({"haproxy_backend_nodes": [{**NODE, "weight": "heavy"}]}, "haproxy_backend_nodes[0].weight", "is not a weight"),
    ({"haproxy_backend_nodes": [{**NODE, "maxconn": 0}]}, "haproxy_backend_nodes[0].maxconn", "out of range"),
    ({"haproxy_backend_nodes": [NODE, NODE]}, "haproxy_backend_nodes[1]", "already a server of this service"),
    (
        {"haproxy_backup_nodes": [NODE]},
        "haproxy_backup_nodes[0]",
        "already a server of this service, at haproxy_backend_nodes[0]",
    ),
    ({"haproxy_backend_nodes": [["web1"]]}, "haproxy_backend_nodes[0]", "is not text"),
    ({"haproxy_backend_nodes": 3}, "haproxy_backend_nodes", "is not a list"),
    (
        {"haproxy_backend_nodes": [{"name": "w1", "ip_addr": "10.0.0.1\n"}]},
        "haproxy_backend_nodes[0].ip_addr",
        "newline",
    ),
    ({"interval": "2 s"}, "interval", "is not a duration"),
    ({"interval": "25d"}, "interval", "less than 24.8 days"),
    ({"haproxy_interval": "fast"}, "haproxy_interval", "a bare number is milliseconds"),
    ({"interval": 0}, "interval", "more than 0"),
    ({"backend_rise": 0}, "backend_rise", "out of range for a count"),
    ({"haproxy_backend_fall": "often"}, "haproxy_backend_fall", "is not a count"),
    ({"haproxy_backend_httpcheck_options": 1}, "haproxy_backend_httpcheck_options", "is not a list"),
    ({"haproxy_backend_arguments": ["a\rb"]}, "haproxy_backend_arguments[0]", "newline"),
    ({"haproxy_backend_server_options": [["check"]]}, "haproxy_backend_server_options[0]", "is not text"),
    ({"haproxy_balance_type": "tcp", "haproxy_cookie": "SRV insert"}, "haproxy_cookie", "needs http"),
    ({"haproxy_http_reuse": "sometimes"}, "haproxy_http_reuse", "is not a valid value"),
    ({"haproxy_port": "9" * 5000}, "haproxy_port", "is not a port"),
    ({"interval": "9" * 6000}, "interval", "is not a duration"),
    ({"interval": "\u0661\u0662s"}, "interval", "is not a duration"),
    ({"haproxy_bind": ["fe80::1%eth0"]}, "haproxy_bind[0]", "names an interface"),
    ({"haproxy_allowlist_networks": ["fe80::1%eth0"]}, "haproxy_allowlist_networks[0]", "is not a network"),
    ({"haproxy_allowlist_networks": ""}, "haproxy_allowlist_networks", "is empty, which could mean none or all"),
    ({"haproxy_bind": " "}, "haproxy_bind", "is empty, which could mean none or all"),
    ({"haproxy_limit_hosts": ""}, "haproxy_limit_hosts", "Write [] for none, or remove the key"),
    (
        {"haproxy_denylist_networks": ["10.0.0.0/8"], "haproxy_acls": {"deny_list": {"rule": "path /"}}},
        "haproxy_acls.deny_list",
        "has the name of the deny list's own ACL",
    ),
    (
        {"haproxy_allowlist_networks": ["10.0.0.0/8"], "haproxy_acls": {"allow_list": {"rule": "path /"}}},
        "haproxy_acls.allow_list",
        "would widen it",
    ),
    ({"haproxy_balance_alg": "random(0)"}, "haproxy_balance_alg", "takes its arguments"),
    ({"haproxy_balance_type": "tcp", "haproxy_balance_alg": "uri"}, "haproxy_balance_alg", "needs http"),
    ({"haproxy_acls": {"or": {"rule": "path /"}}}, "haproxy_acls.or", "is not a name of an ACL"),
    ({"haproxy_backend_ssl": True, "haproxy_backend_sni": "a b"}, "haproxy_backend_sni", "is not a DNS name"),
    (
        {"haproxy_backend_arguments": ["log-forward x"]},
        "haproxy_backend_arguments[0]",
        "does not begin another section",
    ),
    ({"haproxy_frontend_raw": [".if true"]}, "haproxy_frontend_raw[0]", "does not begin another section"),
    ({"haproxy_retry_on": ["conn failure"]}, "haproxy_retry_on[0]", "Did you mean conn-failure?"),
    ({"haproxy_retry_on": ["none", "503"]}, "haproxy_retry_on", "excludes all others"),
    ({"haproxy_backend_ca": "ca.pem"}, "haproxy_backend_ca", "neither true, false nor an absolute path"),
    (
        {"haproxy_backend_ssl": True, "haproxy_backend_verifyhost": "a.example.org"},
        "haproxy_backend_verifyhost",
        "never verified without a CA",
    ),
    (
        {"haproxy_backend_verifyhost": "-bad-.example"},
        "haproxy_backend_verifyhost",
        "neither an IP address nor a DNS name",
    ),
    ({"haproxy_timeout_client": "1 hour"}, "haproxy_timeout_client", "is not a duration"),
    ({"haproxy_timeout_server": -5}, "haproxy_timeout_server", "is not a duration"),
    ({"haproxy_timeout_tunnel": []}, "haproxy_timeout_tunnel", "is not a duration"),
    ({"haproxy_timeout_queue": "0"}, "haproxy_timeout_queue", "more than 0"),
    ({"haproxy_timeout_client": 0}, "haproxy_timeout_client", "switches the timeout off"),
    ({"haproxy_port": "8000-8010"}, "haproxy_port", "is a port range, which is not supported. Write one service for"),
    ({"haproxy_bind": ["/run/web.sock"]}, "haproxy_bind[0]", "is a UNIX socket, which is not supported"),
    ({"haproxy_bind": ["quic4@192.0.2.1"]}, "haproxy_bind[0]", "begins with an address family"),
    (
        {"haproxy_backend_nodes": [{"name": "x", "ip_addr": "unix@/run/app.sock"}]},
        "haproxy_backend_nodes[0].ip_addr",
        "is a UNIX socket, which is not supported. Use the address of a TCP socket.",
    ),
    (
        {"haproxy_backend_nodes": [{"name": "x", "ip_addr": "10.0.0.1:8080"}]},
        "haproxy_backend_nodes[0].ip_addr",
        "the port has its own key",
    ),
    ({"haproxy_timeout_check": True}, "haproxy_timeout_check", "is not a duration"),
]

# Whole lists of services.
WRONG_LISTS: list[tuple[t.Any, str, str]] = [
    ("web", "haproxy_service_configs", "is not a list"),
    ({"service": WEB}, "haproxy_service_configs", "Write a list of service dictionaries"),
    ([["web"]], S0, "is not a service"),
    ([{}], f"{S0}.haproxy_service_name", "is missing"),
    ([{"service": "web"}], S0, "is not a service"),
    ([{"haproxy_service_name": "web", "haproxy_backend_nodes": [NODE]}], f"{S0}.haproxy_port", "is missing"),
    ([{"haproxy_service_name": "web", "haproxy_port": 80}], f"{S0}.haproxy_backend_nodes", "is missing"),
    (
        [{"haproxy_service_name": "web", "haproxy_backend_only": True, "haproxy_backend_nodes": [NODE]}],
        f"{S0}.haproxy_backend_nodes[0]",
        "has no port",
    ),
    (["just text", WEB], S0, "is not a service"),
    ([WEB, {**API, "haproxy_port": 80, "haproxy_bind": ["::ffff:10.0.0.10"]}], f"{S1}.haproxy_port", "already taken"),
    (
        [
            {**WEB, "haproxy_port": 443, "haproxy_ssl": True, "haproxy_redirect_http_port": 80},
            {**API, "haproxy_service_name": "web-redirect"},
        ],
        f"{S1}.haproxy_service_name",
        "the name of a redirect frontend",
    ),
    (
        [{**WEB, "haproxy_service_name": "x" * 81, "haproxy_ssl": True, "haproxy_accept_both_protocols": True}],
        f"{S0}.haproxy_service_name",
        "is too long",
    ),
    ([WEB, {**API, "haproxy_service_name": "web"}], f"{S1}.haproxy_service_name", f"is already the name of {S0}"),
    ([WEB, {**API, "haproxy_port": 80}], f"{S1}.haproxy_port", 'already taken by service "web"'),
    ([{**WEB, "haproxy_bind": ["*", "0.0.0.0"]}], f"{S0}.haproxy_port", "would go to either at random"),
    (
        [
            {**WEB, "haproxy_bind": [{"address": "*", "interface": "eth0"}]},
            {**API, "haproxy_port": 80, "haproxy_bind": ["*"]},
        ],
        f"{S1}.haproxy_port",
        "would go to either at random",
    ),
    ([{**WEB, "haproxy_bind": ["10.0.0.10", "10.0.0.10"]}], f"{S0}.haproxy_port", "already taken"),
    (
        [WEB, {**API, "haproxy_ssl": True, "haproxy_redirect_http_port": 80}],
        f"{S1}.haproxy_redirect_http_port",
        "already taken",
    ),
    (
        [{**WEB, "haproxy_acls": {"a": {"rule": "path /", "backend_name": "api"}}}, {**API, "state": "absent"}],
        f"{S0}.haproxy_acls.a.backend_name",
        "is a disabled service",
    ),
    (
        [{**WEB, "haproxy_default_backend": "api"}, {**API, "haproxy_service_enabled": False}],
        f"{S0}.haproxy_default_backend",
        "is a disabled service",
    ),
    (
        [{**WEB, "haproxy_backend_options": ["external-check"]}],
        f"{S0}.haproxy_backend_options[0]",
        "missing in HAProxy's chroot, so every server would be down",
    ),
    (
        [{**WEB, "haproxy_backend_arguments": ["external-check command /bin/true", "option external-check"]}],
        f"{S0}.haproxy_backend_arguments[1]",
        "missing in HAProxy's chroot",
    ),
    (
        [{**WEB, "haproxy_balance_type": "tcp", "haproxy_backend_server_options": ["proto h2"]}],
        f"{S0}.haproxy_backend_server_options",
        "needs http, and the service is tcp",
    ),
    (
        [{**WEB, "haproxy_backend_nodes": [{**NODE, "backend_server_options": ["check-proto h2"]}]}],
        f"{S0}.haproxy_backend_nodes[0].backend_server_options",
        "is for HTTP checks, but the service has others",
    ),
    (
        [{**WEB, "haproxy_backend_server_options": ["track api-back/w9"]}, API],
        f"{S0}.haproxy_backend_server_options",
        'is tracked but is not a server of service "api"',
    ),
    (
        [{**WEB, "haproxy_backend_nodes": [{**NODE, "backend_server_options": ["track w1 agent-check"]}]}],
        f"{S0}.haproxy_backend_nodes[0].backend_server_options",
        "has checks of its own",
    ),
    (
        [
            {**WEB, "haproxy_backend_server_options": ["track api-back/w1"]},
            {
                **API,
                "haproxy_backend_nodes": [
                    {"name": "w1", "ip_addr": "10.0.0.1", "backend_server_options": ["no-check"]}
                ],
            },
        ],
        f"{S0}.haproxy_backend_server_options",
        "is tracked but has no health check",
    ),
    (
        [{**WEB, "haproxy_balance_type": "tcp", "haproxy_backend_ssl_check": True, "haproxy_backend_verifyhost": "a"}],
        f"{S0}.haproxy_backend_verifyhost",
        "is never verified without a CA",
    ),
    (
        [{**WEB, "haproxy_default_backend": "api"}, {**API, "haproxy_balance_type": "tcp"}],
        f"{S0}.haproxy_default_backend",
        "is a tcp service",
    ),
    (
        [{**WEB, "haproxy_default_backend": "api"}, {**API, "haproxy_frontend_only": True}],
        f"{S0}.haproxy_default_backend",
        "haproxy_frontend_only is set",
    ),
]

LETSENCRYPT = {
    "haproxy_ssl_letsencrypt_enable": True,
    "haproxy_ssl_letsencrypt_email": "ops@example.org",
    "external_lb_vip_address": "www.example.org",
}

WRONG_SETTINGS: list[tuple[dict[str, t.Any], str, str]] = [
    ({"haproxy_defaults_raw": ["option external-check"]}, "haproxy_defaults_raw[0]", "missing in HAProxy's chroot"),
    ({"haproxy_stats_enabled": True}, "haproxy_stats_password", "Set one from a vault"),
    ({"haproxy_stats_enabled": True, "haproxy_stats_password": "x\ny"}, "haproxy_stats_password", "(hidden)"),
    (
        {
            "haproxy_stats_enabled": True,
            "haproxy_stats_password": "x",
            "haproxy_stats_port": 80,
            "haproxy_stats_bind_address": "*",
        },
        f"{S0}.haproxy_port",
        "already taken by haproxy_stats_port",
    ),
    ({"haproxy_stats_port": 70000}, "haproxy_stats_port", "out of range"),
    (
        {"haproxy_hatop_download_url": "https://mirror.example.org/hatop.tar.gz"},
        "haproxy_hatop_download_checksum",
        "is required when haproxy_hatop_download_url is set",
    ),
    ({"haproxy_tuning_params": {"nbproc": 2}}, "haproxy_tuning_params.nbproc", "Use nbthread"),
    ({"haproxy_tuning_params": {"tune.bufsize": [1]}}, "haproxy_tuning_params.tune.bufsize", "is not text"),
    ({"haproxy_tuning_params": {"tune bufsize": 1}}, "haproxy_tuning_params.tune bufsize", "is not a global keyword"),
    ({"haproxy_ssl_letsencrypt_install_method": "certbot-auto"}, "haproxy_ssl_letsencrypt_install_method", "withdrawn"),
    (
        {**LETSENCRYPT, "haproxy_ssl_letsencrypt_email": ""},
        "haproxy_ssl_letsencrypt_email",
        "is missing, and haproxy_ssl_letsencrypt_enable is true",
    ),
    ({**LETSENCRYPT, "haproxy_ssl": False}, "haproxy_ssl_letsencrypt_enable", "Set haproxy_ssl: true"),
    (
        {**LETSENCRYPT, "external_lb_vip_address": "203.0.113.10"},
        "haproxy_ssl_letsencrypt_domains[0]",
        "Set external_lb_vip_address to the external DNS name",
    ),
    ({**LETSENCRYPT, "external_lb_vip_address": "*"}, "haproxy_ssl_letsencrypt_domains[0]", "is not a DNS name"),
    (
        {**LETSENCRYPT, "haproxy_ssl_letsencrypt_domains": ["www.example.org", "2001:db8::1"]},
        "haproxy_ssl_letsencrypt_domains[1]",
        "'2001:db8::1' is not a DNS name",
    ),
    (
        {**LETSENCRYPT, "haproxy_ssl_letsencrypt_domains": ["*.example.org"]},
        "haproxy_ssl_letsencrypt_domains[0]",
        "is a wildcard",
    ),
    (
        {**LETSENCRYPT, "haproxy_ssl_letsencrypt_certbot_challenge": "dns-01"},
        "haproxy_ssl_letsencrypt_certbot_authenticator",
        "'standalone' cannot answer dns-01",
    ),
    (
        {
            **LETSENCRYPT,
            "haproxy_ssl_letsencrypt_certificates": [{"name": "www.example.org", "domains": ["a.example"]}],
        },
        "haproxy_ssl_letsencrypt_certificates[0].name",
        "is already the name of another certificate",
    ),
    (
        {**LETSENCRYPT, "haproxy_ssl_letsencrypt_certificates": [{"name": "shop", "domains": ["shop", "192.0.2.1"]}]},
        "haproxy_ssl_letsencrypt_certificates[0].domains[1]",
        "is not a DNS name",
    ),
    (
        {**LETSENCRYPT, "haproxy_ssl_letsencrypt_certificates": [{"name": "shop", "domains": []}]},
        "haproxy_ssl_letsencrypt_certificates[0].domains",
        "is empty",
    ),
    (
        {
            **LETSENCRYPT,
            "haproxy_ssl_letsencrypt_certbot_bind_address": "10.0.0.10",
            "haproxy_ssl_letsencrypt_certbot_backend_port": 80,
        },
        f"{S0}.haproxy_port",
        "already taken by haproxy_ssl_letsencrypt_certbot_backend_port (10.0.0.10:80)",
    ),
    (
        {**LETSENCRYPT, "haproxy_ssl_letsencrypt_pre_hook_timeout": "soon"},
        "haproxy_ssl_letsencrypt_pre_hook_timeout",
        "seconds",
    ),
    ({"haproxy_keepalive_mode": "close"}, "haproxy_keepalive_mode", "is not a valid value"),
    ({"haproxy_maxconn": "lots"}, "haproxy_maxconn", "is not a number of connections"),
    ({"haproxy_client_timeout": "50 seconds"}, "haproxy_client_timeout", "is not a duration"),
    ({"external_lb_vip_address": "10.0.0.1/24"}, "external_lb_vip_address", "without prefix length"),
    ({"extra_lb_vip_addresses": ["10.0.0.500"]}, "extra_lb_vip_addresses[0]", "neither an IP address"),
    ({"haproxy_vip_binds": [{"interface": "eth0"}]}, "haproxy_vip_binds[0].address", "is missing"),
    ({"haproxy_username": "a:b"}, "haproxy_username", "is not a user name"),
    ({"haproxy_errorfiles": [{"code": 999, "path": "/x"}]}, "haproxy_errorfiles[0].code", "is not a valid value"),
    (
        {"haproxy_errorfiles": [{"code": 503, "path": "/a b"}]},
        "haproxy_errorfiles[0].path",
        "neither blanks nor quotes",
    ),
    ({"haproxy_tuning_params": {"maxconn": 5}}, "haproxy_tuning_params.maxconn", "Use haproxy_maxconn"),
    ({"haproxy_tuning_params": {"description": "x"}}, "haproxy_tuning_params.description", "for the release id"),
    ({"haproxy_ssl_cert_path": "/home/ops/ssl"}, "haproxy_ssl_cert_path", "names /home/ops/ssl, which"),
    ({"haproxy_errorfiles": [{"code": 503, "path": "/root/503.http"}]}, "haproxy_errorfiles[0].path", "/root/503.http"),
    (
        {"haproxy_global_raw": ["stats socket /run/haproxy/x.sock mode 660 group telegraf level operator"]},
        "haproxy_global_raw[0]",
        "changes the owner of a socket with group",
    ),
    ({"haproxy_global_raw": ["description x"]}, "haproxy_global_raw[0]", "is reserved for the release id"),
    ({"haproxy_errorfiles": [{"code": 503, "path": "x"}]}, "haproxy_errorfiles[0].path", "is not an absolute path"),
    (
        {"haproxy_static_files": [{"dest": "/srv/x", "content": "x"}]},
        "haproxy_static_files[0].dest",
        "Put it into /etc/haproxy",
    ),
    ({"haproxy_global_raw": ["a\x0bb"]}, "haproxy_global_raw[0]", "control character"),
    ({"haproxy_global_raw": ["spread-checks 5\nbackend b"]}, "haproxy_global_raw[0]", "begin another section"),
    ({"haproxy_version": "new"}, "haproxy_version", "is not a version of HAProxy"),
    ({"haproxy_log_socket": "a b"}, "haproxy_log_socket", "is not a log target"),
    (
        {"haproxy_frontend_extra_raw": ["use_backend 'webb-back' if { path /a }"]},
        "haproxy_frontend_extra_raw[0]",
        "Did you mean web?",
    ),
    ({"haproxy_ssl_bind_options": "x\ny"}, "haproxy_ssl_bind_options", "newline"),
]


def errors(services: t.Any, settings: dict[str, t.Any] | None = None) -> list[Problem]:
    return check({"haproxy_service_configs": services}, {**VIPS, **(settings or {})}, HOSTS).problems.errors


def assert_found(found: list[Problem], path: str, words: str) -> None:
    assert [problem for problem in found if problem.path == path and words in str(problem)], "\n".join(map(str, found))


@pytest.mark.parametrize(("keys", "path", "words"), WRONG_KEYS)
def test_wrong_key(keys: dict[str, t.Any], path: str, words: str) -> None:
    assert_found(errors([{**WEB, **keys}]), f"{S0}.{path}", words)


@pytest.mark.parametrize(("keys", "path", "words"), WRONG_KEYS[:3])
def test_wrong_key_in_a_wrapped_service(keys: dict[str, t.Any], path: str, words: str) -> None:
    assert_found(errors([{"service": {**WEB, **keys}}]), f"{S0}.{path}", words)


@pytest.mark.parametrize(("services", "path", "words"), WRONG_LISTS)
def test_wrong_list(services: t.Any, path: str, words: str) -> None:
    assert_found(errors(services), path, words)


@pytest.mark.parametrize(("settings", "path", "words"), WRONG_SETTINGS)
def test_wrong_setting(settings: dict[str, t.Any], path: str, words: str) -> None:
    assert_found(errors([WEB], settings), path, words)


def test_every_mistake_of_every_service_is_in_one_message() -> None:
    """All rows at once: none hides another."""
    services = [
        {**WEB, "haproxy_service_name": f"web{index}", "haproxy_port": 1000 + index, **keys}
        for index, (keys, _path, _words) in enumerate(WRONG_KEYS)
    ]
    checked = check({"haproxy_service_configs": services}, VIPS, HOSTS)
    with pytest.raises(Invalid) as caught:
        checked.or_raise()
    wanted = {f"haproxy_service_configs[{index}].{path}" for index, (_keys, path, _words) in enumerate(WRONG_KEYS)}
    assert wanted <= {problem["path"] for problem in caught.value.details["errors"]}
    assert all(f"\n- {path}" in str(caught.value) for path in wanted)


def test_a_setting_that_the_haproxy_of_the_nodes_is_too_old_for() -> None:
    stapling = {"haproxy_ssl_ocsp_update": "yes"}
    assert_found(errors([WEB], {**stapling, "haproxy_version": "2.8"}), "haproxy_ssl_ocsp_update", "needs HAProxy 3.0")
    assert errors([WEB], {**stapling, "haproxy_version": "3.0"}) == []
    assert errors([WEB], {"haproxy_ssl_ocsp_update": "no", "haproxy_version": "2.6"}) == []


def test_every_mistake_in_what_vips_choose() -> None:
    shop = {"name": "shop", "domains": ["shop.example.org"]}
    binds: list[dict[str, t.Any]] = [
        {"address": "203.0.113.10", "letsencrypt": "shpo"},
        {"address": "203.0.113.11", "letsencrypt": "shop", "user_ssl_cert": "/a.crt", "user_ssl_key": "/a.key"},
        {"address": "203.0.113.12", "letsencrypt": "www.example.org"},
        {"address": "10.0.0.10", "type": "internal"},
        {"address": "10.0.0.11", "type": "internal", "letsencrypt": "a/b"},
    ]
    settings = {
        "external_lb_vip_address": "www.example.org",
        "haproxy_vip_binds": binds[:4],
        "haproxy_ssl_letsencrypt_certificates": [shop],
        "haproxy_ssl_letsencrypt_enable": True,
        "haproxy_ssl_letsencrypt_email": "ops@example.org",
    }
    both = [
        ("haproxy_vip_binds[0].letsencrypt", "Did you mean shop"),
        ("haproxy_vip_binds[1].user_ssl_cert", "Keep one"),
    ]
    found = errors([WEB], settings)
    assert len(found) == len(both)
    for path, words in both:
        assert_found(found, path, words)
    both.append(("haproxy_ssl_letsencrypt_enable", "leaves 203.0.113.10, 203.0.113.11, 203.0.113.12 without"))
    found = errors([WEB], {**settings, "haproxy_ssl_letsencrypt_enable": False})
    assert len(found) == len(both)
    for path, words in both:
        assert_found(found, path, words)
    found = errors([WEB], {**settings, "haproxy_vip_binds": binds})
    assert_found(found, "haproxy_vip_binds[4].letsencrypt", "is not a file name")


def test_a_key_that_the_haproxy_of_the_nodes_is_too_old_for() -> None:
    retrying = [{**WEB, "haproxy_retry_on": ["503"]}]
    assert_found(errors(retrying, {"haproxy_version": "1.8"}), f"{S0}.haproxy_retry_on", "needs HAProxy 2.0")
    assert errors(retrying, {"haproxy_version": "2.6"}) == []
    assert errors(retrying, {"haproxy_version": "2.10"}) == []


@pytest.mark.parametrize(
    ("keys", "settings", "path", "words"),
    [
        ({"haproxy_ssl_client_ca": "Servers"}, {}, "haproxy_ssl_client_ca", "clients of all other authorities"),
        ({"haproxy_ssl_client_ca": "Client"}, {}, "haproxy_ssl_client_ca", "Did you mean Clients"),
        ({"haproxy_ssl_client_crl": "/a.crl"}, {}, "haproxy_ssl_client_crl", "comes with it"),
        ({}, {"haproxy_ssl": False}, "haproxy_ssl_client_ca", "do not get its certificate"),
    ],
)
def test_clients_of_our_own_authority(
    keys: dict[str, t.Any], settings: dict[str, t.Any], path: str, words: str
) -> None:
    services = [{**WEB, "haproxy_ssl": True, "haproxy_ssl_client_ca": "Clients", **keys}]
    settings = {"haproxy_pki_roots": ["Root", "Clients"], "haproxy_pki_revoking": ["Clients"], **settings}
    assert_found(errors(services, settings), f"{S0}.{path}", words)


def test_secrets_are_not_in_the_message() -> None:
    found = errors([WEB], {"haproxy_stats_enabled": True, "haproxy_stats_password": "tellnobody\x01"})
    assert len(found) == 1
    assert "tellnobody" not in repr(found[0].as_dict())


def test_a_variable_that_is_gone_names_its_successor() -> None:
    found = check({}, VIPS, HOSTS, ["haproxy_stats_process", "haproxy_my_own"]).problems.errors
    assert [(problem.path, "nbthread" in problem.hint) for problem in found] == [("haproxy_stats_process", True)]


def test_what_is_no_service_is_one_mistake() -> None:
    assert [problem.path for problem in errors(["just text", WEB])] == [S0]


DOUBTS: list[tuple[t.Any, str, str]] = [
    (
        [{**WEB, "haproxy_backend_options": ["tcp-check"], "haproxy_backend_httpcheck_options": ["expect status 200"]}],
        f"{S0}.haproxy_backend_httpcheck_options[0]",
        "has no effect with option tcp-check. Keep one kind of check; this rule needs option httpchk.",
    ),
    (
        [{**WEB, "haproxy_backend_arguments": ["option redis-check", "tcp-check send PING"]}],
        f"{S0}.haproxy_backend_arguments[1]",
        "has no effect with option redis-check",
    ),
    (
        [
            {
                **WEB,
                "haproxy_backend_httpcheck_options": ["expect status 200"],
                "haproxy_backend_arguments": ["tcp-check connect"],
            }
        ],
        f"{S0}.haproxy_backend_arguments[0]",
        "has no effect with option httpchk",
    ),
    (
        [{**WEB, "haproxy_backend_arguments": ["http-check disable-on-404"]}],
        f"{S0}.haproxy_backend_arguments[0]",
        "has no effect without option httpchk",
    ),
    ([{**WEB, "haproxy_backend_ssl_check": True}], f"{S0}.haproxy_backend_ssl_check", "checks by TLS the port"),
    (
        [{**WEB, "haproxy_balance_type": "tcp", "haproxy_backend_nodes": []}],
        f"{S0}.haproxy_backend_nodes",
        "is empty, so clients are disconnected until it has servers",
    ),
    ([], "haproxy_service_configs", "will serve no client"),
    ([{**WEB, "haproxy_bind": []}], f"{S0}.haproxy_bind", "has no bind"),
    ([{**WEB, "haproxy_limit_hosts": []}], f"{S0}.haproxy_limit_hosts", "no load balancer has the service"),
    ([{**WEB, "haproxy_allowlist_networks": []}], f"{S0}.haproxy_allowlist_networks", "only the load balancer itself"),
    (
        [{**WEB, "haproxy_default_backend": "web", "haproxy_frontend_raw": ["default_backend web-back"]}],
        f"{S0}.haproxy_frontend_raw[0]",
        "replaces haproxy_default_backend",
    ),
    (
        [{**WEB, "haproxy_frontend_maxconn": 4096}],
        f"{S0}.haproxy_frontend_maxconn",
        "is not below haproxy_maxconn (4096)",
    ),
    (
        [WEB, {**API, "haproxy_port": 80, "haproxy_bind": ["*"]}],
        f"{S1}.haproxy_port",
        'leaves connections to 203.0.113.10 to service "web" (203.0.113.10:80)',
    ),
    (
        [{**WEB, "haproxy_bind": ["::"]}, {**API, "haproxy_port": 80, "haproxy_bind": ["10.0.0.9"]}],
        f"{S1}.haproxy_port",
        'takes connections to 10.0.0.9 from service "web" ([::]:80)',
    ),
    (
        [
            {**WEB, "haproxy_bind": ["::"], "haproxy_bind_options": "v4v6"},
            {**API, "haproxy_port": 80, "haproxy_bind": "*"},
        ],
        f"{S1}.haproxy_port",
        "takes IPv4 connections from",
    ),
    ([{**WEB, "interval": 2}], f"{S0}.interval", "very short"),
    (
        [{**WEB, "haproxy_backend_nodes": []}],
        f"{S0}.haproxy_backend_nodes",
        "clients get status 503 until it has servers",
    ),
    ([{**WEB, "haproxy_backend_ssl": True}], f"{S0}.haproxy_backend_ca", "anybody can impersonate a server"),
    ([{**WEB, "haproxy_backend_ca": True}], f"{S0}.haproxy_backend_ca", "has no effect without haproxy_backend_ssl"),
    ([{**WEB, "haproxy_backend_options": ["httplog"]}], f"{S0}.haproxy_backend_options[0]", "belongs to frontends"),
    (
        [{**WEB, "haproxy_port": 8446, "haproxy_ssl": True, "haproxy_redirect_http_port": 8086}],
        f"{S0}.haproxy_redirect_http_port",
        "not to 8446",
    ),
    (
        [{**WEB, "haproxy_port": 443, "haproxy_ssl": True, "haproxy_redirect_http_port": 8080}],
        f"{S0}.haproxy_redirect_http_port",
        "redirects to the port that the client named, not to 443",
    ),
    (
        [{**WEB, "haproxy_port": 8443, "haproxy_ssl": True, "haproxy_redirect_http_port": 80}],
        f"{S0}.haproxy_redirect_http_port",
        "redirects to port 443, not to 8443",
    ),
    (
        [{**WEB, "haproxy_balance_type": "tcp", "haproxy_frontend_raw": ["http-request deny"]}],
        f"{S0}.haproxy_frontend_raw[0]",
        "has no effect in tcp mode",
    ),
    ([{**WEB, "haproxy_limit_hosts": ["lb1", "lbb2"]}], f"{S0}.haproxy_limit_hosts[1]", "Did you mean lb2?"),
    (
        [
            {**WEB, "haproxy_maps": ["http-request deny if { src,map_ip(/etc/haproxy/block.map) -m found }"]},
            {**API, "haproxy_map_entries": [{"name": "blocks", "entries": ["10.0.0.1 x"]}]},
        ],
        f"{S0}.haproxy_maps[0]",
        "'block' is not a map of haproxy_map_entries. Did you mean blocks?",
    ),
    ([{**WEB, "haproxy_timeout_tunnel": "2h"}], f"{S0}.haproxy_timeout_tunnel", "than haproxy_hard_stop_after (30m)"),
    ([{**WEB, "haproxy_timeout_client": "1801s"}], f"{S0}.haproxy_timeout_client", "may cut off"),
]


def test_a_doubt_that_services_share_is_told_once() -> None:
    services = [
        {**WEB, "haproxy_service_name": f"s{index}", "haproxy_port": index, "haproxy_backend_options": ["httplog"]}
        for index in range(1, 9)
    ]
    (doubt,) = check({"haproxy_service_configs": [WEB, *services]}, VIPS, HOSTS).problems.warnings
    assert doubt.path == "haproxy_service_configs[1].haproxy_backend_options[0]"
    assert "(service \"s1\", also s2, s3, s4, s5, s6 and 2 more): 'httplog' belongs to frontends" in str(doubt)
    assert doubt.as_dict()["also"] == ("s2", "s3", "s4", "s5", "s6", "s7", "s8")


def test_what_is_switched_off_in_so_many_words_is_no_doubt() -> None:
    """Inventories switch TLS on and off by a variable and leave the rest as it is."""
    off = {
        "haproxy_backend_ssl": False,
        "haproxy_backend_ca": True,
        "haproxy_backend_sni": "a.example.org",
        "haproxy_ssl": False,
        "haproxy_accept_both_protocols": True,
        "haproxy_redirect_http_port": 8080,
    }
    problems = check({"haproxy_service_configs": [{**WEB, **off}]}, VIPS, HOSTS).problems
    assert (problems.errors, problems.warnings) == ([], [])


@pytest.mark.parametrize(("services", "path", "words"), DOUBTS)
def test_what_is_doubtful_is_told_and_fails_nothing(services: t.Any, path: str, words: str) -> None:
    problems = check({"haproxy_service_configs": services}, VIPS, HOSTS).problems
    assert problems.errors == []
    assert_found(problems.warnings, path, words)


def test_a_worker_outlives_the_longest_request() -> None:
    """Of the defaults, of what a service says, and right at the limit."""
    settings = {**VIPS, "haproxy_hard_stop_after": "50s"}
    at_the_limit = {**WEB, "haproxy_timeout_server": 50_000, "haproxy_timeout_tunnel": "50s"}
    assert check({"haproxy_service_configs": [at_the_limit]}, settings, HOSTS).problems.warnings == []
    shorter = check({"haproxy_service_configs": [WEB]}, {**settings, "haproxy_hard_stop_after": "49s"}, HOSTS)
    assert [problem.path for problem in shorter.problems.warnings] == [
        "haproxy_client_timeout",
        "haproxy_server_timeout",
    ]


def test_an_old_variable_that_harms_nobody_is_told_and_fails_nothing() -> None:
    problems = check({}, VIPS, HOSTS, ["haproxy_ssl_letsencrypt_cron_hour"], ["haproxy_interval"]).problems
    assert problems.errors == []
    assert_found(problems.warnings, "haproxy_ssl_letsencrypt_cron_hour", "timer of systemd")


def test_a_slip_in_the_path_of_a_page_is_told() -> None:
    settings = {
        "haproxy_static_files": [{"dest": "/etc/haproxy/503.http", "content": "x"}],
        "haproxy_errorfiles": [
            {"code": 503, "path": "/etc/haproxy/503.htp"},
            {"code": 502, "path": "/usr/share/pages/bad-gateway"},
        ],
    }
    problems = check({"haproxy_service_configs": [WEB]}, {**VIPS, **settings}, HOSTS).problems
    assert [(problem.path, problem.hint) for problem in problems.warnings] == [
        ("haproxy_errorfiles[0].path", "Did you mean /etc/haproxy/503.http?")
    ]


def test_a_slip_in_the_name_of_a_variable_is_told() -> None:
    set_by_user = ["haproxy_intervall", "haproxy_interval", "haproxy_my_own", "haproxy_whitelist_networks"]
    problems = check({}, VIPS, HOSTS, set_by_user, ["haproxy_interval", "haproxy_port_range"]).problems
    slips = [(problem.path, problem.hint) for problem in problems.warnings if problem.path != "haproxy_service_configs"]
    assert slips == [("haproxy_intervall", "Did you mean haproxy_interval?")]


GOOD: list[list[dict[str, t.Any]]] = [
    # An empty pool may be referred to.
    [
        {
            **WEB,
            "haproxy_default_backend": "api",
            "haproxy_acls": {"api": {"rule": "path_beg /api", "backend_name": "api"}},
            "haproxy_maps": ["use_backend %[path,map_beg(/etc/haproxy/m.map)]"],
            "haproxy_map_entries": [{"name": "m", "entries": ["/v2 api-back"]}],
        },
        {**API, "haproxy_backend_nodes": []},
    ],
    # Of several kinds of checks HAProxy takes the last.
    [
        {
            **WEB,
            "haproxy_backend_options": ["ssl-hello-chk", "httpchk"],
            "haproxy_backend_httpcheck_options": ["expect status 200"],
        }
    ],
    [{**WEB, "haproxy_backend_server_options": ["track api-back/w1"]}, API],
    # One name twice, but never on one load balancer.
    [{**WEB, "haproxy_limit_hosts": ["lb1"]}, {**API, "haproxy_service_name": "web", "haproxy_limit_hosts": ["lb2"]}],
    [WEB, {**API, "haproxy_service_name": "web", "haproxy_service_enabled": False}],
    # Keys of a map are not lines of the configuration.
    [{**WEB, "haproxy_map_entries": [{"name": "m", "entries": ["backend x", "cache y"]}]}],
    # One port, two interfaces.
    [
        {**WEB, "haproxy_bind": [{"address": "*", "interface": "eth0"}]},
        {**API, "haproxy_port": 80, "haproxy_bind": [{"address": "*", "interface": "eth1"}]},
    ],
    # Both wildcards: Linux gives IPv4 to that of IPv4.
    [{**WEB, "haproxy_bind": ["*", "::"]}],
    [{**WEB, "haproxy_bind": ["0.0.0.0", "::"], "haproxy_bind_options": ["v6only"]}],
    [{**WEB, "haproxy_bind": ["*"]}, {**API, "haproxy_port": 80, "haproxy_bind": ["::"]}],
    # An address and a wildcard of one service are no enemies.
    [{**WEB, "haproxy_bind": ["*", "10.0.0.9"]}],
    # One port, two families.
    [{**WEB, "haproxy_bind": ["*"]}, {**API, "haproxy_port": 80, "haproxy_bind": ["fd00::1"]}],
]


@pytest.mark.parametrize("services", GOOD)
def test_what_is_fine_is_taken(services: list[dict[str, t.Any]]) -> None:
    assert errors(services) == []
    doubts = check({"haproxy_service_configs": services}, VIPS, HOSTS).problems.warnings
    assert [problem for problem in doubts if "haproxy_port" in problem.path] == []


def test_there_are_a_hundred_rows() -> None:
    assert len(WRONG_KEYS) + len(WRONG_LISTS) + len(WRONG_SETTINGS) >= 100


@pytest.mark.parametrize(("port", "doubts"), [(8888, 0), (8889, 1)])
def test_somebody_sends_challenges_to_certbot(port: int, doubts: int) -> None:
    service = {**WEB, "haproxy_backend_port": port}
    checked = check({"haproxy_service_configs": [service]}, {**VIPS, **LETSENCRYPT}, HOSTS).or_raise()
    said = [str(problem) for problem in checked.problems.warnings]
    assert len([words for words in said if "no challenge reaches certbot" in words]) == doubts
