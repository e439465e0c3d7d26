"""What a person is told of a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["new", "unchanged", "beside", "line", "hook"]


@dataclass(frozen=True, slots=True)
class Note:
    """``beside``: a proposal stands next to it; ``line``, ``hook``: what it needs. ``line`` 0: the file as a whole."""

    kind: Kind
    path: str
    text: str
    line: int = 0
