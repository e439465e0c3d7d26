"""Which hashed files a release brought itself."""

from __future__ import annotations

from pathlib import Path

from mcc.core.assets import Sizes, from_json, is_hashed
from mcc.host.ports import Files

SKIPPED = (".venv", "__pycache__", "node_modules")


def hashed_files(files: Files, folder: Path) -> Sizes:
    """The files below a folder whose names have a hash in them; links are not followed."""
    found = (entry for entry in files.walk(folder, skip=SKIPPED) if entry.kind == "file")
    return {entry.path: entry.size for entry in found if is_hashed(entry.path)}


def own_assets(files: Files, folder: Path, kept: Path) -> Sizes:
    """What a release's list says; without one (by a script, or an older mcc) all that its folder has is its own."""
    if files.kind(folder) != "folder":
        return {}
    listed = from_json(files.read(kept)) if files.kind(kept) == "file" else None
    return hashed_files(files, folder) if listed is None else listed.own
