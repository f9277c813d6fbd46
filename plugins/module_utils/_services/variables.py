# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables that users set and nothing reads: those of other roles and releases, and misspelt ones."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.problems import Place, Problems
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.schema import SERVICE
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.settings import SETTINGS
from ansible_collections.lbforge.haproxy.plugins.module_utils.hints import nearest

MOST_NAMES_SHOWN = 3

_BY_NAME = "Remove it: files are found by the name of their certificate."
_CERTBOT_AUTO = "Remove it: certbot-auto was withdrawn in 2021."
_TIMER = "Remove it: a timer of systemd renews, and HAProxy is not stopped for it."
_OWN_CERTIFICATE = "Certificates are kept in haproxy_ssl_cert_path; name your own in haproxy_user_ssl_cert and _key."

# Variables of OpenStack-Ansible's releases that have no counterpart, and what to do instead.
UNUSED = {
    "galera_monitoring_user": "Remove it: it was never read.",
    "haproxy_bufsize": "Set tune.bufsize in haproxy_tuning_params.",
    "haproxy_keepalived_priority_backup": "The order of keepalived_hosts decides.",
    "haproxy_keepalived_priority_master": "The order of keepalived_hosts decides.",
    "haproxy_keepalived_vars_file": "Put its variables into group_vars.",
    "haproxy_pki_certs_path": _BY_NAME,
    "haproxy_pki_install_certificates": "Remove it: HAProxy's certificates come with its configuration.",
    "haproxy_pki_intermediate_cert_path": _BY_NAME,
    "haproxy_pki_keys_path": _BY_NAME,
    "haproxy_security_txt_dir": "Remove it: security.txt is in /etc/haproxy, with all files of a release.",
    "haproxy_ssl_ca_cert": "Name your own chain in haproxy_user_ssl_ca_cert.",
    "haproxy_ssl_cert": _OWN_CERTIFICATE,
    "haproxy_ssl_key": _OWN_CERTIFICATE,
    "haproxy_ssl_letsencrypt_certbot_auto_binary": _CERTBOT_AUTO,
    "haproxy_ssl_letsencrypt_cron_hour": _TIMER,
    "haproxy_ssl_letsencrypt_cron_minute": _TIMER,
    "haproxy_ssl_letsencrypt_cron_weekday": _TIMER,
    "haproxy_ssl_letsencrypt_download_url": _CERTBOT_AUTO,
    "haproxy_ssl_letsencrypt_install_path": _CERTBOT_AUTO,
    "haproxy_ssl_pem": _OWN_CERTIFICATE,
    "haproxy_ssl_self_signed_regen": "Use haproxy_pki_regen_cert.",
    "haproxy_ssl_self_signed_subject": "The names on certificates are those of the VIPs, and their pki_san_records.",
}


@dataclasses.dataclass(frozen=True)
class Role:
    """A role of somebody else that uses the same prefix."""

    name: str
    variables: frozenset[str]
    #: what its variables mean here where they are read
    remark: str = ""


OTHER_ROLES = (
    Role(
        "geerlingguy.haproxy",
        frozenset(
            f"haproxy_{name}"
            for name in (
                *("socket", "socket_mode", "chroot", "user", "group", "ca_base", "crt_base", "default_options"),
                *("frontend_name", "frontend_bind_address", "frontend_port", "frontend_mode", "backend_name"),
                *("backend_mode", "backend_balance_method", "backend_httpchk", "backend_servers", "global_vars"),
                "template",
            )
        ),
    ),
    Role(
        "Oefenweb.haproxy",
        frozenset(
            f"haproxy_{name}"
            for name in (
                *("dependencies", "install", "restart_handler_state", "conf_template", "global_log", "global_stats"),
                *("global_user", "global_group", "global_chroot", "global_daemon", "global_ca_base", "global_crt_base"),
                *("global_ssl_default_bind_ciphers", "global_ssl_default_bind_ciphersuites"),
                *("global_ssl_default_bind_options", "global_ssl_default_server_ciphers"),
                *("global_ssl_default_server_ciphersuites", "global_ssl_default_server_options"),
                *("global_ssl_server_verify", "global_nbproc", "global_nbthread", "global_maxconn", "global_option"),
                *("global_tune", "defaults_log", "defaults_mode", "defaults_source", "defaults_balance"),
                *("defaults_option", "defaults_maxconn", "defaults_timeout", "defaults_errorfile"),
                *("defaults_compression", "default_server_params", "default_raw_options", "ssl_map", "listen"),
                *("frontend", "backend", "userlists", "acl_files"),
            )
        ),
        "Where it is set, haproxy_version is the HAProxy that the load balancers have, not the one to install.",
    ),
)


def check(names: t.Iterable[str], known: t.Collection[str], problems: Problems) -> None:
    """Variables nobody reads: those that are gone are mistakes, all others probably left over or misspelt."""
    gone = dict(SETTINGS.gone)
    keys_of_services = {name for key in SERVICE.keys for name in (key.name, *key.aliases)}
    unread = {*names} - {*known} - keys_of_services
    for role in OTHER_ROLES:
        theirs = sorted(unread & role.variables)
        unread -= role.variables
        if theirs:
            shown = theirs if len(theirs) <= MOST_NAMES_SHOWN + 1 else theirs[:MOST_NAMES_SHOWN]
            others = f" and {len(theirs) - len(shown)} more" if len(theirs) > len(shown) else ""
            verb = "belongs" if len(theirs) == 1 else "belong"
            Place(problems, f"{', '.join(shown)}{others}").warn(
                None,
                f"{verb} to the role {role.name} and set nothing here",
                f"Describe the services in haproxy_service_configs. {role.remark}".strip(),
            )
    for name in sorted(unread):
        place = Place(problems, name)
        if name in gone:
            place.wrong(None, "is not used any more", gone[name])
        elif name in UNUSED:
            place.warn(None, "is an unused variable here", UNUSED[name])
        else:
            # Users have variables of their own that look like ours.
            near = nearest(name, known, alike=0.85)
            if near:
                place.warn(None, "is an unused variable", f"Did you mean {near}?")
