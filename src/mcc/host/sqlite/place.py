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
from mcc.host.openat2 import without_links
from mcc.host.way import looked_at, open_name, parent_of

_MOST_LINKS = 40
_LOOK = os.O_PATH | os.O_CLOEXEC
_TRIES = 5
# Side files get the folder's group: a service without that group makes some that the deploy user could not write.
_FOLDER_MODE = stat.S_ISGID | 0o775
_FILE_MODE = 0o664
_THINGS = "SELECT count(*) FROM sqlite_master"


@dataclass(frozen=True, slots=True)
class Place:
    """The path without links, and the file's size (None: there is no file).

    ``file`` is its device and inode, if the way to it was gone in one call; ``descriptor`` the number that the
    file had in this process then.
    """

    path: str
    size: int | None
    file: tuple[int, int] | None = None
    descriptor: int = -1

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
    must not lead a deploy elsewhere. SQLite takes a path and no descriptor, so that its owner may exchange
    a folder for a link in between: whoever opens the file asks :func:`is_on` before anything is written.
    """
    straight = _straight(database)
    if straight is not None:
        return straight
    path, found = _followed(database)
    if found is None:
        return Place(path, None)
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "not a regular file"
        raise MigrationFailed(f"{database} is {kind}, not a database", help=f"move it away: mv {database} …")
    return Place(path, found.st_size)


def _straight(database: Path) -> Place | None:
    """What nearly all are, in one call: a file with no link on its way; None for all others."""
    path = str(database)
    descriptor = without_links(path, _LOOK) if path.startswith("/") and "//" not in path and "/." not in path else None
    if descriptor is None:
        return None
    found = os.fstat(descriptor)
    os.close(descriptor)
    if not stat.S_ISREG(found.st_mode):
        return None
    return Place(path, found.st_size, numbers(found), descriptor)


def is_open(place: Place) -> bool:
    """Whether this process has the file open that was found at the place: what was opened since is that file.

    The lowest free number is what the next open gets (open(2)), so that it is mostly where the look was.
    """
    if place.file is None:
        return False
    with contextlib.suppress(OSError):
        if numbers(os.fstat(place.descriptor)) == place.file:
            return True
    return held_count(place.file) > 0


def identity(path: str) -> tuple[int, int] | None:
    """Device and inode of what is at a path; None if nothing is, or if it is behind a stranger's link."""
    try:
        with looked_at(Path(path)) as found:
            return numbers(os.fstat(found))
    except OSError:
        return None


def is_on(connection: sqlite3.Connection, place: Place, before: tuple[int, int] | None, ours: int = 0) -> bool:
    """Whether a connection that has read is on the file ``before``, and that file is still at the path.

    SQLite says by which path it opened the file, without links; a folder that was exchanged for a moment shows
    in what this process has open. ``ours``: how many descriptors of the file it holds besides SQLite.
    """
    if before is None or _path_of(connection) != os.fsencode(place.path):
        return False
    return identity(place.path) == before and held_count(before) > ours


def _path_of(connection: sqlite3.Connection) -> bytes:
    """By which path SQLite opened the file. The pragma needs no lock, as its table of the same name does."""
    usual, connection.text_factory = connection.text_factory, bytes  # a path need not be text
    try:
        rows = connection.execute("PRAGMA database_list").fetchall()
    finally:
        connection.text_factory = usual
    return next((bytes(file or b"") for _, name, file in rows if name == b"main"), b"")


def held_count(file: tuple[int, int]) -> int:
    """How many descriptors of a file this process has."""
    count = 0
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - many times, and names alone
        with contextlib.suppress(OSError):  # the one that listed them
            count += numbers(os.stat(f"/proc/self/fd/{name}")) == file  # noqa: PTH116
    return count


def numbers(found: os.stat_result) -> tuple[int, int]:
    """Device and inode."""
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
            with contextlib.suppress(OSError), parent_of(folder) as (above, name):
                os.rmdir(name, dir_fd=above)

    def _discard_file(self, file: tuple[int, int]) -> None:
        uri = Place(self.path, 0).uri("mode=rw")
        with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=0)) as connection:
            if connection.execute(_THINGS).fetchone()[0]:
                return
            # Held alone while it goes: nobody who is using it loses a row, and nobody begins to.
            # In memory: the disk may be full, and to begin on an empty file is to write its first page.
            connection.execute("PRAGMA journal_mode=MEMORY").close()
            connection.execute("BEGIN EXCLUSIVE")
            if not connection.execute(_THINGS).fetchone()[0]:
                self._unlink(file)
            connection.execute("ROLLBACK")

    def _unlink(self, file: tuple[int, int]) -> None:
        with parent_of(Path(self.path)) as (above, name):
            if numbers(os.stat(name, dir_fd=above, follow_symlinks=False)) == file:
                os.unlink(name, dir_fd=above)


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
        if _is_folder(folder):
            return
        try:
            make_folders(folder.parent, made)
            _make_folder(folder, made)
        except FileExistsError:  # somebody else was faster
            return
        except FileNotFoundError:
            if not left:
                raise
        else:
            return


def _is_folder(folder: Path) -> bool:
    try:
        with looked_at(folder) as found:
            return stat.S_ISDIR(os.fstat(found).st_mode)
    except FileNotFoundError:
        return False


def _make_folder(folder: Path, made: list[Path]) -> None:
    with parent_of(folder) as (above, name):
        os.mkdir(name, dir_fd=above)
        made.append(folder)
        descriptor = open_name(above, name, os.O_RDONLY | os.O_DIRECTORY, folder)
    try:
        allow_group(Path(f"/proc/self/fd/{descriptor}"), _FOLDER_MODE)
    finally:
        os.close(descriptor)


def _make_file(path: str, made: Made) -> None:
    try:
        with parent_of(Path(path)) as (above, name):
            descriptor = open_name(above, name, os.O_RDWR | os.O_CREAT | os.O_EXCL, Path(path), _FILE_MODE)
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
