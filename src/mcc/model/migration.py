"""A migration file, split and ready to run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from mcc.model.problem import Problem

MigrationPhase: TypeAlias = Literal["before", "after"]
"""Before or after the cut-over of a deploy."""
Role: TypeAlias = Literal["migration", "schema", "always"]


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

    ``problems`` are reasons why it cannot run; they matter only while it is pending. ``checksum`` is
    the SHA-256 of the text in hexadecimal digits, with line ends as LF and without a byte-order mark;
    ``others`` are SHA-256, SHA-1 and MD5 of the bytes as they are, for tables of other tools.
    ``transaction`` False: it runs by itself, outside of one. ``role``: ``schema`` starts a new database
    and stands for the migrations that it ``includes``; ``always`` runs last, each time. Neither has a row.
    """

    name: str
    file: str
    statements: tuple[Statement, ...]
    problems: tuple[Problem, ...] = ()
    checksum: str = ""
    others: tuple[str, ...] = ()
    phase: MigrationPhase = "before"
    transaction: bool = True
    role: Role = "migration"
    includes: tuple[str, ...] = ()
