"""Copies of databases that a command sends, put into files; see :mod:`mcc.host.copies.stream`."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from mcc.errors import CopyFailed
from mcc.host.copies.files import disk_error, new_file
from mcc.host.copies.stream import END
from mcc.model.database import Contents

_LARGEST_NOTE = 16 << 20


def fetch(words: Sequence[str], folder: Path, on_bytes: Callable[[int], None]) -> dict[str, tuple[Path, Contents]]:
    """Run a command whose output is such a stream, and put the copies into ``folder`` (0700, ours).

    The answer has, by the names of databases, the copy's place and what is in it. Raises CopyFailed.
    """
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                list(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise CopyFailed(f"{words[0]} cannot be started: {error.strerror}") from error
        try:
            assert process.stdout is not None
            found, problem = _received(process.stdout, folder, on_bytes)
            if problem:
                process.stdout.close()  # it may have more to say than a pipe holds, and would wait for us for ever
            code = process.wait()
        finally:
            _end(process)
        said.seek(0)
        lines = said.read()[-4000:].decode("utf-8", "replace").splitlines()
    if code != 0:
        ended = f"exit code {code} ({problem})" if problem else f"exit code {code}"
        reason = next((line for line in lines if line.strip()), ended)
        raise CopyFailed(f"the other server sent no copies: {reason}", help=_SSH if code == 255 else "", log=lines[-8:])
    if problem:
        raise CopyFailed(f"what the other server sent is not whole: {problem}", log=lines[-8:])
    return found


_SSH = "try it by hand, as this user: ssh -o BatchMode=yes … true; the key must be allowed there, the host known here"


def _received(
    stream: IO[bytes], folder: Path, on_bytes: Callable[[int], None]
) -> tuple[dict[str, tuple[Path, Contents]], str]:
    """What came, and what is wrong with it. Names of files are our own, never the sender's."""
    found: dict[str, tuple[Path, Contents]] = {}
    note: dict[str, Any] = {}
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for info in tar:
                part = tar.extractfile(info) if info.isreg() else None
                if part is None:
                    return found, f"{info.name!r} is no file"
                if info.name == END:
                    count = json.loads(part.read(_LARGEST_NOTE))["copies"]
                    return found, "" if count == len(found) else f"{count} copies were promised, {len(found)} came"
                if info.name.endswith(".json"):
                    note = json.loads(part.read(_LARGEST_NOTE))
                    continue
                place = folder / f"{len(found)}.fetched"
                _store(part, place, on_bytes)
                name, note = str(note.pop("name")), {**note, "migrations": tuple(note["migrations"])}
                found[name] = place, Contents(**note)
    except (tarfile.TarError, ValueError, KeyError, TypeError, EOFError) as error:
        return found, f"{type(error).__name__}: {error}"
    return found, "it has no end"


def _store(part: IO[bytes], place: Path, on_bytes: Callable[[int], None]) -> None:
    descriptor = new_file(place)
    try:
        with os.fdopen(descriptor, "wb") as file:
            while chunk := part.read(1 << 20):
                file.write(chunk)
                on_bytes(len(chunk))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise disk_error(place, error) from error


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
