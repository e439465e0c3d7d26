"""Bringing databases forward. They never go back: what was applied is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mcc.errors import MigrationFailed
from mcc.host.migration_files import Sources, read_sources
from mcc.host.ports import Host, migrator
from mcc.model.database import How, Target
from mcc.model.plan import Facts, Seen


@dataclass(frozen=True, slots=True)
class MigrateDatabases:
    """Apply what is pending to each database.

    ``sources`` are files of the release, which is in place by then.
    """

    sources: Sources
    targets: tuple[Target, ...]
    how: How

    def look(self, host: Host) -> Seen:
        return {"applied": self._applied(host)}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        migrations = read_sources(host.files, self.sources)
        failed: list[MigrationFailed] = []
        total = len(self.targets)
        for number, target in enumerate(self.targets, 1):
            try:
                applied = migrator(host, target).migrate(target, migrations, self.how)
            except MigrationFailed as error:
                failed.append(error)
                continue
            if applied:
                host.listener.say(f"{target.name}: {', '.join(applied)}")
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
        tracking = self.how.tracking
        return {target.name: len(migrator(host, target).look(target, tracking).applied) for target in self.targets}

    def _words(self, host: Host, seen: Seen, direction: str) -> str:
        before: dict[str, Any] = seen["applied"]
        steps = {name: count - before.get(name, 0) for name, count in self._applied(host).items()}
        moved = {name: count for name, count in steps.items() if count}
        if not moved:
            return "as before"
        most = max(moved.values())
        plural = "s" if most != 1 else ""
        where = "" if len(moved) == len(self.targets) else f" in {', '.join(sorted(moved))}"
        return f"{most} migration{plural} {direction}{where}"


def _all_of(failed: list[MigrationFailed], total: int) -> MigrationFailed:
    if len(failed) == 1:
        return failed[0]
    lines = [line for error in failed for line in (error.message, *error.log)]
    message = f"{len(failed)} of {total} databases could not be migrated: {failed[0].message}"
    return MigrationFailed(message, help=failed[0].help, log=lines)
