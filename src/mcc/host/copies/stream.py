"""Copies of databases on their way through a pipe: a tar archive that says where it ends."""

from __future__ import annotations

import dataclasses
import io
import json
import tarfile
from pathlib import Path
from typing import IO, Any

from mcc.model.database import Contents

END = "end"
"""The last entry: a stream without it is not whole."""


class Sender:
    """Writes copies to a stream; a reader that finds no end knows that something is missing."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._tar = tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - close() ends it
        self._count = 0

    def add(self, name: str, place: Path, contents: Contents) -> None:
        """One database: first what is in it, then its copy."""
        self._note(f"{self._count}.json", {"name": name, **dataclasses.asdict(contents)})
        self._tar.add(place, arcname=f"{self._count}.copy", recursive=False)
        self._count += 1

    def end(self) -> None:
        """The last word."""
        self._note(END, {"copies": self._count})
        self._tar.close()

    def _note(self, name: str, data: dict[str, Any]) -> None:
        text = json.dumps(data).encode()
        info = tarfile.TarInfo(name)
        info.size = len(text)
        self._tar.addfile(info, io.BytesIO(text))
