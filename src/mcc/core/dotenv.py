"""``.env``: variables, one a line, as systemd's ``EnvironmentFile=`` and shells read them.

The two agree on quotes, and not on everything else: a shell knows ``export`` and takes `` # …`` for a comment, for
systemd the one makes a name that is none and the other is part of the value. :func:`variables` reads as a shell does,
:func:`for_systemd` as systemd.exec(5) does, and :func:`differences` says where that matters. What
:mod:`mcc.core.dotenv_edit` writes means the same to both. Nothing is expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_EXPORT = re.compile(r"\Aexport[ \t]+")
_ENDS, _BLANKS = "\r\n", " \t"
# In double quotes a backslash before anything else is a backslash.
_ESCAPED = '"\\$`'


@dataclass(frozen=True, slots=True)
class Assignment:
    """``name`` may be none that a process can have. ``start`` and ``end`` are offsets, without the line's end."""

    name: str
    value: str
    start: int
    end: int

    @property
    def good(self) -> bool:
        """Whether a process can have a variable of that name."""
        return _NAME.fullmatch(self.name) is not None


@dataclass(frozen=True, slots=True)
class Difference:
    """A variable that a service would get otherwise than mcc reads it; ``line`` counts from 1."""

    name: str
    line: int

    def __str__(self) -> str:
        return f"line {self.line}: a service would get {self.name} otherwise than it is read here"


def variables(text: str) -> dict[str, str]:
    """Names and values; lines of another form are left out."""
    return {each.name: each.value for each in assignments(text) if each.good}


def for_systemd(text: str) -> dict[str, str]:
    """What a service gets whose unit names the file as its ``EnvironmentFile=``."""
    return {each.name: each.value for each in assignments(text, shell=False) if each.good}


def differences(text: str) -> tuple[Difference, ...]:
    """Variables that systemd reads otherwise than we do, by the line on which each is given last."""
    ours, theirs = variables(text), for_systemd(text)
    every = (*assignments(text, shell=False), *assignments(text))
    lines = {each.name: text.count("\n", 0, each.start) + 1 for each in every if each.good}
    names = [name for name in lines if ours.get(name) != theirs.get(name)]
    return tuple(sorted((Difference(name, lines[name]) for name in names), key=lambda each: each.line))


def is_name(text: str) -> bool:
    """Whether a variable may be called so."""
    return _NAME.fullmatch(text) is not None


def assignments(text: str, *, shell: bool = True) -> tuple[Assignment, ...]:
    """Every assignment in order, as a shell or as systemd finds them."""
    return tuple(_Reader(text, shell).all())


class _Reader:
    """The states of systemd's parse_env_file(), with a shell's ``export`` and comments on top."""

    def __init__(self, text: str, shell: bool) -> None:
        self._text = text
        self._shell = shell
        self._at = 0

    def all(self) -> Iterator[Assignment]:
        while self._at < len(self._text):
            here = self._text[self._at]
            if here in _ENDS or here in _BLANKS:
                self._at += 1
            elif here in "#;":
                self._comment()
            else:
                yield from self._line()

    def _comment(self) -> None:
        """A comment ends with its line; for systemd a backslash before that end continues it."""
        while (here := self._here()) and here not in _ENDS:
            self._at += 2 if here == "\\" and not self._shell else 1

    def _line(self) -> Iterator[Assignment]:
        start, stop = self._at, self._end_of_line(self._at)
        name, equals, _ = self._text[start:stop].partition("=")
        if not equals:
            self._at = stop
            return
        self._at = start + len(name) + 1
        value, closed = self._value()
        if self._shell and not closed:  # a person's slip: for the line alone
            value, self._at = self._text[start + len(name) + 1 : stop].strip(_BLANKS), stop
        name = name.rstrip(_BLANKS)
        yield Assignment(_EXPORT.sub("", name, count=1) if self._shell else name, value, start, self._at)

    def _value(self) -> tuple[str, bool]:
        """What stands behind the ``=``, as far as the value goes; and whether every quote was closed."""
        value, bare = "", False
        trailing = ""  # blanks that count only if something follows
        while (here := self._here()) and here not in _ENDS:
            if here in "\"'" and not bare:
                part, closed = self._quoted(here)
                value += part
                if not closed:
                    return value, False
                continue
            if here == "#" and self._shell and self._text[self._at - 1] in _BLANKS:
                self._at = self._end_of_line(self._at)
                break
            if here in _BLANKS:
                trailing += here if bare else ""
                self._at += 1
                continue
            bare = True
            value, trailing = value + trailing + self._letter(), ""
        return value, True

    def _letter(self) -> str:
        """One letter outside of quotes; a backslash makes the next one ordinary, and joins lines."""
        here = self._here()
        self._at += 1
        if here != "\\":
            return here
        escaped = self._here()
        self._at += 1
        return "" if escaped in _ENDS else escaped

    def _quoted(self, quote: str) -> tuple[str, bool]:
        self._at += 1
        value = ""
        while here := self._here():
            self._at += 1
            if here == quote:
                return value, True
            if here == "\\" and quote == '"':
                escaped = self._here()
                self._at += 1
                here = escaped if escaped in _ESCAPED else "" if escaped in _ENDS else here + escaped
            value += here
        return value, False

    def _here(self) -> str:
        """The letter at this place; empty behind the last one."""
        return self._text[self._at : self._at + 1]

    def _end_of_line(self, at: int) -> int:
        return next((place for place in range(at, len(self._text)) if self._text[place] in _ENDS), len(self._text))
