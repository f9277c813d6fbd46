# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site with one page, /srv/page, for every path and method. site.py ADDRESS"""

from __future__ import annotations

import http.server
import pathlib
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    timeout = 30

    def answer(self) -> None:
        page = pathlib.Path("/srv/page").read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page)

    do_GET = do_HEAD = do_OPTIONS = answer

    def log_message(self, format: str, *args: object) -> None:
        """Health checks would fill the journal."""


http.server.ThreadingHTTPServer((sys.argv[1], 80), Handler).serve_forever()
