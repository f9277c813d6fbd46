# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The outcome of a run, one line per load balancer. Pure."""

from __future__ import annotations

import typing as t

Result = t.Mapping[str, t.Any]


def outcome(host: str, applied: Result, keepalived: Result, asked: Result, is_check: bool = False) -> str:
    """One load balancer in one line.

    ``applied`` is the result of haproxy_config in this run and ``keepalived`` that of keepalived_config, ``asked`` the
    drift of haproxy_info; each is empty where there is none.
    """
    sentences = [applied_sentence(applied, is_check) if "action" in applied else found_sentence(asked)]
    if keepalived.get("action", "nothing") != "nothing":
        sentences.append(f"keepalived: {keepalived['action']}.")
    return f"{host} {' '.join(sentences)}"


def applied_sentence(applied: Result, is_check: bool) -> str:
    """The action of this run on HAProxy, and its reason."""
    if applied["action"] == "nothing":
        return f"runs release {applied['release']}: nothing to do."
    runs = "would run" if is_check else "runs"
    return f"{runs} release {applied['release']}: {applied['action']}. {applied['reason']}"


def found_sentence(asked: Result) -> str:
    """The release of a load balancer that this run has not changed."""
    if asked.get("unreachable"):
        return "cannot be reached"
    if "drift" not in asked:
        return f"does not report what it runs: {(str(asked.get('msg') or 'no answer')).splitlines()[0]}"
    release, running = asked["drift"]["release"], asked["drift"]["running_release"]
    if release == running:
        return f"runs release {release or 'none'}"
    return f"runs release {running or 'unknown'}, its files are release {release or 'none'}"
