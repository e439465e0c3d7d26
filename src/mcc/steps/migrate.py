"""Bringing databases forward. They never go back: what was applied is said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcc.errors import MigrationFailed
from mcc.host.migration_files import read_migrations
from mcc.host.ports import Host
from mcc.model.plan import Facts, Seen


@dataclass(frozen=True, slots=True)
class MigrateSqlite:
    """Apply what is pending to each database, one transaction a database.

    ``databases`` are ``(name, path)`` pairs; ``wait``: seconds to wait for a writer.
    """

    migrations: Path
    databases: tuple[tuple[str, Path], ...]
    wait: float = 30.0

    def look(self, host: Host) -> Seen:
        return {"applied": self._applied(host)}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        migrations = read_migrations(host.files, self.migrations)
        failed: list[MigrationFailed] = []
        total = len(self.databases)
        for number, (name, path) in enumerate(self.databases, 1):
            try:
                applied = host.sqlite.migrate(path, migrations, self.wait)
            except MigrationFailed as error:
                failed.append(error)
                continue
            if applied:
                host.listener.say(f"{name}: {', '.join(applied)}")
            host.listener.progress(number, total, "databases")
        if failed:
            raise _all_of(failed, total)
        return {"databases": self._words(host, seen, "forward")}

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        try:
            return {"databases": self._words(host, seen, "ahead")}
        except MigrationFailed as error:
            return {"databases": f"not known: {error.message}"}  # nothing is undone here, it is only said

    def _applied(self, host: Host) -> dict[str, int]:
        return {name: len(host.sqlite.applied(path)) for name, path in self.databases}

    def _words(self, host: Host, seen: Seen, direction: str) -> str:
        before: dict[str, Any] = seen["applied"]
        steps = {name: count - before.get(name, 0) for name, count in self._applied(host).items()}
        moved = {name: count for name, count in steps.items() if count}
        if not moved:
            return "as before"
        most = max(moved.values())
        plural = "s" if most != 1 else ""
        where = "" if len(moved) == len(self.databases) else f" in {', '.join(sorted(moved))}"
        return f"{most} migration{plural} {direction}{where}"


def _all_of(failed: list[MigrationFailed], total: int) -> MigrationFailed:
    if len(failed) == 1:
        return failed[0]
    lines = [line for error in failed for line in (error.message, *error.log)]
    message = f"{len(failed)} of {total} databases could not be migrated: {failed[0].message}"
    return MigrationFailed(message, help=failed[0].help, log=lines)
