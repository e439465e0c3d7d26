"""What stands between the files of a release and a database: changed, late, gone, never recorded."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from mcc.core.migrating.rows import is_known, is_same
from mcc.core.migrating.work import waiting
from mcc.model.database import Found, How
from mcc.model.migration import Migration
from mcc.model.problem import Problem

_NAMED = 3

_Words: TypeAlias = Callable[[str, str, str], tuple[str, str]]
"""Message and way out, from the name of a file, where, and the command."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One database beside the files.

    ``pending`` run on it. ``changed`` had another text when they were applied. ``late`` are pending and
    sort before one that was applied. ``gone`` are names of rows without a file. ``bare``: it is filled,
    and nobody wrote down what it has had. ``overtaken`` wait for the cut-over while later ones do not.
    """

    pending: tuple[Migration, ...] = ()
    changed: tuple[Migration, ...] = ()
    late: tuple[Migration, ...] = ()
    gone: tuple[str, ...] = ()
    bare: bool = False
    overtaken: tuple[Migration, ...] = ()


def stand(migrations: Sequence[Migration], found: Found, how: How) -> Standing:
    """Judge one database. A schema counts as having run what it includes."""
    files = [each for each in migrations if each.role == "migration"]
    included = {name for each in migrations if each.role == "schema" and found.new for name in each.includes}
    pending = tuple(each for each in waiting(migrations, found, how) if each.name not in included)
    # Their place among the files counts: without their suffix names sort otherwise (``1.sql`` and ``1-b.sql``).
    order = {each.name: at for at, each in enumerate(files)}
    newest = max((order[row.name] for row in found.applied if row.name in order), default=-1)
    return Standing(
        pending=pending,
        changed=_changed(files, found, how),
        late=tuple(each for each in pending if order[each.name] < newest and each.phase == "before"),
        gone=tuple(row.name for row in found.applied if row.name not in order),
        bare=found.filled and not found.applied and bool(pending),
        overtaken=() if found.new else tuple(_overtaken(pending)),
    )


def _changed(files: Sequence[Migration], found: Found, how: How) -> tuple[Migration, ...]:
    own = how.tracking.is_own
    known = own or is_known(files, found.applied)
    rows = {row.name: row for row in found.applied}
    return tuple(each for each in files if each.name in rows and not is_same(each, rows[each.name], own, known))


def _overtaken(pending: Sequence[Migration]) -> Iterator[Migration]:
    last = max((at for at, each in enumerate(pending) if each.phase == "before"), default=0)
    return (each for each in pending[:last] if each.phase == "after")


def refusals(standings: Mapping[str, Standing], late_allowed: Iterable[str], command: str) -> tuple[Problem, ...]:
    """Why nothing may run, each reason once, with the way out; ``command`` is ``mcc migrate --stage S``."""
    allowed = set(late_allowed)
    late = {
        name: [each for each in standing.late if each.name not in allowed]
        for name, standing in standings.items()
        if not standing.bare
    }
    return (
        *_by_file({name: standing.changed for name, standing in standings.items()}, _changed_words, command),
        *_by_file(late, _late_words, command),
        *_bare(standings, command),
    )


def warnings(standings: Mapping[str, Standing]) -> tuple[str, ...]:
    """What a person should know, and what stops nothing."""
    return (*_gone(standings), *_overtaking(standings))


def _by_file(found: Mapping[str, Sequence[Migration]], words: _Words, command: str) -> Iterator[Problem]:
    where: dict[str, list[str]] = {}
    files: dict[str, Migration] = {}
    for database, migrations in found.items():
        for migration in migrations:
            files.setdefault(migration.name, migration)
            where.setdefault(migration.name, []).append(database)
    for name, migration in sorted(files.items()):
        message, help = words(name, some(where[name], len(found)), command)
        yield Problem(migration.file, 0, "", message, help)


def _changed_words(name: str, where: str, command: str) -> tuple[str, str]:
    return (
        f"was changed after it was applied to {where}",
        f"give it its old text back and put the change into a new file; if the change is meant and the databases "
        f"are right as they are: {command} --accept {shlex.quote(name)}",
    )


def _late_words(name: str, where: str, command: str) -> tuple[str, str]:
    return (
        f"is new, but sorts before files that were applied to {where}",
        f"rename it so that it sorts last; if it may run behind them: "
        f"{command} --apply --allow-late {shlex.quote(name)}",
    )


def _bare(standings: Mapping[str, Standing], command: str) -> Iterator[Problem]:
    bare = {name: standing for name, standing in standings.items() if standing.bare}
    if not bare:
        return
    last = next(iter(bare.values())).pending[-1].name
    yield Problem(
        some(list(bare), len(standings)), 0, "",
        "there are tables, but no record of which migrations made them: running them again would fail or do harm",
        f"say up to which file everything is there already: {command} --baseline NAME (the newest is "
        f"{shlex.quote(last)})",
    )  # fmt: skip


def _gone(standings: Mapping[str, Standing]) -> Iterator[str]:
    where: dict[str, list[str]] = {}
    for database, standing in standings.items():
        for name in standing.gone:
            where.setdefault(name, []).append(database)
    shown = sorted(where)[:_NAMED]
    for name in shown:
        yield f"{name} was applied to {some(where[name], len(standings))}, and this release has no such file"
    if len(where) > len(shown):
        yield f"{len(where) - len(shown)} more names of applied migrations have no file in this release"


def _overtaking(standings: Mapping[str, Standing]) -> Iterator[str]:
    files = {each.file: None for standing in standings.values() for each in standing.overtaken}
    for file in files:
        yield f"{file} waits for the cut-over (phase=after), and later files run before it: do they not need it?"


def some(names: Sequence[str], total: int) -> str:
    """``a, b and c``, or how many, for a sentence."""
    if len(names) == total and total > 1:
        return f"all {total} databases"
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"
