"""A live view, for a person at a terminal."""

from __future__ import annotations

import atexit

from rich.console import Console
from rich.status import Status
from rich.text import Text

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
    StepProgress,
    StepSaid,
    StepStarted,
    StepUndone,
    Warned,
)

_STYLES = {"done": "bold green", "failed": "bold red", "stuck": "bold white on red"}


class Live:
    """Finished steps stand above; the one under way moves, with its last words beside it."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._console = Console(highlight=False, soft_wrap=True)
        self._status: Status | None = None
        self._title = ""
        self._undoing = False
        atexit.register(self._rest)

    def show(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            first, *rest = wording.opening(event)
            self._print(first, "bold")
            self._print("\n".join([*rest, ""]), "dim")
        elif isinstance(event, StepStarted):
            self._title = f"{event.phase}: {event.title}"
            self._move(self._title)
        elif isinstance(event, StepSaid):
            self._move(f"{self._title} · {event.text.strip()[:80]}")
        elif isinstance(event, StepProgress):
            self._move(f"{self._title} · {event.done} of {event.total} {event.what}")
        else:
            self._over(event)

    def _over(self, event: Event) -> None:
        if isinstance(event, StepDone):
            self._row("✓", "green", event.phase, event.title, f"{event.seconds:.2f} s")
        elif isinstance(event, Warned):
            self._row("!", "yellow", "warning", event.text)
        elif isinstance(event, Committed):
            self._print("  ─── committed", "green")
        elif isinstance(event, StepFailed):
            self._rest()
            self._row("✗", "bold red", event.phase, event.title)
            for line in wording.failure(event):
                self._print(f"    {line}", "red")
        elif isinstance(event, StepUndone):
            self._undone(event)
        elif isinstance(event, RecoveryStarted):
            self._print(wording.recovery(event), "bold yellow")
        elif isinstance(event, RunEnded):
            self._ended(event)

    def _undone(self, event: StepUndone) -> None:
        if not self._undoing:
            self._rest()
            self._print("  going back", "yellow")
            self._undoing = True
        style = "bold red" if event.error else "yellow"
        self._row("✗" if event.error else "↶", style, "undone", event.title, event.error)

    def _ended(self, event: RunEnded) -> None:
        self._rest()
        first, *rest = wording.closing(event)
        self._print("\n" + first, _STYLES[event.result])
        for line in rest:
            self._print(line)

    def _row(self, mark: str, style: str, phase: str, title: str, right: str = "") -> None:
        text = Text(self._masker.mask(f"  {mark} {phase:<9} {title}"))
        text.stylize(style, 2, 3)
        text.stylize("dim", 4, 13)
        if right:
            text.append("  " + self._masker.mask(right), "dim")
        self._console.print(text)

    def _print(self, text: str, style: str = "") -> None:
        self._console.print(Text(self._masker.mask(text), style))

    def _move(self, text: str) -> None:
        shown = Text(self._masker.mask(text)[: self._console.width - 6])
        if self._status is None:
            self._status = self._console.status(shown)
            self._status.start()
        else:
            self._status.update(shown)

    def _rest(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
