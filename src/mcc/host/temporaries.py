"""What killed writes left behind: temporary names that nobody will ever rename."""

from __future__ import annotations

import re
from pathlib import Path

from mcc.host.ports import Files

_NAME = re.compile(r"\..+\.[0-9a-f]{12}\.mcc-tmp", re.DOTALL)


def sweep(files: Files, folder: Path) -> None:
    """Remove the temporary names in a folder; only for who holds the site's lock."""
    for name in files.names(folder) if files.kind(folder) == "folder" else ():
        if _NAME.fullmatch(name) and files.kind(folder / name) in ("file", "link"):
            files.remove(folder / name)
