"""``pyproject.toml`` of a project that has only a ``requirements.txt``, and what it may still lack."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from mcc.host.ports import Files
from mcc.init.notes import Note
from mcc.model.project import NewFile, Project

_REQUIREMENTS = "requirements.txt"


def pyproject_file(project: Project, files: Files) -> tuple[NewFile, ...]:
    """One that says the same as ``requirements.txt``; none if it is there, or nothing needs it."""
    if project.has_pyproject or not project.app:
        return ()
    needed = _requirements(project, files)
    needed += [name for name in project.lacks if not any(re.match(rf"{name}(?![\w-])", each) for each in needed)]
    lines = [
        "[project]",
        f"name = {json.dumps(project.name)}",
        'version = "0.1.0"',
        'requires-python = ">=3.11"',
        "dependencies = [",
        *(f"  {json.dumps(each)}," for each in needed),
        "]",
        "",
        "[tool.uv]",
        "package = false",
    ]
    return (NewFile("pyproject.toml", "\n".join(lines) + "\n"),)


def _requirements(project: Project, files: Files) -> list[str]:
    if files.kind(project.folder / _REQUIREMENTS) != "file":
        return ["fastapi"]
    return [line for _, line in _lines(project, files) if not line.startswith("-")]


def _lines(project: Project, files: Files) -> Iterator[tuple[int, str]]:
    """Each line with its number, without comments, hashes (--hash) and what joins it to the next one."""
    path = project.folder / _REQUIREMENTS
    text = files.read(path).decode("utf-8", "replace") if files.kind(path) == "file" else ""
    for number, line in enumerate(text.splitlines(), 1):
        bare = re.sub(r"(?:^|\s+)(?:#.*|--hash.*|\\)$", "", line.strip()).strip()
        if bare:
            yield number, bare


def left_out_notes(project: Project, files: Files) -> tuple[Note, ...]:
    """Options of pip have no place among dependencies: what they bring has to be said by a person."""
    if project.has_pyproject or not project.app:
        return ()
    why = "is not taken over: name what it brings in pyproject.toml"
    options = ((number, line) for number, line in _lines(project, files) if line.startswith("-"))
    return tuple(Note("line", _REQUIREMENTS, f"{line} {why}", number) for number, line in options)


def server_note(project: Project) -> tuple[Note, ...]:
    """A unit cannot start a server that no environment will have."""
    if not project.app or not project.has_pyproject or not project.lacks:
        return ()
    names = " ".join(project.lacks)
    return (Note("line", "pyproject.toml", f"lacks what {project.server} needs: uv add {names}"),)
