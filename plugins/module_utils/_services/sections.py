# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sections of the configuration, as far as more than one key decides what stands in them."""

from __future__ import annotations

import dataclasses

from ansible_collections.lbforge.haproxy.plugins.module_utils._services.records import Service


@dataclasses.dataclass(frozen=True)
class Section:
    """A section of a service: its raw lines are in the order HAProxy evaluates them."""

    name: str
    mode: str
    service: Service
    lines: list[str]


@dataclasses.dataclass(frozen=True)
class Frontend(Section):
    """A frontend section, with its binds."""

    binds: list[str]
    default_backend: str = ""


@dataclasses.dataclass(frozen=True)
class Backend(Section):
    """A backend section, with its servers."""

    servers: list[str]


@dataclasses.dataclass(frozen=True)
class SideBackend:
    """A backend that no service asked for; the frontends of one need it."""

    name: str
    lines: list[str]


@dataclasses.dataclass(frozen=True)
class SectionText:
    """A section that the user wrote."""

    heading: str
    lines: list[str]
