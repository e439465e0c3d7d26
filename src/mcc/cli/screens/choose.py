"""Which screen a reader gets: a live view in a terminal, plain lines in a log, JSON lines for a program."""

from __future__ import annotations

import sys
from collections.abc import Callable

from mcc.core.masking import Masker
from mcc.engine.run import Sink
from mcc.host.machine import RealMachine
from mcc.model.event import Event


def screen_for(format: str) -> Callable[[Masker], Sink]:
    """The maker of a sink for ``auto``, ``live``, ``plain`` or ``jsonl``.

    What a screen needs is imported here: later the site is held, and visitors of a broken release wait.
    """
    if format == "auto":
        format = "live" if sys.stdout.isatty() and (RealMachine().variable("TERM") or "dumb") != "dumb" else "plain"
    screen = _screen(format)
    return lambda masker: _never_failing(screen(masker))


def _screen(format: str) -> Callable[[Masker], Sink]:
    if format == "jsonl":
        from mcc.cli.screens.jsonl import JsonLines

        return lambda masker: JsonLines(sys.stdout, masker).show
    if format == "live":
        from mcc.cli.screens.live import Live

        return lambda masker: Live(masker).show
    from mcc.cli.screens.plain import Plain

    return lambda masker: Plain(sys.stdout, masker).show


def _never_failing(show: Sink) -> Sink:
    """A reader that went away (a closed terminal, a full log disk) must not end a deploy half-way."""

    def safe(event: Event) -> None:
        try:
            show(event)
        except (OSError, ValueError):  # ValueError: closed, or an encoding that lacks a character
            return

    return safe
