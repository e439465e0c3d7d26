"""A small parent process that stays when the runner dies, and puts things right at once."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from mcc.host import streams
from mcc.host.proc import PARENT, STATE, stat_fields
from mcc.host.signals import SIGNALS

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
_ORPHAN_LIMIT = 60.0  # seconds to wait for commands that run as root and cannot be ended by us

MARK = "MCC_RUN"
"""The environment variable that marks every command of a run; daemons are started without it."""


def guarded(mark: str, work: Callable[[], int], rescue: Callable[[str], int]) -> int:
    """Run ``work`` in a child process, with signals blocked until it takes them, and return its exit code.

    If the child dies of a signal, what it left running is ended first, and then ``rescue`` is
    called here with the reason. Signals that reach this process are passed on to the child.
    """
    _adopt_orphans()
    streams.flush()
    # Between fork and handlers a Ctrl-C must find neither of the two unprepared.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    gc.freeze()  # the collector of one process would copy the pages of the other
    child = os.fork()
    if child == 0:
        _be_the_runner(work)
    _pass_signals_on(child)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status)
    _end_what_is_left(mark)
    return rescue(f"the deploying process died of {signal.Signals(os.WTERMSIG(status)).name}")


def _be_the_runner(work: Callable[[], int]) -> None:
    code = 1
    try:
        code = work()
        streams.flush()
    except BaseException:  # the parent must learn of it, whatever it was
        sys.excepthook(*sys.exc_info())
        os.kill(os.getpid(), signal.SIGKILL)  # not undone: the guardian recovers
    finally:
        with contextlib.suppress(OSError):
            os._exit(code)


def _pass_signals_on(child: int) -> None:
    def pass_on(number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    for number in SIGNALS:
        signal.signal(number, pass_on)


def _adopt_orphans() -> None:
    """Become the parent of whatever loses its own below us, so that it can be found and ended."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_what_is_left(mark: str) -> None:
    """End the commands of the dead runner; those of root are waited for."""
    deadline = time.monotonic() + _ORPHAN_LIMIT
    while time.monotonic() < deadline:
        _reap()
        left = [pid for pid in _descendants(os.getpid()) if _belongs(pid, mark)]
        if not left:
            return
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _descendants(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                parents[int(folder.name)] = int(stat_fields(int(folder.name))[PARENT])
    found = {root}
    while True:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        if not more:
            return sorted(found - {root})
        found |= more


def _belongs(pid: int, mark: str) -> bool:
    """Whether a process is a command of this run: marked, root's (unreadable) through sudo, or about to become one.

    Between fork(2) and execve(2) a command is a copy of the runner, which is not marked; while it is being
    exchanged it has no words yet (proc_pid_cmdline(5)). They are read first: who has words has variables too.
    """
    folder = Path("/proc") / str(pid)
    try:
        words = (folder / "cmdline").read_bytes()
        if not words:
            return stat_fields(pid)[STATE] not in "ZX"
        if words == Path("/proc/self/cmdline").read_bytes():
            return True
        return f"{MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0")
    except PermissionError:
        return True
    except OSError:
        return False
