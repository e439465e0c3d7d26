"""PostgreSQL's SQL, cut into statements, and what cannot stand in a migration.

The cut is the one of ``psql`` (its scanner, ``psqlscan.l``): a semicolon ends a statement unless it
is in quotes, in a comment, in parentheses or in a function body between ``BEGIN ATOMIC`` and ``END``.
Quotes are those of https://www.postgresql.org/docs/current/sql-syntax-lexical.html, with
``standard_conforming_strings`` on, as it is by default.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from mcc.core.sql.cut import Split, Unfinished, accepts
from mcc.model.migration import Statement
from mcc.model.problem import Problem

_PARTS = r"""(?P<space>\s+ | --[^\n]*)
      | (?P<comment>/\*)
      | (?P<escaped>[eE]'(?:[^'\\]|\\.|'')*'?)
      | (?P<string>'(?:[^']|'')*'?)
      | (?P<name>"(?:[^"]|"")*"?)
      | (?P<dollar>\$(?:[A-Za-z_\x80-\U0010ffff][\w\x80-\U0010ffff]*)?\$)
      | (?P<word>[A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*)
      | (?P<number>\$?\d[\w.]*)
      | (?P<command>\\[^\n]*)
      | (?P<sign>.)"""
# Around every dump of pg_dump since August 2025: they say what psql itself may do meanwhile.
_HARMLESS = re.compile(r"\\(un)?restrict\s+\w+\s*$")
_COMMENT_PART = re.compile(r"/\*|\*/")

_TRANSACTION = (
    "mcc opens and ends the transaction; take the line out (a file that must run outside of one begins with "
    "-- mcc: no-transaction)"
)
_REFUSED: dict[tuple[str, ...], str] = {
    **dict.fromkeys(
        (
            ("BEGIN",), ("START", "TRANSACTION"), ("COMMIT",), ("END",), ("ROLLBACK",), ("ABORT",), ("SAVEPOINT",),
            ("RELEASE",), ("PREPARE", "TRANSACTION"),
        ),
        _TRANSACTION,
    ),
    **dict.fromkeys(
        (("CREATE", "DATABASE"), ("DROP", "DATABASE")), "a migration works on the database that it is run for"
    ),
    ("DISCARD", "ALL"): "it would let go of the lock that keeps a second deploy out; take the line out",
}  # fmt: skip
_ALONE: tuple[tuple[str, ...], ...] = (
    ("VACUUM",), ("ALTER", "SYSTEM"), ("CREATE", "TABLESPACE"), ("DROP", "TABLESPACE"), ("REINDEX", "DATABASE"),
    ("REINDEX", "SYSTEM"), ("REINDEX", "SCHEMA"),
)  # fmt: skip
_CONCURRENTLY: tuple[tuple[str, ...], ...] = (
    ("CREATE", "INDEX"), ("CREATE", "UNIQUE", "INDEX"), ("DROP", "INDEX"), ("REINDEX",), ("ALTER", "TABLE"),
)  # fmt: skip


@functools.cache
def _token() -> re.Pattern[str]:
    # Compiled late: it takes as long as all the rest of the file, and most commands split nothing.
    return re.compile(_PARTS, re.VERBOSE | re.DOTALL)


@dataclass(slots=True)
class _Statement:
    """What is known of the statement that is being read; depths as psql counts them."""

    begin: int = -1
    line: int = 0
    accepted: bool = False
    parentheses: int = 0
    bodies: int = 0
    words: list[str] = field(default_factory=list)

    def take(self, kind: str, text: str) -> None:
        if kind == "sign":
            self.parentheses = max(0, self.parentheses + (text == "(") - (text == ")"))
        elif kind == "word":
            self._take_word(text.lower())

    def _take_word(self, word: str) -> None:
        # psql's own heuristic: CASE also ends with END, which matters only inside of a body.
        if len(self.words) < 4:
            self.words.append(word)
        if not self._makes_function or self.parentheses:
            return
        if word == "begin" or (word == "case" and self.bodies):
            self.bodies += 1
        elif word == "end" and self.bodies:
            self.bodies -= 1

    @property
    def _makes_function(self) -> bool:
        words = [word for word in self.words if word not in ("or", "replace")]
        return words[:1] == ["create"] and words[1:2] in (["function"], ["procedure"])

    @property
    def is_open(self) -> bool:
        return bool(self.parentheses or self.bodies)


def split(text: str) -> Split:
    """Cut a text into statements, without comments between them and without empty ones.

    The last one may lack its semicolon. A line that begins with a backslash, as psql has them, is a
    statement of its own, for :func:`problem_with` to refuse; but for those that pg_dump writes.
    """
    found: list[Statement] = []
    one = _Statement()
    line = 1
    for kind, begin, end in _tokens(text):
        part = text[begin:end]
        unfinished = _unfinished(kind, part, line)
        if unfinished:
            return Split(tuple(found), unfinished)
        if kind == "command" and _HARMLESS.match(part):
            pass
        elif kind == "command":
            found.append(Statement(part.rstrip(), line))
            one = _Statement()
        elif kind == "sign" and part == ";" and not one.is_open:
            if one.begin >= 0:
                found.append(Statement(text[one.begin : end], one.line, one.accepted))
            one = _Statement()
        elif kind in ("space", "comment"):
            one.accepted = one.accepted or (one.begin < 0 and accepts(part))
        else:
            if one.begin < 0:
                one.begin, one.line = begin, line
            one.take(kind, part)
        line += part.count("\n")
    if one.begin >= 0:
        found.append(Statement(text[one.begin :].rstrip(), one.line, one.accepted))
    if one.bodies:
        return Split(tuple(found[:-1]), Unfinished(one.line, "a BEGIN ATOMIC without its END"))
    return Split(tuple(found))


def problem_with(file: str, statement: Statement, transaction: bool = True) -> Problem | None:
    """Why a statement cannot stand in a migration; None if it can.

    ``transaction``: whether its file runs inside of one.
    """
    if statement.sql.startswith("\\"):
        command = statement.sql.split()[0]
        return Problem(file, statement.line, "", f"{command} is a command of psql, not SQL", "take the line out")
    words = [word.upper() for word in _words(statement.sql, 60)]
    for start, help in _REFUSED.items():
        if _begins(words, start):
            return Problem(file, statement.line, "", f"{' '.join(start)} cannot stand in a migration", help)
    if words[:1] == ["COPY"] and {"STDIN", "STDOUT", "PROGRAM"} & set(words):
        return Problem(
            file, statement.line, "", "COPY from or to the client cannot stand in a migration",
            "write the rows as INSERT (pg_dump does with --inserts)",
        )  # fmt: skip
    return _alone(file, statement, words) if transaction else None


def is_concurrent(sql: str) -> bool:
    """Whether a statement works CONCURRENTLY: it waits for others without holding anybody up."""
    words = [word.upper() for word in _words(sql, 60)]
    return "CONCURRENTLY" in words and any(_begins(words, start) for start in _CONCURRENTLY)


def may_commit_inside(sql: str) -> bool:
    """Whether part of a statement may be committed although it failed: CALL and DO outside of a transaction."""
    return next(iter(_words(sql, 1)), "").upper() in ("CALL", "DO")


def invalid_indexes(indexes: Sequence[str]) -> tuple[str, str]:
    """What is wrong with indexes that are there and not used (IF NOT EXISTS would pass over them); the way out."""
    found = f"{', '.join(indexes)} is invalid: a CREATE INDEX CONCURRENTLY failed and left it behind"
    return found, f"{drops(indexes)} then deploy again"


def drops(indexes: Sequence[str]) -> str:
    """The statements that take indexes away; their names are quoted already."""
    return " ".join(f"DROP INDEX CONCURRENTLY {name};" for name in indexes)


def line_at(statement: Statement, position: int | None) -> int:
    """The line of the file for PostgreSQL's error position, which counts characters of the statement from 1."""
    return statement.line + statement.sql.count("\n", 0, max(0, (position or 1) - 1))


def _alone(file: str, statement: Statement, words: list[str]) -> Problem | None:
    start = next((start for start in _ALONE if _begins(words, start)), None)
    what = " ".join(start) if start else f"{words[0]} … CONCURRENTLY" if is_concurrent(statement.sql) else ""
    if not what:
        return None
    help = "put it into a file of its own that begins with -- mcc: no-transaction"
    return Problem(file, statement.line, "", f"{what} cannot run in a transaction", help)


def _begins(words: list[str], start: tuple[str, ...]) -> bool:
    # PREPARE and RELEASE are also other things: PREPARE name AS …, but RELEASE always is a savepoint's.
    return tuple(words[: len(start)]) == start


def _words(sql: str, count: int) -> Iterator[str]:
    """The first words of a statement, without comments and quoted names."""
    for kind, begin, end in _tokens(sql):
        if kind == "word" and count > 0:
            count -= 1
            yield sql[begin:end]
        elif not count:
            return


def _tokens(text: str) -> Iterable[tuple[str, int, int]]:
    """Kind, begin and end of each token. What begins with ``$tag$`` reaches to the next ``$tag$``."""
    at, pattern = 0, _token()
    while at < len(text):
        token = pattern.match(text, at)
        assert token is not None  # the last alternative matches anything
        kind, end = str(token.lastgroup), token.end()
        if kind == "comment":
            end = _end_of_comment(text, end)
        elif kind == "dollar":
            close = text.find(token[0], end)
            end = len(text) if close < 0 else close + len(token[0])
        yield kind, at, end
        at = end


def _end_of_comment(text: str, at: int) -> int:
    """Comments nest in PostgreSQL."""
    depth = 1
    for part in _COMMENT_PART.finditer(text, at):
        depth += 1 if part[0] == "/*" else -1
        if not depth:
            return part.end()
    return len(text)


def _unfinished(kind: str, text: str, line: int) -> Unfinished | None:
    if kind == "comment" and not _comment_ends(text):
        return Unfinished(line, "a comment without its */")
    if kind in ("string", "escaped", "name"):
        quote = '"' if kind == "name" else "'"
        if not _quote_ends(text, quote):
            return Unfinished(line, f"a {quote} without its {quote}")
    if kind == "dollar":
        tag = text[: text.index("$", 1) + 1]
        if len(text) < 2 * len(tag) or not text.endswith(tag):
            return Unfinished(line, f"a {tag} without its {tag}")
    return None


def _comment_ends(text: str) -> bool:
    parts = [part[0] for part in _COMMENT_PART.finditer(text)]
    return parts.count("/*") == parts.count("*/")


def _quote_ends(text: str, quote: str) -> bool:
    token = _token().match(text)
    if token is None or token.lastgroup == "escaped":
        inner = re.sub(r"\\.|''", "", text[2:], flags=re.DOTALL)
        return inner.endswith("'")
    return text[1:].replace(quote * 2, "").endswith(quote)
