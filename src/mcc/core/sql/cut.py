"""SQLite's SQL, cut into statements.

The cut is the one of ``sqlite3_complete()`` (https://www.sqlite.org/c3ref/complete.html), which knows
triggers, comments and every kind of quote; here in one pass, with the line of each statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mcc.model.migration import Statement

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n\f]+ | --[^\n]*)
      | (?P<comment>/\*.*?(?:\*/|\Z))
      | (?P<quoted>'[^']*'? | "[^"]*"? | `[^`]*`? | \[[^\]]*\]?)
      | (?P<word>[0-9A-Za-z_$\x80-\U0010ffff]+)
      | (?P<semicolon>;)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_CLOSING = {"'": "'", '"': '"', "`": "`", "[": "]"}
_KINDS = {
    "create": "create",
    "temp": "temp",
    "temporary": "temp",
    "trigger": "trigger",
    "end": "end",
    "explain": "explain",
}
# Where a statement stands after a token; what is not listed leads to the state of "".
_NEXT = {
    "start": {"explain": "explain", "create": "create", ";": "done", "": "normal"},
    "normal": {";": "done", "": "normal"},
    "explain": {"other": "explain", "create": "create", ";": "done", "": "normal"},
    "create": {"temp": "create", "trigger": "trigger", ";": "done", "": "normal"},
    "trigger": {";": "semicolon", "": "trigger"},
    "semicolon": {";": "semicolon", "end": "end", "": "trigger"},
    "end": {";": "done", "": "trigger"},
}
_ACCEPT = re.compile(r"--\s*mcc:\s*accept(?![\w-])", re.IGNORECASE)
_PRAGMA = re.compile(r"PRAGMA\s+(?:\w+\s*\.\s*)?(\w+)\s*(?:[=(]\s*['\"]?(\w+))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Where a text ends inside of something, counted from line 1."""

    line: int
    what: str


@dataclass(frozen=True, slots=True)
class Split:
    """The statements of a text; what ends nowhere is in ``unfinished`` and not among them."""

    statements: tuple[Statement, ...]
    unfinished: Unfinished | None = None


def split(text: str) -> Split:
    """Cut a text into statements, without comments between them and without empty ones.

    The last one may lack its semicolon, as the ``sqlite3`` command allows.
    """
    statements: list[Statement] = []
    begin, line, state, accepted = None, 1, "start", False
    for token in _tokens(text):
        unfinished = _unfinished(token, line)
        if unfinished:
            return Split(tuple(statements), unfinished)
        kind = _kind(token)
        if kind is None and begin is None:
            accepted = accepted or accepts(token[0])
        if kind is not None:
            if begin is None and kind != ";":
                begin, begin_line = token.start(), line
            state = _NEXT[state].get(kind, _NEXT[state][""])
            if state == "done":
                if begin is not None:
                    statements.append(Statement(text[begin : token.end()], begin_line, accepted))
                begin, state, accepted = None, "start", False
        line += token[0].count("\n")
    if begin is not None and state in ("trigger", "semicolon"):
        return Split(tuple(statements), Unfinished(begin_line, "a trigger without its END;"))
    if begin is not None:
        statements.append(Statement(text[begin:].rstrip(), begin_line, accepted))
    return Split(tuple(statements))


def first_word(sql: str) -> str:
    """The word that a statement begins with, in capitals; empty if it begins with something else."""
    token = _TOKEN.match(sql)
    return token["word"].upper() if token and token["word"] else ""


def comments(text: str) -> Iterator[tuple[int, str]]:
    """The comments of one line, with their lines; what looks like one inside a string is none."""
    line = 1
    for token in _tokens(text):
        if token[0].startswith("--"):
            yield line, token[0]
        line += token[0].count("\n")


def accepts(comment: str) -> bool:
    """Whether a comment says that the statement behind it is meant as it is: ``-- mcc: accept``, and why."""
    return _ACCEPT.match(comment) is not None


def pragma(sql: str) -> tuple[str, str] | None:
    """A pragma's name and value (empty: it only asks), in small letters; None for other statements."""
    match = _PRAGMA.match(sql)
    return (match[1].lower(), (match[2] or "").lower()) if match else None


def _tokens(text: str) -> Iterator[re.Match[str]]:
    return _TOKEN.finditer(text)


def _kind(token: re.Match[str]) -> str | None:
    """What a token means for the end of a statement; None for space and comments."""
    if token.lastgroup in ("space", "comment"):
        return None
    if token.lastgroup == "semicolon":
        return ";"
    return _KINDS.get(token[0].lower(), "other") if token.lastgroup == "word" else "other"


def _unfinished(token: re.Match[str], line: int) -> Unfinished | None:
    text = token[0]
    if token.lastgroup == "comment" and (len(text) < 4 or not text.endswith("*/")):
        return Unfinished(line, "a comment without its */")
    if token.lastgroup == "quoted" and (len(text) == 1 or not text.endswith(_CLOSING[text[0]])):
        return Unfinished(line, f"a {text[0]} without its {_CLOSING[text[0]]}")
    return None
