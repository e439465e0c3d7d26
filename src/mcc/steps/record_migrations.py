"""Saying in the tracking table that files were applied, without running them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcc.core.sql.words import Dialect
from mcc.core.wording import all_of
from mcc.errors import MigrationFailed
from mcc.host.migration_files import read_migrations
from mcc.host.ports import Host, migrator
from mcc.model.database import How, Target
from mcc.model.plan import Facts, Seen


@dataclass(frozen=True, slots=True)
class RecordMigrations:
    """Write the rows of ``names``, with the text that the files have now, into each database.

    A row is small and comes by itself; what was written stays when another database fails.
    """

    migrations: Path
    targets: tuple[Target, ...]
    names: tuple[str, ...]
    how: How
    dialect: Dialect = "sqlite"

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        names = set(self.names)
        files = read_migrations(host.files, self.migrations, dialect=self.dialect)
        given = [each for each in files if each.name in names]
        failed: list[MigrationFailed] = []
        for number, target in enumerate(self.targets, 1):
            try:
                written = migrator(host, target).record(target, given, self.how)
            except MigrationFailed as error:
                failed.append(error)
                continue
            host.listener.say(f"{target.name}: {len(written)} recorded")
            host.listener.progress(number, len(self.targets), "databases")
        if failed:
            raise all_of(failed, len(self.targets))
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None
