"""Statements that are right and may hurt all the same, pointed out before a deploy.

Migrations run while the live release serves. Two things go wrong then: the live release uses what is
taken away under it, and a statement holds a lock for as long as a big table takes. What is looked for
is what squawk (https://squawkhq.com/docs/rules), strong_migrations
(https://github.com/ankane/strong_migrations) and django-migration-linter warn of, as far as the text
of a migration tells. Tables that the same pending files make are nobody's yet, and never warned of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from mcc.core.hazards.postgres import POSTGRES
from mcc.core.hazards.scene import Done, Hazard, Scene
from mcc.core.sql.actions import Action, Kind, actions
from mcc.core.sql.words import Dialect
from mcc.model.migration import Migration
from mcc.model.problem import Problem

_NO_TABLE: tuple[Kind, ...] = (
    *("create table", "create view", "drop view", "drop schema", "drop database", "drop type"),
    *("alter attribute", "rename schema", "rename value"),
)
_NO_ROWS: Mapping[str, int] = MappingProxyType({})
_LATER = "let this release do without it and drop it in the next one, or behind the cut-over: -- mcc: phase=after"
_BESIDE = "add the new one beside it, let this release use both, and drop the old one in a later release"
_ACCEPT = "write -- mcc: accept on the line before it if that is meant"
_BATCHES = "do it in parts by the key, from the application or a script, or when the site is quiet"


def hazards(
    migrations: Sequence[Migration],
    dialect: Dialect,
    rows: Mapping[str, int] = _NO_ROWS,
    *,
    offline: bool = False,
) -> tuple[Problem, ...]:
    """What can happen in these pending files, with the safe way as help; in the order in which they run.

    ``migrations`` are those that one database has not had yet. ``rows``: how many rows its tables have,
    as far as it is known: a lock on a table with few is not worth a word. ``offline``: nothing serves
    while they run. A statement behind ``-- mcc: accept`` is left out.
    """
    done = tuple(_done(migrations, dialect))
    scene = Scene(dialect, {name.lower(): count for name, count in rows.items()}, done)
    found: list[Problem] = []
    for number, one in enumerate(done):
        scene.at(number)
        if not one.statement.accepted:
            found += (one.problem(hazard) for hazard in _judge(one.action, scene) if not (offline and hazard.online))
        scene.note(one)
    return tuple(dict.fromkeys(found))


def tables(migrations: Sequence[Migration], dialect: Dialect) -> tuple[str, ...]:
    """Tables that these files change and do not make: those whose size is worth to know."""
    done = tuple(_done(migrations, dialect))
    scene = Scene(dialect, _NO_ROWS, done)
    found: dict[str, None] = {}
    for number, one in enumerate(done):
        scene.at(number)
        named = [one.action.table, one.action.name] if one.action.kind == "attach partition" else [one.action.table]
        if one.action.kind not in _NO_TABLE and not one.statement.accepted:
            found.update(dict.fromkeys(name for name in named if name and not scene.is_made(name)))
        scene.note(one)
    return tuple(found)


def _done(migrations: Sequence[Migration], dialect: Dialect) -> Iterator[Done]:
    """What is done in the order in which it runs, with the number of its transaction."""
    number, before = 0, None
    for migration in sorted(migrations, key=lambda migration: migration.phase == "after"):
        if before is not None:
            number += not (before.transaction and migration.transaction and before.phase == migration.phase)
        before = migration
        for statement in migration.statements:
            for action in actions(statement.sql, dialect):
                yield Done(migration, statement, action, number)


def _judge(action: Action, scene: Scene) -> Iterable[Hazard]:
    if scene.is_made(action.table) or (action.kind == "create index" and scene.is_anew(action.table)):
        return ()
    judges = (_COMMON.get(action.kind), _BY_DIALECT[scene.dialect].get(action.kind))
    return [hazard for judge in judges if judge for hazard in judge(action, scene)]


# What the live release may use


def _drop_table(action: Action, scene: Scene) -> Iterator[Hazard]:
    if scene.is_rebuilt(action.table):
        yield from _rebuilt(action.table, scene)
    elif not scene.after:
        yield Hazard(f"the table {action.table} is dropped while the live release may still use it", _LATER)


def _rebuilt(table: str, scene: Scene) -> Iterator[Hazard]:
    takes = f"{table}{scene.size(table)} is made anew: all writers wait while its rows are copied"
    lost = "what the new table has not is gone for the live release"
    help = "ADD COLUMN where that is enough; else when the site is quiet, or with MIGRATE_OFFLINE: true"
    if not scene.after:
        yield Hazard(f"{takes}, and {lost}", help)
    elif scene.is_heavy(table):
        yield scene.lasting(table, takes, help)


def _drop_column(action: Action, scene: Scene) -> Iterator[Hazard]:
    column = f"{action.table}.{action.name}"
    if not scene.after:
        yield Hazard(f"the column {column} is dropped while the live release may still use it", _LATER)
    if scene.dialect == "sqlite" and scene.is_heavy(action.table):
        takes = f"to drop {column}, SQLite writes all of {action.table}{scene.size(action.table)} anew"
        way = "leave the column empty, or drop it when the site is quiet"
        yield scene.lasting(action.table, f"{takes}, and all writers wait", way)


def _drop_view(action: Action, scene: Scene) -> Iterator[Hazard]:
    if not scene.after and not scene.comes("create view", action.table):
        yield Hazard(f"the view {action.table} is dropped while the live release may still use it", _LATER)


def _rename_column(action: Action, scene: Scene) -> Iterator[Hazard]:
    new = action.rest.name() if action.rest.take("to") else "?"
    yield Hazard(f"the column {action.table}.{action.name} becomes {new}: {_who(scene)}", _BESIDE)


def _rename_table(action: Action, scene: Scene) -> Iterator[Hazard]:
    if scene.comes("create table", action.table):
        yield from _rebuilt(action.table, scene)
    elif scene.dialect == "sqlite" or not scene.comes("create view", action.table):
        way = "a view with the old name keeps it alive; or " if scene.dialect == "postgresql" else ""
        yield Hazard(f"the table {action.table} becomes {action.name}: {_who(scene)}", way + _BESIDE)


def _who(scene: Scene) -> str:
    if scene.after:
        return "until it runs, the new release finds only the old name"
    return "the live release knows only the old name"


def _add_column(action: Action, _scene: Scene) -> Iterator[Hazard]:
    rest = action.rest
    has_value = (rest.has("default") and not rest.has("default", "null")) or rest.has("generated") or rest.has("as")
    serial = bool(rest.rest) and rest.rest[0].text.endswith("serial")
    if rest.has("not", "null") and not has_value and not serial:
        column = f"{action.table}.{action.name}"
        yield Hazard(
            f"the new column {column} is NOT NULL and has no default: "
            "a table with rows refuses it, and the live release cannot insert any more",
            "give it a DEFAULT, or let it be NULL until the next release",
            online=False,
        )


# What is gone, whoever serves


def _delete(action: Action, scene: Scene) -> Iterator[Hazard]:
    yield Hazard(
        f"all rows of {action.table}{scene.size(action.table)} are deleted",
        f"say which with WHERE; {_ACCEPT}",
        online=False,
    )


def _update(action: Action, scene: Scene) -> Iterator[Hazard]:
    if scene.is_heavy(action.table):
        who = "all writers wait" if scene.dialect == "sqlite" else "their writers wait until the end of the transaction"
        rows = f"all rows of {action.table}{scene.size(action.table)} are written anew"
        yield scene.lasting(action.table, f"{rows}, and {who}", _BATCHES)


def _create_index(action: Action, scene: Scene) -> Iterator[Hazard]:
    if scene.is_heavy(action.table):
        takes = f"the index on {action.table}{scene.size(action.table)} is built while all writers wait"
        yield scene.lasting(action.table, takes, "do it when the site is quiet, or with MIGRATE_OFFLINE: true")


Judge = Callable[[Action, Scene], Iterator[Hazard]]

_COMMON: Mapping[Kind, Judge] = {
    "add column": _add_column,
    "delete": _delete,
    "drop column": _drop_column,
    "drop table": _drop_table,
    "drop view": _drop_view,
    "rename column": _rename_column,
    "rename table": _rename_table,
    "update": _update,
}
_SQLITE: Mapping[Kind, Judge] = {"create index": _create_index}
_BY_DIALECT: Mapping[Dialect, Mapping[Kind, Judge]] = {"sqlite": _SQLITE, "postgresql": POSTGRES}
