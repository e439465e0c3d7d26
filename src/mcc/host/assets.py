"""Which hashed files a release brought itself."""

from __future__ import annotations

from pathlib import Path

from mcc.core.assets import Listed, Sizes, from_json, is_hashed
from mcc.host.ports import Files

SKIPPED = (".venv", "__pycache__", "node_modules")


def hashed_files(files: Files, folder: Path) -> Sizes:
    """The files below a folder whose names have a hash in them; links are not followed."""
    found = (entry for entry in files.walk(folder, skip=SKIPPED) if entry.kind == "file")
    return {entry.path: entry.size for entry in found if is_hashed(entry.path)}


def listed_assets(files: Files, folder: Path, kept: Path) -> Listed:
    """What a release's list says; without one (by a script, or an older mcc) all that its folder has is its own."""
    listed = from_json(files.read(kept)) if files.kind(kept) == "file" else None
    return Listed(hashed_files(files, folder), {}) if listed is None else listed


def own_assets(files: Files, folder: Path, kept: Path) -> Sizes:
    """The hashed files that a release brought itself; none if its folder is gone."""
    return listed_assets(files, folder, kept).own if files.kind(folder) == "folder" else {}
