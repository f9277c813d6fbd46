# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A world of one's own: private namespaces in which every address is local, and of which nothing is left.

Namespaces: namespaces(7), unshare(2). In the private network each address, IPv4 or IPv6, is one of the loopback's, as a
route of the type ``local`` says (ip-route(8)). So clients, load balancers and servers keep theirs.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import threading
import time
import traceback
import typing as t
from pathlib import Path

from ansible_collections.lbforge.haproxy.plugins.module_utils._host.command import run
from ansible_collections.lbforge.haproxy.plugins.module_utils.errors import LbforgeError

# <linux/sched.h>
_NEW_MOUNTS, _NEW_IPC, _NEW_USERS, _NEW_PROCESSES, _NEW_NETWORK = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
_PRIVATE = _NEW_MOUNTS | _NEW_IPC | _NEW_PROCESSES | _NEW_NETWORK

Work = t.Callable[[], t.Any]


class StageError(LbforgeError):
    """There is no private world to be had, or what went on in it did not end."""


def perform(work: Work, timeout: float, interface: str = "") -> t.Any:
    """Do some work in private namespaces and return what it does, which JSON has the types for.

    It is done by the first process of a process namespace, so the system ends all that it has started when it ends; and
    it ends when this process does, however that comes about. An LbforgeError is raised here again. ``timeout`` is in
    seconds. ``interface`` is what the one interface of the network is called, if not lo.
    """
    answers, answer = os.pipe()
    alive, life = os.pipe()
    keeper = os.fork()
    if keeper == 0:
        os.close(answers)
        os.close(life)
        _keep(work, answer, alive, interface)
    os.close(answer)
    os.close(alive)
    try:
        text = _read(answers, timeout)
    finally:
        os.close(life)
        os.close(answers)
        os.waitpid(keeper, 0)
    return _told(json.loads(text)) if text else _told({"error": "The rehearsal was ended from outside.", "details": {}})


def _told(answer: dict[str, t.Any]) -> t.Any:
    if "crash" in answer:
        raise RuntimeError(answer["crash"])
    if "error" in answer:
        raise StageError(answer["error"], **answer["details"])
    return answer["result"]


def _read(handle: int, timeout: float) -> bytes:
    deadline = time.monotonic() + timeout
    parts: list[bytes] = []
    while True:
        ready, _write, _other = select.select([handle], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise StageError(f"The rehearsal did not end within {timeout:g} s.")
        part = os.read(handle, 1 << 20)
        if not part:
            return b"".join(parts)
        parts.append(part)


def _keep(work: Work, answer: int, alive: int, interface: str) -> t.NoReturn:
    """Make the namespaces, and the first process in them."""
    # What is printed here would be taken for the result of the module.
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nowhere, number)

    def enter() -> None:
        _unshare()
        if first := os.fork():
            os.close(answer)
            os.waitpid(first, 0)
            os._exit(0)
        threading.Thread(target=_end_with, args=(alive,), daemon=True).start()
        _connect(interface)

    def whole() -> t.Any:
        enter()
        return work()

    with os.fdopen(answer, "w", encoding="utf-8") as file:
        json.dump(_outcome(whole), file)
    os._exit(0)


def _outcome(work: Work) -> dict[str, t.Any]:
    try:
        return {"result": work()}
    except LbforgeError as error:
        return {"error": str(error), "details": error.details}
    except BaseException:  # noqa: BLE001 - it is raised again, by the process that waits
        return {"crash": traceback.format_exc()}


def _end_with(alive: int) -> None:
    """End when the process does that holds the other end: nobody writes, so there is nothing to read before."""
    os.read(alive, 1)
    os._exit(1)


def _unshare() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0 and libc.unshare(_PRIVATE) == 0:
        return
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(_PRIVATE | _NEW_USERS) != 0:
        why = os.strerror(ctypes.get_errno())
        raise StageError(
            f"This system gives no private namespaces ({why}), and nothing can be rehearsed without them."
            " Run as root, or let the kernel give user namespaces (sysctl user.max_user_namespaces,"
            " kernel.apparmor_restrict_unprivileged_userns); a container needs the capability SYS_ADMIN."
        )
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        Path("/proc/self", name).write_text(text, encoding="ascii")


def has_all_users() -> bool:
    """Whether processes here can become others than root: a user namespace made above knows one user only."""
    return Path("/proc/self/uid_map").read_text(encoding="ascii").split()[-1] != "1"


def _connect(interface: str) -> None:
    name = interface or "lo"
    rename = [f"link set lo name {name}"] if interface else []
    lines = [*rename, f"link set {name} up", f"route add local 0.0.0.0/0 dev {name}"]
    done = run(["ip", "-batch", "-"], text="\n".join(lines) + "\n")
    if done.code:
        raise StageError(f"The private network cannot be set up: {done.stderr.strip()}")
    # Of a kernel without IPv6 nobody expects it. To bind an address, such a route is enough for IPv4 only.
    run(["ip", "-6", "route", "add", "local", "::/0", "dev", name])
    with contextlib.suppress(OSError):
        Path("/proc/sys/net/ipv6/ip_nonlocal_bind").write_text("1", encoding="ascii")
