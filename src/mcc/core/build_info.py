"""``build_info.yml`` into its frozen value."""

from __future__ import annotations

import re

from mcc.core.conf.checks import whole
from mcc.core.conf.unfit import Unfit, found
from mcc.core.document import Document, Place
from mcc.errors import ConfigError
from mcc.model.build import BuildInfo
from mcc.model.problem import Problem

# What stands in a commit is shown in terminals, which would obey it; a message may have lines.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def to_build_info(document: Document) -> BuildInfo:
    """What the pipeline wrote; other keys are ignored. Raises ConfigError with all that is wrong.

    A program writes this file, so that bare words and numbers are taken as the text that they are.
    """
    reader = _Reader(document)
    info = BuildInfo(
        number=reader.number("build_number"),
        branch=reader.text("branch"),
        commit=reader.text("commit_sha"),
        committer=reader.text("committer", "name"),
        message=reader.text("committer", "commit_message") or reader.text("commit_message"),
    )
    if reader.problems:
        raise ConfigError(reader.problems)
    return info


class _Reader:
    def __init__(self, document: Document) -> None:
        self._document = document
        self.problems: list[Problem] = []

    def _value(self, place: Place) -> object:
        value: object = self._document.data
        for part in place:
            value = value.get(part) if isinstance(value, dict) else None
        return value

    def number(self, *place: str) -> int | None:
        value = self._value(place)
        try:
            return None if value is None else whole(0)(value)
        except Unfit as error:
            self.problems.append(self._document.problem(place, error.message, error.help))
            return None

    def text(self, *place: str) -> str | None:
        value = self._value(place)
        if value is None:
            return None
        written = self._document.texts.get(place, value)
        if isinstance(written, str):
            return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", written)
        error = found(value, "text")
        self.problems.append(self._document.problem(place, error.message, error.help))
        return None
