# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module against a real HAProxy; what it serves is what ``openssl s_client`` sees."""

from __future__ import annotations

import datetime
import functools
import json
import stat
import syslog
import typing as t

import pytest
from ansible.module_utils import basic
from cryptography.hazmat.primitives.asymmetric import rsa

from ansible_collections.lbforge.haproxy.plugins.module_utils._host import lock
from ansible_collections.lbforge.haproxy.plugins.module_utils._live import certificate_changes
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime import certificates
from ansible_collections.lbforge.haproxy.plugins.module_utils._runtime.certificates import listing, shown
from ansible_collections.lbforge.haproxy.plugins.modules import haproxy_certificate
from ansible_collections.lbforge.haproxy.tests.unit.plugins.made import NOW, Made, make, make_crl, served

Run = t.Callable[..., dict[str, t.Any]]

SECTIONS = """\
frontend web-front-1
    bind 127.0.0.1:@port-plain@ ssl crt @home@/a.pem ca-file @home@/ca.pem crl-file @home@/crl.pem verify optional
    bind 127.0.0.1:@port-list@ ssl crt-list @home@/crt.list
    bind 127.0.0.1:@port-dir@ ssl crt @home@/certs/
    http-request return status 200
"""


@pytest.fixture(scope="module")
def root() -> Made:
    return make("Root", authority=True)


@pytest.fixture(scope="module")
def first(root: Made) -> Made:
    return make("first.test", root)


@pytest.fixture(scope="module")
def second(root: Made) -> Made:
    return make("second.test", root, names=["second.test", "*.second.test"])


class Host:
    """A HAProxy, and the module against it."""

    def __init__(self, proxy: t.Any, run: Run) -> None:
        self.home = proxy.home
        self.ports = proxy.ports
        self.proxy = proxy
        self._run = functools.partial(run, haproxy_certificate, socket=proxy.admin, _ansible_diff=True)

    def run(self, **args: t.Any) -> dict[str, t.Any]:
        """One run; there is never a line of a PEM in its result, and never a transaction open after it."""
        result = self._run(**args)
        text = json.dumps(result)
        assert "BEGIN" not in text
        assert "PRIVATE" not in text
        with self.proxy.client.session() as session:
            assert listing(session).transaction is None
        return result

    def quartet(self, **args: t.Any) -> dict[str, t.Any]:
        """Check, run, check again, run again; return what the run did."""
        before = self.state()
        check = self.run(_ansible_check_mode=True, **args)
        assert self.state() == before
        run = self.run(**args)
        assert {**check, "invocation": 0} == {**run, "invocation": 0}
        after = self.state()
        for again in (self.run(_ansible_check_mode=True, **args), self.run(**args)):
            assert not again["changed"]
            assert again["diff"] == []
        assert self.state() == after
        return run

    def state(self) -> dict[str, t.Any]:
        """All that a run may change."""
        with self.proxy.client.session() as session:
            loaded = {
                f"{kind} {path}": shown(session, path, kind)
                for kind in ("cert", "ca-file", "crl-file")
                for path in listing(session, kind).paths
                if path != "@system-ca"
            }
            lists = session.run(f"show ssl crt-list -n {self.home}/crt.list")
        files = {path: (path.read_text(), path.stat().st_mode) for path in self.home.rglob("*.*") if path.is_file()}
        return {**loaded, **files, "lists": lists}


@pytest.fixture
def host(haproxy: t.Callable[..., t.Any], run_module: Run, root: Made, first: Made, tmp_path: t.Any) -> Host:
    directory = tmp_path / "certs"
    directory.mkdir()
    (directory / "a.pem").write_text(first.pem)
    proxy = haproxy(
        SECTIONS.replace("@home@/certs", str(directory)),
        crt_list="# customers\n@home@/a.pem first.test\n",
        a_pem=first.pem + root.crt,
        ca_pem=root.crt,
        crl_pem=make_crl(root),
    )
    for name in ("a.pem", "ca.pem", "crl.pem"):
        (proxy.home / name).chmod(0o640)
    return Host(proxy, run_module)


def test_a_swap(host: Host, first: Made, second: Made, root: Made) -> None:
    path = host.home / "a.pem"
    run = host.quartet(
        name=str(path), content=f"{second.pem}\n\n{root.crt}", hostnames=["second.test", "x.second.test"]
    )
    assert run["changed"]
    (found,) = run["certificates"]
    assert found == {
        "path": "certificate",
        "name": str(path),
        "changed": True,
        "swapped": True,
        "serial": second.serial,
        "not_before": f"{NOW - datetime.timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
        "not_after": f"{NOW + datetime.timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}",
        "days_left": 29,
        "san": ["second.test", "*.second.test"],
        "sha1": second.sha1,
        "sha256": second.sha256,
    }
    assert served(host.ports["plain"]) == served(host.ports["list"]) == second.serial
    assert path.read_text() == second.pem + root.crt
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (diff,) = run["diff"]
    assert first.serial in diff["before"]
    assert second.serial in diff["after"]
    host.proxy.reload()
    assert served(host.ports["plain"]) == second.serial


