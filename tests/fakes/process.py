"""The life of one process: every effect counts, and at a chosen one it dies or fails."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable


class Killed(BaseException):
    """``kill -9``: no ``except Exception`` sees it, and nothing can be done behind it."""


def io_error(what: str, path: str) -> Exception:
    """What a failing disk says."""
    return OSError(errno.EIO, os.strerror(errno.EIO), path or what)


class Process:
    """Counts effects from 1; ``kill_at`` and ``fail_at`` are numbers of effects.

    ``failure`` makes the error of ``fail_at`` from the effect's name and path; without it each
    port raises what its real counterpart raises. ``trace`` holds the effects so far.
    """

    def __init__(
        self,
        kill_at: int | None = None,
        fail_at: int | None = None,
        failure: Callable[[str, str], Exception] | None = None,
        pid: int = 1000,
    ) -> None:
        self.kill_at = kill_at
        self.fail_at = fail_at
        self.failure = failure
        self.pid = pid
        self.ticks = 0
        self.dead = False
        self.trace: list[tuple[str, str]] = []

    def tick(self, what: str, path: str = "", failure: Callable[[str, str], Exception] = io_error) -> None:
        """Stands before every effect, and inside those that have several parts."""
        self.breathe()
        self.ticks += 1
        self.trace.append((what, path))
        if self.ticks == self.kill_at:
            self.dead = True
            self.breathe()
        if self.ticks == self.fail_at:
            raise (self.failure or failure)(what, path)

    def breathe(self) -> None:
        """A dead process does nothing more. Raises Killed."""
        if self.dead:
            what, path = self.trace[-1] if self.trace else ("", "")
            raise Killed(f"killed at effect {self.ticks}: {what} {path}".rstrip())

    def die(self) -> None:
        """Killed from outside, between two effects."""
        self.dead = True
