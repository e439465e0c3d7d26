"""What is known at one statement of all that are pending: which tables are new, big, made anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcc.core.sql.actions import Action, Kind
from mcc.core.sql.words import Dialect
from mcc.model.migration import Migration, Statement
from mcc.model.problem import Problem

MANY = 100_000
"""Rows from which a table counts as big: below, a rewrite or an index takes well under a second."""


@dataclass(frozen=True, slots=True)
class Hazard:
    """What can happen, and the safe way. ``online``: only where something serves meanwhile."""

    what: str
    help: str
    online: bool = True


@dataclass(frozen=True, slots=True)
class Done:
    """One action of one statement of one file; ``transaction`` counts the transactions before its own."""

    migration: Migration
    statement: Statement
    action: Action
    transaction: int = 0

    def problem(self, hazard: Hazard) -> Problem:
        return Problem(self.migration.file, self.statement.line + self.action.line, "", hazard.what, hazard.help)


class Scene:
    """Names are compared in small letters; one without a schema stands for one with any."""

    def __init__(self, dialect: Dialect, rows: Mapping[str, int], done: Sequence[Done]) -> None:
        self.dialect = dialect
        self._rows = rows
        self._done = done
        self._number = 0
        self._made: set[str] = set()
        self._anew: set[str] = set()
        self._added: set[tuple[str, str, int]] = set()
        self.validated: set[str] = set()

    def at(self, number: int) -> None:
        """Go on to the action with this number."""
        self._number = number

    def note(self, one: Done) -> None:
        """What is so from here on."""
        action = one.action
        if action.kind in ("create table", "create view"):
            anew = self._came("rename table", action.table) and not self.is_made(action.table)
            (self._anew if anew else self._made).add(action.table.lower())
        elif action.kind == "rename table" and (self.is_made(action.table) or self.comes("create table", action.table)):
            anew = self._came("drop table", action.name)
            (self._anew if anew else self._made).add(action.name.lower())
        elif action.kind == "add constraint" and action.rest.has("not", "valid"):
            self._added.add((action.table.lower(), action.name.lower(), one.transaction))
        elif action.kind == "validate":
            self.validated.add(action.table.lower())

    @property
    def after(self) -> bool:
        """Whether this runs behind the cut-over, when nothing uses what is old any more."""
        return self._done[self._number].migration.phase == "after"

    def is_made(self, table: str) -> bool:
        """Whether one of the pending files has made it."""
        return any(_same(table, made) for made in self._made)

    def is_anew(self, table: str) -> bool:
        """Whether it has been made anew: still one that is used, but nobody else can have it before the end."""
        return any(_same(table, anew) for anew in self._anew)

    def comes(self, kind: Kind, table: str) -> bool:
        """Whether this happens to a table of that name further on."""
        ahead = (one.action for one in self._done[self._number + 1 :])
        return any(action.kind == kind and _same(action.table, table) for action in ahead)

    def is_rebuilt(self, table: str) -> bool:
        """Whether another table gets the name of one that is dropped here."""
        ahead = (one.action for one in self._done[self._number + 1 :])
        return any(action.kind == "rename table" and _same(action.name, table) for action in ahead)

    def is_added_here(self, table: str, constraint: str) -> bool:
        """Whether a constraint was added in the same transaction."""
        return (table.lower(), constraint.lower(), self._done[self._number].transaction) in self._added

    def is_heavy(self, table: str) -> bool:
        """Whether it is worth a word that a lock lasts as long as the table is big.

        Where nothing is known of its size: for PostgreSQL, which is chosen for big tables, but not for SQLite.
        """
        count = self._count(table)
        return self.dialect == "postgresql" if count is None else count >= MANY

    def size(self, table: str) -> str:
        """Words behind the name of a table."""
        count = self._count(table)
        return "" if count is None else f" (about {count:,} rows)"

    def lasting(self, table: str, what: str, help: str) -> Hazard:
        """A hazard of a lock that is held for as long as the table is big."""
        return Hazard(what if self.size(table) else f"{what}; on a big table that is long", help)

    def _count(self, table: str) -> int | None:
        return next((count for name, count in self._rows.items() if _same(name, table)), None)

    def _came(self, kind: Kind, table: str) -> bool:
        before = (one.action for one in self._done[: self._number])
        return any(action.kind == kind and _same(action.table, table) for action in before)


def _same(one: str, other: str) -> bool:
    """``app.users`` and ``users`` may be one table; ``app.users`` and ``old.users`` are not."""
    first, second = one.lower(), other.lower()
    if "." in first and "." in second:
        return first == second
    return first.rpartition(".")[2] == second.rpartition(".")[2]
