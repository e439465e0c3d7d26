"""``pyproject.toml`` of a project that has only a ``requirements.txt``, and what it may still lack."""

from __future__ import annotations

import json
import re

from mcc.host.ports import Files
from mcc.init.notes import Note
from mcc.model.project import NewFile, Project


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
    path = project.folder / "requirements.txt"
    if files.kind(path) != "file":
        return ["fastapi"]
    text = files.read(path).decode("utf-8", "replace")
    lines = (re.sub(r"\s+#.*|^#.*", "", line).strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("-")]


def server_note(project: Project) -> tuple[Note, ...]:
    """A unit cannot start a server that no environment will have."""
    if not project.app or not project.has_pyproject or not project.lacks:
        return ()
    names = " ".join(project.lacks)
    return (Note("line", "pyproject.toml", f"lacks what {project.server} needs: uv add {names}"),)
