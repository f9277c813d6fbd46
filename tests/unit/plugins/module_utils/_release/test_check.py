# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check, with the real ``haproxy -c``."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ansible_collections.lbforge.haproxy.plugins.module_utils._release.check import Checker, rewritten
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.store import ReleaseStore
from ansible_collections.lbforge.haproxy.plugins.module_utils._release.tree import Release
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

BINARY = shutil.which(os.environ.get("HAPROXY", "haproxy"), path=f"{os.environ['PATH']}:/usr/sbin")

MOVES = {
    Path("/etc/haproxy"): Path("/t/config"),
    Path("/etc/haproxy/ssl"): Path("/t/ssl"),
    Path("/srv/c"): Path("/t/c"),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("map(/etc/haproxy/a.map)", "map(/t/config/a.map)"),
        ("map(/etc/haproxy/a.map,none)", "map(/t/config/a.map,none)"),
        ("map(/etc/haproxy/a.map.bak)", "map(/t/config/a.map.bak)"),
        ('errorfile 503 "/etc/haproxy/503.http"', 'errorfile 503 "/t/config/503.http"'),
        ("errorfile 503 /etc/haproxy/current/503.http", "errorfile 503 /t/config/current/503.http"),
        ("crt /etc/haproxy/ssl/a.pem alpn h2", "crt /t/ssl/a.pem alpn h2"),
        ("crt /etc/haproxy/ssl alpn h2", "crt /t/ssl alpn h2"),
        ("crt /etc/haproxy/ssl/ alpn h2", "crt /t/ssl/ alpn h2"),
        ("crt /etc/haproxy/ssl2/a.pem", "crt /t/config/ssl2/a.pem"),
        ("crt /srv/c/a.pem /srv/cc/a.pem", "crt /t/c/a.pem /srv/cc/a.pem"),
        ("default-path origin /etc/haproxy\n", "default-path origin /t/config\n"),
        ("server a unix@/etc/haproxy/a.sock", "server a unix@/t/config/a.sock"),
        ("/chroot/etc/haproxy/a.map", "/chroot/etc/haproxy/a.map"),
        ("/etc/haproxy.old/a /etc/haproxy-2/a /etc/haproxy_/a /etc/haproxy~", None),
        ("./etc/haproxy/a", "./etc/haproxy/a"),
    ],
)
def test_rewritten(text: str, expected: str | None) -> None:
    assert rewritten(text, MOVES) == (text if expected is None else expected)


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "etc" / "ssl").mkdir(parents=True)
    return tmp_path / "etc"


def check(etc: Path, files: dict[str, str], certificates: dict[str, bytes] | None = None) -> list[str]:
    if BINARY is None:
        pytest.skip("needs haproxy")
    store = ReleaseStore(etc)
    files = {name: text.replace("ETC", str(etc)) for name, text in files.items()}
    before = sorted(etc.rglob("*"))
    try:
        return [
            str(message)
            for message in Checker(BINARY, store, etc / "ssl").check(Release.made_of(files), certificates or {})
        ]
    finally:
        assert sorted(etc.rglob("*")) == before


def configuration(*lines: str) -> str:
    return "\n    ".join(
        [
            (
                "global\n    description @release@\ndefaults\n    mode http\n    timeout client 5s"
                "\n    timeout connect 5s\n    timeout server 5s\nfrontend web-front-1\n    bind 127.0.0.1:8080"
            ),
            *lines,
            "http-request return status 200\n",
        ]
    )


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    directory = tmp_path_factory.mktemp("openssl")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -keyout k -out c"
    subprocess.run(command.split(), cwd=directory, check=True, capture_output=True)
    return (directory / "c").read_bytes() + (directory / "k").read_bytes()


MAP = "http-request deny if { path,map(ETC/a.map) -m found }"


def test_the_first_run_finds_what_is_not_there_yet(etc: Path, bundle: bytes) -> None:
    text = configuration(
        MAP,
        "errorfile 503 ETC/current/503.http",
        "bind 127.0.0.1:8443 ssl crt ETC/ssl/new.pem",
        "bind 127.0.0.1:8444 ssl crt-list ETC/crt.list",
        "bind 127.0.0.1:8445 ssl crt ETC/ssl/",
    )
    files = {
        "haproxy.cfg": text,
        "a.map": "/x y\n",
        "503.http": "HTTP/1.0 503 No\r\n\r\nno",
        "crt.list": "ETC/ssl/new.pem [alpn h2] *.example.com\n",
    }
    assert check(etc, files, {"new.pem": bundle}) == []


def test_the_wanted_file_counts_not_the_one_in_place(etc: Path, bundle: bytes) -> None:
    (etc / "ssl" / "a.pem").write_text("broken")
    (etc / "ssl" / "other.pem").write_bytes(bundle)
    text = configuration("bind 127.0.0.1:8443 ssl crt ETC/ssl/a.pem crt ETC/ssl/other.pem")
    assert check(etc, {"haproxy.cfg": text}, {"a.pem": bundle}) == []
    with pytest.raises(LbforgeError, match=f"{etc}/ssl/a.pem"):
        check(etc, {"haproxy.cfg": text})


def test_a_file_that_is_not_ours_is_found_in_its_place(etc: Path) -> None:
    (etc / "a.map.bak").write_text("/x y\n")
    (etc / "errors").mkdir()
    (etc / "errors" / "503.http").write_text("HTTP/1.0 503 No\r\n\r\nno")
    text = configuration(MAP.replace("a.map", "a.map.bak"), "errorfile 503 ETC/errors/503.http")
    assert check(etc, {"haproxy.cfg": text, "a.map": "/x y\n"}) == []


@pytest.mark.parametrize("name", ["a.map", "a.map.bak"])
def test_a_file_that_will_not_be_there(etc: Path, name: str) -> None:
    """Not found, although the release in place still has a.map; and the message names the real path."""
    store = ReleaseStore(etc)
    store.commit(store.stage({"haproxy.cfg": b"", "a.map": b"/x y\n"}), "a" * 12)
    store.switch("a" * 12)
    store.add_links(["haproxy.cfg", "a.map"])
    with pytest.raises(LbforgeError) as caught:
        check(etc, {"haproxy.cfg": configuration(MAP.replace("a.map", name)), "b.map": ""})
    assert f"failed to open pattern file <{etc}/{name}>" in str(caught.value)
    assert caught.value.details["errors"][0]["line"] == 10
    assert caught.value.details["errors"][0]["name"] == "frontend web-front-1"
    assert caught.value.details["errors"][0]["value"] == MAP.replace("ETC/a.map", f"{etc}/{name}")


def test_all_errors_at_once(etc: Path) -> None:
    with pytest.raises(LbforgeError) as caught:
        check(etc, {"haproxy.cfg": configuration("foo bar", "bind 127.0.0.1:8443 ssl crt ETC/ssl/none.pem")})
    found = caught.value.details["errors"]
    assert [error["line"] for error in found] == [10, 11]
    assert found[0]["value"] == "foo bar"
    assert str(etc / "ssl" / "none.pem") in found[1]["why"]
    assert "nothing was changed" in str(caught.value)


def test_warnings_are_returned(etc: Path) -> None:
    found = check(etc, {"haproxy.cfg": configuration("redirect location /y if { path /y }", "http-request deny")})
    assert found[0].startswith('haproxy.cfg line 11 (frontend web-front-1), "http-request deny": ')


def test_without_haproxy(etc: Path) -> None:
    found = Checker(None, ReleaseStore(etc), etc / "ssl").check(Release.made_of({"haproxy.cfg": "x"}), {})
    assert "not installed yet" in str(found[0])
