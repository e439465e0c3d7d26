"""Bringing databases forward by alembic. They never go back: where they are is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcc.core.migrating.alembic_versions import moved_words
from mcc.core.wording import all_of
from mcc.errors import MigrationFailed
from mcc.host.alembic import Alembic, Room, Tenant, furnish
from mcc.host.ports import Host
from mcc.model.plan import Facts, Seen


@dataclass(frozen=True, slots=True)
class FurnishRoom:
    """Make the folder that alembic runs in: links to the site and to the new release."""

    room: Room

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        furnish(host.files, self.room)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        host.files.remove_tree(self.room.folder)
        return None


@dataclass(frozen=True, slots=True)
class RunAlembic:
    """``alembic upgrade head`` for each database, in the release's own environment."""

    room: Room
    tenants: tuple[Tenant, ...]

    def look(self, host: Host) -> Seen:
        alembic = self._alembic(host)
        heads = alembic.heads(self.tenants[0]) if self.tenants else ()
        if len(heads) > 1:
            raise MigrationFailed(
                f"alembic has more than one head: {', '.join(heads)}", help="join them: alembic merge heads"
            )
        return {"current": self._current(host)}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        failed: list[MigrationFailed] = []
        total = len(self.tenants)
        for number, tenant in enumerate(self.tenants, 1):
            try:
                self._alembic(host).upgrade(tenant, _what_runs(host, tenant))
            except MigrationFailed as error:
                failed.append(error)
                continue
            host.listener.progress(number, total, "databases")
        if failed:
            raise all_of(failed, total)
        return {"databases": self._words(host, seen, "forward")}

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        try:
            return {"databases": self._words(host, seen, "ahead")}
        except MigrationFailed as error:
            return {"databases": f"not known: {error.message}"}  # nothing is undone here, it is only said

    def _alembic(self, host: Host) -> Alembic:
        return Alembic(host.files, host.commands, self.room)

    def _current(self, host: Host) -> dict[str, list[str]]:
        return {tenant.name: list(self._alembic(host).current(tenant)) for tenant in self.tenants}

    def _words(self, host: Host, seen: Seen, direction: str) -> str:
        before: Mapping[str, Any] = seen["current"]
        return moved_words(before, self._current(host), direction)


def _what_runs(host: Host, tenant: Tenant) -> Any:
    def say(line: str) -> None:
        if "Running upgrade" in line:
            host.listener.say(f"{tenant.name}: {line[line.index('Running upgrade') :]}")

    return say
