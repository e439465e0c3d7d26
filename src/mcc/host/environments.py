"""Whether a Python environment is whole: its marker, and a hash over what is in it.

The marker is written last, so that a half-built environment has none; the hash covers the name,
kind, size, time and mode of every file, so that an environment that something changed in place
(``uv sync``, ``pip install``) or opened to others (``chmod -R g+w``) is told from the one that was built.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from mcc.host.ports import Files

MARKER = ".mcc-environment.json"
_SKIP = ("__pycache__", MARKER)


def fingerprint(files: Files, environment: Path) -> str:
    """One hash over all files of an environment; bytecode, which Python rewrites, is left out."""
    total = hashlib.sha256()
    for entry in files.walk(environment, skip=_SKIP):
        is_file = entry.kind == "file"
        size, time = (entry.size, entry.mtime_ns) if is_file else (0, 0)
        mode = 0 if entry.kind == "link" else entry.mode
        what = (entry.path, entry.kind, size, time, mode, entry.target)
        total.update(json.dumps(what).encode())
    return total.hexdigest()


def seal(files: Files, environment: Path, made_from: dict[str, str]) -> None:
    """Sync an environment and write its marker: from now on it counts as whole."""
    files.sync(environment)
    data = {"fingerprint": fingerprint(files, environment), **made_from}
    files.write(environment / MARKER, json.dumps(data, indent=1).encode())


def is_unchanged(files: Files, environment: Path, known: str = "") -> bool:
    """Whether an environment is what it was: by its marker, or by ``known``, a fingerprint that was kept elsewhere."""
    if not known:
        return is_whole(files, environment)
    try:
        return files.kind(environment) == "folder" and fingerprint(files, environment) == known
    except OSError:
        return False


def is_whole(files: Files, environment: Path) -> bool:
    """Whether the environment is complete and unchanged since it was built."""
    try:
        data = json.loads(files.read(environment / MARKER))
        return bool(data["fingerprint"] == fingerprint(files, environment))
    except (OSError, ValueError, KeyError, TypeError):
        return False
