"""Commands as root."""

from __future__ import annotations

import os
from collections.abc import Sequence

from mcc.errors import CommandFailed
from mcc.host.ports import Commands, Completed

# Messages of sudo and of what it runs are read by people and by us: English, whatever the locale.
_ENGLISH = {"LC_ALL": "C.UTF-8"}


class RealSudo:
    """``sudo -n``: what needs a password is not allowed. Root itself needs no sudo.

    ``allowed``: what is known to be permitted; one command asks for several hosts.
    """

    def __init__(self, commands: Commands, uid: int | None = None, allowed: set[tuple[str, ...]] | None = None) -> None:
        self._commands = commands
        self._allowed = set() if allowed is None else allowed
        self._root = (os.geteuid() if uid is None else uid) == 0

    def allows(self, words: Sequence[str]) -> bool:
        """Whether sudoers lets this user run exactly these words.

        ``sudo -n -l COMMAND`` ends with 0 if it is permitted and with 1 if it is not, if asking
        needs a password, or if the user is not in sudoers at all (sudo(8)). What it permits is asked once: where it
        is forbidden meanwhile, the command itself is refused.
        """
        if self._root:
            return True
        if self._commands.find("sudo") is None:
            return False
        if tuple(words) not in self._allowed and self._asked(words):
            self._allowed.add(tuple(words))
        return tuple(words) in self._allowed

    def _asked(self, words: Sequence[str]) -> bool:
        return self._commands.run(["sudo", "-n", "-l", *words], env=_ENGLISH, timeout=30.0).ok

    def run(self, words: Sequence[str], *, timeout: float = 120.0) -> Completed:
        """Run as root; any exit code is an answer. Raises CommandFailed without sudo."""
        if self._root:
            return self._commands.run(list(words), env=_ENGLISH, timeout=timeout)
        if self._commands.find("sudo") is None:
            raise CommandFailed(
                f"{' '.join(words)} has to run as root, and this machine has no sudo",
                help="install sudo, or set OWNERSHIP and SERVICE_MANAGER so that it is not needed",
            )
        return self._commands.run(["sudo", "-n", *words], env=_ENGLISH, timeout=timeout)


def denied(done: Completed) -> bool:
    """Whether sudo itself refused, so that the command never ran."""
    if done.ok:
        return False
    return any(
        line.startswith("sudo: ") or ("not allowed to execute" in line and line.startswith("Sorry, "))
        for line in done.output.splitlines()
    )
