"""A site that somebody has frozen: who, since when, why."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

LONGEST = 500
"""Characters of a reason."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """Who froze a site, when (ISO time in UTC) and why; what is not known is empty."""

    who: str = ""
    when: str = ""
    reason: str = ""

    @property
    def words(self) -> str:
        """``by ann since 2026-02-27T15:00:00+00:00: the audit goes on``."""
        known = (f"by {self.who}" if self.who else "", f"since {self.when}" if self.when else "")
        said = " ".join(filter(None, known)) or "by hand"
        return f"{said}: {self.reason}" if self.reason else said


def frozen_text(who: str, when: datetime, reason: str) -> bytes:
    """What stands in the file; that it is there freezes the site."""
    data = {"who": who, "when": when.isoformat(timespec="seconds"), "reason": reason}
    return (json.dumps(data, ensure_ascii=False) + "\n").encode()


def read_frozen(text: bytes) -> Frozen:
    """What :func:`frozen_text` wrote; a file that somebody made by hand counts too, and says nothing."""
    try:
        data = json.loads(text)
        return Frozen(*(one_line(str(data.get(key) or "")) for key in ("who", "when", "reason")))
    except (ValueError, AttributeError):
        return Frozen()


def one_line(text: str) -> str:
    """Words of a person, fit for one line of a screen: control characters could rewrite it."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
