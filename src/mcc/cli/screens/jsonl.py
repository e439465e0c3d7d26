"""Events as JSON lines, for programs."""

from __future__ import annotations

from typing import TextIO

from mcc.core.masking import Masker
from mcc.host.event_log import event_line
from mcc.model.event import Event


class JsonLines:
    """One event, one line, at once."""

    def __init__(self, out: TextIO, masker: Masker) -> None:
        self._out = out
        self._masker = masker

    def show(self, event: Event) -> None:
        print(event_line(event, self._masker.mask_data), file=self._out, flush=True)
