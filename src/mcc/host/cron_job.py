"""One cron job, run now as cron runs it (crontab(5), cron(8))."""

from __future__ import annotations

import contextlib
import os
import pwd
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from mcc.core.cron.installed import CronCall
from mcc.errors import CommandFailed
from mcc.host.way import open_regular

_TICK = 0.1
_CHUNK = 1 << 16


def run_as_cron(call: CronCall, show: Callable[[bytes], None]) -> int:
    """Run it to its end; the answer is its exit code, 128 and the number for a signal.

    ``show`` gets what the job prints and what its log gains meanwhile. What is left of it when this process is
    interrupted is ended. Raises CommandFailed if the shell cannot be started.
    """
    environment = _environment(call.variables)
    log = _Growth(call.log)
    shell, home = environment[b"SHELL"], environment[b"HOME"]
    try:
        process = subprocess.Popen(
            [shell, b"-c", call.command],
            cwd=home, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True, umask=0o022,
        )  # fmt: skip
    except OSError as error:
        where = f"{os.fsdecode(shell)} cannot be started in {os.fsdecode(home)}"
        raise CommandFailed(f"{where}: {error.strerror}") from None
    try:
        code = _follow(process, call.stdin, log, show)
    finally:
        _end(process)
    return code if code >= 0 else 128 - code


def _environment(variables: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """What Debian's cron sets, with what the crontab sets above the job; LOGNAME cannot be changed."""
    account = pwd.getpwuid(os.getuid())
    own = {b"HOME": os.fsencode(account.pw_dir), b"SHELL": b"/bin/sh", b"PATH": b"/usr/bin:/bin"}
    return {**own, **variables, b"LOGNAME": account.pw_name.encode()}


def _follow(process: subprocess.Popen[bytes], stdin: bytes, log: _Growth, show: Callable[[bytes], None]) -> int:
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(stdin)  # a crontab line is shorter than what a pipe takes at once
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    os.set_blocking(process.stdout.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while process.poll() is None:
            if not selector.get_map():
                time.sleep(_TICK)
            elif selector.select(_TICK) and not _show_pipe(process, show):
                selector.unregister(process.stdout)
            log.show(show)
        _show_pipe(process, show)  # what it left; a child of it may hold the pipe for long
    log.show(show)
    return process.returncode


def _show_pipe(process: subprocess.Popen[bytes], show: Callable[[bytes], None]) -> bool:
    """Show what is in the pipe; whether more may come."""
    assert process.stdout is not None
    while True:
        try:
            data = os.read(process.stdout.fileno(), _CHUNK)
        except BlockingIOError:
            return True
        if not data:
            return False
        show(data)


class _Growth:
    """What a file gains from now on; one that is shortened or exchanged is read from its beginning."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._at = self._size()

    def show(self, show: Callable[[bytes], None]) -> None:
        if self._path is None or (size := self._size()) == self._at:
            return
        self._at = min(self._at, size) if size > self._at else 0
        # Not through a link of the service's user, who may write in logs/.
        with contextlib.suppress(OSError), os.fdopen(open_regular(self._path), "rb") as stream:
            stream.seek(self._at)
            while data := stream.read(_CHUNK):
                self._at += len(data)
                show(data)

    def _size(self) -> int:
        try:
            return self._path.stat().st_size if self._path else 0
        except OSError:
            return 0


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
                break
    if process.stdout is not None:
        process.stdout.close()
