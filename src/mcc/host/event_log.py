"""The record of a run: its events as JSON lines, for those who ask later."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mcc.model.event import Event


class EventLog:
    """Appends events; what cannot be written (a full disk) is left out, a run never fails for it."""

    def __init__(self, path: Path, mask: Callable[[Any], Any]) -> None:
        self._path = path
        self._mask = mask

    def add(self, event: Event) -> None:
        line = event_line(event, self._mask)
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(line + "\n")


def event_line(event: Event, mask: Callable[[Any], Any]) -> str:
    """One event as one line of JSON, in ASCII: names of files need not be text in any encoding."""
    data = {"event": event.event, **dataclasses.asdict(event)}
    return json.dumps(mask(data))
