"""The programs that the demo runs, each in a session of its own so that a Ctrl-C reaches the demo alone."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from mcc.errors import CommandFailed

_LONGEST_LINE = 1 << 20
_PATIENCE = 30.0  # seconds: a deploy that is told to end goes back first


async def run(
    words: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    on_line: Callable[[str], None] = lambda _: None,
) -> int:
    """Run a program to its end; output goes to ``log`` and, line by line, to ``on_line``. The exit code."""
    process = await _start(words, cwd, env, stdin=DEVNULL)
    try:
        assert process.stdout is not None
        with log.open("a") as file:
            async for raw in process.stdout:
                line = raw.decode("utf-8", "replace").rstrip("\n")
                file.write(line + "\n")
                file.flush()
                on_line(line)
        return await process.wait()
    finally:
        await _end(process)


@asynccontextmanager
async def beside(
    words: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path, on_line: Callable[[str], None]
) -> AsyncIterator[Callable[[], None]]:
    """Run a program beside the block; the value ends its standard input, as the end of the block does.

    Then it is waited for.
    """
    process = await _start(words, cwd, env, stdin=PIPE)
    assert process.stdin is not None
    reading = asyncio.create_task(_read(process, log, on_line))
    try:
        yield process.stdin.close
        process.stdin.close()
        async with asyncio.timeout(_PATIENCE):
            await process.wait()
            await reading
    finally:
        reading.cancel()
        process.stdin.close()
        await _end(process)


async def _read(process: Process, log: Path, on_line: Callable[[str], None]) -> None:
    assert process.stdout is not None
    with log.open("a") as file:
        async for raw in process.stdout:
            file.write(raw.decode("utf-8", "replace"))
            on_line(raw.decode("utf-8", "replace").rstrip("\n"))


async def _start(words: Sequence[str], cwd: Path, env: Mapping[str, str], stdin: int) -> Process:
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *words, cwd=cwd, env=env, stdin=stdin, stdout=PIPE, stderr=STDOUT,
            limit=_LONGEST_LINE, start_new_session=True,
        )
    )  # fmt: skip
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # asyncio would kill the program alone, and what it has started would go on.
        await _end(await starting)
        raise
    except OSError as error:
        raise CommandFailed(f"{words[0]} cannot be started: {error.strerror or error}") from error


async def _end(process: Process) -> None:
    """Leave nothing behind: SIGTERM to the group, and SIGKILL if it does not end."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await process.wait()
