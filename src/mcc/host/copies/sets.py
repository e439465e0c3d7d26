"""The sets of a site that are on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mcc.core.backups import MANIFEST, SHELVES, BackupSet, Manifest, Shelf, from_json, is_leftover
from mcc.errors import CopyFailed
from mcc.host.ports import Files

_LARGEST = 64 << 20


def sets_of(files: Files, root: Path, site: Path) -> tuple[BackupSet, ...]:
    """All sets of a site below its BACKUP_PATH, oldest first; what has no manifest of ours is passed over."""
    found = (one for shelf in SHELVES for one in _on(files, root, shelf) if one.manifest.site == site)
    return tuple(sorted(found, key=lambda one: (one.manifest.at, one.label)))


def _on(files: Files, root: Path, shelf: Shelf) -> Iterator[BackupSet]:
    for name in _folders(files, root / shelf):
        if name.startswith("."):
            continue
        manifest = _manifest(files, root / shelf / name)
        if manifest is not None:
            yield BackupSet(root / shelf / name, shelf, manifest)


def _manifest(files: Files, folder: Path) -> Manifest | None:
    try:
        return manifest_in(files, folder)
    except CopyFailed:
        return None


def manifest_in(files: Files, folder: Path) -> Manifest:
    """What a set says of itself. Raises CopyFailed if that cannot be read."""
    path = folder / MANIFEST
    try:
        if files.kind(path) != "file":
            raise CopyFailed(f"{folder} has no {MANIFEST}: it is no backup of mcc", help="mcc backup --list shows them")
        return from_json(files.read(path, _LARGEST))
    except OSError as error:
        raise CopyFailed(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CopyFailed(f"{path} cannot be read: {error}", help="take another set: mcc backup --list") from error


def leftovers(files: Files, root: Path, site: Path) -> tuple[Path, ...]:
    """Sets of a site that were half made or half removed; only for who holds its lock."""
    return tuple(
        root / shelf / name for shelf in SHELVES for name in _folders(files, root / shelf) if is_leftover(name, site)
    )


def _folders(files: Files, folder: Path) -> list[str]:
    if files.kind(folder) != "folder":
        return []
    return [name for name in files.names(folder) if files.kind(folder / name) == "folder"]


def refuse_links(files: Files, *folders: Path) -> None:
    """Copies of all data go where the conf says, not where somebody's link leads. Raises CopyFailed."""
    for folder in folders:
        if files.kind(folder) not in ("absent", "folder"):
            kind = files.kind(folder)
            raise CopyFailed(f"{folder} is a {kind}, not a folder", help="name the folder itself by BACKUP_PATH")
