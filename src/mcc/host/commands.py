"""Programs of this machine."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from mcc.errors import CommandFailed
from mcc.host.ports import Completed

_KEPT_LINES = 2000


class RealCommands:
    """Runs programs in a process group of their own, and ends the whole group with them.

    A Ctrl-C therefore reaches the deploy first, which then decides. ``inherit`` are descriptors
    that every program keeps: as long as one of them runs, the lock that they hold is held.
    ``variables`` are added to every environment.
    """

    def __init__(self, inherit: Sequence[int] = (), variables: Mapping[str, str] | None = None) -> None:
        self._inherit = tuple(inherit)
        self._variables = dict(variables or {})

    def find(self, name: str) -> str | None:
        return shutil.which(name)

    def run(
        self,
        words: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 600.0,
        stdin: bytes | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> Completed:
        try:
            process = subprocess.Popen(
                list(words),
                cwd=cwd,
                env={**os.environ, **self._variables, **(env or {})},
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                pass_fds=self._inherit,
            )
        except OSError as error:
            raise CommandFailed(f"{words[0]} cannot be started: {error.strerror or error}") from error
        try:
            return _follow(process, tuple(words), stdin, timeout, on_line)
        finally:
            _end(process)

    def detach(self, words: Sequence[str]) -> None:
        if self.find(words[0]) is None:  # setsid would say it to nobody
            raise CommandFailed(f"{words[0]} cannot be started: there is no such program")
        try:
            # A child in between, which init inherits from: nobody here has to wait for the program.
            subprocess.run(
                ["setsid", "--fork", *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                check=True,
            )
        except (OSError, subprocess.CalledProcessError) as error:
            raise CommandFailed(f"{words[0]} cannot be started: {error}") from error


def _follow(
    process: subprocess.Popen[bytes],
    words: tuple[str, ...],
    stdin: bytes | None,
    timeout: float,
    on_line: Callable[[str], None] | None,
) -> Completed:
    deadline = time.monotonic() + timeout
    output = _Output(on_line)
    with selectors.DefaultSelector() as selector:
        for pipe, name in ((process.stdout, "out"), (process.stderr, "err")):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, selectors.EVENT_READ, name)
        if process.stdin is not None:
            _feed(process.stdin, stdin or b"")
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                raise _late(words, timeout, output)
            for key, _ in selector.select(left):
                chunk = os.read(key.fd, 1 << 16)
                if chunk:
                    output.add(key.data, chunk)
                else:
                    selector.unregister(key.fileobj)
    try:
        code = process.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise _late(words, timeout, output) from None
    output.finish()
    return Completed(words, code, output.text(), bytes(output.stdout))


def _feed(pipe: IO[bytes], data: bytes) -> None:
    # What we feed is small (a crontab); a pipe takes 64 KB at once and the reader is running.
    with contextlib.suppress(BrokenPipeError):
        pipe.write(data)
    with contextlib.suppress(BrokenPipeError):
        pipe.close()


def _late(words: Sequence[str], timeout: float, output: _Output) -> CommandFailed:
    return CommandFailed(f"{' '.join(words)} did not end within {timeout:g} s", log=output.lines[-20:])


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing of the program's group behind, and no pipe open."""
    if process.poll() is None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            # A program that runs as root cannot be signalled by us: wait for it all the same.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
                break
        else:
            process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


class _Output:
    """Lines of both streams as they come; the last ones are kept, standard output whole."""

    def __init__(self, on_line: Callable[[str], None] | None) -> None:
        self._on_line = on_line
        self._rest = {"out": b"", "err": b""}
        self.lines: list[str] = []
        self.stdout = bytearray()

    def add(self, stream: str, chunk: bytes) -> None:
        if stream == "out":
            self.stdout += chunk
        *whole, self._rest[stream] = (self._rest[stream] + chunk).split(b"\n")
        for line in whole:
            self._line(line)

    def finish(self) -> None:
        for stream, rest in self._rest.items():
            if rest:
                self._line(rest)
            self._rest[stream] = b""

    def text(self) -> str:
        return "".join(line + "\n" for line in self.lines)

    def _line(self, raw: bytes) -> None:
        line = raw.decode("utf-8", "replace").rstrip("\r")
        self.lines.append(line)
        if len(self.lines) > _KEPT_LINES:
            del self.lines[: _KEPT_LINES // 2]
        if self._on_line is not None:
            self._on_line(line)
