"""The file system of this machine."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from mcc.host.ports import Entry, Kind, Space, Tally
from mcc.host.trees import copy_contents, copy_tree, kind_of, of_some_depth, sync_each, sync_folder, walk
from mcc.host.way import (
    StrangersLink,
    looked_at,
    named,
    naming,
    open_name,
    open_regular,
    opened_folder,
    parent_of,
)


class RealFiles:
    """Every change that must survive a power cut is on disk when its method returns.

    A rename(2) is atomic, and durable once the folder that holds the name is synced; a name that
    takes part in one is used once, so that what a killed run left is never picked up.
    """

    def kind(self, path: Path) -> Kind:
        try:
            with parent_of(path) as (folder, name):
                mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return "absent"
        return kind_of(mode)

    def read_link(self, path: Path) -> str:
        with parent_of(path) as (folder, name), naming(path):
            return os.readlink(name, dir_fd=folder)

    def read(self, path: Path, limit: int | None = None, offset: int = 0) -> bytes:
        with os.fdopen(open_regular(path), "rb") as file:
            file.seek(offset)
            return file.read() if limit is None else file.read(limit)

    def size(self, path: Path) -> int:
        with parent_of(path) as (folder, name), naming(path):
            return os.stat(name, dir_fd=folder, follow_symlinks=False).st_size

    def names(self, folder: Path) -> list[str]:
        try:
            with opened_folder(folder) as descriptor:
                return sorted(os.listdir(descriptor))  # noqa: PTH208 - a descriptor
        except FileNotFoundError:
            return []

    def walk(self, folder: Path, skip: Collection[str] = ()) -> Iterator[Entry]:
        with opened_folder(folder) as descriptor, of_some_depth(folder):
            yield from walk(descriptor, folder, "", skip)

    def space(self, path: Path) -> Space:
        while not path.exists():
            path = path.parent
        free = os.statvfs(path)
        # File systems without a fixed number of inodes (btrfs) report none at all.
        inodes = free.f_favail if free.f_files else 1 << 60
        return Space(free.f_bavail * free.f_frsize, inodes)

    def may_write(self, path: Path) -> bool:
        return os.access(path, os.W_OK | (os.X_OK if path.is_dir() else 0))

    def make_folder(self, path: Path, mode: int = 0o755) -> None:
        if _is_folder(path):
            return
        if path.parent != path:
            self.make_folder(path.parent, mode)
        with parent_of(path) as (above, name):
            _make_one(above, name, mode, path)
        if not _is_folder(path):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))

    def copy_tree(self, source: Path, target: Path, skip: Collection[str] = ()) -> Tally:
        if not _is_folder(target):
            with parent_of(target) as (above, name), naming(target):
                os.mkdir(name, 0o755, dir_fd=above)
                _chmod_name(above, name, 0o755, target)
        with opened_folder(source) as read, opened_folder(target) as write, of_some_depth(source):
            return copy_tree(read, source, write, target, skip)

    def copy_files(self, source: Path, target: Path, names: Collection[str]) -> Tally:
        sizes = [self._copy_new(source / name, target / name) for name in names]
        copied = [size for size in sizes if size is not None]
        return Tally(len(copied), sum(copied))

    def _copy_new(self, source: Path, target: Path) -> int | None:
        """The size of what was copied; None if there is no source, or something in its place."""
        try:
            read = open_regular(source, follow=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            self.make_folder(target.parent)
            with parent_of(target) as (folder, name):
                return copy_contents(read, folder, name, target, 0o644)
        except FileExistsError:
            return None
        finally:
            os.close(read)

    def copy_file(self, source: Path, target: Path, mode: int | None = None) -> None:
        with parent_of(target) as (folder, name), _temporary(folder, name) as temporary:
            read = open_regular(source)
            try:
                copy_contents(read, folder, temporary, target, mode=mode, sync=True)
            finally:
                os.close(read)
            _put(folder, temporary, name, target)

    def write(self, path: Path, data: bytes, mode: int = 0o644) -> None:
        with parent_of(path) as (folder, name), _temporary(folder, name) as temporary:
            descriptor = open_name(folder, temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, path, mode)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(descriptor, mode)  # behind the write, which takes set-gid away from others than root
                os.fsync(descriptor)
            _put(folder, temporary, name, path)

    def append(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        with parent_of(path, follow=True) as (folder, name):
            descriptor, new = _for_appending(folder, name, path, mode)
            try:
                was = os.fstat(descriptor).st_size
                _append(descriptor, data, was, mode if new else None)
            finally:
                os.close(descriptor)
            if was == 0:
                _sync_in(folder)

    def link(self, path: Path, target: str) -> None:
        with parent_of(path) as (folder, name), _temporary(folder, name) as temporary, naming(path):
            os.symlink(target, temporary, dir_fd=folder)
            _put(folder, temporary, name, path)

    def hard_link(self, source: Path, target: Path) -> None:
        with parent_of(source) as (old, old_name), parent_of(target) as (new, new_name):
            try:
                with naming(source):
                    os.link(old_name, new_name, src_dir_fd=old, dst_dir_fd=new, follow_symlinks=False)
            except FileExistsError:
                return
            _sync_in(new)

    def rename(self, source: Path, target: Path) -> None:
        with parent_of(source) as (old, old_name), parent_of(target) as (new, new_name):
            with naming(source):
                os.rename(old_name, new_name, src_dir_fd=old, dst_dir_fd=new)
            _sync_in(new)
            if source.parent != target.parent:
                _sync_in(old)

    def exchange(self, first: Path, second: Path) -> None:
        with parent_of(first) as (one, one_name), parent_of(second) as (other, other_name):
            _exchange((one, one_name), (other, other_name), first, second)
            _sync_in(one)
            if second.parent != first.parent:
                _sync_in(other)

    def chmod(self, path: Path, mode: int) -> None:
        with parent_of(path, follow=True) as (folder, name):
            _chmod_name(folder, name, mode, path)

    def remove(self, path: Path) -> None:
        try:
            with parent_of(path) as (folder, name):
                with naming(path):
                    os.unlink(name, dir_fd=folder)
                _sync_in(folder)
        except (FileNotFoundError, NotADirectoryError):
            return

    def remove_tree(self, path: Path) -> None:
        if self.kind(path) == "absent":
            return
        if self.kind(path) != "folder":
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
        with parent_of(path) as (folder, name), of_some_depth(path):
            shutil.rmtree(name, dir_fd=folder)  # by descriptors all the way down (shutil's documentation)
            _sync_in(folder)

    def sync(self, folder: Path) -> None:
        with opened_folder(folder) as descriptor:
            if not _sync_file_system(descriptor, folder):
                sync_each(descriptor, folder)
        with parent_of(folder) as (above, _):
            _sync_in(above)


@contextlib.contextmanager
def _temporary(folder: int, name: str) -> Iterator[str]:
    """A hidden name that nobody used before; what is left of it is removed if something fails."""
    short = os.fsdecode(os.fsencode(name)[:200])  # a name may have 255 bytes
    temporary = f".{short}.{secrets.token_hex(6)}.mcc-tmp"
    try:
        yield temporary
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise


def _put(folder: int, temporary: str, name: str, path: Path) -> None:
    """Give a file its name, in one rename that lasts."""
    with naming(path):
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    _sync_in(folder)


def _is_folder(path: Path) -> bool:
    """Whether there is a folder, at the end of our own links."""
    try:
        with looked_at(path, follow=True) as found:
            return stat.S_ISDIR(os.fstat(found).st_mode)
    except StrangersLink:
        raise
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return False
        raise


def _make_one(above: int, name: str, mode: int, path: Path) -> None:
    try:
        os.mkdir(name, dir_fd=above)
    except FileExistsError:
        return
    except OSError as error:
        raise named(error, path) from None
    _chmod_name(above, name, mode, path)  # whatever the umask says
    _sync_in(above)


def _chmod_name(folder: int, name: str, mode: int, path: Path) -> None:
    """chmod(2) of what a name stands for, which is no link."""
    found = open_name(folder, name, os.O_PATH, path)
    try:
        if stat.S_ISLNK(os.fstat(found).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
        with naming(path):
            Path(f"/proc/self/fd/{found}").chmod(mode)
    finally:
        os.close(found)


def _for_appending(folder: int, name: str, path: Path, mode: int) -> tuple[int, bool]:
    """A descriptor at the end of a regular file, and whether it was made for this. A pipe keeps nobody waiting."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK
    try:
        descriptor, new = open_name(folder, name, flags, path), False
    except FileNotFoundError:
        return open_name(folder, name, flags | os.O_CREAT | os.O_EXCL, path, mode), True
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor, new
    os.close(descriptor)
    raise OSError(errno.ENXIO, os.strerror(errno.ENXIO), str(path))


