"""One run at a time holds a site: flock(2), freed by the kernel when its holders are gone."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from mcc.errors import SiteLocked


class SiteLock:
    """The lock of a site, held as long as its descriptor is open here or in a child.

    The file says who holds it, for a reader; it decides nothing.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def take(cls, path: Path, holder: Mapping[str, object]) -> SiteLock:
        """Take the lock, or raise SiteLocked that says whose it is and since when."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held_by = os.pread(descriptor, 4096, 0)
            os.close(descriptor)
            raise SiteLocked(_who(held_by), help="wait until it has ended, then try again") from None
        text = json.dumps(dict(holder), ensure_ascii=False).encode()
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text, 0)
        return cls(descriptor)

    def release(self) -> None:
        """Let go. The site is free when no child holds the descriptor any more (flock(2))."""
        os.close(self.descriptor)


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
