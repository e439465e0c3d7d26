"""The files of a backup: new, private, on the disk as they grow, hashed as they go by."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import secrets
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from mcc.errors import CopyFailed

_CHUNK = 1 << 20
_LEVEL = 3  # databases shrink about as far as with 6, in a third of the time
_GZIP = 31  # zlib's number for a gzip header and trailer
# sync_file_range(2): wait for what is under way, begin what is new.
_WAIT_BEFORE, _WRITE, _WAIT_AFTER = 1, 2, 4

Tick = Callable[[int], None]
"""Called with the number of bytes that went by."""


def new_file(path: Path) -> int:
    """Make a file that only this user can read; the descriptor, for reading and writing. Raises CopyFailed."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise disk_error(path, error) from error


def once(path: Path) -> Path:
    """A hidden name beside ``path`` that nobody used before; what a killed run leaves of it is swept."""
    name = os.fsdecode(os.fsencode(path.name)[:200])
    return path.with_name(f".{name}.{secrets.token_hex(6)}.mcc-tmp")


@contextlib.contextmanager
def temporary(path: Path) -> Iterator[Path]:
    """A name beside ``path`` for a file that is gone afterwards."""
    name = once(path)
    try:
        yield name
    finally:
        discard(name)


def discard(path: Path) -> None:
    """Remove a file with what SQLite may have put beside it; never raises."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        with contextlib.suppress(OSError):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


class WriteBack:
    """Has the kernel write a growing file to the disk bit by bit.

    One fsync(2) at the end would have every other fsync on that file system wait for all of it:
    a service that commits a row would stand still for seconds.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._begun = self._waited = 0
        self._range = _sync_file_range()

    def step(self) -> None:
        """Begin with what was added, and wait for what was begun before."""
        size = os.fstat(self._descriptor).st_size
        if size - self._begun < _CHUNK:
            return
        if self._range is None:
            os.fdatasync(self._descriptor)
        else:
            self._range(self._descriptor, self._begun, size - self._begun, _WRITE)
            everything = _WAIT_BEFORE | _WRITE | _WAIT_AFTER
            self._range(self._descriptor, self._waited, self._begun - self._waited or 1, everything)
        self._waited, self._begun = self._begun, size


def _sync_file_range() -> Callable[[int, int, int, int], int] | None:
    """sync_file_range(2), or None where the C library has none. Its result is no promise: fsync's is."""
    try:
        function = ctypes.CDLL(None, use_errno=True).sync_file_range
    except (AttributeError, OSError):
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return function


def settle(descriptor: int, path: Path) -> None:
    """Return when a file is on the disk. Raises CopyFailed."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise disk_error(path, error) from error


def forget(path: Path) -> None:
    """Let the kernel's memory of a file go: what is read from it next comes from the disk."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def compress(source: Path, place: Path, tick: Tick) -> str:
    """Pack a file into the new file ``place``, on disk when it returns; the SHA-256 of what is there then."""
    total = hashlib.sha256()
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    descriptor = new_file(place)
    try:
        write_back = WriteBack(descriptor)
        with source.open("rb") as plain:
            while chunk := plain.read(_CHUNK):
                _write(descriptor, packer.compress(chunk), total.update)
                write_back.step()
                tick(len(chunk))
        _write(descriptor, packer.flush(), total.update)
        settle(descriptor, place)
    except OSError as error:
        raise disk_error(place, error) from error
    finally:
        os.close(descriptor)
    return total.hexdigest()


def _write(descriptor: int, data: bytes, update: Callable[[bytes], None]) -> None:
    update(data)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def unpack(source: Path, place: Path) -> tuple[str, int]:
    """Unpack a file (or copy one that is not packed) into the new file ``place``.

    The SHA-256 of the packed file, and the size of the other. Raises CopyFailed for a file that is
    not whole: gzip has a checksum of its own.
    """
    total, packed = hashlib.sha256(), source.name.endswith(".gz")
    unpacker = zlib.decompressobj(_GZIP)
    size = 0
    descriptor = new_file(place)
    write_back = WriteBack(descriptor)
    try:
        for chunk in read_chunks(source):
            total.update(chunk)
            for plain in _unpacked(unpacker, chunk) if packed else (chunk,):
                _write(descriptor, plain, lambda _: None)
                size += len(plain)
                write_back.step()
    except zlib.error as error:
        raise CopyFailed(f"{source} is damaged: {error}", help="take another copy") from error
    except OSError as error:
        raise disk_error(place, error) from error
    finally:
        os.close(descriptor)
    if packed and (not unpacker.eof or unpacker.unused_data):
        raise CopyFailed(f"{source} is damaged: it does not end where it should", help="take another copy")
    return total.hexdigest(), size


def _unpacked(unpacker: zlib._Decompress, chunk: bytes) -> Iterator[bytes]:
    """In pieces: a small packed file can be a very large one."""
    while chunk and not unpacker.eof:
        yield unpacker.decompress(chunk, _CHUNK)
        chunk = unpacker.unconsumed_tail
    if chunk:
        raise zlib.error("something was added behind its end")


def read_chunks(path: Path) -> Iterator[bytes]:
    """A file in pieces. Raises CopyFailed if it cannot be opened, OSError if it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise CopyFailed(f"{path} cannot be read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def hash_of(path: Path) -> str:
    """The SHA-256 of a file. Raises CopyFailed."""
    total = hashlib.sha256()
    try:
        for chunk in read_chunks(path):
            total.update(chunk)
    except OSError as error:
        raise CopyFailed(f"{path} cannot be read: {error.strerror}") from error
    return total.hexdigest()


def disk_error(path: Path, error: OSError) -> CopyFailed:
    """What went wrong with a file of the backup, and the way out."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return CopyFailed(f"{path} cannot be written: the disk is full", help=f"make room: df -h {path.parent}")
    return CopyFailed(f"{path} cannot be written: {error.strerror or error}", help=f"look at ls -la {path.parent}")
