"""A value that does not fit, in words for the person who wrote it."""

from __future__ import annotations

import json


class Unfit(ValueError):
    """A value is not what it should be: what was found, and what is allowed."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.help = help


def found(value: object, allowed: str) -> Unfit:
    """The usual form of :class:`Unfit`."""
    return Unfit(f"found {shown(value)}", f"allowed: {allowed}")


def shown(value: object) -> str:
    """A value as a person wrote it, short and on one line."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, str) and len(value) > 60:
        value = value[:57] + "..."
    return json.dumps(value, ensure_ascii=False)
