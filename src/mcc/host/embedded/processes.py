"""Processes of services: how long they have been running, and what they leave behind."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from mcc.host.embedded.client import Process
from mcc.host.proc import GROUP, START_TIME, STATE, stat_fields

_POLL = 0.02
_GROUP_LIMIT = 2.0  # seconds for what a service left in its process group, after it has ended


def uptime(process: Process) -> float:
    """Seconds since the start: from the kernel, or from supervisord's whole seconds."""
    with contextlib.suppress(OSError, IndexError, ValueError, AttributeError):
        started = int(stat_fields(process.pid)[START_TIME]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)
    # Both are rounded down, so the true time may be up to a second less.
    return max(0.0, float(process.now - process.start - 1))


def end_group(group: int) -> None:
    """Wait for what a service left in its process group, then kill it."""
    for _ in until(_GROUP_LIMIT):
        if not _lives(group):
            return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def until(limit: float) -> Iterator[None]:
    """Turns of a waiting loop, until the limit in seconds is over."""
    deadline = time.monotonic() + limit
    while True:
        yield
        if time.monotonic() > deadline:
            return
        time.sleep(_POLL)


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    # A container may have no init that reaps: the dead are still in the group then.
    if not Path("/proc/self/stat").exists():
        return True
    return any(_is_alive_in(group, int(each.name)) for each in Path("/proc").iterdir() if each.name.isdecimal())


def _is_alive_in(group: int, pid: int) -> bool:
    with contextlib.suppress(OSError, IndexError):
        fields = stat_fields(pid)
        return int(fields[GROUP]) == group and fields[STATE] not in "ZX"
    return False
