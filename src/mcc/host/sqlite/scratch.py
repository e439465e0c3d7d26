"""Databases that nobody keeps: a copy to rehearse on, a template for new ones."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcc.errors import CopyFailed, MigrationFailed
from mcc.host.sqlite.copies import SqliteCopies
from mcc.host.sqlite.place import allow_group, make_folders, place_of
from mcc.host.sqlite.run import bring_forward
from mcc.host.way import opened_folder, parent_of
from mcc.model.database import How, SqliteDatabase
from mcc.model.migration import Migration

_FILE_MODE = 0o664
_ENOUGH = 3
"""From this many new databases on, copies of one are made."""


def rehearse(target: SqliteDatabase, migrations: Sequence[Migration], how: How, scratch: Path) -> None:
    """Bring a copy forward; see the port."""
    with _folder(scratch) as folder:
        copy = folder / "rehearsal.db"
        try:
            SqliteCopies().copy(target, copy, how.wait, False, lambda *_: None, how.tracking)
        except CopyFailed as error:
            raise MigrationFailed(error.message, help=error.help, log=error.log) from error
        _bring(copy, target.path, migrations, how, threading.Event())


@dataclass(frozen=True, slots=True)
class Template:
    """A database that has had all migrations, to be copied where there is none yet; ``names`` are theirs."""

    path: Path
    names: tuple[str, ...]

    def give(self, target: SqliteDatabase) -> bool:
        """Put a copy in place, whole or not at all; False if that cannot be done here.

        The file has no name until it is complete (O_TMPFILE), so that a kill leaves nothing, and
        link(2) never replaces what somebody else has put there meanwhile.
        """
        place = place_of(target.path)
        if place.size is not None:
            return False
        folders: list[Path] = []
        try:
            make_folders(Path(place.path).parent, folders)
            _link_copy(self.path, Path(place.path))
        except OSError:
            # Whatever it is: the ordinary way does it, or says it.
            for folder in reversed(folders):
                with contextlib.suppress(OSError), parent_of(folder) as (above, name):
                    os.rmdir(name, dir_fd=above)
            return False
        return True


@contextlib.contextmanager
def template(
    new: Sequence[SqliteDatabase], migrations: Sequence[Migration], how: How, scratch: Path | None
) -> Iterator[Template | None]:
    """A template for new databases; None where it would not be faster, or not the same.

    Files that use randomness would give all tenants the same numbers.
    """
    if scratch is None or len(new) < _ENOUGH or not _repeatable(migrations):
        yield None
        return
    with _folder(scratch) as folder:
        path = folder / "template.db"
        try:
            names = _bring(path, new[0].path, migrations, how, threading.Event())
        except MigrationFailed:
            yield None  # each of them says so, by its own name
            return
        yield Template(path, names)


def _repeatable(migrations: Sequence[Migration]) -> bool:
    return not any("random" in statement.sql.lower() for each in migrations for statement in each.statements)


def _bring(path: Path, name: Path, migrations: Sequence[Migration], how: How, stop: threading.Event) -> tuple[str, ...]:
    nothing: Callable[[], None] = lambda: None  # noqa: E731 - nobody else knows the file
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        return bring_forward(connection, name, migrations, how, nothing, stop)


@contextlib.contextmanager
def _folder(scratch: Path) -> Iterator[Path]:
    """An empty folder of our own. What a killed run left in it goes too: the site is locked."""
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        scratch.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise MigrationFailed(f"{scratch} cannot be made: {error.strerror}") from error
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _link_copy(source: Path, path: Path) -> None:
    with opened_folder(path.parent, follow=False) as folder:
        descriptor = os.open(".", os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, _FILE_MODE, dir_fd=folder)
        with os.fdopen(descriptor, "wb") as target, source.open("rb") as data:
            shutil.copyfileobj(data, target)
            target.flush()
            allow_group(Path(f"/proc/self/fd/{descriptor}"), _FILE_MODE)
            os.fsync(descriptor)
            # With folders' descriptors Python calls linkat(2), which can follow; without them link(2), which does not.
            os.link(
                f"/proc/self/fd/{descriptor}", path.name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=True
            )
        os.fsync(folder)
