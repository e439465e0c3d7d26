"""What a run may do to databases: one small port for migrating, one for copies; each kind fills both.

Nothing here decides: which migrations are pending, whether a changed file is accepted, how long a
copy is kept is worked out in ``core``. All of them raise :class:`mcc.errors.MigrationFailed` or
:class:`mcc.errors.CopyFailed` with one message that names the database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar

from mcc.errors import MigrationFailed
from mcc.model.database import Contents, Found, How, PostgresDatabase, SqliteDatabase, Target, Tracking
from mcc.model.migration import Migration

T = TypeVar("T", contravariant=True)


class Migrator(Protocol[T]):
    """Databases of one kind, looked at and brought forward."""

    def look(self, target: T, tracking: Tracking) -> Found:
        """What a database is and has had; nothing is touched, no side file is made.

        Raises MigrationFailed if it is there but cannot be read.
        """
        ...

    def sizes(self, target: T, tables: Sequence[str]) -> Mapping[str, int]:
        """About how many rows tables have, without reading them; those of which that is not known are left out.

        SQLite: the highest row number. PostgreSQL: what it estimates for its own plans. Raises MigrationFailed.
        """
        ...

    # effects
    def migrate(self, target: T, migrations: Sequence[Migration], how: How) -> tuple[str, ...]:
        """Apply what is pending of ``migrations``, in order, with its rows; the names that were applied.

        All files that allow it, and their rows, are one transaction; one marked ``no-transaction`` runs
        by itself between transactions. What is pending is read again under the lock, so that two
        migrators at once do no harm. An SQLite database and its folder are made if they are missing.
        """
        ...

    def record(self, target: T, migrations: Sequence[Migration], how: How) -> tuple[str, ...]:
        """Write rows for ``migrations`` without running them (a baseline), and renew the checksum of
        rows that are there already (a changed file that is accepted); the names that were written."""
        ...


Each: TypeAlias = Callable[[SqliteDatabase, tuple[str, ...] | MigrationFailed], None]
"""Told for each database, in the caller's thread: the names that were applied, or why it failed."""


class SqliteMigrator(Migrator[SqliteDatabase], Protocol):
    """What SQLite files allow beyond that: many at once, and a try on a copy.

    ``scratch`` is a folder of ours on the site's disk; it is made (0700) and removed with all in it. None:
    nothing is copied.
    """

    # effects
    def migrate_all(
        self,
        targets: Sequence[SqliteDatabase],
        migrations: Sequence[Migration],
        how: How,
        scratch: Path | None,
        each: Each,
    ) -> None:
        """Bring many forward, some of them at the same time; new ones as copies of one that was made first.

        One that fails does not stop the others; what ``each`` raises, and a signal, stops all of them soon.
        """
        ...

    def rehearse(self, target: SqliteDatabase, migrations: Sequence[Migration], how: How, scratch: Path) -> None:
        """Bring a copy of a database forward, and remove the copy.

        Raises MigrationFailed as the real thing would, with the database's own name.
        """
        ...


class PostgresMigrator(Migrator[PostgresDatabase], Protocol):
    """What PostgreSQL needs beyond that: passwords."""

    def knowing(self, passwords: Mapping[Path, str]) -> PostgresMigrator:
        """The same with the contents of password files, by their paths, before these are written."""
        ...


class Copier(Protocol[T]):
    """Databases of one kind, copied and put back."""

    def copy(
        self,
        target: T,
        place: Path,
        deadline: float,
        compress: bool,
        on_progress: Callable[[int, int], None],
        tracking: Tracking | None = None,
    ) -> Contents:
        """A consistent copy in the new file ``place`` (0600, synced), while others write; none after a failure.

        ``deadline``: seconds that it may take to get hold of the database. ``on_progress`` gets done and
        total. ``tracking`` is the table of :attr:`Contents.migrations`, the specification's if not given.
        """
        ...

    def verify(self, place: Path, contents: Contents, tracking: Tracking | None = None) -> None:
        """Read a copy back: hash, SQLite's quick_check and row counts, a dump restored to nowhere.

        Raises CopyFailed saying how it differs from ``contents``.
        """
        ...

    def put_back(self, place: Path, contents: Contents, target: T, wait: float) -> None:
        """Make the database what the copy is; safe to be killed anywhere and done again.

        SQLite: by the backup API into the existing file, so that owner, inode and readers stay and no
        old ``-wal`` can win. PostgreSQL: in one transaction. Raises CopyFailed.
        """
        ...


class Clones(Protocol):
    """What exchanging the content of databases needs besides copies."""

    def knowing(self, passwords: Mapping[Path, str]) -> Clones:
        """The same, with what more password files will hold that are not there yet."""
        ...

    def identity(self, what: Target | Path) -> str:
        """Which database, folder or file this is, whatever path, link or address leads there.

        Empty if there is nothing. Raises CopyFailed if it cannot be told.
        """
        ...

    def check(self, target: Target, contents: Contents, tracking: Tracking, exact: bool) -> None:
        """Raise CopyFailed, saying how, if a database is not what ``contents`` promises.

        Tables and migrations must be the same; rows too if it is ``exact``, while nobody writes.
        """
        ...

    # effects
    def fetch(
        self, words: Sequence[str], folder: Path, on_bytes: Callable[[int], None]
    ) -> Mapping[str, tuple[Path, Contents]]:
        """Run a command that sends copies (``mcc send``), and put them into ``folder`` (0700, ours).

        By the names of databases: where the copy is, and what is in it. Raises CopyFailed.
        """
        ...

    def compact(self, copy: Path, into: Path) -> None:
        """Write an SQLite file that nobody else has into the new file ``into``, without what was deleted.

        Free pages, and the rest of used ones, hold rows that are gone. Raises CopyFailed.
        """
        ...

    def empty(self, target: PostgresDatabase, wait: float, scratch: Path) -> None:
        """Take everything out of a schema, or a whole database, in one transaction; the schema itself stays.

        ``wait``: seconds for whoever holds a table; ``scratch`` is a folder of ours. Raises CopyFailed; it is as it
        was then.
        """
        ...

    def put(
        self, dump: Path, source: PostgresDatabase, target: PostgresDatabase, wait: float, scratch: Path,
        script: Path | None, shown: str,
    ) -> None:  # fmt: skip
        """Make a PostgreSQL database what a dump of another is, in one transaction, under its own names.

        ``script`` is SQL of the project's own that is part of the transaction, ``shown`` its name;
        ``scratch`` a folder of ours. Raises CopyFailed; the target is as it was then.
        """
        ...
