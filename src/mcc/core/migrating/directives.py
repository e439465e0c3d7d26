"""What a file of SQL says about itself: comments ``-- mcc: …`` before its first statement."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mcc.core.nearest import did_you_mean
from mcc.core.sql.cut import accepts, comments
from mcc.model.migration import MigrationPhase, Role
from mcc.model.problem import Problem

_DIRECTIVE = re.compile(r"--\s*mcc:\s*(.*?)\s*", re.IGNORECASE)
_INCLUDES = re.compile(r"includes\s+(.+)", re.IGNORECASE)
_KNOWN: dict[Role, tuple[str, ...]] = {
    "migration": ("no-transaction", "phase=after", "phase=before"),
    "schema": ("includes",),
    "always": (),
}


@dataclass(frozen=True, slots=True)
class Directives:
    """``includes`` are names of migrations, without ``.sql``."""

    phase: MigrationPhase = "before"
    transaction: bool = True
    includes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def read_directives(text: str, file: str, role: Role, first_statement: int | None) -> Directives:
    """The directives of a text whose first statement stands on that line (None: it has none).

    One that is not known, or that stands behind a statement, where nobody looks for it, is a problem.
    ``-- mcc: accept`` belongs to the statement behind it and is not a directive of the file.
    """
    found: list[str] = []
    includes: list[str] = []
    problems: list[Problem] = []
    for line, word in _words(text):
        if first_statement is not None and line > first_statement:
            problems.append(Problem(file, line, "", f"{word!r} stands behind a statement", "move it to the top"))
        elif role == "schema" and (match := _INCLUDES.fullmatch(word)):
            includes.append(match[1].removesuffix(".sql"))
        elif word.lower() in _KNOWN[role]:
            found.append(word.lower())
        else:
            problems.append(_unknown(file, line, word, role))
    return Directives(
        "after" if "phase=after" in found else "before",
        "no-transaction" not in found,
        tuple(includes),
        tuple(problems),
    )


def _words(text: str) -> Iterator[tuple[int, str]]:
    if "mcc:" not in text.lower():
        return
    for line, comment in comments(text):
        match = _DIRECTIVE.fullmatch(comment)
        if match and not accepts(comment):
            yield line, match[1]


def _unknown(file: str, line: int, word: str, role: Role) -> Problem:
    known = (*_KNOWN[role], "accept")
    shown = ["includes NAME" if name == "includes" else name for name in known]
    hints = [f"allowed: {', '.join(shown)}", did_you_mean(word.split(" ")[0].lower(), list(known))]
    return Problem(file, line, "", f"mcc does not know {word!r}", "; ".join(filter(None, hints)))
