# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a release: haproxy.cfg, what belongs to it, and what the user puts beside it. Pure."""

from __future__ import annotations

import posixpath
import typing as t

from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.kinds import Boolean
from ansible_collections.lbforge.haproxy.plugins.module_utils._schema.place import Place, Problems

Data = t.Mapping[str, t.Any]


def wanted_files(files: t.Any) -> t.Any:
    """Those of ``haproxy_static_files`` whose condition holds; what is not a list is for the validation to refuse."""
    if not isinstance(files, (list, tuple)):
        return files
    return [file for file in files if not isinstance(file, dict) or holds(file.get("condition", True))]


def holds(condition: t.Any) -> bool:
    """Whether a condition holds. The text "false", as ``-e name=false`` gives it, does not."""
    return bool(condition) and Boolean().read(condition, Place(Problems(), "")) is not False


def sources(files: t.Sequence[Data]) -> list[str]:
    """The files on the controller of which wanted files are copies."""
    return [file["src"] for file in wanted_files(files) if "content" not in file]


def release_files(validated: Data, files: t.Sequence[Data], copies: t.Sequence[str]) -> dict[str, str]:
    """The text of each file of the release by its name.

    ``validated`` is the result of haproxy_validate with a template, ``copies`` are the texts of ``sources(files)``.
    """
    wanted = wanted_files(files)
    texts = iter(copies)
    return {
        "haproxy.cfg": validated["configuration"],
        **validated["model"]["maps"],
        **validated["model"]["network_lists"],
        **validated["model"]["crt_lists"],
        **{posixpath.basename(file["dest"]): file["content"] for file in wanted if "content" in file},
        **{posixpath.basename(file["dest"]): next(texts) for file in wanted if "content" not in file},
    }
