# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What role variables say must fit together, and what services say must fit them."""

from __future__ import annotations

import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._haproxy_cfg.words import split
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.kinds import ListOf
from ansible_collections.lbforge.haproxy.plugins.module_utils._services import (
    checks,
    extra_sections,
    network_lists,
    sandbox,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.certificates import (
    acme_name,
    certificate_name,
    first_acme_domains,
    is_by_acme,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.kinds import HOSTNAME, lines_in, milliseconds
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.problems import Place
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.records import Settings
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.rules_of_servers import NO_PROGRAM
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.rules_of_tls import certificate_and_key
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.settings import SETTINGS
from ansible_collections.lbforge.haproxy.plugins.module_utils.addresses import is_ip
from ansible_collections.lbforge.haproxy.plugins.module_utils.hints import did_you_mean

SANDBOXED_SETTINGS = sandbox.checked_keys(SETTINGS.keys)
TAKEN_DESCRIPTION = ("is reserved for the release id", "Remove it.")
NO_TUNING = (
    (
        "nbproc",
        "was removed in HAProxy 2.5",
        "Use nbthread, or remove it: HAProxy starts a thread for each CPU.",
    ),
    ("maxconn", "is set by a separate variable", "Use haproxy_maxconn."),
    ("description", *TAKEN_DESCRIPTION),
)


def check(settings: Settings, place: Place) -> None:
    """Applies all rules about settings alone."""
    if settings.ssl_letsencrypt_enable:
        letsencrypt(settings, place)
    acme_certificates(settings, place.key("haproxy_ssl_letsencrypt_certificates"))
    acme_choices(settings, place)
    if settings.stats_enabled and not settings.stats_password:
        place.key("haproxy_stats_password").wrong(
            None, "is missing, and haproxy_stats_enabled is true", "Set one from a vault; there is no default."
        )
    if settings.stats_prometheus_enabled and not settings.stats_enabled:
        place.key("haproxy_stats_prometheus_enabled").warn(
            True, "has no effect without haproxy_stats_enabled", "Or use a service with haproxy_frontend_only."
        )
    if settings.hatop_download_url and not settings.hatop_download_checksum:
        place.key("haproxy_hatop_download_checksum").wrong(
            None,
            "is required when haproxy_hatop_download_url is set, because root runs the archive's content",
            "Set it, such as sha256:….",
        )
    frontend_limit(settings.frontend_maxconn, place, settings)
    for index, entry in enumerate(settings.vip_binds):
        here = place.key("haproxy_vip_binds").item(index)
        certificate_and_key(entry.get("user_ssl_cert"), entry.get("user_ssl_key"), here)
    error_files(settings, place.key("haproxy_errorfiles"))
    network_list_files(settings, place.key("haproxy_static_files"))
    sandboxed(settings, place)
    worker_life(settings.client_timeout, place.key("haproxy_client_timeout"), settings)
    worker_life(settings.server_timeout, place.key("haproxy_server_timeout"), settings)
    for name, why, hint in NO_TUNING:
        if name in settings.tuning_params:
            place.key(f"haproxy_tuning_params.{name}").wrong(settings.tuning_params[name], why, hint)
    default_checks(settings.defaults_raw, place.key("haproxy_defaults_raw"))
    for index, line in enumerate(settings.global_raw):
        if split(line)[:1] == ("description",):
            place.key("haproxy_global_raw").item(index).wrong(line, *TAKEN_DESCRIPTION)


def default_checks(raw: t.Sequence[str], place: Place) -> None:
    for index, option in checks.options_in(raw):
        if option == checks.PROGRAM:
            place.item(index).wrong(raw[index], *NO_PROGRAM)


def error_files(settings: Settings, place: Place) -> None:
    """A page may also be a file that somebody else puts there, so only slips are told."""
    static = [file.dest for file in settings.static_files]
    for index, page in enumerate(settings.errorfiles):
        if page.path not in static and (hint := did_you_mean(page.path, static)):
            place.item(index).key("path").warn(page.path, "is not a file of haproxy_static_files", hint)


def network_list_files(settings: Settings, place: Place) -> None:
    taken = {network_lists.path(name): name for name in settings.network_lists}
    for index, file in enumerate(settings.static_files):
        if file.dest in taken:
            place.item(index).key("dest").wrong(
                file.dest, f"is the file of the network list {taken[file.dest]}", "Give it another name."
            )


def sandboxed(settings: Settings, place: Place) -> None:
    if not settings.systemd_hardening:
        return
    sandbox.check(settings, SANDBOXED_SETTINGS, place)
    sections = place.key(extra_sections.VARIABLE)
    for line, here in lines_in(ListOf(extra_sections.SECTION), settings.extra_sections, sections):
        sandbox.check_text(line, here)
    for index, page in enumerate(settings.errorfiles):
        sandbox.check_text(page.path, place.key("haproxy_errorfiles").item(index).key("path"))


def letsencrypt(settings: Settings, place: Place) -> None:
    if not settings.ssl_letsencrypt_email:
        place.key("haproxy_ssl_letsencrypt_email").wrong(
            None,
            "is missing, and haproxy_ssl_letsencrypt_enable is true",
            "Set the address for expiry notices of the CA.",
        )
    if not settings.ssl:
        place.key("haproxy_ssl_letsencrypt_enable").wrong(
            True,
            "needs haproxy_ssl, which issues the certificate that HAProxy starts with",
            "Set haproxy_ssl: true.",
        )
    is_dns = settings.ssl_letsencrypt_certbot_challenge == "dns-01"
    if is_dns and settings.ssl_letsencrypt_certbot_authenticator == "standalone":
        place.key("haproxy_ssl_letsencrypt_certbot_authenticator").wrong(
            "standalone", "cannot answer dns-01", "Use a certbot plugin for it, such as dns-rfc2136."
        )
    first = first_acme_domains(settings)
    if any(is_by_acme(vip, settings) and vip.letsencrypt in ("", acme_name(first)) for vip in settings.tls_vips):
        domains(first, place.key("haproxy_ssl_letsencrypt_domains"), is_dns=is_dns)


def acme_certificates(settings: Settings, place: Place) -> None:
    """Until an ACME server issues them, the authority makes them, also where none is asked."""
    taken = {acme_name(first_acme_domains(settings)), *(certificate_name(vip, settings) for vip in settings.tls_vips)}
    for index, entry in enumerate(settings.ssl_letsencrypt_certificates):
        here = place.item(index)
        if entry.name in taken:
            here.key("name").wrong(entry.name, "is already the name of another certificate", "Choose another name.")
        if not entry.domains:
            here.key("domains").wrong(None, "is empty, but a certificate needs names", "List the DNS names.")
        taken.add(entry.name)
        is_dns = settings.ssl_letsencrypt_certbot_challenge == "dns-01"
        domains(entry.domains, here.key("domains"), is_dns=is_dns)


def acme_choices(settings: Settings, place: Place) -> None:
    """The certificates that VIPs choose by name."""
    first = acme_name(first_acme_domains(settings))
    known = [first, *(entry.name for entry in settings.ssl_letsencrypt_certificates)]
    choosing = [vip for vip in settings.vips if vip.letsencrypt]
    for vip in choosing:
        here = place.key(vip.path)
        if vip.letsencrypt not in known:
            here.key("letsencrypt").wrong(
                vip.letsencrypt,
                "is not a certificate of haproxy_ssl_letsencrypt_certificates",
                did_you_mean(vip.letsencrypt, known) or "Add it there.",
            )
        if vip.certificate:
            here.key("user_ssl_cert").wrong(
                vip.certificate.cert,
                "is not used with a certificate from Let's Encrypt",
                "Keep one of the two keys.",
            )
    if choosing and not settings.ssl_letsencrypt_enable:
        place.key("haproxy_ssl_letsencrypt_enable").wrong(
            False,
            f"leaves {', '.join(vip.plain[0] for vip in choosing)} without the certificate that letsencrypt names",
            "Set it to true, or remove that key of the VIPs.",
        )


def domains(names: t.Sequence[str], place: Place, *, is_dns: bool) -> None:
    for index, name in enumerate(names):
        if name.startswith("*.") and not is_dns:
            place.item(index).wrong(
                name, "is a wildcard, which http-01 cannot prove", "List every name, or set the challenge to dns-01."
            )
        elif is_ip(name) or not HOSTNAME.fullmatch(name.removeprefix("*.")):
            place.item(index).wrong(
                name,
                "is not a DNS name, but certificates from Let's Encrypt are for names",
                "Set external_lb_vip_address to the external DNS name, or list names here.",
            )


def worker_life(timeout: str | None, place: Place, settings: Settings) -> None:
    """A reload ends what goes on for longer than the old worker lives."""
    life = settings.hard_stop_after
    if timeout and milliseconds(timeout) > milliseconds(life):
        place.warn(
            timeout,
            f"is longer than haproxy_hard_stop_after ({life}), so a reload may cut off what takes that long",
            "Raise haproxy_hard_stop_after.",
        )


def frontend_limit(limit: int | None, place: Place, settings: Settings) -> None:
    if limit and limit >= settings.maxconn:
        place.key("haproxy_frontend_maxconn").warn(
            limit,
            f"is not below haproxy_maxconn ({settings.maxconn}), so clients of one frontend can take all"
            " connections of the process",
            "Raise haproxy_maxconn, or lower it.",
        )
