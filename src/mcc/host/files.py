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

_CHUNK = 1 << 20


class RealFiles:
    """Every change that must survive a power cut is on disk when its method returns.

    A rename(2) is atomic, and durable once the folder that holds the name is synced; a name that
    takes part in one is used once, so that what a killed run left is never picked up.
    """

    def kind(self, path: Path) -> Kind:
        try:
            mode = path.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return "absent"
        return _kind(mode)

    def read_link(self, path: Path) -> str:
        return str(path.readlink())

    def read(self, path: Path, limit: int | None = None, offset: int = 0) -> bytes:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read() if limit is None else file.read(limit)

    def size(self, path: Path) -> int:
        return path.lstat().st_size

    def names(self, folder: Path) -> list[str]:
        try:
            return sorted(entry.name for entry in folder.iterdir())
        except FileNotFoundError:
            return []

    def walk(self, folder: Path, skip: Collection[str] = ()) -> Iterator[Entry]:
        return _walk(folder, "", skip)

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
        if path.is_dir():
            return
        if path.parent != path:
            self.make_folder(path.parent, mode)
        with contextlib.suppress(FileExistsError):
            path.mkdir()
            path.chmod(mode)  # whatever the umask says
            _sync_folder(path.parent)
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))

    def copy_tree(self, source: Path, target: Path, skip: Collection[str] = ()) -> Tally:
        if not target.is_dir():
            target.mkdir(mode=0o755)
            target.chmod(0o755)
        return _copy_tree(source, target, skip)

    def copy_file(self, source: Path, target: Path, mode: int | None = None) -> None:
        temporary = _once(target)
        try:
            _copy_contents(source, temporary, mode=mode)
            _sync_file(temporary)
            temporary.rename(target)
        except BaseException:
            _discard(temporary)
            raise
        _sync_folder(target.parent)

    def write(self, path: Path, data: bytes, mode: int = 0o644) -> None:
        temporary = _once(path)
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(descriptor, mode)  # behind the write, which takes set-gid away from others than root
                os.fsync(descriptor)
            temporary.rename(path)
        except BaseException:
            _discard(temporary)
            raise
        _sync_folder(path.parent)

    def append(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        new = not os.path.lexists(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, mode)
        try:
            was = os.fstat(descriptor).st_size
            written = 0
            try:
                while written < len(data):
                    written += os.write(descriptor, data[written:])
                if new:
                    os.fchmod(descriptor, mode)  # whatever the umask says
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, was)  # half a line would hide the next one
                raise
        finally:
            os.close(descriptor)
        if was == 0:
            _sync_folder(path.parent)

    def link(self, path: Path, target: str) -> None:
        temporary = _once(path)
        temporary.symlink_to(target)
        try:
            temporary.rename(path)
        except BaseException:
            _discard(temporary)
            raise
        _sync_folder(path.parent)

    def hard_link(self, source: Path, target: Path) -> None:
        with contextlib.suppress(FileExistsError):
            os.link(source, target, follow_symlinks=False)
            _sync_folder(target.parent)

    def rename(self, source: Path, target: Path) -> None:
        source.rename(target)
        _sync_folder(target.parent)
        if source.parent != target.parent:
            _sync_folder(source.parent)

    def exchange(self, first: Path, second: Path) -> None:
        _exchange(first, second)
        _sync_folder(first.parent)
        if second.parent != first.parent:
            _sync_folder(second.parent)

    def chmod(self, path: Path, mode: int) -> None:
        path.chmod(mode)

    def remove(self, path: Path) -> None:
        try:
            path.unlink()
        except (FileNotFoundError, NotADirectoryError):
            return
        _sync_folder(path.parent)

    def remove_tree(self, path: Path) -> None:
        if self.kind(path) == "absent":
            return
        if self.kind(path) != "folder":
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
        shutil.rmtree(path)
        _sync_folder(path.parent)

    def sync(self, folder: Path) -> None:
        if not _sync_file_system(folder):
            _sync_each(folder)
        _sync_folder(folder.parent)


def _kind(mode: int) -> Kind:
    if stat.S_ISLNK(mode):
        return "link"
    if stat.S_ISDIR(mode):
        return "folder"
    return "file" if stat.S_ISREG(mode) else "other"


