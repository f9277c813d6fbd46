# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter; that HAProxy reads words back is tested beside the function that it calls."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.lbforge.haproxy.plugins.filter.haproxy_quote import FilterModule

QUOTE = FilterModule().filters()["haproxy_quote"]


@pytest.mark.parametrize(
    ("text", "word"),
    [("plain", "plain"), (42, "42"), ("", "''"), ("pa#ss w$rd", "'pa#ss w$rd'"), ("it's", r"'it'\''s'")],
)
def test_words(text: t.Any, word: str) -> None:
    assert QUOTE(text) == word


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a\nb", "control character U[+]000A"),
        (None, "text or a number, not NoneType"),
        (True, "text or a number, not bool"),
    ],
)
def test_what_is_no_word(text: t.Any, why: str) -> None:
    with pytest.raises(AnsibleFilterError, match=why):
        QUOTE(text)


def test_secrets_are_not_in_the_error() -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        QUOTE("hunter2\n")
    assert "hunter2" not in str(caught.value)
