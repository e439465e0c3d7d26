"""A statement as words, for looking at what it does: names without their quotes, comments left out.

Enough to tell one kind of statement from another, not a parser: what is unusual is passed over.
Quotes are those of https://www.sqlite.org/lang_keywords.html and, for PostgreSQL, of
https://www.postgresql.org/docs/current/sql-syntax-lexical.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

Dialect: TypeAlias = Literal["sqlite", "postgresql"]

_SPACE = r"(?P<space>\s+ | --[^\n]* | /\*.*?(?:\*/|\Z))"
_REST = r"""
      | (?P<string>'(?:[^']|'')*'?)
      | (?P<word>[^\W\d][\w$]*)
      | (?P<number>\d[\w.]*)
      | (?P<sign>::|.)"""
_TOKENS = {
    "sqlite": re.compile(
        _SPACE + r"""| (?P<name>"(?:[^"]|"")*"? | `[^`]*`? | \[[^\]]*\]?)""" + _REST, re.VERBOSE | re.DOTALL
    ),
    "postgresql": re.compile(
        _SPACE
        + r"""| (?P<name>"(?:[^"]|"")*"?)
              | (?P<escaped>[eE]'(?:[^'\\]|\\.|'')*'?)
              | (?P<dollar>\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z))"""
        + _REST,
        re.VERBOSE | re.DOTALL,
    ),
}
_KINDS = {"escaped": "string", "dollar": "string"}


@dataclass(frozen=True, slots=True)
class Word:
    """``text`` is in small letters unless it was quoted; ``depth`` counts the parentheses around it.

    ``line`` counts from 0, the one that the statement begins on.
    """

    text: str
    kind: Literal["word", "name", "string", "number", "sign"]
    depth: int
    line: int


def words(sql: str, dialect: Dialect) -> tuple[Word, ...]:
    """All words of a statement in order; parentheses are as deep as what is around them."""
    return tuple(_words(sql, dialect))


def _words(sql: str, dialect: Dialect) -> Iterator[Word]:
    depth = line = 0
    for token in _TOKENS[dialect].finditer(sql):
        kind = token.lastgroup if token.lastgroup != "tag" else "dollar"
        if kind != "space" and token[0] != ";":
            depth -= token[0] == ")"
            yield Word(_text(token[0], str(kind)), _KINDS.get(str(kind), kind), depth, line)  # type: ignore[arg-type]
            depth += token[0] == "("
        line += token[0].count("\n")


def _text(text: str, kind: str) -> str:
    if kind == "name":
        return text[1:-1].replace('""', '"')
    return text.lower() if kind == "word" else text


class Reader:
    """Reads words from left to right. Keywords are only those that are not quoted."""

    def __init__(self, found: tuple[Word, ...]) -> None:
        self.rest = found

    @property
    def line(self) -> int:
        """The line of the next word."""
        return self.rest[0].line if self.rest else 0

    def take(self, *keywords: str) -> bool:
        """Pass over these keywords if they come next, all of them or none."""
        here = [word.text if word.kind != "name" else "" for word in self.rest[: len(keywords)]]
        if here != list(keywords):
            return False
        self.rest = self.rest[len(keywords) :]
        return True

    def take_any(self, *keywords: str) -> None:
        """Pass over any of these, in whatever order they come."""
        while any(self.take(keyword) for keyword in keywords):
            pass

    def name(self) -> str:
        """A name with what stands before its dots; empty if none comes next."""
        parts = [self._one()]
        while parts[-1] and self.take("."):
            parts.append(self._one())
        return ".".join(part for part in parts if part)

    def names(self) -> list[str]:
        """Names with commas between them."""
        found = [self.name()]
        while self.take(","):
            self.take("only")
            found.append(self.name())
        return [name for name in found if name]

    def has(self, *keywords: str) -> bool:
        """Whether these keywords follow each other somewhere ahead, outside of all parentheses."""
        flat = [word.text if word.kind != "name" else "" for word in self.rest if word.depth == 0]
        return any(flat[at : at + len(keywords)] == list(keywords) for at in range(len(flat)))

    def parts(self) -> list[Reader]:
        """What is ahead, cut at the commas that are outside of all parentheses."""
        found: list[list[Word]] = [[]]
        for word in self.rest:
            if word.text == "," and word.kind == "sign" and word.depth == 0:
                found.append([])
            else:
                found[-1].append(word)
        return [Reader(tuple(part)) for part in found if part]

    def _one(self) -> str:
        # SQLite takes a string for a name where only a name can stand.
        if not self.rest or self.rest[0].kind not in ("word", "name", "string"):
            return ""
        word, self.rest = self.rest[0], self.rest[1:]
        return word.text.strip("'") if word.kind == "string" else word.text
