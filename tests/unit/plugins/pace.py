# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How late this machine is. What is measured on one that is out of breath may be late by as much."""

from __future__ import annotations

import threading
import time

TICK = 0.01


class Pace:
    """Sleeps again and again as long as it is open; ``lag`` is the most by which it was woken late, in seconds."""

    def __init__(self) -> None:
        self.lag = 0.0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Pace:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_over.is_set():
            due = time.monotonic() + TICK
            time.sleep(TICK)
            self.lag = max(self.lag, time.monotonic() - due)
