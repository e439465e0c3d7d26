"""What a project's own Python starts and writes down, in the child process that it runs in."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any

from mcc.errors import CommandFailed
from mcc.host.ports import Completed


def say(text: object) -> None:
    """A line for whoever watches the deploy."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def write_durably(path: Path, data: Any) -> None:
    """Put JSON in place in one rename, on disk when this returns; only this user can read it."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        json.dump(data, file)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def inherited() -> tuple[int, ...]:
    """Descriptors that came from the run: the site's lock, which what we start has to hold too."""
    own = (int(path.name) for path in Path("/proc/self/fd").iterdir())
    return tuple(number for number in own if number > 2 and _is_inheritable(number))


def _is_inheritable(number: int) -> bool:
    try:
        return os.get_inheritable(number)
    except OSError:
        return False  # that of the listing itself


def run_program(command: tuple[str, ...], cwd: Path, env: dict[str, str], stdin: str | bytes, show: bool) -> Completed:
    """In our own process group, so that it ends with us."""
    program = shutil.which(command[0], path=env.get("PATH"))
    if program is None:
        raise CommandFailed(f"{command[0]} cannot be started: it is not on the PATH")
    with tempfile.TemporaryFile() as given:
        given.write(stdin.encode() if isinstance(stdin, str) else stdin)
        given.seek(0)
        process = subprocess.Popen(
            [program, *command[1:]], cwd=cwd, env=env, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            pass_fds=inherited(),
        )  # fmt: skip
    both: list[bytes] = []
    out: list[bytes] = []
    assert process.stdout is not None
    assert process.stderr is not None
    reader = threading.Thread(target=_follow, args=(process.stderr, (both,), show))
    reader.start()
    _follow(process.stdout, (both, out), show)
    reader.join()
    text = b"".join(both).decode("utf-8", "replace")
    return Completed(command, process.wait(), text, b"".join(out))


def _follow(pipe: IO[bytes], kept: tuple[list[bytes], ...], show: bool) -> None:
    with pipe:
        for line in pipe:
            for lines in kept:
                lines.append(line)
            if show:
                say(line.decode("utf-8", "replace").rstrip("\r\n"))
