"""Bringing databases forward. They never go back: what was applied is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcc.core.migrating.work import to_run, waiting
from mcc.core.sql.words import Dialect
from mcc.core.wording import all_of, forward
from mcc.errors import MigrationFailed
from mcc.host.migration_files import Sources, read_sources
from mcc.host.ports import Host, migrator
from mcc.model.database import Found, How, SqliteDatabase, Target
from mcc.model.migration import Migration
from mcc.model.plan import Facts, Seen

_BEHIND = (
    "the release is live, and no other deploy begins before this is done: put the file right where it stands, in the "
    "release, or the database; then deploy again, with the same text in the output"
)
_SPARE = 3
"""A rehearsal wants this many times the size of the database: the copy, and what its files make of it."""


@dataclass(frozen=True, slots=True)
class MigrateDatabases:
    """Apply what is pending to each database: on a copy first, then to one, then to the others.

    ``migrations`` is the folder of the files, ``schema`` and ``always`` are files beside it, all of a
    release that is in place by then. ``scratch`` is where copies may be made; None: no copies.
    ``only``: names of migrations; no other one runs.
    """

    migrations: Path
    targets: tuple[Target, ...]
    how: How
    schema: Path | None = None
    always: Path | None = None
    dialect: Dialect = "sqlite"
    scratch: Path | None = None

    def look(self, host: Host) -> Seen:
        migrations = self._read(host)
        found = self._found(host)
        return {
            "applied": {name: len(each.applied) for name, each in found.items()},
            "work": [name for name, each in found.items() if not each.exists or to_run(migrations, each, self.how)],
            "rehearse": _to_rehearse(self.targets, migrations, found, self.how),
        }

    def do(self, host: Host, seen: Seen) -> Facts | None:
        try:
            return self._bring(host, seen)
        except MigrationFailed as error:
            if "before" in self.how.phases:
                raise
            help = f"{error.help}; {_BEHIND}" if error.help else _BEHIND
            raise MigrationFailed(error.message, help=help, log=error.log) from error

    def _bring(self, host: Host, seen: Seen) -> Facts:
        migrations = self._read(host)
        work = set(seen["work"])
        targets = [target for target in self.targets if target.name in work]
        self._rehearse(host, migrations, targets, seen["rehearse"])
        count = _Count(host, len(targets))
        for first in targets[:1]:
            count.take(first, self._one(host, first, migrations))
        if count.failed and len(targets) > 1:
            raise _alone(count.failed[0], targets)
        self._others(host, targets[1:], migrations, count)
        if count.failed:
            raise all_of(count.failed, len(targets))
        return {self._fact: forward(count.moved, len(self.targets), "forward")}

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        if self.scratch is not None:
            host.files.remove_tree(self.scratch)
        try:
            now = {name: len(each.applied) for name, each in self._found(host).items()}
        except MigrationFailed as error:
            return {self._fact: f"not known: {error.message}"}  # nothing is undone here, it is only said
        before: Mapping[str, int] = seen["applied"]
        moved = {name: count - before.get(name, 0) for name, count in now.items()}
        return {self._fact: forward(moved, len(self.targets), "ahead")}

    @property
    def _fact(self) -> str:
        return "databases" if "before" in self.how.phases else "databases after"

    def _read(self, host: Host) -> tuple[Migration, ...]:
        return read_sources(host.files, Sources(self.migrations, self.schema, self.always, self.dialect))

    def _found(self, host: Host) -> dict[str, Found]:
        return {target.name: migrator(host, target).look(target, self.how.tracking) for target in self.targets}

    def _rehearse(self, host: Host, migrations: Sequence[Migration], targets: Sequence[Target], name: str) -> None:
        target = next((each for each in targets if each.name == name), None)
        if self.scratch is None or not isinstance(target, SqliteDatabase):
            return
        needed = host.files.size(target.path) * _SPARE
        if host.files.space(self.scratch.parent).bytes < needed:
            host.listener.say(f"no rehearsal: a copy of {target.name} needs {needed / 1e6:.0f} MB of room")
            return
        try:
            host.sqlite.rehearse(target, migrations, self.how, self.scratch)
        except MigrationFailed as error:
            message = f"on a copy, before any database was touched: {error.message}"
            raise MigrationFailed(message, help=error.help, log=error.log) from error
        host.listener.say(f"rehearsed on a copy of {target.name}")

    def _one(self, host: Host, target: Target, migrations: Sequence[Migration]) -> tuple[str, ...] | MigrationFailed:
        try:
            return migrator(host, target).migrate(target, migrations, self.how)
        except MigrationFailed as error:
            return error

    def _others(self, host: Host, targets: Sequence[Target], migrations: Sequence[Migration], count: _Count) -> None:
        files = [target for target in targets if isinstance(target, SqliteDatabase)]
        host.sqlite.migrate_all(files, migrations, self.how, self.scratch, count.take)
        for target in targets:
            if not isinstance(target, SqliteDatabase):
                count.take(target, self._one(host, target, migrations))


class _Count:
    """What became of the databases so far, said as it comes."""

    def __init__(self, host: Host, total: int) -> None:
        self._listener = host.listener
        self._total = total
        self._done = 0
        self.moved: dict[str, int] = {}
        self.failed: list[MigrationFailed] = []

    def take(self, target: Target, answer: tuple[str, ...] | MigrationFailed) -> None:
        self._done += 1
        if isinstance(answer, MigrationFailed):
            self.failed.append(answer)
            self._listener.say(f"{target.name}: failed: {answer.message}")
        elif answer:
            self.moved[target.name] = len(answer)
            self._listener.say(f"{target.name}: {', '.join(answer)}")
        self._listener.progress(self._done, self._total, "databases")


def _to_rehearse(
    targets: Sequence[Target], migrations: Sequence[Migration], found: Mapping[str, Found], how: How
) -> str:
    """The database whose copy shows first whether the files run; one that is alone is its own rehearsal."""
    many = [
        target.name
        for target in targets
        if isinstance(target, SqliteDatabase)
        and found[target.name].filled
        and waiting(migrations, found[target.name], how)
    ]
    return many[0] if len(many) > 1 else ""


def _alone(error: MigrationFailed, targets: Sequence[Target]) -> MigrationFailed:
    others = f"the other {len(targets) - 1} databases were not touched"
    return MigrationFailed(f"{error.message}; it was the first, {others}", help=error.help, log=error.log)
