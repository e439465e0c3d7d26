"""The deploy user's crontab, by the machine's ``crontab`` command (crontab(1))."""

from __future__ import annotations

import os
import pwd
import re
from contextlib import AbstractContextManager
from pathlib import Path

from mcc.errors import CommandFailed
from mcc.host.lock import one_at_a_time
from mcc.host.ports import Commands, Completed

_NONE = re.compile(r"no crontab for|can't open '[^']*': No such file")
_NOT_ALLOWED = re.compile(r"not allowed", re.IGNORECASE)
_TIMEOUT = 30.0


class SystemCrontab:
    """Port ``Crontab``. The text passes through as it is, comments of the command's own included.

    To cron an absent and an empty crontab are the same: an empty text removes the crontab.
    ``shared`` is a folder that all runs of this user lock in turn: their home, if not given.
    """

    def __init__(self, commands: Commands, shared: Path | None = None) -> None:
        self._commands = commands
        self._shared = shared or _home()

    def available(self) -> bool:
        return self._commands.find("crontab") is not None

    def alone(self) -> AbstractContextManager[None]:
        """Raises CommandFailed when another run does not let go of the crontab."""
        return one_at_a_time(self._shared, _TIMEOUT, "the crontab")

    def read(self) -> bytes:
        """Raises CommandFailed if there is no ``crontab`` command, or it does not allow this user."""
        listed = self._run("-l")
        if listed.ok:
            return listed.stdout
        if _NONE.search(listed.output):
            return b""
        raise _failed("cannot be read", listed)

    def write(self, text: bytes) -> None:
        """Raises CommandFailed with cron's reason; the crontab is as before then."""
        written = self._run("-", stdin=text) if text else self._run("-r")
        if not written.ok and (text or not _NONE.search(written.output)):
            raise _failed("cannot be written", written)

    def _run(self, word: str, stdin: bytes | None = None) -> Completed:
        if not self.available():
            raise CommandFailed(
                "this machine has no crontab command",
                help="install cron, or take CRON_JOBS and BACKUP_SCHEDULE out of the configuration",
            )
        # The reasons are recognised by their English words.
        return self._commands.run(["crontab", word], env={"LC_ALL": "C"}, timeout=_TIMEOUT, stdin=stdin)


def _home() -> Path:
    # Not HOME, which cron, sudo and a login may set differently: every run must lock the same folder.
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return Path("/")


def _failed(what: str, completed: Completed) -> CommandFailed:
    lines = [line for line in completed.tail() if line.strip()]
    reason = lines[0].strip() if lines else f"exit code {completed.code}"
    allow = "add the user to /etc/cron.allow, or take it out of /etc/cron.deny"
    return CommandFailed(
        f"the crontab {what}: {reason}",
        help=allow if _NOT_ALLOWED.search(completed.output) else "",
        log=lines,
    )