def _once(path: Path) -> Path:
    """A hidden name beside ``path`` that nobody used before."""
    name = os.fsdecode(os.fsencode(path.name)[:200])  # a name may have 255 bytes
    return path.with_name(f".{name}.{secrets.token_hex(6)}.mcc-tmp")


def _discard(temporary: Path) -> None:
    with contextlib.suppress(OSError):
        temporary.unlink(missing_ok=True)


def _walk(folder: Path, below: str, skip: Collection[str]) -> Iterator[Entry]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name in skip:
            continue
        info = entry.stat(follow_symlinks=False)
        path = below + entry.name
        kind = _kind(info.st_mode)
        target = os.readlink(entry.path) if kind == "link" else ""  # noqa: PTH115 - scandir's own path
        yield Entry(path, kind, info.st_size, stat.S_IMODE(info.st_mode), info.st_mtime_ns, target)
        if kind == "folder":
            yield from _walk(folder / entry.name, path + "/", skip)


def _copy_tree(source: Path, target: Path, skip: Collection[str]) -> Tally:
    files = size = 0
    with os.scandir(source) as entries:
        for entry in entries:
            if entry.name in skip:
                continue
            there = target / entry.name
            if entry.is_symlink():
                there.unlink(missing_ok=True)
                there.symlink_to(os.readlink(entry.path))  # noqa: PTH115
            elif entry.is_dir(follow_symlinks=False):
                if there.is_symlink():
                    there.unlink()  # never into what a link leads to
                there.mkdir(exist_ok=True)
                tally = _copy_tree(Path(entry.path), there, skip)
                there.chmod(_wide_enough(entry.stat(follow_symlinks=False).st_mode, 0o755))
                files, size = files + tally.files, size + tally.bytes
            elif entry.is_file(follow_symlinks=False):
                size += _copy_anew(entry.path, there)
                files += 1
    return Tally(files, size)


def _wide_enough(mode: int, least: int) -> int:
    """The source's mode, but never so narrow that the services could not read it."""
    return stat.S_IMODE(mode) | least


def _copy_anew(source: str, target: Path) -> int:
    """Copy a file in the place of whatever is there: another name of the same file must not change."""
    try:
        return _copy_contents(source, target, 0o644)
    except FileExistsError:
        target.unlink()
        return _copy_contents(source, target, 0o644)


def _copy_contents(source: str | Path, target: Path, least: int = 0, mode: int | None = None) -> int:
    """Copy inside the kernel into a new file, with the source's mode if none is given; the number of bytes."""
    read = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        write = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            size = _copy_descriptor(read, write)
            # By its descriptor: in the folder of a service's user the name may lead elsewhere by now.
            os.fchmod(write, _wide_enough(os.fstat(read).st_mode, least) if mode is None else mode)
            return size
        finally:
            os.close(write)
    finally:
        os.close(read)


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


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(path: Path) -> None:
    """fsync(2) of a folder, so that the names in it are durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # file systems that cannot sync a folder say EINVAL
            raise
    finally:
        os.close(descriptor)


_AT_FDCWD = -100  # fcntl.h
_RENAME_EXCHANGE = 2  # linux/fs.h


def _exchange(first: Path, second: Path) -> None:
    """renameat2(2) with RENAME_EXCHANGE; a C library without the call counts as a kernel without it."""
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), str(first)) from None
    flags = ctypes.c_uint(_RENAME_EXCHANGE)
    if call(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(first), None, str(second))


def _sync_file_system(folder: Path) -> bool:
    """syncfs(2): one call for a whole tree, many times faster than an fsync(2) a file.

    False where the C library has no such call. Errors of the device are raised (Linux 5.8 on).
    """
    try:
        syncfs = ctypes.CDLL(None, use_errno=True).syncfs
    except (AttributeError, OSError):
        return False
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(descriptor)
    return True


def _sync_each(folder: Path) -> None:
    for entry in _walk(folder, "", ()):
        if entry.kind == "file":
            _sync_file(folder / entry.path)
        elif entry.kind == "folder":
            _sync_folder(folder / entry.path)
    _sync_folder(folder)
