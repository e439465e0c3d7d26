"""A migration file, split and ready to run."""

from __future__ import annotations

from dataclasses import dataclass

from mcc.model.problem import Problem


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement and the line of its file that it starts on, counted from 1.

    ``accepted``: the comment right before it says ``-- mcc: accept``, so that it is not warned of.
    """

    sql: str
    line: int
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Migration:
    """``name`` is the file's name without ``.sql``: what the tracking table holds.

    ``problems`` are reasons why it cannot run; they matter only while it is pending.
    """

    name: str
    file: str
    statements: tuple[Statement, ...]
    problems: tuple[Problem, ...] = ()
