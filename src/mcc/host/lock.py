"""One at a time, by flock(2), which the kernel frees when its holders are gone.

A site is held by a run from its first effect to its end, and who comes second is refused. What
all sites of a user share is held for moments, and who comes second waits.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from mcc.errors import CommandFailed, SiteLocked

_POLL = 0.02
_NAMING = 0.05
_UNNAMED = 1.0
_BRIEF = 15.0


class SiteLock:
    """The lock of a site, held as long as its descriptor is open here or in a child.

    The file says who holds it, for a reader; it decides nothing.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def take(cls, path: Path, holder: Mapping[str, object]) -> SiteLock:
        """Take the lock, or raise SiteLocked that says whose it is and since when.

        Whoever says of itself (``brief``) that it is done in a moment is waited for: nobody has asked for it.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        held_by = _try(descriptor)
        if held_by is not None:
            os.close(descriptor)
            help = "wait until it has ended, then try again"
            raise SiteLocked(_who(held_by), help=help, lock=path, whose=held_by.decode(errors="replace")) from None
        lock = cls(descriptor)
        lock.name(holder)
        return lock

    def name(self, holder: Mapping[str, object]) -> None:
        """Write down whose it is."""
        text = json.dumps(dict(holder), ensure_ascii=False).encode()
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, text, 0)

    def release(self) -> None:
        """Let go. The site is free when no child holds the descriptor any more (flock(2))."""
        os.close(self.descriptor)


def _try(descriptor: int) -> bytes | None:
    """Take a lock, None, or say what its holder wrote."""
    began = time.monotonic()
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held_by = os.pread(descriptor, 4096, 0)
            if time.monotonic() - began > _patience(held_by):
                return held_by
            time.sleep(_POLL)
        else:
            return None


def _patience(text: bytes) -> float:
    """Seconds for whoever holds a lock with this text.

    Who has just taken it has not written its name yet: the text is of the one before, who is gone by then. On a busy
    machine that may take a while.
    """
    if b'"brief": true' in text:
        return _BRIEF
    try:
        alive = Path(f"/proc/{int(json.loads(text)['pid'])}").exists()
    except (ValueError, KeyError, TypeError):
        alive = False
    return _NAMING if alive else _UNNAMED


@contextlib.contextmanager
def one_at_a_time(folder: Path, patience: float, what: str) -> Iterator[None]:
    """Wait up to ``patience`` seconds for the lock on a folder, which leaves no file behind.

    Raises CommandFailed when it does not become free; ``what`` is what the lock stands for. A
    folder that cannot be locked (it is not there, or its file system has no locks) is no hindrance.
    """
    with contextlib.ExitStack() as stack:
        descriptor = _open_folder(folder)
        if descriptor is not None:
            stack.callback(os.close, descriptor)
            _wait_for(descriptor, patience, f"{what} is being changed by another run, which holds {folder}")
        yield


def _open_folder(folder: Path) -> int | None:
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None


def _wait_for(descriptor: int, patience: float, message: str) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise CommandFailed(message, help="wait until it has ended, then try again") from None
            time.sleep(_POLL)
        except OSError:
            return
        else:
            return


def holder_of(path: Path) -> str | None:
    """Who holds the lock now, in words, or None; takes nothing and changes nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        return _who(os.pread(descriptor, 4096, 0))
    finally:
        os.close(descriptor)


def _who(text: bytes) -> str:
    try:
        data = json.loads(text)
        pid, since = int(data["pid"]), datetime.fromisoformat(str(data["since"]))
    except (ValueError, KeyError, TypeError):
        return "another run holds the site"
    minutes, seconds = divmod(int((datetime.now(UTC) - since).total_seconds()), 60)
    ago = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    build = f", {data['build']}" if data.get("build") else ""
    gone = "" if Path(f"/proc/{pid}").exists() else "; it is gone, but a command that it started still runs"
    return (
        f"the site is held by {data.get('what', 'a run')} of {data.get('user', '?')}{build} "
        f"since {since:%Y-%m-%d %H:%M:%S} UTC ({ago}; process {pid}{gone})"
    )
