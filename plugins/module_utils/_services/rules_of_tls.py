# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about TLS towards clients: what a service shows them, and whom it asks for a certificate."""

from __future__ import annotations

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.certificates import (
    certificate_name,
    names_authority,
)
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.problems import Place
from ansible_collections.lbforge.haproxy.plugins.module_utils._services.records import Service, Settings
from ansible_collections.lbforge.haproxy.plugins.module_utils.hints import did_you_mean

# The name of a socket has 107 characters at most, and ours add a suffix to the service's.
LONGEST_INNER_NAME = 80


def tls(service: Service, place: Place, settings: Settings) -> None:
    if service.accept_both_protocols and not service.ssl:
        place.key("haproxy_accept_both_protocols").idle(None, "haproxy_ssl")
    if service.accept_both_protocols and len(place.name) > LONGEST_INNER_NAME:
        place.key("haproxy_service_name").wrong(
            place.name,
            "is too long for haproxy_accept_both_protocols, which derives socket names from it",
            f"Use at most {LONGEST_INNER_NAME} characters.",
        )
    if not service.ssl:
        for key, value in {
            "haproxy_ssl_certificates": service.ssl_certificates,
            "haproxy_ssl_client_ca": service.ssl_client_ca,
        }.items():
            if value:
                place.key(key).idle(None, "haproxy_ssl")
    if service.ssl_client_crl and not service.ssl_client_ca:
        place.key("haproxy_ssl_client_crl").wrong(
            service.ssl_client_crl,
            "belongs to a CA that is not named, so no client would be asked for a certificate",
            "Set haproxy_ssl_client_ca.",
        )
    client_authority(service, place, settings)
    if service.ssl and not settings.ssl and not service.ssl_path:
        place.key("haproxy_ssl").warn(
            True,
            "needs a certificate, but the variable haproxy_ssl is false, so none is issued",
            "Set the variable, or name a certificate in haproxy_ssl_path.",
        )


def certificates_by_name(service: Service, place: Place, settings: Settings) -> None:
    """The names are those of other variables; C(None) where these are not known."""
    if settings.pki_names is None:
        return
    known = [
        *settings.pki_names,
        *(entry.name for entry in settings.ssl_letsencrypt_certificates),
        *(certificate_name(vip, settings) for vip in settings.tls_vips),
    ]
    for index, entry in enumerate(service.ssl_certificates or ()):
        if not entry.is_path and entry.name not in known:
            place.item(index).key("name").wrong(
                entry.name,
                "is not a certificate of haproxy_pki_extra_certificates, haproxy_user_certificates or"
                " haproxy_ssl_letsencrypt_certificates",
                did_you_mean(entry.name, known) or "Add it there, or write the path of a file on the load balancer.",
            )


def certificate_names(service: Service, place: Place) -> None:
    for index, entry in enumerate(service.ssl_certificates or ()):
        if entry.hosts == []:
            place.key("haproxy_ssl_certificates").item(index).key("hosts").wrong(
                None,
                "is empty, and HAProxy would show the certificate for every name on it",
                "Remove the key for that, or list names.",
            )


def client_authority(service: Service, place: Place, settings: Settings) -> None:
    authority = service.ssl_client_ca or ""
    if not names_authority(authority):
        return
    if authority not in settings.pki_roots:
        place.key("haproxy_ssl_client_ca").wrong(
            authority,
            "is neither an absolute path nor a self-signed authority of haproxy_pki_authorities",
            did_you_mean(authority, settings.pki_roots)
            or "An intermediate authority would also admit clients of all other authorities below its root.",
        )
    if not settings.ssl:
        place.key("haproxy_ssl_client_ca").wrong(
            authority,
            "is an authority, but the variable haproxy_ssl is false, so the load balancers do not get its certificate",
            "Set the variable, or name the path of a CA file on the load balancer.",
        )
    if service.ssl_client_crl:
        place.key("haproxy_ssl_client_crl").wrong(
            service.ssl_client_crl,
            "is not read: the revocation list of an authority of haproxy_pki_authorities comes with it",
            "Remove it, and list serial numbers in the authority's key revoked.",
        )


def certificates_of_binds(service: Service, place: Place, settings: Settings) -> None:
    for index, entry in enumerate(service.bind or ()):
        certificate_and_key(entry.user_ssl_cert, entry.user_ssl_key, place.item(index))
        if entry.user_ssl_cert and any(entry.address in vip.bound for vip in settings.vips):
            place.item(index).key("user_ssl_cert").wrong(
                entry.user_ssl_cert,
                f"would be for one service only, but all services show the certificate of the VIP {entry.address}",
                "Set it in haproxy_vips or haproxy_vip_binds, or use haproxy_ssl_path or haproxy_ssl_certificates in"
                " the service.",
            )


def certificate_and_key(certificate: str | None, key: str | None, place: Place) -> None:
    """A certificate of the user's and its key come together."""
    if certificate and not key:
        place.key("user_ssl_key").wrong(None, "is missing, and user_ssl_cert needs it", "Set both paths.")
    if key and not certificate:
        place.key("user_ssl_cert").wrong(None, "is missing, and user_ssl_key needs it", "Set both paths.")
