"""What killed writes left behind: temporary names that nobody will ever rename."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path, PurePosixPath

from mcc.host.ports import Files

_NAME = re.compile(r"\..+\.[0-9a-f]{12}\.mcc-tmp", re.DOTALL)


def sweep(files: Files, folder: Path) -> None:
    """Remove the temporary names in a folder; only for who holds the site's lock."""
    for name in files.names(folder) if files.kind(folder) == "folder" else ():
        if _NAME.fullmatch(name) and files.kind(folder / name) in ("file", "link"):
            files.remove(folder / name)


def sweep_older(files: Files, folder: Path, moment: datetime) -> None:
    """Remove temporary files that nobody has written to since ``moment``: for folders that are read without a lock."""
    for entry in files.walk(folder) if files.kind(folder) == "folder" else ():
        name = PurePosixPath(entry.path).name
        if entry.kind == "file" and _NAME.fullmatch(name) and entry.mtime_ns < moment.timestamp() * 1e9:
            files.remove(folder / entry.path)
