"""The databases of a site, and what is known of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from mcc.model.migration import MigrationPhase


@dataclass(frozen=True, slots=True)
class SqliteDatabase:
    """One file. ``name`` is the tenant for the reader: a domain, or ``data.db``."""

    name: str
    path: Path
    kind: Literal["sqlite"] = "sqlite"


@dataclass(frozen=True, slots=True)
class PostgresDatabase:
    """One schema of one database; ``schema`` None: the user's search path decides (usually ``public``).

    ``host`` may be the folder of a socket; empty: libpq's default. No password is kept here, since a
    target stands in journals: it is in ``password_file`` (libpq's pgpass form, 0600), else libpq finds
    it in ``PGPASSWORD`` or ``~/.pgpass`` (https://www.postgresql.org/docs/current/libpq-pgpass.html).
    """

    name: str
    database: str
    host: str = ""
    port: int | None = None
    user: str = ""
    schema: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    """Further parameters of the connection, from the query of DATABASE_URL (``sslmode``)."""
    password_file: Path | None = None
    kind: Literal["postgresql"] = "postgresql"


Target: TypeAlias = SqliteDatabase | PostgresDatabase


@dataclass(frozen=True, slots=True)
class Tracking:
    """The table that says what was applied: ``migrations (id, name, applied_at)`` of the specification.

    ``checksum`` is the column of the hash; in the specification's own table it is added where it is
    missing and may be NULL. None: the project's table has no such column.
    """

    table: str = "migrations"
    name: str = "name"
    checksum: str | None = "checksum"

    @property
    def is_own(self) -> bool:
        """Whether mcc may make the table and add its column: it is not one of the project's own."""
        return self.table == "migrations" and self.name == "name" and self.checksum is not None


ALEMBIC = Tracking("alembic_version", "version_num", None)
"""alembic's own table: a row for each head that a database is at."""


@dataclass(frozen=True, slots=True)
class Applied:
    """One row of the tracking table; ``checksum`` None where the row has none."""

    name: str
    checksum: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A database as it was found.

    ``filled``: there are tables besides the tracking table, or rows in it. ``tracked``: that table is there.
    ``invalid``: indexes that a failed CREATE INDEX CONCURRENTLY left behind, quoted, and ``server``: what
    answered, with its version (both PostgreSQL).
    """

    exists: bool
    filled: bool = False
    tracked: bool = False
    applied: tuple[Applied, ...] = ()
    invalid: tuple[str, ...] = ()
    server: str = ""

    @property
    def new(self) -> bool:
        """Whether it has neither tables nor a history: it is not there, or empty."""
        return not self.filled and not self.applied

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what was applied, in order."""
        return tuple(row.name for row in self.applied)


@dataclass(frozen=True, slots=True)
class How:
    """How migrations are applied. Times are in seconds.

    ``phases``: files of another phase are not yet run; a new database gets all of them at once, in
    order. ``wait``: for a writer that holds an SQLite database, or for PostgreSQL's advisory lock.
    ``lock_timeout`` and ``statement_timeout`` are PostgreSQL's, tried ``retries`` times.
    """

    tracking: Tracking = Tracking()
    phases: tuple[MigrationPhase, ...] = ("before", "after")
    wait: float = 30.0
    lock_timeout: float = 2.0
    statement_timeout: float = 0.0
    retries: int = 5


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a copy of a database, for the manifest and for whoever reads it back.

    ``rows`` counts them by table; ``migrations`` are the names in the tracking table; ``size`` and
    ``sha256`` are those of the file as it lies there, ``plain_size`` that of the database before it
    was compressed. ``page_size`` is SQLite's.
    """

    kind: Literal["sqlite", "postgresql"]
    size: int
    sha256: str
    plain_size: int
    rows: Mapping[str, int] = field(default_factory=dict)
    migrations: tuple[str, ...] = ()
    page_size: int | None = None
    server: str = ""
