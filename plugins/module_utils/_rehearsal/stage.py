# Copyright (c) 2026, the lbforge.haproxy authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private namespaces in which every address is local, and which leave nothing behind.

Namespaces: namespaces(7), unshare(2). In the private network a route of the type ``local`` (ip-route(8)) makes each
IPv4 and IPv6 address one of the loopback interface. So clients, load balancers and servers keep their addresses.
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
    """The system provides no private namespaces, or the work in them failed or did not end."""


def perform(work: Work, timeout: float, interface: str = "") -> t.Any:
    """Do some work in private namespaces and return its result, which JSON must be able to represent.

    The work is done by the first process of a process namespace, so when it ends, the system ends all processes that it
    started. It ends with this process, however this one ends. An LbforgeError of the work is raised here as a
    StageError. ``timeout`` is in seconds. ``interface`` is the name of the only interface of the network, if not lo.
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
    """Create the namespaces, and the first process in them."""
    # Output of this process would be mistaken for the result of the module.
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
    except BaseException:  # noqa: BLE001 - the waiting process raises it again
        return {"crash": traceback.format_exc()}


def _end_with(alive: int) -> None:
    """End this process when the one at the other end of the pipe ends. Nobody writes to the pipe."""
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
            f"This system provides no private namespaces ({why}), and a rehearsal needs them."
            " Run as root, or allow user namespaces (sysctl user.max_user_namespaces,"
            " kernel.apparmor_restrict_unprivileged_userns); a container needs the capability SYS_ADMIN."
        )
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        Path("/proc/self", name).write_text(text, encoding="ascii")


def has_all_users() -> bool:
    """Whether processes here can change to other users than root: a user namespace created above has only one user."""
    return Path("/proc/self/uid_map").read_text(encoding="ascii").split()[-1] != "1"


def _connect(interface: str) -> None:
    name = interface or "lo"
    rename = [f"link set lo name {name}"] if interface else []
    lines = [*rename, f"link set {name} up", f"route add local 0.0.0.0/0 dev {name}"]
    done = run(["ip", "-batch", "-"], text="\n".join(lines) + "\n")
    if done.code:
        raise StageError(f"The private network cannot be set up: {done.stderr.strip()}")
    # Without IPv6 in the kernel this fails, and nobody needs it. Unlike for IPv4, the route alone allows no binds.
    run(["ip", "-6", "route", "add", "local", "::/0", "dev", name])
    with contextlib.suppress(OSError):
        Path("/proc/sys/net/ipv6/ip_nonlocal_bind").write_text("1", encoding="ascii")
