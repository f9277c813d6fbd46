# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A configuration for rehearsals: a shop with two pools, behind two VIPs, and a database."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.lbforge.haproxy.tests.unit.plugins.rehearsals import Results, results_of

SHOP = """\
global
    user haproxy
    group haproxy
    chroot /var/lib/haproxy
    stats socket /run/haproxy/admin.sock mode 600 level admin
    log /dev/log local0
defaults
    mode http
    log global
    timeout client 9s
    timeout server 9s
    timeout connect 2s
frontend shop-front-1
    bind 203.0.113.10:80
    bind 203.0.113.10:443 ssl crt /etc/haproxy/ssl/shop.pem alpn h2,http/1.1
    option forwardfor
    http-request set-header X-Forwarded-Proto https if { ssl_fc }
    http-request redirect scheme https code 301 if { path /old }
    http-request deny if { path /admin } !{ src 10.0.0.0/8 }
    timeout tarpit 9s
    http-request tarpit if { path /pit }
    use_backend api-back if { path_beg /api/ }
    default_backend shop-back
backend shop-back
    option httpchk
    server web1 10.0.0.1:8080 check
    server web2 10.0.0.2:8080 check
backend api-back
    option httpchk
    http-request del-header X-Trace
    server api1 api.example.com:8443 ssl verify required ca-file @system-ca sni str(api.example.com) check send-proxy-v2
    server api2 [2001:db8:5::2]:8443 check backup
listen database
    mode tcp
    bind 203.0.113.10:5432,[2001:db8:5::10]:5432
    tcp-request connection reject if { src 192.0.2.66 }
    option pgsql-check user check
    server db1 10.0.0.3:5432 check
"""


@pytest.fixture
def rehearsed() -> t.Callable[..., Results]:
    """The results of expectations, by default of those about the shop."""

    def run(*expectations: dict[str, t.Any], configuration: str = SHOP, **options: t.Any) -> Results:
        return results_of(configuration, expectations, **options)

    return run
