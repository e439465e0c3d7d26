"""A folder as a drawing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_SIDE_FILES = ("-wal", "-shm")  # SQLite's, as long as somebody has the database open


def tree(folder: Path, depth: int, deeper: tuple[str, ...] = ()) -> Iterator[str]:
    """Names below a folder, ``depth`` levels down, one more for those in ``deeper``; links with their targets."""
    paths = sorted(path for path in folder.iterdir() if not path.name.endswith(_SIDE_FILES))
    for path in paths:
        last = path == paths[-1]
        down = depth - 1 + (path.name in deeper)
        yield ("└── " if last else "├── ") + _label(path, down)
        if path.is_dir() and not path.is_symlink() and down > 0:
            indent = "    " if last else "│   "
            yield from (indent + line for line in tree(path, down))


def _label(path: Path, down: int) -> str:
    if path.is_symlink():
        return f"{path.name} -> {path.readlink()}"
    if path.is_dir():
        return f"{path.name}/" + ("" if down > 0 else f"  ({_count(path)})")
    return path.name


def _count(folder: Path) -> str:
    files = sum(1 for path in folder.rglob("*") if path.is_file())
    return "1 file" if files == 1 else f"{files:,} files"
