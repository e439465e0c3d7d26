"""Ctrl-C, SIGTERM and SIGHUP as an exception, raised only where the run can be undone."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Protocol

from mcc.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts(Protocol):
    """When a run may be interrupted."""

    def armed(self) -> contextlib.AbstractContextManager[None]:
        """Inside, a signal raises Interrupted; outside, it is remembered for the next time."""
        ...


class RealInterrupts:
    """The three signals that ask a foreground program to end (signal(7))."""

    def __init__(self) -> None:
        self._armed = False
        self._pending: int | None = None
        for number in SIGNALS:
            signal.signal(number, self._handle)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # the guardian forks with them blocked

    @contextlib.contextmanager
    def armed(self) -> Iterator[None]:
        self._armed = True
        try:
            self._raise_pending()
            yield
        finally:
            self._armed = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._pending = number
        if self._armed:
            self._raise_pending()

    def _raise_pending(self) -> None:
        if self._pending is None:
            return
        number, self._pending, self._armed = self._pending, None, False
        name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        raise Interrupted(f"interrupted by {name}")


class NoInterrupts:
    """Nothing interrupts: for an undo, for a recovery."""

    @contextlib.contextmanager
    def armed(self) -> Iterator[None]:
        yield
