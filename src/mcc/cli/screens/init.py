"""What ``mcc init`` found, wrote and has to say."""

from __future__ import annotations

from collections.abc import Iterator

from mcc.init.notes import Note
from mcc.init.project import Begun
from mcc.model.project import Project

_WORDS = {
    "new": "new",
    "unchanged": "unchanged",
    "beside": "beside it",
    "line": "needs a line",
    "hook": "needs a hook",
}


def show_project(project: Project) -> None:
    """One line of what the project is."""
    print(f"{project.name}: {', '.join(_parts(project))}")


def _parts(project: Project) -> Iterator[str]:
    if project.app:
        yield f"{project.app} behind {project.server}"
    if project.worker:
        yield f"the worker {project.worker}"
    if project.front:
        how = f"built by {project.front.package_manager}" if project.front.package_manager else "as they are"
        yield f"pages of {project.front.folder}/ {how}"
    if project.migrations:
        yield f"migrations of {project.migrations.tool} in {project.migrations.folder}/"


def show_begun(begun: Begun, stage: str) -> None:
    """Each file with what became of it, then what to do next."""
    print()
    for note in begun.notes:
        print(_line(note))
    if not any(note.kind == "new" for note in begun.notes):
        print("\nnothing was missing, and nothing was changed")
    print("\nnext")
    for command, why in _next(begun, stage):
        print(f"  {command:<44}{why}")


def _line(note: Note) -> str:
    place = f"{note.path}:{note.line}" if note.line else note.path
    return f"  {_WORDS[note.kind]:<13} {place:<24} {note.text}"


def _next(begun: Begun, stage: str) -> Iterator[tuple[str, str]]:
    if any(note.kind in ("line", "hook") for note in begun.notes):
        yield "(your editor)", "what needs a line or a hook above"
    yield "mcc check", "what would stop a deploy"
    if any(file.path == "mcc_build.sh" for file in begun.written):
        yield "./mcc_build.sh", "makes output/"
    yield f"mcc provision --stage {stage} --output output", "on the server: what root does once"
    yield f"mcc deploy --stage {stage}", "in output/ on the server"
