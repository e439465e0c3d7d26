"""One thing that is wrong with a file that a person wrote."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, where, and the way out.

    ``line`` counts from 1; 0 means the file as a whole. ``key`` is the dotted path
    of the key (``deploy.prod.parameters.conf``), empty for the file as a whole.
    """

    file: str
    line: int
    key: str
    message: str
    help: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        subject = f" {self.key}:" if self.key else ""
        way_out = f" ({self.help})" if self.help else ""
        return f"{place}:{subject} {self.message}{way_out}"
