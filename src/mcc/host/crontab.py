"""The deploy user's crontab, by the machine's ``crontab`` command (crontab(1))."""

from __future__ import annotations

import re

from mcc.errors import CommandFailed
from mcc.host.ports import Commands, Completed

_NONE = re.compile(r"no crontab for|can't open '[^']*': No such file")
_NOT_ALLOWED = re.compile(r"not allowed", re.IGNORECASE)
_TIMEOUT = 30.0


class SystemCrontab:
    """Port ``Crontab``. The text passes through as it is, comments of the command's own included.

    To cron an absent and an empty crontab are the same: an empty text removes the crontab.
    """

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def available(self) -> bool:
        return self._commands.find("crontab") is not None

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


def _failed(what: str, completed: Completed) -> CommandFailed:
    lines = [line for line in completed.tail() if line.strip()]
    reason = lines[0].strip() if lines else f"exit code {completed.code}"
    allow = "add the user to /etc/cron.allow, or take it out of /etc/cron.deny"
    return CommandFailed(
        f"the crontab {what}: {reason}",
        help=allow if _NOT_ALLOWED.search(completed.output) else "",
        log=lines,
    )
