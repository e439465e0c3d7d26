"""SQLite databases copied while they are in use, read back, and put back.

Copies are made by SQLite's online backup (https://www.sqlite.org/backup.html). What Python's does not
do is done here: it knows no timeout, and in small steps beside a writer it begins again for ever.

- WAL: a read transaction is held, so that the source stands still for us alone. Writers go on.
- Rollback journal: nobody is locked out between steps. After a few new beginnings the rest is copied
  in one step, for which writers wait.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mcc.errors import CopyFailed, Damaged
from mcc.host.copies.files import (
    WriteBack,
    compress,
    discard,
    disk_error,
    forget,
    hash_of,
    new_file,
    settle,
    temporary,
    unpack,
)
from mcc.host.sqlite.contents import applied, check, reader, rows_by_table
from mcc.host.sqlite.place import Place
from mcc.host.sqlite.source import Changed, Source, held, opened
from mcc.model.database import Contents, SqliteDatabase, Tracking

Progress = Callable[[int, int], None]

_STEP = 4 << 20  # bytes between two looks at the clock, the disk and the reader
_TRIES = 5
_BEGINNINGS = 3
_WAIT = 0.01  # seconds between two tries to get at a locked source
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class _Restless(Exception):
    """Writers of a rollback-journal database had the copy begin again too often."""


class SqliteCopies:
    """Port ``Copier`` for files."""

    def copy(
        self,
        target: SqliteDatabase,
        place: Path,
        deadline: float,
        compress: bool,
        on_progress: Progress,
        tracking: Tracking | None = None,
    ) -> Contents:
        """A consistent copy; see the port. On failure there is no file at ``place``."""
        for _ in range(_TRIES):
            try:
                return _Copy(target.path, place, deadline, on_progress, tracking or Tracking()).make(compress)
            except Changed:
                discard(place)
            except sqlite3.Error as error:
                discard(place)
                raise failed(target.path, place, error) from error
            except BaseException:
                discard(place)
                raise
        raise CopyFailed(f"{target.path} was changed under each of {_TRIES} copies", help="try again")

    def verify(self, place: Path, contents: Contents, tracking: Tracking | None = None) -> None:
        """Read a copy back, from the disk; see the port."""
        forget(place)
        try:
            if not place.name.endswith(".gz"):
                _compare_file(place, hash_of(place), contents)
                _compare(place, place, contents, tracking or Tracking())
                return
            with temporary(place) as plain:
                digest, size = unpack(place, plain)
                _compare_file(place, digest, contents)
                _compare_number(place, "bytes", size, contents.plain_size)
                _compare(plain, place, contents, tracking or Tracking())
        except sqlite3.Error as error:
            raise CopyFailed(f"{place} is damaged: {error}", help="take another copy") from error

    def put_back(self, place: Path, contents: Contents, target: SqliteDatabase, wait: float) -> None:
        """Write a copy into the existing file; see the port."""
        from mcc.host.sqlite.put_back import put_back

        put_back(place, contents, target.path, wait)


@dataclass(slots=True)
class _Copy:
    database: Path
    place: Path
    deadline: float
    on_progress: Progress
    tracking: Tracking
    _most: int = 0
    _beginnings: int = 0
    _last: float = field(default_factory=time.monotonic)

    def make(self, packed: bool) -> Contents:
        contents = self._packed() if packed else self._contents(self.place, self._pages(self.place, lasting=True))
        forget(self.place)
        return contents

    def _packed(self) -> Contents:
        with temporary(self.place) as plain:
            pages = self._pages(plain, lasting=False)
            digest = compress(plain, self.place, lambda _: None)
            return self._contents(plain, pages, digest)

    def _contents(self, plain: Path, page_size: int, digest: str = "") -> Contents:
        with reader(plain) as connection:
            rows = rows_by_table(connection)
            migrations = applied(connection, self.tracking)
        return Contents(
            kind="sqlite",
            size=self.place.stat().st_size,
            sha256=digest or hash_of(self.place),
            plain_size=plain.stat().st_size,
            rows=rows,
            migrations=migrations,
            page_size=page_size,
            server=sqlite3.sqlite_version,
        )

    def _pages(self, plain: Path, lasting: bool = True) -> int:
        """Copy all pages into a new file, on disk when this returns if it is to last; the bytes of a page."""
        descriptor = new_file(plain)
        try:
            with opened(self.database, plain, self.deadline) as source:
                page_size = source.page_size
                self._copy(source, plain, descriptor, max(1, _STEP // page_size))
            if lasting:
                settle(descriptor, plain)
        except BaseException:
            discard(plain)
            raise
        finally:
            os.close(descriptor)
        return page_size

    def _copy(self, source: Source, plain: Path, descriptor: int, step: int) -> None:
        if source.wal or source.quiet:
            source.connection.execute("BEGIN")
            source.connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        try:
            self._backup(source, plain, step, WriteBack(descriptor))
        except _Restless:
            os.ftruncate(descriptor, 0)
            self._backup(source, plain, -1, WriteBack(descriptor))

    def _backup(self, source: Source, plain: Path, step: int, write_back: WriteBack) -> None:
        def progress(status: int, remaining: int, total: int) -> None:
            self._look_around(status, total - remaining, step)
            write_back.step()
            self.on_progress(total - remaining, total)

        # Nobody else knows the file: no locks, no journal; it is synced as a whole before it counts.
        uri = Place(str(plain), 0).uri("mode=rw&nolock=1")
        with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as target:
            for setting in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-4096"):
                target.execute(f"PRAGMA {setting}").fetchall()
            source.connection.backup(target, pages=step, progress=progress, sleep=_WAIT)

    def _look_around(self, status: int, done: int, step: int) -> None:
        """End what would go on for ever: a source that is locked, or one that is never left alone."""
        if status in _BUSY:
            if time.monotonic() - self._last > self.deadline:
                raise held(self.database, self.deadline)
            return
        self._last = time.monotonic()
        if done <= self._most and step > 0:  # also as far as before: it had begun again
            self._beginnings += 1
            if self._beginnings > _BEGINNINGS:
                raise _Restless
        self._most = done


def _compare_file(place: Path, digest: str, contents: Contents) -> None:
    if digest != contents.sha256:
        raise CopyFailed(
            f"{place} is not what was written: its SHA-256 is {digest[:12]}…, "
            f"its manifest says {contents.sha256[:12]}…",
            help="take another copy, and look at the disk",
        )


def _compare(plain: Path, place: Path, contents: Contents, tracking: Tracking) -> None:
    with reader(plain) as connection:
        check(connection, place)
        rows = rows_by_table(connection)
        names = applied(connection, tracking)
    for table in sorted({*rows, *contents.rows}):
        _compare_number(place, f"rows in {table}", rows.get(table, 0), contents.rows.get(table, 0))
    _compare_number(place, "migrations", len(names), len(contents.migrations))


def _compare_number(place: Path, what: str, found: int, promised: int) -> None:
    if found != promised:
        raise CopyFailed(f"{place} has {found} {what}, its manifest says {promised}", help="take another copy")


def failed(database: Path, place: Path, error: sqlite3.Error) -> CopyFailed:
    """SQLite's error in words: which side it comes from, and the way out."""
    name = str(getattr(error, "sqlite_errorname", ""))
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR_WRITE")):
        return disk_error(place, OSError(28, "the disk is full"))
    if name.startswith("SQLITE_NOTADB"):
        return Damaged(
            f"{database}: it is not an SQLite database, or an encrypted one ({error})", help="move the file away"
        )
    if name.startswith("SQLITE_CORRUPT"):
        return Damaged(
            f"{database}: the database is damaged ({error})",
            help=f"restore a backup, or save what can be read: sqlite3 {database} .recover",
        )
    if name.startswith("SQLITE_IOERR"):  # also where no side file can be made beside the database
        words = f"{database} could not be copied: the disk failed, or is full ({error})"
        return CopyFailed(words, help=f"look at the disk: df -h {database.parent}, dmesg")
    return CopyFailed(f"{database} could not be copied: {error}")
