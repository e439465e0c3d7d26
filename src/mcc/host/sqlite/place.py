"""Where a database file is, or will be: no stranger's links on the way, nothing left on failure."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from mcc.errors import MigrationFailed

_MOST_LINKS = 40
_TRIES = 5
# Side files get the folder's group: a service without that group makes some that the deploy user could not write.
_FOLDER_MODE = stat.S_ISGID | 0o775
_FILE_MODE = 0o664
_THINGS = "SELECT count(*) FROM sqlite_master"


@dataclass(frozen=True, slots=True)
class Place:
    """The path without links, and the file's size (None: there is no file)."""

    path: str
    size: int | None

    def uri(self, options: str) -> str:
        if self.path.isascii():  # several times faster, and what nearly all are
            path = self.path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
            return f"file:{path}?{options}"
        return f"file:{quote(os.fsencode(self.path))}?{options}"

    def has(self, suffix: str) -> bool:
        """Whether one of SQLite's side files (``-wal``, ``-journal``) is there."""
        return os.path.lexists(self.path + suffix)


def place_of(database: Path) -> Place:
    """Follow a path to the database; raises MigrationFailed for what must not be followed.

    A link on the way counts only if root or this user made it: who may write to a tenant's folder
    must not lead a deploy elsewhere. Limit: a folder that its owner exchanges for a link between
    this look and SQLite's own open is noticed only if the link is still there when the file is held.
    """
    path, found = _followed(database)
    if found is None:
        return Place(path, None)
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "not a regular file"
        raise MigrationFailed(f"{database} is {kind}, not a database", help=f"move it away: mv {database} …")
    return Place(path, found.st_size)


def identity(path: str) -> tuple[int, int] | None:
    """Device and inode of what is at a path; None if nothing is."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _followed(database: Path) -> tuple[str, os.stat_result | None]:
    """The path with its links replaced, and what is there."""
    todo = [part for part in reversed(str(database.absolute()).split("/")) if part not in ("", ".")]
    done, links, found = "", 0, None
    while todo:
        name = todo.pop()
        if name == "..":
            done = done.rpartition("/")[0]
            continue
        found = _lstat(f"{done}/{name}", database)
        if found is None or not stat.S_ISLNK(found.st_mode):
            done = f"{done}/{name}"
            continue
        links += 1
        target = _target(f"{done}/{name}", found, links)
        done = "" if target.startswith("/") else done
        todo += [part for part in reversed(target.split("/")) if part not in ("", ".")]
    return done or "/", found


def _lstat(path: str, database: Path) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MigrationFailed(f"{database} cannot be reached: {path}: {error.strerror}") from error


def _target(path: str, found: os.stat_result, links: int) -> str:
    if found.st_uid not in (0, os.geteuid()):
        raise MigrationFailed(
            f"{path} is a symbolic link that another user (uid {found.st_uid}) owns: it is not followed",
            help="put a folder in its place, or let the deploy user or root make the link",
        )
    if links > _MOST_LINKS:
        raise MigrationFailed(f"{path} is one of too many symbolic links in a row")
    return str(Path(path).readlink())


@dataclass(slots=True)
class Made:
    """What was made for a database that was not there, so that a failure leaves nothing of it."""

    path: str
    file: tuple[int, int] | None = None
    folders: list[Path] = field(default_factory=list)

    def discard(self) -> None:
        """Take away the file if it is still ours and empty, then the folders if they are empty."""
        if self.file is not None:
            with contextlib.suppress(sqlite3.Error, OSError):
                self._discard_file(self.file)
        for folder in reversed(self.folders):
            with contextlib.suppress(OSError):
                folder.rmdir()

    def _discard_file(self, file: tuple[int, int]) -> None:
        uri = Place(self.path, 0).uri("mode=rw")
        with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=0)) as connection:
            if connection.execute(_THINGS).fetchone()[0]:
                return
            # Held alone while it goes: nobody who is using it loses a row, and nobody begins to.
            # In memory: the disk may be full, and to begin on an empty file is to write its first page.
            connection.execute("PRAGMA journal_mode=MEMORY").close()
            connection.execute("BEGIN EXCLUSIVE")
            if identity(self.path) == file and not connection.execute(_THINGS).fetchone()[0]:
                Path(self.path).unlink()
            connection.execute("ROLLBACK")


def make(place: Place) -> Made:
    """Make an empty database and the folders above it, writable for their group.

    SQLite gives its side files the mode of the database. Nothing is made if the file is there.
    """
    made = Made(place.path)
    if place.size is not None:
        return made
    try:
        make_folders(Path(place.path).parent, made.folders)
        _make_file(place.path, made)
    except OSError as error:
        made.discard()
        raise MigrationFailed(f"{place.path} cannot be made: {error.strerror}", help=_way_out(error)) from error
    except BaseException:
        made.discard()
        raise
    return made


def make_folders(folder: Path, made: list[Path]) -> None:
    """Make a folder and those above it, writable for their group; ``made`` gets those that were missing.

    A tenant that fails beside us may take the one above away again, which it had made.
    """
    for left in reversed(range(_TRIES)):
        if folder.is_dir():
            return
        try:
            make_folders(folder.parent, made)
            folder.mkdir()
            made.append(folder)
            allow_group(folder, _FOLDER_MODE)
        except FileExistsError:  # somebody else was faster
            return
        except FileNotFoundError:
            if not left:
                raise
        else:
            return


def _make_file(path: str, made: Made) -> None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _FILE_MODE)
    except FileExistsError:
        return
    try:
        found = os.fstat(descriptor)
        made.file = (found.st_dev, found.st_ino)
        # By its descriptor: in the folder of a service's user the name may lead elsewhere by now.
        allow_group(Path(f"/proc/self/fd/{descriptor}"), _FILE_MODE)
    finally:
        os.close(descriptor)


def allow_group(path: Path, mode: int) -> None:
    """The umask decides for others, not for the group and its set-gid bit. ``path`` is ours, and no link."""
    have = stat.S_IMODE(path.stat().st_mode)
    wanted = have | (mode & (stat.S_IRWXG | stat.S_ISGID))
    if wanted != have:
        path.chmod(wanted)


def _way_out(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "make room on the disk"
    return "the user that deploys needs the right to write there"
