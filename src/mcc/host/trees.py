"""Whole folders, gone through by descriptors: a name that becomes a link on the way is not followed."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from mcc.host.ports import Entry, Kind, Tally
from mcc.host.way import naming, open_name, regular_in

_CHUNK = 1 << 20


def kind_of(mode: int) -> Kind:
    if stat.S_ISLNK(mode):
        return "link"
    if stat.S_ISDIR(mode):
        return "folder"
    return "file" if stat.S_ISREG(mode) else "other"


@contextlib.contextmanager
def of_some_depth(path: Path) -> Iterator[None]:
    """A service could lay a thousand folders into each other, which is a matter of that folder and no fault of ours."""
    try:
        yield
    except RecursionError:
        raise OSError(errno.ENAMETOOLONG, "its folders lie too deep in each other", str(path)) from None


def walk(folder: int, path: Path, below: str, skip: Collection[str]) -> Iterator[Entry]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name in skip:
            continue
        with naming(path / entry.name):
            info = entry.stat(follow_symlinks=False)
            kind = kind_of(info.st_mode)
            target = os.readlink(entry.name, dir_fd=folder) if kind == "link" else ""
        there = below + entry.name
        yield Entry(there, kind, info.st_size, stat.S_IMODE(info.st_mode), info.st_mtime_ns, target)
        if kind == "folder":
            with _inside(folder, entry.name, path) as descriptor:
                yield from walk(descriptor, path / entry.name, there + "/", skip)


@contextlib.contextmanager
def _inside(folder: int, name: str, path: Path) -> Iterator[int]:
    """A folder in a folder, opened to be listed; not if it has become a link."""
    descriptor = open_name(folder, name, os.O_RDONLY | os.O_DIRECTORY, path / name)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def copy_tree(source: int, source_path: Path, target: int, target_path: Path, skip: Collection[str]) -> Tally:
    files = size = 0
    with os.scandir(source) as entries:
        for entry in entries:
            if entry.name in skip:
                continue
            name, path, there = entry.name, source_path / entry.name, target_path / entry.name
            if entry.is_symlink():
                _copy_link(source, name, path, target, there)
            elif entry.is_dir(follow_symlinks=False):
                tally = _copy_folder(source, name, source_path, target, target_path, skip)
                files, size = files + tally.files, size + tally.bytes
            elif entry.is_file(follow_symlinks=False):
                size += _copy_anew(source, name, path, target, there)
                files += 1
    return Tally(files, size)


def _copy_link(source: int, name: str, path: Path, target: int, there: Path) -> None:
    with naming(path):
        text = os.readlink(name, dir_fd=source)
    with naming(there):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=target)
        os.symlink(text, name, dir_fd=target)


def _copy_folder(
    source: int, name: str, source_path: Path, target: int, target_path: Path, skip: Collection[str]
) -> Tally:
    with naming(target_path / name):
        if _kind_in(target, name) == "link":
            os.unlink(name, dir_fd=target)  # never into what a link leads to
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=target)
    with _inside(source, name, source_path) as read, _inside(target, name, target_path) as write:
        tally = copy_tree(read, source_path / name, write, target_path / name, skip)
        os.fchmod(write, _wide_enough(os.fstat(read).st_mode, 0o755))
    return tally


def _kind_in(folder: int, name: str) -> Kind:
    try:
        return kind_of(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return "absent"


def _wide_enough(mode: int, least: int) -> int:
    """The source's mode, but never so narrow that the services could not read it."""
    return stat.S_IMODE(mode) | least


def _copy_anew(source: int, name: str, path: Path, target: int, there: Path) -> int:
    """Copy a file in the place of whatever is there: another name of the same file must not change."""
    read = regular_in(source, name, path)
    try:
        try:
            return copy_contents(read, target, name, there, 0o644)
        except FileExistsError:
            with naming(there):
                os.unlink(name, dir_fd=target)
            return copy_contents(read, target, name, there, 0o644)
    finally:
        os.close(read)


def copy_contents(
    read: int, folder: int, name: str, path: Path, least: int = 0, mode: int | None = None, sync: bool = False
) -> int:
    """Copy inside the kernel into a new file, with the source's mode if none is given; the number of bytes."""
    write = open_name(folder, name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, path)
    try:
        size = _copy_descriptor(read, write)
        # By its descriptor: in the folder of a service's user the name may lead elsewhere by now.
        os.fchmod(write, _wide_enough(os.fstat(read).st_mode, least) if mode is None else mode)
        if sync:
            os.fsync(write)
        return size
    finally:
        os.close(write)


def _copy_descriptor(read: int, write: int) -> int:
    size = 0
    try:
        while copied := os.copy_file_range(read, write, 1 << 30):
            size += copied
    except OSError as error:
        # Not offered between these two file systems: the plain way, from where it stopped.
        if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
        while chunk := os.read(read, _CHUNK):
            view = memoryview(chunk)
            while view:
                view = view[os.write(write, view) :]
            size += len(chunk)
    return size


def sync_folder(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # file systems that cannot sync a folder say EINVAL
            raise


def sync_each(descriptor: int, folder: Path) -> None:
    """fsync(2) of all below and with a folder."""
    for name in os.listdir(descriptor):
        kind = _kind_in(descriptor, name)
        if kind == "file":
            file = regular_in(descriptor, name, folder / name)
            try:
                os.fsync(file)
            finally:
                os.close(file)
        elif kind == "folder":
            with _inside(descriptor, name, folder) as below:
                sync_each(below, folder / name)
    sync_folder(descriptor)
