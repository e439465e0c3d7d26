"""``{{KEY}}``, ``{{env:NAME}}`` and ``{{file:PATH}}`` in the text values of a conf."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Protocol

from mcc.core.conf.unfit import Unfit
from mcc.core.document import Document, Place
from mcc.core.masking import is_secret_name, url_passwords
from mcc.core.nearest import did_you_mean
from mcc.model.problem import Problem

_PLACEHOLDER = re.compile(r"\{\{[ \t]*(?:(env|file):)?([^\s{}:](?:[^{}\n]*[^\s{}])?)[ \t]*\}\}")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# mcc provision fills these in, once for each domain.
_EACH_DOMAIN = frozenset({"TLS_CERTIFICATE", "TLS_KEY"})
MAX_LENGTH = 64 * 1024
MAX_LEVELS = 40


class Outside(Protocol):
    """Where values come from that do not stand in the conf."""

    def variable(self, name: str) -> str:
        """The value of a variable. Raises Unfit if there is none."""
        ...

    def file(self, path: str) -> str:
        """The text of a file, without the last line end. Raises Unfit."""
        ...


@dataclass(frozen=True, slots=True)
class Filled:
    """A conf with its placeholders filled in.

    ``secrets``: values never to be shown. ``tainted``: places whose text holds a secret.
    ``failed``: places that could not be filled; their problems are among ``problems``.
    """

    data: dict[str, Any]
    secrets: frozenset[str]
    tainted: frozenset[Place]
    failed: frozenset[Place]
    problems: tuple[Problem, ...]


def fill(document: Document, outside: Outside) -> Filled:
    """Fill in every placeholder; what could not be filled stays as it was written."""
    filling = _Filling(document, outside)
    data = {key: filling.value(value, (key,)) for key, value in document.data.items()}
    return Filled(
        data,
        frozenset(filling.secrets),
        frozenset(filling.tainted),
        frozenset(filling.failed),
        tuple(filling.problems),
    )


def fill_one(document: Document, key: str) -> tuple[object, list[Problem]]:
    """One top-level value, which must not need anything from outside of the file."""
    filling = _Filling(document, _Nothing(key))
    value = filling.value(document.data.get(key), (key,))
    return (None if filling.problems else value), filling.problems


class _Nothing:
    """Refuses what lies outside; ``key`` is the value that is asked for."""

    def __init__(self, key: str) -> None:
        self._key = key

    def variable(self, name: str) -> str:
        raise Unfit(f"found {{{{env:{name}}}}}", f"{self._key} must stand in the file itself")

    def file(self, path: str) -> str:
        raise Unfit(f"found {{{{file:{path}}}}}", f"{self._key} must stand in the file itself")


class _Failed(Exception):
    """A placeholder could not be filled; the problem is noted."""


class _Filling:
    def __init__(self, document: Document, outside: Outside) -> None:
        self._document = document
        self._outside = outside
        self._done: dict[str, tuple[str, bool]] = {}
        self._open: list[str] = []
        self.secrets: set[str] = set()
        self.tainted: set[Place] = set()
        self.failed: set[Place] = set()
        self.problems: list[Problem] = []

    def value(self, value: object, place: Place) -> Any:
        """A value of any kind with all text in it filled."""
        if isinstance(value, dict):
            return {key: self.value(part, (*place, key)) for key, part in value.items()}
        if isinstance(value, list):
            return [self.value(part, (*place, index)) for index, part in enumerate(value)]
        if isinstance(value, str):
            return self._string(value, place)
        if isinstance(value, int | float) and not isinstance(value, bool) and _is_secret(place):
            self.secrets.add(self._document.texts.get(place, str(value)))
        return value

    def _string(self, text: str, place: Place) -> object:
        try:
            filled, tainted = self._top(str(place[0])) if len(place) == 1 else self._text(text, place)
        except _Failed:
            self.failed.add(place)
            return text
        passwords = url_passwords(filled)
        self.secrets |= passwords
        if _is_secret(place) and filled:
            self.secrets.add(filled)
        if tainted or passwords or _is_secret(place):
            self.tainted.add(place)
        whole = _PLACEHOLDER.fullmatch(text)
        if whole and not whole[1] and isinstance(self._document.data.get(whole[2]), bool):
            return self._document.data[whole[2]]
        return filled

    def _top(self, key: str) -> tuple[str, bool]:
        """The text of a top-level key, and whether it holds a secret. Raises _Failed."""
        if key in self._done:
            return self._done[key]
        if key in self._open:
            raise self._circle(key)
        if (key,) in self.failed or len(self._open) >= MAX_LEVELS:
            raise self._too_deep(key)
        self._open.append(key)
        try:
            self._done[key] = self._text(self._scalar(key), (key,))
        except _Failed:
            self.failed.add((key,))
            raise
        finally:
            self._open.pop()
        return self._done[key]

    def _circle(self, key: str) -> _Failed:
        ring = [*self._open[self._open.index(key) :], key]
        self._wrong((ring[0],), f"stands for itself: {' -> '.join(ring)}", "break the circle")
        return _Failed()

    def _too_deep(self, key: str) -> _Failed:
        if (key,) not in self.failed:
            self._wrong((key,), f"is reached over more than {MAX_LEVELS} placeholders")
        return _Failed()

    def _scalar(self, key: str) -> str:
        value = self._document.data[key]
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return self._document.texts.get((key,), str(value))
        assert isinstance(value, str)
        return value

    def _text(self, text: str, place: Place) -> tuple[str, bool]:
        parts, end, tainted, failed, room = list[str](), 0, _is_secret(place), False, MAX_LENGTH
        for match in _PLACEHOLDER.finditer(text):
            try:
                value, secret = self._one(match, place)
            except _Failed:
                failed = True
                continue
            parts += [text[end : match.start()], value]
            end, tainted, room = match.end(), tainted or secret, room - len(value)
            if room < 0:
                raise self._not(place, f"becomes longer than {MAX_LENGTH // 1024} KiB", "")
        if failed:
            raise _Failed
        filled = "".join([*parts, text[end:]])
        return filled, tainted or bool(url_passwords(filled))

    def _one(self, match: re.Match[str], place: Place) -> tuple[str, bool]:
        kind, name = match[1], match[2]
        if kind:
            return self._from_outside(kind, name, place), True
        if not _KEY.fullmatch(name):
            return match[0], False  # braces that are somebody else's
        if name == "DOMAIN" and place[0] in _EACH_DOMAIN:
            return match[0], False
        value = self._document.data.get(name)
        if name not in self._document.data:
            hint = did_you_mean(name, self._document.data) or "it must be a key of this file"
            raise self._not(place, f"found {{{{{name}}}}}, but there is no key {name}", hint)
        if value is None or isinstance(value, dict | list):
            kind = "has no value" if value is None else "is a list or a mapping"
            raise self._not(place, f"found {{{{{name}}}}}, but {name} {kind}", "allowed: keys with one value")
        return self._top(name)

    def _from_outside(self, kind: str, name: str, place: Place) -> str:
        try:
            value = self._outside.variable(name) if kind == "env" else self._outside.file(name)
        except Unfit as error:
            raise self._not(place, error.message, error.help) from None
        if value:
            self.secrets.add(value)
        return value

    def _not(self, place: Place, message: str, help: str) -> _Failed:
        self._wrong(place, message, help)
        return _Failed()

    def _wrong(self, place: Place, message: str, help: str = "") -> None:
        self.problems.append(self._document.problem(place, message, help))


def _is_secret(place: Place) -> bool:
    return any(is_secret_name(part) for part in place)