def test_another_kind_of_key(host: Host, root: Made) -> None:
    other = make("rsa.test", root, key=rsa.generate_private_key(65537, 2048))
    host.quartet(name=f"{host.home}/a.pem", content=other.pem)
    assert served(host.ports["plain"]) == other.serial


def test_a_file_of_the_node_and_nothing_persisted(host: Host, second: Made, first: Made) -> None:
    (host.home / "renewed.pem").write_text(second.pem)
    run = host.quartet(name=f"{host.home}/a.pem", src=f"{host.home}/renewed.pem", persist=False)
    assert run["certificates"][0]["swapped"]
    assert served(host.ports["plain"]) == second.serial
    assert first.crt in (host.home / "a.pem").read_text()
    host.proxy.reload()
    assert served(host.ports["plain"]) == first.serial


def test_only_the_file_is_put_right(host: Host, first: Made, root: Made) -> None:
    path = host.home / "a.pem"
    run = host.quartet(name=str(path), content=first.pem + root.crt)
    assert (run["changed"], run["certificates"][0]["swapped"]) == (True, False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("something else\n")
    assert host.quartet(name=str(path), content=first.pem + root.crt)["changed"]
    assert path.read_text() == first.pem + root.crt


def test_another_chain_of_the_same_leaf(host: Host, first: Made, root: Made) -> None:
    for content in (first.pem, first.pem + root.crt):
        run = host.quartet(name=f"{host.home}/a.pem", content=content)
        assert run["certificates"][0]["swapped"]
        with host.proxy.client.session() as session:
            chain = shown(session, f"{host.home}/a.pem").leaf.chain
        assert chain == (("/C=DE/CN=Root",) if root.crt in content else ())


def test_a_path_that_haproxy_knows_by_another_name(host: Host, second: Made) -> None:
    run = host.quartet(name=f"{host.home}/a.pem", content=second.pem, disk_path=f"{host.home}/elsewhere.pem")
    assert run["changed"]
    assert (host.home / "elsewhere.pem").read_text() == second.pem


def test_a_new_certificate_in_a_list_and_its_end(host: Host, first: Made, second: Made) -> None:
    name, crt_list = f"{host.home}/new.pem", host.home / "crt.list"
    wanted = {"name": name, "content": second.pem, "crt_list": str(crt_list)}
    host.quartet(**wanted, sni=["new.test"])
    assert (served(host.ports["list"], "new.test"), served(host.ports["list"])) == (second.serial, first.serial)
    assert crt_list.read_text() == f"# customers\n{host.home}/a.pem first.test\n{name} new.test\n"
    assert not host.quartet(**wanted)["changed"]
    host.quartet(**wanted, sni=["other.test", "*.other.test"], options="alpn h2,http/1.1")
    assert served(host.ports["list"], "new.test") == first.serial
    assert served(host.ports["list"], "x.other.test") == second.serial
    assert crt_list.read_text().endswith(f"\n{name} [alpn h2,http/1.1] other.test *.other.test\n")
    host.proxy.reload()
    assert served(host.ports["list"], "x.other.test") == second.serial
    assert not host.run(**wanted, sni=["other.test", "*.other.test"], options="alpn h2,http/1.1")["changed"]

    host.quartet(name=name, crt_list=str(crt_list), state="absent")
    assert crt_list.read_text() == f"# customers\n{host.home}/a.pem first.test\n"
    assert served(host.ports["list"], "x.other.test") == first.serial
    assert not (host.home / "new.pem").exists()
    host.proxy.reload()


def test_several_entries_become_the_one_that_is_wanted(host: Host, second: Made) -> None:
    name, crt_list = f"{host.home}/new.pem", host.home / "crt.list"
    host.run(name=name, content=second.pem, crt_list=str(crt_list), sni=["one.test"])
    with host.proxy.client.session() as session:
        session.run(f"add ssl crt-list {crt_list}", f"{name} two.test")
    with crt_list.open("a") as file:
        file.write(f"{name} two.test\n")
    host.quartet(name=name, content=second.pem, crt_list=str(crt_list), sni=["three.test"])
    assert crt_list.read_text().count("new.pem") == 1
    host.quartet(name=name, crt_list=str(crt_list), state="absent")


def test_a_directory_of_certificates(host: Host, second: Made, tmp_path: t.Any) -> None:
    name = f"{tmp_path}/certs/b.pem"
    host.quartet(name=name, content=second.pem, crt_list=f"{tmp_path}/certs")
    assert served(host.ports["dir"], "second.test") == second.serial
    host.proxy.reload()
    assert served(host.ports["dir"], "second.test") == second.serial
    host.quartet(name=name, state="absent", crt_list=f"{tmp_path}/certs")


def test_a_default_entry_stays(host: Host, first: Made, second: Made) -> None:
    crt_list = f"{host.home}/crt.list"
    before = host.state()
    result = host.run(name=f"{host.home}/a.pem", content=first.pem, crt_list=crt_list, sni=["x.test"])
    assert "the first entry changes" in result["msg"]
    result = host.run(name=f"{host.home}/a.pem", state="absent", crt_list=crt_list)
    assert "the first entry changes" in result["msg"]
    assert host.state() == before


def test_authorities_and_crls(host: Host, root: Made, first: Made) -> None:
    other = make("Other", authority=True)
    run = host.quartet(
        certificates=[
            {"name": f"{host.home}/ca.pem", "kind": "ca", "content": root.crt + other.crt},
            {"name": f"{host.home}/crl.pem", "kind": "crl", "content": make_crl(root, first)},
        ]
    )
    assert [found["swapped"] for found in run["certificates"]] == [True, True]
    assert stat.S_IMODE((host.home / "ca.pem").stat().st_mode) == 0o640
    assert "1 revoked" in run["diff"][1]["after"]


def test_many_and_the_errors_among_them(host: Host, first: Made, second: Made) -> None:
    crt_list = f"{host.home}/crt.list"
    many = [make(f"n{number}.test") for number in range(20)]
    items = [
        {"name": f"{host.home}/n{number}.pem", "content": made.pem, "crt_list": crt_list}
        for number, made in enumerate(many)
    ]
    items[3]["content"] = many[3].crt + many[4].key
    items[7]["crt_list"] = "/none.list"
    del items[9]["content"]
    items[9]["src"] = "/none.pem"
    result = host.run(certificates=items)
    assert result["failed"]
    assert [(error["path"], error["name"]) for error in result["errors"]] == [
        (f"certificates[{number}]", f"{host.home}/n{number}.pem") for number in (3, 7, 9)
    ]
    assert "The private key does not belong to the certificate" in result["errors"][0]["why"]
    assert "/none.list" in result["errors"][1]["why"]
    assert "Cannot read /none.pem" in result["errors"][2]["why"]
    assert len(result["certificates"]) == 17
    assert result["changed"]
    assert served(host.ports["list"], "n19.test") == many[19].serial
    assert served(host.ports["list"], "n3.test") == first.serial
    assert not (host.home / "n7.pem").exists()


def test_what_is_refused_before_anything_is_touched(host: Host, first: Made, second: Made, root: Made) -> None:
    before = host.state()
    old = make("old.test", days=(-9, -1))
    large = make("large.test", names=[f"name-{number}.large.test" for number in range(800)])
    path = f"{host.home}/a.pem"
    cases: list[tuple[dict[str, t.Any], str]] = [
        ({"name": path, "content": "garbage"}, "no certificate in PEM"),
        ({"name": path, "content": second.crt + first.key}, "does not belong to the certificate"),
        ({"name": path, "content": old.pem}, "has expired"),
        ({"name": path, "content": second.crt + first.crt + second.key}, "chain is broken"),
        (
            {"name": path, "content": second.pem, "hostnames": ["first.test"]},
            "does not cover the host name 'first.test'",
        ),
        ({"name": path, "content": large.pem}, "the buffer of this HAProxy takes"),
        (
            {"name": f"{host.home}/b.pem", "content": second.pem},
            f"does not name it, so nothing would use it. Did you mean {path}?",
        ),
        ({"name": "a.pem", "content": second.pem}, "disk_path"),
        ({"name": path, "state": "absent"}, "It is in use"),
        ({"name": path, "content": second.pem, "sni": ["x"]}, "set crt_list"),
        ({"name": path, "content": second.pem, "crt_list": "l", "sni": ["a b"]}, "'a b' is not a valid word"),
        ({"name": path, "content": second.pem, "crt_list": "l", "options": "[alpn h2]"}, "without brackets"),
        ({"name": f"{path}\nshow info", "content": second.pem}, "name holds a line break"),
        ({"name": f"{host.home}/ca.pem", "kind": "ca", "content": root.pem}, "a private key, which"),
        ({"name": f"{host.home}/crl.pem", "kind": "crl", "content": root.crt}, "no CRL"),
        ({"name": path}, "either content or src"),
        ({"name": path, "content": second.pem, "timeout": 0}, "timeout"),
        ({"certificates": [{"name": path, "content": first.pem}] * 2}, "listed twice"),
        ({"certificates": [], "sni": ["x"]}, "Set it in each item"),
    ]
    for args, expected in cases:
        for check in (True, False):
            result = host.run(_ansible_check_mode=check, **args)
            assert result["failed"]
            assert not result.get("changed")
            assert expected in result["msg"]
    assert host.state() == before


def test_what_haproxy_alone_refuses_is_taken_back(host: Host, second: Made) -> None:
    before = host.state()
    result = host.run(
        name=f"{host.home}/new.pem", content=second.pem, crt_list=f"{host.home}/crt.list", options="bogus"
    )
    assert "unknown ssl keyword bogus" in result["msg"]
    assert host.state() == before


def test_a_file_that_cannot_be_written(host: Host, second: Made, first: Made) -> None:
    result = host.run(name=f"{host.home}/a.pem", content=second.pem, disk_path=f"{host.home}/none/a.pem")
    assert "Cannot write" in result["msg"]
    assert served(host.ports["plain"]) == first.serial


def test_a_failed_swap_puts_the_file_back(host: Host, second: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    before = host.state()
    # Somebody without the lock begins a transaction after ours has looked.
    with host.proxy.client.session() as other:
        original = certificates._clear_the_way

        def late(*args: t.Any) -> None:
            original(*args)
            other.run(f"set ssl cert {host.home}/a.pem", make("third.test").pem)

        monkeypatch.setattr(certificates, "_clear_the_way", late)
        result = host.run(name=f"{host.home}/a.pem", content=second.pem)
    assert "began no transaction" in result["msg"]
    assert host.state() == before


def test_the_transaction_of_somebody_else(host: Host, second: Made, first: Made) -> None:
    path = f"{host.home}/a.pem"
    with host.proxy.client.session() as other:
        other.run(f"set ssl cert {path}", make("third.test").pem)
        result = host._run(name=path, content=second.pem)
        assert f"another client has an open transaction for {path}" in result["msg"]
        assert listing(other).transaction == path
        assert first.crt in (host.home / "a.pem").read_text()
        other.run(f"abort ssl cert {path}")
    assert host.run(name=path, content=second.pem)["changed"]


def test_another_run_at_the_same_time(host: Host, second: Made) -> None:
    with lock.locked(host.proxy.admin, 1):
        result = host.run(name=f"{host.home}/a.pem", content=second.pem, timeout=1)
        assert "Another run has been changing HAProxy" in result["msg"]
        assert host.run(name=f"{host.home}/a.pem", content=second.pem, _ansible_check_mode=True)["changed"]


@pytest.mark.parametrize("step", ["file", "new", "loaded", "list"])
def test_a_run_that_is_cut_off_is_ended_by_the_next(
    host: Host, second: Made, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """At each step HAProxy goes on, and the next run does the rest."""

    class Killed(BaseException):
        pass

    def cut(*args: t.Any) -> None:
        raise Killed

    place = {
        "file": (certificates, "create"),
        "new": (certificates, "_replace"),
        "loaded": (certificate_changes, "_change_entries"),
        "list": (certificate_changes.crtlists, "apply"),
    }[step]
    wanted = {
        "name": f"{host.home}/new.pem",
        "content": second.pem,
        "crt_list": f"{host.home}/crt.list",
        "sni": ["new.test"],
    }
    with monkeypatch.context() as patched:
        patched.setattr(*place, cut)
        with pytest.raises(Killed):
            host._run(**wanted)
    host.quartet(**wanted)
    assert served(host.ports["list"], "new.test") == second.serial


def test_a_list_of_a_release_is_left_to_it(host: Host, second: Made, tmp_path: t.Any) -> None:
    release = tmp_path / "releases" / "0123456789ab"
    release.mkdir(parents=True)
    (release / "crt.list").write_text((host.home / "crt.list").read_text())
    (tmp_path / "current").symlink_to("releases/0123456789ab")
    (host.home / "crt.list").unlink()
    (host.home / "crt.list").symlink_to(tmp_path / "current" / "crt.list")
    wanted = {"name": f"{host.home}/new.pem", "content": second.pem, "crt_list": f"{host.home}/crt.list"}
    assert "belongs to a release" in host.run(**wanted)["msg"]
    assert host.run(**wanted, persist=False)["changed"]
    assert served(host.ports["list"], "second.test") == second.serial


def test_nobody_answers(run_module: Run, second: Made) -> None:
    result = run_module(haproxy_certificate, socket="/none", name="/a.pem", content=second.pem)
    assert "Cannot send 'prompt' to HAProxy" in result["msg"]


def test_nothing_secret_goes_to_the_log(host: Host, second: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr(syslog, "syslog", lambda *args: logged.append(str(args)))
    monkeypatch.setattr(basic, "has_journal", False)
    host._run(certificates=[{"name": f"{host.home}/a.pem", "content": second.pem}], _ansible_no_log=False)
    assert not any("PRIVATE" in line or "BEGIN" in line for line in logged)