def _append(descriptor: int, data: bytes, was: int, mode: int | None) -> None:
    written = 0
    try:
        while written < len(data):
            written += os.write(descriptor, data[written:])
        if mode is not None:
            os.fchmod(descriptor, mode)  # whatever the umask says
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, was)  # half a line would hide the next one
        raise


def _sync_in(folder: int) -> None:
    """fsync(2) of a folder that is open by O_PATH, so that the names in it are durable."""
    descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        sync_folder(descriptor)
    finally:
        os.close(descriptor)


_RENAME_EXCHANGE = 2  # linux/fs.h


def _exchange(one: tuple[int, str], other: tuple[int, str], first: Path, second: Path) -> None:
    """renameat2(2) with RENAME_EXCHANGE; a C library without the call counts as a kernel without it."""
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), str(first)) from None
    flags = ctypes.c_uint(_RENAME_EXCHANGE)
    if call(one[0], os.fsencode(one[1]), other[0], os.fsencode(other[1]), flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(first), None, str(second))


def _sync_file_system(descriptor: int, folder: Path) -> bool:
    """syncfs(2): one call for a whole tree, many times faster than an fsync(2) a file.

    False where the C library has no such call. Errors of the device are raised (Linux 5.8 on).
    """
    try:
        syncfs = ctypes.CDLL(None, use_errno=True).syncfs
    except (AttributeError, OSError):
        return False
    if syncfs(descriptor) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(folder))
    return True
