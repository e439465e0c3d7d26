"""The front end of a project: pages as they are, or what a package manager builds."""

from __future__ import annotations

import json
from pathlib import Path

from mcc.host.ports import Files
from mcc.model.project import FrontEnd

_FOLDERS = ("ui", "frontend", "front", "web", "client", "static")
# The lock file says who installs; without one it is npm, which comes with Node.js.
_MANAGERS = {"pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn", "package-lock.json": "npm"}


def front_end(folder: Path, files: Files) -> FrontEnd | None:
    """The first of the usual folders that is a front end."""
    for name in _FOLDERS:
        place = folder / name
        if _has_build(place, files):
            return FrontEnd(name, f"{name}/{_result(place, files)}", _manager(place, files))
        if files.kind(place / "index.html") == "file":
            return FrontEnd(name, name)
    return None


def _has_build(place: Path, files: Files) -> bool:
    path = place / "package.json"
    if files.kind(path) != "file":
        return False
    try:
        data = json.loads(files.read(path))
    except ValueError:
        return False
    scripts = data.get("scripts") if isinstance(data, dict) else None
    return isinstance(scripts, dict) and "build" in scripts


def _manager(place: Path, files: Files) -> str:
    return next((who for lock, who in _MANAGERS.items() if files.kind(place / lock) == "file"), "npm")


def _result(place: Path, files: Files) -> str:
    """Where the build leaves its pages: Vite's ``dist`` unless another is there already."""
    built = [name for name in ("dist", "build", "out") if files.kind(place / name / "index.html") == "file"]
    return built[0] if built else "dist"
