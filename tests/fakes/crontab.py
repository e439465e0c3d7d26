"""The deploy user's crontab, in memory."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from fakes.process import Process
from mcc.errors import CommandFailed


@dataclass(slots=True)
class CrontabState:
    """``installed`` False: a machine without cron."""

    text: bytes = b""
    installed: bool = True


class FakeCrontab:
    """The port ``Crontab``; takes what Debian's crontab(1) takes."""

    def __init__(self, state: CrontabState, process: Process) -> None:
        self._state = state
        self._process = process

    def available(self) -> bool:
        return self._state.installed

    def alone(self) -> AbstractContextManager[None]:
        return nullcontext()  # one process at a time is on this machine

    def read(self) -> bytes:
        if not self._state.installed:
            raise CommandFailed("crontab cannot be started: No such file or directory")
        return self._state.text

    def write(self, text: bytes) -> None:
        self._process.tick("crontab.write", failure=_failure)
        if not self._state.installed:
            raise CommandFailed("crontab cannot be started: No such file or directory")
        if text and not text.endswith(b"\n"):
            raise CommandFailed("crontab - ended with exit code 1: missing newline before EOF")
        self._state.text = bytes(text)
        # crontab(1) renames in one stroke; this is where we die without having heard of it
        self._process.tick("crontab.write: written", failure=_failure)


def _failure(what: str, path: str) -> Exception:
    return CommandFailed("crontab - ended with exit code 1")
