# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A configuration as somebody has left it, with its maps, and wrong changes to it that HAProxy takes."""

from __future__ import annotations

CONFIGURATION = """\
global
    daemon
    log 127.0.0.1 local0
    maxconn 2000
defaults
    mode http
    timeout client 9s
    timeout server 9s
    timeout connect 2s
    option forwardfor

frontend edge
    bind *:80
    bind *:443 ssl crt /etc/haproxy/edge.pem
    acl office src 192.168.10.0/24 10.20.0.0/16
    acl is_www hdr(host) -i www.example.net
    acl is_shop hdr(host) -i shop.example.net store.example.net
    acl is_static path_end .png .css .js
    acl is_static path_beg /assets/
    acl is_write method POST PUT DELETE
    acl bad_bot hdr_sub(User-Agent) -i badbot scraper
    acl admin path_beg /admin /manage
    acl moved path,map(/etc/haproxy/moved.map) -m found
    acl old_app path_reg ^/app/v[12]/
    http-request del-header X-Real-IP
    http-request set-header X-Real-IP %[src]
    http-request set-header X-Office yes if office
    http-request deny deny_status 429 if bad_bot
    http-request deny if admin !office
    http-request deny deny_status 405 if is_write is_static
    http-request return status 200 content-type text/plain string "pong" if { path /ping }
    http-request redirect location %[path,map(/etc/haproxy/moved.map)] code 301 if moved
    http-request redirect prefix https://www.example.net code 302 if { hdr(host) -i example.net }
    http-request redirect scheme https code 301 if is_shop !{ ssl_fc }
    http-request set-path /legacy%[path] if old_app
    http-request replace-path ^/v1/(.*) /\\1
    http-request set-header X-Version two if { req.hdr(X-Client) -m beg v2 }
    http-response set-header X-Frame-Options SAMEORIGIN
    http-response del-header Server
    http-response set-header Cache-Control no-store unless { var(txn.static) -m bool }
    http-request set-var(txn.static) bool(true) if is_static
    use_backend static if is_static
    use_backend shop if is_shop
    use_backend legacy if old_app
    use_backend beta if { req.cook(beta) yes }
    use_backend reports if { urlp(format) pdf } is_www
    use_backend %[req.hdr(host),lower,map(/etc/haproxy/hosts.map,web)]

frontend intranet
    bind 10.20.0.1:8080
    http-request reject unless { src 10.20.0.0/16 }
    http-request deny if { path_beg /private } !{ src 10.20.5.0/24 }
    default_backend web

listen smtp
    mode tcp
    bind 10.20.0.1:25
    tcp-request connection reject if { src 10.20.66.0/24 }
    server mail1 10.30.0.25:25 check
    server mail2 10.30.0.26:25 check backup

frontend passthrough
    mode tcp
    bind 10.20.0.1:8443
    tcp-request inspect-delay 5s
    tcp-request content accept if { req.ssl_hello_type 1 }
    use_backend vault if { req.ssl_sni -i vault.example.net }
    default_backend tls

backend web
    balance roundrobin
    server web1 10.30.0.1:80 check
    server web2 10.30.0.2:80 check
backend shop
    http-request set-header X-Shop 1
    http-request deny if { path_beg /checkout } { method GET }
    server shop1 10.30.0.11:80 check
backend static
    server static1 10.30.0.21:80 check
backend legacy
    server legacy1 10.30.0.31:80 check
backend beta
    server beta1 10.30.0.41:80 check
backend reports
    server reports1 10.30.0.51:80 check
backend blog
    http-request set-header Host blog.internal
    server blog1 10.30.0.61:80 check
backend vault
    mode tcp
    server vault1 10.30.0.71:8200 check
backend tls
    mode tcp
    server tls1 10.30.0.81:443 check
"""

MAPS = {
    "hosts.map": "blog.example.net blog\nwww.example.net web\n",
    "moved.map": "/about https://www.example.net/company\n/jobs https://jobs.example.net/\n",
}

