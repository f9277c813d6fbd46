# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role installs to share certificates: its judgement, with real certificates and a real HAProxy."""

from __future__ import annotations

import dataclasses
import io
import json
import pathlib
import subprocess
import types
import typing as t

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from ansible_collections.lbforge.haproxy.plugins.module_utils._node import haproxy_acme
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme import node as nodes
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme import places, spool
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.bundle import Bundle
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.certbot import reason
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.due import due, is_overdue
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.haproxy import HAProxy
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.node import Node
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.peers import trust
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.settings import Settings
from ansible_collections.lbforge.haproxy.plugins.module_utils._node.acme.words import Refused
from ansible_collections.lbforge.haproxy.plugins.module_utils._x509.pem import instant
from ansible_collections.lbforge.haproxy.tests.unit.plugins.made import NOW, Made, make

DAY = 86400
NAMES = ["www.example.org", "example.org"]
SERVER = "https://acme.example.org/directory"


@pytest.fixture
def root() -> Made:
    return make("root", authority=True)


@pytest.fixture
def leaf(root: Made) -> Made:
    return make("www.example.org", root, names=NAMES, days=(-1, 89))


@pytest.fixture
def node(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Any:
    """A node with two peers, all of it in a directory of its own."""
    for name, path in (("SETTINGS", "etc"), ("STATE", "state"), ("HOST_KEYS", "ssh")):
        (tmp_path / path).mkdir()
        monkeypatch.setattr(places, name, tmp_path / path)
    for path in ("certificates", "status", ".ssh", "spool/new", "spool/tmp"):
        (tmp_path / "state" / path).mkdir(parents=True)
    config = {
        "node": "lb2",
        "peers": {"lb1": "192.0.2.1", "lb2": "192.0.2.2", "lb3": "192.0.2.3"},
        "peers_port": 22,
        "vip": "",
        "server": SERVER,
        "key_type": "ecdsa",
        "renew_before": 0,
        "certificates": [{"name": "site", "domains": NAMES, "files": ["vip"]}, {"name": "shop", "domains": ["shop"]}],
        "certbot": ["false"],
        "certbot_extra": "--manual-auth-hook 'a b'",
        "certbot_directory": str(tmp_path / "letsencrypt"),
        "store": str(tmp_path / "ssl"),
        "stats_socket": str(tmp_path / "no-haproxy"),
    }
    (tmp_path / "etc" / "config.json").write_text(json.dumps(config))
    return Node(Settings.load())


def site(node: t.Any) -> t.Any:
    return node.settings.wanted("site")


# What a certificate says


def test_a_bundle_is_what_its_certificate_says(leaf: Made, root: Made) -> None:
    bundle = Bundle.read(f"text before\n\n{leaf.key}{leaf.crt}\n{root.crt}")
    assert bundle.pem == leaf.crt + root.crt + leaf.key
    assert (bundle.serial, bundle.sha1, bundle.names) == (leaf.serial, leaf.sha1, frozenset(NAMES))
    assert bundle.not_after == int(leaf.certificate.not_valid_after_utc.timestamp())
    assert bundle.not_before == int(leaf.certificate.not_valid_before_utc.timestamp())
    assert bundle.key_type == "ecdsa"


def test_the_kind_of_a_key() -> None:
    made = make("a", key=rsa.generate_private_key(65537, 2048))
    assert Bundle.read(made.pem).key_type == "rsa"


UNREADABLE = [
    (lambda made, other: "", "holds no certificate"),
    (lambda made, other: made.key, "holds no certificate"),
    (lambda made, other: made.pem.replace("MII", "AAA"), "holds no certificate"),
    (lambda made, other: made.crt, "holds no key"),
    (lambda made, other: made.crt + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "holds no key"),
    (lambda made, other: made.crt + other.key, "holds a key that does not belong to the certificate"),
]


@pytest.mark.parametrize(("damage", "words"), UNREADABLE)
def test_what_cannot_be_right(damage: t.Callable[[Made, Made], str], words: str, leaf: Made, root: Made) -> None:
    with pytest.raises(Refused, match=words):
        Bundle.read(damage(leaf, root))


def problem(pem: str, names: t.Sequence[str] = ()) -> str:
    return str(Bundle.read(pem).problem(names or NAMES, NOW.timestamp()))


def test_problems_of_a_bundle(leaf: Made, root: Made) -> None:
    stranger = make("root", authority=True)
    assert problem(leaf.pem) == problem(leaf.pem + root.crt) == ""
    assert problem(leaf.pem, ["EXAMPLE.org", "www.example.org"]) == ""
    assert problem(leaf.pem, ["www.example.org"]) == "is for example.org, www.example.org and not for www.example.org"
    assert problem(leaf.pem + stranger.crt) == "has a chain that breaks after certificate 1"
    assert problem(make("a", root, names=NAMES, days=(-3, -1)).pem) == "has expired"
    assert problem(make("a", root, names=NAMES, days=(1, 30)).pem) == "is not valid yet"


# When one is due

RSA_WANTED = {"key_type": "rsa"}
WHEN = [
    ({}, 90, 60.1, SERVER, ""),
    ({}, 90, 30.1, SERVER, ""),
    ({}, 90, 29.9, SERVER, "it expires at"),
    ({}, 6, 2.1, SERVER, ""),
    ({}, 6, 1.9, SERVER, "it expires at"),
    ({"renew_before": 40.0 * DAY}, 90, 39.9, SERVER, "it expires at"),
    ({"renew_before": 5.0 * DAY}, 90, 5.1, SERVER, ""),
    ({"domains": ("www.example.org",)}, 90, 60, SERVER, "it is for example.org, www.example.org"),
    ({"domains": ("WWW.example.org", "example.org")}, 90, 60, SERVER, ""),
    ({"key_type": "rsa"}, 90, 60, SERVER, "its key is ECDSA"),
    ({}, 90, 60, "https://staging.example.org/directory", "it comes from https://staging.example.org"),
    ({}, 90, 60, "", ""),
]


@pytest.mark.parametrize(("other", "lifetime", "left", "server", "words"), WHEN)
def test_when_a_certificate_is_due(
    other: dict[str, t.Any], lifetime: int, left: float, server: str, words: str, leaf: Made, node: t.Any
) -> None:
    now = NOW.timestamp()
    bundle = dataclasses.replace(
        Bundle.read(leaf.pem), not_before=now + (left - lifetime) * DAY, not_after=now + left * DAY
    )
    why = due(bundle, dataclasses.replace(site(node), **other), server, now)
    assert why.startswith(words) and bool(why) == bool(words)


def test_none_is_due_and_overdue(node: t.Any, leaf: Made) -> None:
    bundle, now = Bundle.read(leaf.pem), NOW.timestamp()
    assert due(None, site(node), "", now) == "there is none"
    assert is_overdue(None, now)
    assert not is_overdue(bundle, now + 73 * DAY)
    assert is_overdue(bundle, now + 75 * DAY)


# Who orders

HOLDS: dict[str, t.Any] = {"holds_vip": True}
WHO = [
    ("", {}, True),
    ("", {"lb3": {}}, True),
    ("", {"lb1": {}}, False),
    ("127.0.0.1", {}, True),
    ("127.0.0.1", {"lb1": HOLDS}, True),
    ("192.0.2.77", {}, False),
    ("192.0.2.77", {"lb1": HOLDS}, False),
]


@pytest.mark.parametrize(("vip", "peers", "is_orderer"), WHO)
def test_who_orders(vip: str, peers: dict[str, t.Any], is_orderer: bool, node: t.Any) -> None:
    node.settings = dataclasses.replace(node.settings, vip=vip)
    assert node.is_orderer(peers, 0) == is_orderer


def test_somebody_must_hold_the_vip_in_the_end(node: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    node.settings = dataclasses.replace(node.settings, vip="192.0.2.77")
    monkeypatch.setattr(node, "ask_peers", lambda: {"lb1": HOLDS})
    assert not node.is_orderer({}, 5)
    monkeypatch.setattr(node, "ask_peers", dict)
    with pytest.raises(Refused, match=r"no reachable node holds 192\.0\.2\.77"):
        node.is_orderer({}, 0.1)


# Taking and keeping


def test_only_what_is_newer_is_kept(node: t.Any, root: Made) -> None:
    older, newer, other = (
        make("www.example.org", root, names=names, days=days)
        for names, days in ((NAMES, (-5, 80)), (NAMES, (-2, 60)), (["www.example.org"], (-9, 90)))
    )
    assert node.accept(site(node), newer.pem, "lb1")
    assert not node.accept(site(node), older.pem, "lb3")
    assert not node.accept(site(node), newer.pem, "lb3")
    assert node.store.bundle("site").serial == newer.serial
    # Other names are wanted now.
    wanted = dataclasses.replace(site(node), domains=("www.example.org",))
    assert node.accept(wanted, other.pem, "lb1")
    with pytest.raises(Refused, match=r"and not for www\.example\.org"):
        node.accept(wanted, newer.pem, "lb1")


def test_what_is_kept_is_told_but_for_the_key(node: t.Any, leaf: Made) -> None:
    node.accept(site(node), leaf.pem, "lb1")
    kept, told = places.STATE / "certificates" / "site.pem", places.STATE / "status" / "site.json"
    assert (kept.stat().st_mode & 0o777, told.stat().st_mode & 0o777) == (0o600, 0o644)
    assert "KEY" not in told.read_text()
    said = json.loads(told.read_text())
    assert {key: said[key] for key in ("name", "domains", "serial", "source", "server", "last_result", "files")} == {
        "name": "site",
        "domains": sorted(NAMES),
        "serial": leaf.serial,
        "source": "lb1",
        "server": SERVER,
        "last_result": "ok",
        "files": ["vip.pem"],
    }


def test_a_failed_order_leaves_what_is_here(node: t.Any, leaf: Made) -> None:
    node.accept(site(node), leaf.pem, "lb2")
    with pytest.raises(Refused, match="the current certificate stays in use"):
        node.call_certbot(dataclasses.replace(site(node)), "it expires")
    node.certbot.command = ("/nowhere/certbot",)
    with pytest.raises(Refused, match="no such program"):
        node.call_certbot(site(node), "it expires")
    assert node.store.bundle("site").serial == leaf.serial
    said = node.store.status("site")
    assert (said["last_result"], said["serial"]) == ("failed", leaf.serial) and "/nowhere" in said["last_error"]


def test_a_failure_is_over_when_nothing_is_due(node: t.Any, leaf: Made) -> None:
    node.links = {}
    node.accept(site(node), leaf.pem, "lb2")
    node.store.publish_result(site(node), "no route")
    before = node.store.status("site")
    node.renew(site(node), {}, 0)
    assert node.store.status("site") == {**before, "last_result": "ok", "last_error": ""}
    # Then the kind of key is changed, and that fails, too.
    with pytest.raises(Refused, match="its key is ECDSA"):
        node.renew(dataclasses.replace(site(node), key_type="rsa"), {}, 0)
    assert node.store.status("site")["last_result"] == "failed"


def test_what_certbot_got_and_is_refused_has_failed(node: t.Any, tmp_path: pathlib.Path, root: Made) -> None:
    node.links = {}
    node.certbot.command = ("true",)
    live = tmp_path / "letsencrypt" / "live" / "site"
    live.mkdir(parents=True)
    other = make("other", root)
    (live / "fullchain.pem").write_text(other.crt)
    (live / "privkey.pem").write_text(other.key)
    with pytest.raises(Refused, match="is for other and not for"):
        node.renew(site(node), {}, 0)
    said = node.store.status("site")
    assert said["last_result"] == "failed" and "is for other and not for" in said["last_error"]


def test_what_is_not_wanted_any_more_is_not_told(node: t.Any, leaf: Made) -> None:
    node.accept(site(node), leaf.pem, "lb2")
    node.settings = dataclasses.replace(node.settings, certificates=node.settings.certificates[1:])
    node.deploy()
    assert list((places.STATE / "status").iterdir()) == []
    assert (places.STATE / "certificates" / "site.pem").exists()


def test_haproxy_that_takes_nothing_keeps_nobody_from_renewing(
    node: t.Any, leaf: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.accept(site(node), leaf.pem, "lb2")
    node.links = {}
    monkeypatch.setattr(node.haproxy.store, "directory", pathlib.Path("/proc/nowhere"))
    with pytest.raises(Refused) as raised:
        node.run(0)
    assert "site: " in str(raised.value) and "shop: cannot be ordered (there is none)" in str(raised.value)
    assert node.store.status("shop")["last_result"] == "failed"


def test_the_reason_of_certbot() -> None:
    said = """\
Saving debug log to /var/log/letsencrypt/letsencrypt.log
Renewing an existing certificate for www.example.org

Certbot failed to authenticate some domains (authenticator: standalone).
  Domain: www.example.org
  Detail: Connection refused
- - - -
Ask for help or search for solutions at https://community.example.org.
"""
    assert reason(said) == (
        "Certbot failed to authenticate some domains (authenticator: standalone). Domain: www.example.org"
        " Detail: Connection refused"
    )


# Peers


def message(leaf: Made, **other: t.Any) -> dict[str, t.Any]:
    certificate = {"name": "site", "pem": leaf.pem, "server": SERVER, "source": "lb1", **other}
    return {"certificates": [certificate], "account": {}}


def put(verb: str, text: str, peer: str = "lb1") -> None:
    (places.STATE / "spool" / "new" / f"{peer}:{verb}:x").write_text(text)


def test_what_a_peer_sends_is_taken(node: t.Any, leaf: Made) -> None:
    put("put", json.dumps(message(leaf)))
    assert node.inbox()
    assert node.store.bundle("site").serial == leaf.serial
    assert (pathlib.Path(node.settings.store) / "vip.pem").read_text() == leaf.pem
    assert list((places.STATE / "spool" / "new").iterdir()) == []


def test_one_that_is_refused_does_not_keep_the_others(
    node: t.Any, leaf: Made, root: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = make("shop", root)
    both = [
        {"name": name, "pem": pem, "server": SERVER, "source": "lb1"}
        for name, pem in (("site", shop.pem), ("../x", leaf.pem), ("shop", shop.pem))
    ]
    put("put", json.dumps({"certificates": both, "account": {}}))
    assert not node.inbox()
    said = capsys.readouterr().err
    assert "site is for shop and not for example.org, www.example.org; ../x is not a certificate of this node" in said
    assert node.store.bundle("shop").serial == shop.serial


def entries(*certificates: object) -> str:
    return json.dumps({"account": {}, "certificates": certificates})


BAD = [
    *("no json", "[]", "null", "{}", '["no such certificate"]', '{"account": [], "certificates": []}'),
    *(entries(1), entries({"name": "../../etc/passwd"}), entries({"name": "site", "server": "https://other"})),
    entries({"name": "site", "server": SERVER, "pem": 1, "source": ""}),
]


@pytest.mark.parametrize("text", BAD)
@pytest.mark.parametrize("verb", ["put", "request", "other", "put:request"])
def test_what_is_of_no_use_does_not_stay(text: str, verb: str, node: t.Any) -> None:
    put(verb, text, peer="lb9")
    node.inbox()
    assert list((places.STATE / "spool" / "new").iterdir()) == []
    assert list((places.STATE / "certificates").iterdir()) == []


def test_a_link_in_the_spool_is_not_followed(node: t.Any, leaf: Made, tmp_path: pathlib.Path) -> None:
    (tmp_path / "message").write_text(json.dumps(message(leaf)))
    (places.STATE / "spool" / "new" / "lb1:put:x").symlink_to(tmp_path / "message")
    assert not node.inbox()
    assert node.store.bundle("site") is None


def test_the_newest_is_asked_for(node: t.Any, root: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "DELIVERY", 0.1)
    mine, old, new = (make("www.example.org", root, names=NAMES, days=(start, 60)) for start in (-5, -6, -2))
    node.accept(site(node), mine.pem, "lb2")

    def told(made: Made, **other: t.Any) -> dict[str, t.Any]:
        start = instant(made.certificate.not_valid_before_utc.timestamp())
        said = {"domains": sorted(NAMES), "server": SERVER, "serial": made.serial, "not_before": start, **other}
        return {"certificates": {"site": said}}

    asked: list[str] = []
    for name, link in node.links.items():
        monkeypatch.setattr(link, "request", lambda _names, name=name: asked.append(name))
    node.pull({"lb1": told(old), "lb3": told(mine)})
    node.pull({"lb1": told(new, server="https://staging"), "lb3": told(new, domains=["x"])})
    assert asked == []
    node.pull({"lb1": told(old), "lb3": told(new)})
    assert asked == ["lb3"]


def test_a_peer_that_got_it_elsewhere_is_not_missing_any_more(node: t.Any, leaf: Made) -> None:
    node.accept(site(node), leaf.pem, "lb2")
    bundle = node.store.bundle("site")
    node.store.publish(site(node), undelivered={"lb1": "down", "lb3": "down", "gone": "down"})
    node.forget_delivered(site(node), bundle, {"lb3": {"certificates": {"site": node.store.status("site")}}})
    assert node.store.status("site")["undelivered"] == {"lb1": "down"}


def test_a_key_may_only_say_these_words(node: t.Any, leaf: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    node.accept(site(node), leaf.pem, "lb2")
    for command in ("", "id", "status; id", "put x"):
        monkeypatch.setenv("SSH_ORIGINAL_COMMAND", command)
        with pytest.raises(Refused, match="only status, put and request"):
            spool.receive("lb1")
    monkeypatch.setattr(spool, "DELIVERY", 0.1)
    monkeypatch.setenv("SSH_ORIGINAL_COMMAND", "put")
    for content, refused in ((b"x", False), (b"x" * (spool.LARGEST_MESSAGE + 1), True)):
        monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=io.BytesIO(content)))
        if refused:
            with pytest.raises(Refused, match="exceeds the size of the spool"):
                spool.receive("lb1")
        else:
            spool.receive("lb1")
    (path,) = (places.STATE / "spool" / "new").iterdir()
    assert path.name.startswith("lb1:put:") and path.read_text() == "x"


def test_status_has_no_secret(
    node: t.Any, leaf: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    node.accept(site(node), leaf.pem, "lb2")
    monkeypatch.setenv("SSH_ORIGINAL_COMMAND", "status")
    spool.receive("lb1")
    output = capsys.readouterr().out
    assert "KEY" not in output
    # The same as what the report of all certificates asks for; what was never ordered is in it.
    haproxy_acme.main("status")
    assert capsys.readouterr().out == output
    said = json.loads(output)
    assert said["certificates"]["shop"] == {"name": "shop", "domains": ["shop"]}
    assert (said["holds_vip"], said["certificates"]["site"]["serial"]) == (False, leaf.serial)


def test_peers_are_known_by_their_keys(node: t.Any) -> None:
    def said(name: str, key: str) -> dict[str, t.Any]:
        return {"node": name, "key": f"ssh-ed25519 {key} comment", "host_keys": [f"ssh-ed25519 HOST{key}"]}

    keys, hosts = places.STATE / ".ssh" / "authorized_keys", places.SETTINGS / "known_hosts"
    assert len(list(trust(node.settings, [said("lb1", "AAA"), said("lb2", "BBB"), said("lb3", "CCC")]))) == 2
    assert hosts.read_text() == "lb1 ssh-ed25519 HOSTAAA\nlb3 ssh-ed25519 HOSTCCC\n"
    assert keys.read_text() == "".join(
        f'restrict,command="/usr/local/sbin/haproxy-acme receive {name}" ssh-ed25519 {key} haproxy-acme@{name}\n'
        for name, key in (("lb1", "AAA"), ("lb3", "CCC"))
    )
    # One that is silent stays, with a new key it is known by that alone, and a stranger is not let in.
    before = keys.read_text()
    assert list(trust(node.settings, [said("lb1", "AAA")])) == []
    assert list(trust(node.settings, [said("lb1", "DDD"), said("lb9", "EEE")])) != []
    assert keys.read_text() == before.replace("AAA", "DDD")
    settings = dataclasses.replace(node.settings, peers=node.settings.peers[1:])
    assert len(list(trust(settings, []))) == 2
    assert hosts.read_text() == "lb3 ssh-ed25519 HOSTCCC\n"
    with pytest.raises(Refused, match="is not a public key"):
        list(trust(settings, [{"node": "lb3", "key": "\n* evil", "host_keys": []}]))


def test_an_account_goes_with_the_certificate(node: t.Any, tmp_path: pathlib.Path) -> None:
    account = "acme.example.org/directory/0123"
    files = {f"{account}/{name}.json": name for name in ("meta", "regr", "private_key")}
    evil = {"../x/meta.json": "", "/etc/x/meta.json": "", f"{account}/../../x/regr.json": "", f"{account}/x.sh": ""}
    node.certbot.keep_account({**files, **evil})
    accounts = tmp_path / "letsencrypt" / "accounts"
    written = {str(path.relative_to(tmp_path / "letsencrypt")) for path in tmp_path.glob("letsencrypt/**/*.json")}
    assert written == {f"accounts/{name}" for name in files}
    assert (accounts / account / "private_key.json").stat().st_mode & 0o777 == 0o400
    assert node.certbot.account() == files
    node.certbot.keep_account({"acme.example.org/directory/4567/regr.json": "another at the same server"})
    assert node.certbot.account() == files


# HAProxy

FRONTEND = """\
frontend web
    bind 127.0.0.1:@port-web@ ssl crt @home@/vip.pem
    http-request return status 200
"""


def test_haproxy_takes_another_without_a_reload(
    haproxy: t.Callable[..., t.Any], node: t.Any, root: Made, leaf: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = haproxy(FRONTEND, vip_pem=leaf.pem)
    path = running.home / "vip.pem"
    path.chmod(0o600)
    settings = dataclasses.replace(node.settings, stats_socket=running.admin, store=running.home)
    process = HAProxy(settings)
    pid = running.ask("show info").partition("\nPid: ")[2].split()[0]
    assert process.give("vip", Bundle.read(leaf.pem)) == ""

    new = make("www.example.org", root, names=NAMES)
    assert process.give("vip", Bundle.read(new.pem + root.crt)) == f"{path}: HAProxy serves {new.serial}"
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{running.ports['web']}", "-showcerts"]
    served = subprocess.run(command, input="", capture_output=True, text=True, check=True).stdout
    assert new.crt in served and root.crt in served
    assert path.read_text() == new.crt + root.crt + new.key
    assert process.give("vip", Bundle.read(new.pem + root.crt)) == ""
    assert pid in running.ask("show info")

    # What its configuration does not name is only written.
    assert process.give("other", Bundle.read(new.pem)).endswith("other.pem: written")
    assert (running.home / "other.pem").stat().st_mode & 0o777 == 0o600


def test_a_transaction_of_somebody_else_is_left_alone(
    haproxy: t.Callable[..., t.Any], node: t.Any, root: Made, leaf: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = haproxy(FRONTEND, vip_pem=leaf.pem)
    settings = dataclasses.replace(node.settings, stats_socket=running.admin, store=running.home)
    process = HAProxy(settings)
    tools = running.home / "bin"
    tools.mkdir()
    (tools / "systemctl").write_text("#!/bin/sh\nexit 1\n")
    (tools / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    running.ask(f"set ssl cert {running.home}/vip.pem <<\n{leaf.pem}\n")
    new = Bundle.read(make("www.example.org", root, names=NAMES).pem)
    with pytest.raises(Refused, match=r"another client is changing .*vip\.pem"):
        process.give("vip", new)
    # Whatever becomes of the process, the file is the new one: the next start has it.
    assert (running.home / "vip.pem").read_text() == new.pem
