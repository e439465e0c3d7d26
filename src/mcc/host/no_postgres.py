"""The port for PostgreSQL where its driver is not installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from mcc.errors import MigrationFailed
from mcc.model.database import Found, How, PostgresDatabase, Tracking
from mcc.model.migration import Migration


class NoPostgres:
    """Says what is missing, whatever it is asked."""

    def look(self, target: PostgresDatabase, tracking: Tracking) -> Found:
        _refuse(target)

    def migrate(self, target: PostgresDatabase, migrations: Sequence[Migration], how: How) -> tuple[str, ...]:
        _refuse(target)

    def record(self, target: PostgresDatabase, migrations: Sequence[Migration], how: How) -> tuple[str, ...]:
        _refuse(target)


def _refuse(target: PostgresDatabase) -> NoReturn:
    raise MigrationFailed(
        f"{target.name}: PostgreSQL needs the extra postgres, which is not installed",
        help='install mcc with it: "mcc-deploy[postgres]"',
    )
