"""Where the embedded manager of a site keeps its things."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

# unix(7): 108 bytes with the final zero. supervisord binds NAME.PID first and renames that.
_LONGEST_SOCKET = 107 - len(".4194304")


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one site's daemon, ``BASE/.mcc/embedded``."""

    folder: Path

    @property
    def conf(self) -> Path:
        return self.folder / "supervisord.conf"

    @property
    def child(self) -> Path:
        return self.folder / "child.py"

    @property
    def python(self) -> Path:
        return self.folder / "python"

    @property
    def held(self) -> Path:
        return self.folder / "held.json"

    @property
    def lock(self) -> Path:
        return self.folder / "daemon.lock"

    @property
    def pid(self) -> Path:
        return self.folder / "supervisord.pid"

    @property
    def logs(self) -> tuple[Path, Path]:
        """What the daemon said while it started, and later."""
        return self.folder / "start.log", self.folder / "supervisord.log"

    def service(self, slug: str) -> Path:
        """How a service is started."""
        return self.folder / "services" / f"{slug}.json"

    @property
    def socket(self) -> Path | None:
        """The daemon's socket: in the folder or, if that path is too long, where the note says.

        None as long as there is no place for it, so that no daemon can be running.
        """
        if self._is_short():
            return self.folder / "s.sock"
        with contextlib.suppress(OSError):
            return Path(self._note.read_text()) / "s.sock"
        return None

    def addresses(self) -> list[str]:
        """The addresses that the daemon holds open, in order."""
        with contextlib.suppress(OSError, ValueError):
            return sorted(json.loads(self.held.read_text()))
        return []

    def make(self) -> None:
        """Make the folders; only this user can look into them."""
        (self.folder / "services").mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)

    def make_socket_folder(self) -> Path:
        """The folder for the socket; a private one in the temporary folder for a long path."""
        if self._is_short():
            return self.folder
        if self.socket is not None and _is_private(self.socket.parent):
            return self.socket.parent
        made = tempfile.mkdtemp(prefix="mcc-", dir=_short_temporary_folder())
        place(self._note, made)
        return Path(made)

    def remove_socket_folder(self) -> None:
        """Remove what :meth:`make_socket_folder` made."""
        if self._is_short() or self.socket is None:
            return
        if _is_private(self.socket.parent):
            shutil.rmtree(self.socket.parent, ignore_errors=True)
        self._note.unlink()

    def is_locked(self) -> bool:
        """Whether a daemon lives: it holds the lock as long as it does."""
        try:
            descriptor = os.open(self.lock, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _is_short(self) -> bool:
        return len(os.fsencode(self.folder / "s.sock")) <= _LONGEST_SOCKET

    @property
    def _note(self) -> Path:
        return self.folder / "socket-folder"


def place(path: Path, text: str, mode: int = 0o600) -> None:
    """Put a small file in place in one rename; one that is the same already is left alone."""
    with contextlib.suppress(OSError):
        if path.read_text() == text:
            return
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    Path(name).chmod(mode)
    Path(name).replace(path)


def place_link(path: Path, target: str) -> None:
    """Point a link at a target in one rename."""
    if path.is_symlink() and str(path.readlink()) == target:
        return
    temporary = Path(tempfile.mkdtemp(prefix=".link.", dir=path.parent))
    (temporary / "link").symlink_to(target)
    (temporary / "link").replace(path)
    temporary.rmdir()


def _is_private(folder: Path) -> bool:
    """Whether a folder is a real one, ours, and closed to everybody else."""
    try:
        info = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid() and not info.st_mode & 0o077


def _short_temporary_folder() -> str:
    folder = tempfile.gettempdir()
    # The configuration of supervisor has no quoting: blanks before ; or # would cut the path.
    plain = not any(letter in folder for letter in " ;#%\n")
    return folder if plain and len(os.fsencode(folder)) < 60 else "/tmp"  # noqa: S108