MUTATIONS: dict[str, tuple[str, str]] = {
    "the office is smaller": ("192.168.10.0/24 10.20.0.0/16", "192.168.10.0/25 10.20.0.0/16"),
    "the office is larger": ("192.168.10.0/24 10.20.0.0/16", "192.168.0.0/16 10.20.0.0/16"),
    "an office is lost": ("src 192.168.10.0/24 10.20.0.0/16", "src 192.168.10.0/24"),
    "a host is lost": ("-i shop.example.net store.example.net", "-i shop.example.net"),
    "a host is case-sensitive": ("is_shop hdr(host) -i ", "is_shop hdr(host) "),
    "a kind of file is lost": (".png .css .js", ".png .js"),
    "assets are lost": ("    acl is_static path_beg /assets/\n", ""),
    "assets begin earlier": ("path_beg /assets/", "path_beg /asset"),
    "a method is lost": ("method POST PUT DELETE", "method POST DELETE"),
    "a bot is lost": ("-i badbot scraper", "-i scraper"),
    "a path of the administration is lost": ("path_beg /admin /manage", "path_beg /admin"),
    "another version of the old application": ("^/app/v[12]/", "^/app/v[2]/"),
    "the client's word is kept": ("    http-request set-header X-Real-IP %[src]\n", ""),
    "the client's word is added": ("set-header X-Real-IP %[src]", "add-header X-Real-IP %[dst]"),
    "a header for all": ("X-Office yes if office", "X-Office yes"),
    "a header for the others": ("X-Office yes if office", "X-Office yes if !office"),
    "bots are welcome": ("    http-request deny deny_status 429 if bad_bot\n", ""),
    "bots are told something else": ("deny_status 429 if bad_bot", "deny_status 403 if bad_bot"),
    "negate is lost": ("deny if admin !office", "deny if admin office"),
    "the administration is open": ("    http-request deny if admin !office\n", ""),
    "or in the place of and": ("if is_write is_static", "if is_write or is_static"),
    "ping is lost": (
        '    http-request return status 200 content-type text/plain string "pong" if { path /ping }\n',
        "",
    ),
    "ping says something else": ('string "pong"', 'string "ping"'),
    "moved for now": ("moved.map)] code 301", "moved.map)] code 302"),
    "the domain leads elsewhere": ("prefix https://www.example.net", "prefix http://www.example.net"),
    "the domain is not redirected": ("if { hdr(host) -i example.net }", "if { hdr(host) -i example.org }"),
    "the shop without TLS": ("    http-request redirect scheme https code 301 if is_shop !{ ssl_fc }\n", ""),
    "the shop redirects for ever": ("if is_shop !{ ssl_fc }", "if is_shop"),
    "the old path is kept": ("    http-request set-path /legacy%[path] if old_app\n", ""),
    "a path is rewritten to something else": ("/(.*) /\\1", "/(.*) /new/\\1"),
    "a client's version is another": ("-m beg v2", "-m str v2"),
    "frames are allowed": ("    http-response set-header X-Frame-Options SAMEORIGIN\n", ""),
    "frames are not allowed at all": ("X-Frame-Options SAMEORIGIN", "X-Frame-Options DENY"),
    "the server tells who it is": ("    http-response del-header Server\n", ""),
    "static files are not cached": (" unless { var(txn.static) -m bool }", ""),
    "pools come in another order": (
        "    use_backend static if is_static\n    use_backend shop if is_shop\n",
        "    use_backend shop if is_shop\n    use_backend static if is_static\n",
    ),
    "swapped pools": (
        "use_backend static if is_static\n    use_backend shop if is_shop",
        "use_backend shop if is_static\n    use_backend static if is_shop",
    ),
    "a cookie is another": ("req.cook(beta) yes", "req.cook(beta) no"),
    "a parameter is another": ("urlp(format) pdf", "urlp(format) xls"),
    "a condition is lost": ("{ urlp(format) pdf } is_www", "{ urlp(format) pdf }"),
    "another default": ("hosts.map,web)", "hosts.map,static)"),
    "hosts of a map are case-sensitive": ("req.hdr(host),lower,map", "req.hdr(host),map"),
    "the intranet is open": ("    http-request reject unless { src 10.20.0.0/16 }\n", ""),
    "the intranet is turned": ("reject unless { src", "reject if { src"),
    "an exception is larger": ("10.20.5.0/24", "10.20.4.0/23"),
    "mail comes from everybody": ("    tcp-request connection reject if { src 10.20.66.0/24 }\n", ""),
    "mail has two servers": (":25 check backup", ":25 check"),
    "a name in TLS is another": ("vault.example.net", "vaults.example.net"),
    "checkout is open": ("    http-request deny if { path_beg /checkout } { method GET }\n", ""),
    "a header of a pool is lost": ("    http-request set-header X-Shop 1\n", ""),
    "a server's host is the client's": ("    http-request set-header Host blog.internal\n", ""),
    "a server has another port": ("mode tcp\n    bind 10.20.0.1:25", "mode tcp\n    bind 10.20.0.1:26"),
    "forwardfor is lost": ("    option forwardfor\n", ""),
    "a server is disabled": ("server web2 10.30.0.2:80 check", "server web2 10.30.0.2:80 check disabled"),
}
