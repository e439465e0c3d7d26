"""The way to a file, gone step by step: no stranger's symbolic link leads us elsewhere.

A service's user may write in folders that the deploy user works in, and may exchange a name for a link at any
moment. So no path is looked at first and opened later: each folder on the way is opened from the one above it
(openat(2)), a link counts only if root or this user made it, and what is done at the end is done by the descriptor
of the folder that was reached.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from mcc.host.openat2 import without_links

_MOST_LINKS = 40  # as Linux has it: path_resolution(7)
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class StrangersLink(OSError):
    """A symbolic link on the way was made by neither root nor this user. It has the number ELOOP, as
    O_NOFOLLOW has it."""


@contextlib.contextmanager
def parent_of(path: Path, follow: bool = False) -> Iterator[tuple[int, str]]:
    """A descriptor (O_PATH) of the folder that holds the last name, and that name.

    With ``follow`` a link of ours at the end is followed too. The name is ``.`` for a path that ends in no name
    of its own. Whoever opens the name does it with O_NOFOLLOW. Raises OSError, StrangersLink.
    """
    folder = _straight(path, follow)
    if folder is not None:
        try:
            yield folder, path.name
        finally:
            os.close(folder)
        return
    way = _Way(path, follow)
    try:
        name = way.go()
        yield way.folder, name
    finally:
        os.close(way.folder)


def _straight(path: Path, follow: bool) -> int | None:
    """The folder of a path without any link on its way, in one call; None where each step has to be looked at."""
    if path.name in ("", ".."):
        return None
    folder = without_links(path.parent, _LOOK | os.O_DIRECTORY)
    if folder is not None and follow and _is_link(folder, path.name):
        os.close(folder)
        return None
    return folder


def _is_link(folder: int, name: str) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


@contextlib.contextmanager
def opened_folder(path: Path, follow: bool = True) -> Iterator[int]:
    """A descriptor of a folder that can be listed and synced. Raises OSError."""
    with parent_of(path, follow) as (above, name):
        descriptor = open_name(above, name, _FOLDER, path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def looked_at(path: Path, follow: bool = False) -> Iterator[int]:
    """A descriptor (O_PATH) of whatever is there. Closing it lets go of no lock on the file. Raises OSError."""
    with parent_of(path, follow) as (above, name):
        descriptor = open_name(above, name, _LOOK, path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_name(folder: int, name: str, flags: int, path: Path, mode: int = 0o600) -> int:
    """openat(2), never through a link; an error names ``path``."""
    try:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=folder)
    except OSError as error:
        raise named(error, path) from None


def open_regular(path: Path, follow: bool = True) -> int:
    """A descriptor of a file, to be read; a pipe or a device is none and keeps nobody waiting. Raises OSError."""
    with parent_of(path, follow) as (folder, name):
        return regular_in(folder, name, path)


def regular_in(folder: int, name: str, path: Path) -> int:
    """The same for a name in a folder that is open."""
    descriptor = open_name(folder, name, os.O_RDONLY | os.O_NONBLOCK, path)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    number = errno.EISDIR if stat.S_ISDIR(mode) else errno.ENXIO
    raise OSError(number, os.strerror(number), str(path))


def named(error: OSError, path: Path) -> OSError:
    """The same error with the whole path in it, as it was asked for."""
    return OSError(error.errno, error.strerror, str(path))


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Errors of calls with a descriptor name only the last part of the way."""
    try:
        yield
    except OSError as error:
        raise named(error, path) from None


def is_trusted(found: os.stat_result) -> bool:
    """Whether root or this user made it."""
    return found.st_uid in (0, os.geteuid())


class _Way:
    """One walk. ``folder`` is the descriptor of where it stands; it is open whatever happens."""

    def __init__(self, path: Path, follow: bool) -> None:
        self._path = path
        self._follow = follow
        self._links = 0
        self._todo = _parts(str(path))
        self.folder = os.open("/" if path.is_absolute() else ".", _LOOK | os.O_DIRECTORY)

    def go(self) -> str:
        """Walk to the folder of the last name; that name."""
        while self._todo:
            name = self._todo.pop()
            if self._todo or name == "..":
                self._enter(name)
            elif not (self._follow and self._led_on(name)):
                return name
        return "."

    def _led_on(self, name: str) -> bool:
        """Whether the last name is a link, whose target is the rest of the way now."""
        try:
            found = os.open(name, _LOOK, dir_fd=self.folder)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise named(error, self._path) from None
        try:
            is_link = stat.S_ISLNK(os.fstat(found).st_mode)
            if is_link:
                self._replace(self._read(found))
        finally:
            os.close(found)
        return is_link

    def _enter(self, name: str) -> None:
        try:
            found = os.open(name, _LOOK, dir_fd=self.folder)
        except OSError as error:
            raise named(error, self._path) from None
        mode = os.fstat(found).st_mode
        if stat.S_ISLNK(mode):
            try:
                self._replace(self._read(found))
            finally:
                os.close(found)
            return
        if not stat.S_ISDIR(mode):
            os.close(found)
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(self._path))
        os.close(self.folder)
        self.folder = found

    def _read(self, link: int) -> str:
        found = os.fstat(link)
        if not is_trusted(found):
            what = f"a symbolic link of another user (uid {found.st_uid}) is on the way, and is not followed"
            raise StrangersLink(errno.ELOOP, what, str(self._path))
        self._links += 1
        if self._links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(self._path))
        return os.readlink("", dir_fd=link)

    def _replace(self, target: str) -> None:
        self._todo += _parts(target)
        if target.startswith("/"):
            os.close(self.folder)
            self.folder = os.open("/", _LOOK | os.O_DIRECTORY)


def _parts(path: str) -> list[str]:
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]
