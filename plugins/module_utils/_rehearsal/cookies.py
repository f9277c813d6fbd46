# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cookies of a client, as a browser keeps and sends them: RFC 6265, section 5."""

from __future__ import annotations

import dataclasses
import http.client
import http.cookiejar
import typing as t
import urllib.request

from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.answers import Reply
from ansible_collections.lbforge.haproxy.plugins.module_utils._rehearsal.expectations import Request


class _Response:
    """The part of a response that a cookie jar reads."""

    def __init__(self, headers: t.Iterable[tuple[str, str]]) -> None:
        self._message = http.client.HTTPMessage()
        for name, value in headers:
            self._message[name] = value

    def info(self) -> http.client.HTTPMessage:
        return self._message


def _asked(request: Request) -> urllib.request.Request:
    return urllib.request.Request(request.url)  # noqa: S310 - the table takes http and https only, and nothing is opened


class Cookies:
    """The cookies that one client has been given."""

    def __init__(self) -> None:
        self._jar = http.cookiejar.CookieJar()

    def added(self, request: Request) -> Request:
        """The request with the cookies that go with it."""
        if not request.url:
            return request
        asked = _asked(request)
        self._jar.add_cookie_header(asked)
        kept = asked.get_header("Cookie")
        if not kept:
            return request
        own = [value for name, value in request.headers if name.lower() == "cookie"]
        others = [(name, value) for name, value in request.headers if name.lower() != "cookie"]
        return dataclasses.replace(request, headers=(*others, ("Cookie", "; ".join([*own, kept]))))

    def keep(self, request: Request, reply: Reply) -> None:
        """Keep the cookies that come with a reply."""
        if request.url:
            response = t.cast(http.client.HTTPResponse, _Response(reply.headers))
            self._jar.extract_cookies(response, _asked(request))
