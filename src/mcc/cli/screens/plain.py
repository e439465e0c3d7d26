"""Plain lines, for a log."""

from __future__ import annotations

from typing import TextIO

from mcc.cli.screens import wording
from mcc.core.masking import Masker
from mcc.model.event import (
    Committed,
    Event,
    RecoveryStarted,
    RunEnded,
    RunStarted,
    StepDone,
    StepFailed,
    StepSaid,
    StepUndone,
    Warned,
)


class Plain:
    """A line a step, when it is over."""

    def __init__(self, out: TextIO, masker: Masker) -> None:
        self._out = out
        self._masker = masker
        self._undoing = False

    def show(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._lines(*wording.opening(event), "")
        elif isinstance(event, RecoveryStarted):
            self._lines(wording.recovery(event))
        elif isinstance(event, StepDone):
            self._lines(f"  {event.phase:<9} {event.title:<66} {event.seconds:6.2f} s")
        elif isinstance(event, StepSaid):
            self._lines(f"            {event.text}")
        elif isinstance(event, Warned):
            self._lines(f"  warning   {event.text}")
        elif isinstance(event, Committed):
            self._lines("  ---------- committed")
        elif isinstance(event, StepFailed):
            self._failed(event)
        elif isinstance(event, StepUndone):
            self._undone(event)
        elif isinstance(event, RunEnded):
            self._lines("", *wording.closing(event))

    def _failed(self, event: StepFailed) -> None:
        first, *rest = wording.failure(event)
        self._lines(f"  {event.phase:<9} {event.title}", f"  FAILED    {first}")
        self._lines(*(f"          {line}" for line in rest))

    def _undone(self, event: StepUndone) -> None:
        if not self._undoing:
            self._lines("  going back")
            self._undoing = True
        self._lines(f"  {'NOT undone' if event.error else 'undone':<9} {event.title} {event.error}".rstrip())

    def _lines(self, *lines: str) -> None:
        for line in lines:
            print(self._masker.mask(line), file=self._out, flush=True)
