"""A YAML file as plain data, together with where each part of it stands.

A place is the way from the top of a file to a value: ``("deploy", "prod", "link")``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcc.model.problem import Problem

Place = tuple[str | int, ...]
# YAML 1.1 reads these as true and false, YAML 1.2 as text: no one can know which was meant.
_WORDS = {"yes": "true", "on": "true", "no": "false", "off": "false"}


@dataclass(frozen=True, slots=True)
class Document:
    """What a file holds.

    ``lines`` counts from 1. ``texts`` keeps scalars without quotes letter by letter, so that
    a commit such as ``5807e12`` or a version such as ``1.10`` is not lost as a number.
    """

    file: str
    data: dict[str, Any]
    lines: Mapping[Place, int] = field(default_factory=dict)
    texts: Mapping[Place, str] = field(default_factory=dict)

    def known(self, place: Place) -> Place:
        """The longest part of a place that stands in the file."""
        while place and place not in self.lines:
            place = place[:-1]
        return place

    def problem(self, place: Place, message: str, help: str = "") -> Problem:
        """What is wrong at a place; a key that is missing is reported where it belongs."""
        line = self.lines.get(self.known(place), 0)
        return Problem(self.file, line, dotted(place), message, help)

    def bare_words(self, below: Place = ()) -> list[Problem]:
        """Every unquoted yes, no, on, off below a place."""
        return [
            self.problem(
                place,
                f"found {text} without quotes, which some programs read as {_WORDS[text.lower()]}",
                f'write {_WORDS[text.lower()]}, or "{text}" in quotes for the word',
            )
            for place, text in self.texts.items()
            if text.lower() in _WORDS and place[: len(below)] == below
        ]


def dotted(place: Place) -> str:
    """``deploy.prod.link``, ``DOMAINS[1]``: items of a list count from 1."""
    key = ""
    for part in place:
        key += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if key else part
    return key


def strings(data: object, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Every text value in plain data, with its place."""
    if isinstance(data, str):
        yield place, data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from strings(value, (*place, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from strings(value, (*place, index))
