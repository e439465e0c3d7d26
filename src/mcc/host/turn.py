"""Waiting for a site that another run holds."""

from __future__ import annotations

import contextlib
import getpass
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from mcc.errors import SiteLocked
from mcc.host.lock import SiteLock

_POLL = 0.1


class Turn:
    """The patience of one command, in seconds, and the locks that it has waited for.

    A lock that was waited for is held from then on, so that nobody else comes first; :meth:`take` hands it to
    the run.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._held: dict[Path, SiteLock] = {}
        self.waited = False

    def take(self, path: Path, holder: Mapping[str, object]) -> SiteLock:
        """The lock of a site, waited for or not. Raises SiteLocked."""
        held = self._held.pop(path, None)
        if held is None:
            return SiteLock.take(path, holder)
        held.name(holder)
        return held

    def wait(self, locked: SiteLocked, say: Callable[[str], None]) -> None:
        """Wait until the lock that was refused is free, and hold it; ``say`` is told whose it is, each time anew.

        Raises SiteLocked when the patience is over, or if there was none.
        """
        self.let_go()
        told = ""
        while self._seconds > 0 and locked.lock is not None:
            left = self._until - time.monotonic()
            if left <= 0:
                raise SiteLocked(f"{locked.message}; waited {self._seconds:g} s", help=locked.help)
            if locked.whose != told:
                told = locked.whose
                say(f"waiting for {left:.0f} s at most: {locked.message}")
            time.sleep(min(_POLL, left))
            self.waited = True
            try:
                return self._hold(locked.lock)
            except SiteLocked as still:
                locked = still
        raise locked

    def let_go(self) -> None:
        """Leave the queue."""
        for lock in self._held.values():
            lock.release()
        self._held.clear()

    def _hold(self, path: Path) -> None:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        holder = {"what": "a command that has waited", "user": getpass.getuser(), "pid": os.getpid(), "since": since}
        with contextlib.suppress(FileNotFoundError):  # the site was given back: the command will say so
            self._held[path] = SiteLock.take(path, holder)
