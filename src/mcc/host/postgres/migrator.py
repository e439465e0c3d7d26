"""PostgreSQL databases: what they have had, and how they get the rest, by psycopg 3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mcc.host.postgres.run import Run
from mcc.host.postgres.session import opened
from mcc.host.postgres.sizes import sizes
from mcc.host.postgres.tracking import found_in
from mcc.model.database import Found, How, PostgresDatabase, Tracking
from mcc.model.migration import Migration

_LOOK_WAIT = 5.0


@dataclass(frozen=True, slots=True)
class PostgresDatabases:
    """Port ``PostgresMigrator``. ``passwords``: contents of password files that are not written yet."""

    passwords: Mapping[Path, str] = field(default_factory=dict, repr=False)

    def knowing(self, passwords: Mapping[Path, str]) -> PostgresDatabases:
        """The same with more passwords; see the port."""
        return PostgresDatabases({**self.passwords, **passwords})

    def look(self, target: PostgresDatabase, tracking: Tracking) -> Found:
        """What a schema is and has had, in one read-only snapshot; see the port."""
        with opened(target, self.passwords) as session:
            session.settle(_LOOK_WAIT, _LOOK_WAIT * 6)
            session.execute("SET default_transaction_read_only = on")
            session.execute("SET default_transaction_isolation = 'repeatable read'")
            with session.transaction():
                return found_in(session, tracking)

    def sizes(self, target: PostgresDatabase, tables: Sequence[str]) -> dict[str, int]:
        """About how many rows tables have; see the port."""
        with opened(target, self.passwords) as session:
            session.settle(_LOOK_WAIT, _LOOK_WAIT)
            return sizes(session, tables)

    def migrate(self, target: PostgresDatabase, migrations: Sequence[Migration], how: How) -> tuple[str, ...]:
        """Apply what is pending; see the port. On failure a schema is as it was, but for what its message names."""
        with opened(target, self.passwords) as session:
            return Run(session, migrations, how).bring()

    def record(self, target: PostgresDatabase, migrations: Sequence[Migration], how: How) -> tuple[str, ...]:
        """Write rows without running anything; see the port."""
        with opened(target, self.passwords) as session:
            return Run(session, migrations, how).record()
