"""``mcc init``: what is there, what is written, what is said of it."""

from __future__ import annotations

from dataclasses import dataclass

from mcc.host.ports import Files
from mcc.init.files import CONF, conf_text, new_files
from mcc.init.notes import Note
from mcc.init.own import Existing, missing_confs
from mcc.init.pyproject import left_out_notes, pyproject_file, server_note
from mcc.model.project import Answers, NewFile, Project


@dataclass(frozen=True, slots=True)
class Begun:
    """What :func:`begin` wrote, and all that a person should know."""

    written: tuple[NewFile, ...]
    notes: tuple[Note, ...]


def begin(project: Project, answers: Answers, existing: Existing, files: Files) -> Begun:
    """Write what is missing; no file that is there is touched."""
    left_out = left_out_notes(project, files)
    wanted = [*_missing(project, answers, existing, files), *pyproject_file(project, files), *existing.beside]
    written = tuple(file for file in wanted if _write(project, file, files))
    listed = files.kind(project.folder / "requirements.txt") == "file"
    notes = [
        Note("new", file.path, _about(file, answers, listed)) for file in written if not file.path.endswith(".new")
    ]
    notes += [Note("beside", file.path, "was there already, and is left") for file in wanted if file not in written]
    return Begun(written, (*notes, *existing.notes, *left_out, *server_note(project)))


def needs_answers(existing: Existing, project: Project, files: Files) -> bool:
    """Whether a conf will be written: only that holds what a person has to say."""
    return bool(_confs_to_write(project, existing, files))


def _missing(project: Project, answers: Answers, existing: Existing, files: Files) -> list[NewFile]:
    confs = _confs_to_write(project, existing, files)
    found = [
        file for file in new_files(project, answers, existing.config_name)
        if file.path != CONF and files.kind(project.folder / file.path) == "absent"
    ]  # fmt: skip
    return found + [NewFile(name, conf_text(project, answers)) for name in confs]


def _confs_to_write(project: Project, existing: Existing, files: Files) -> tuple[str, ...]:
    if existing.config is not None:
        return tuple(name for name in missing_confs(project.folder, files, existing.config) if name == CONF)
    return () if existing.confs else (CONF,)


def _write(project: Project, file: NewFile, files: Files) -> bool:
    path = project.folder / file.path
    if files.kind(path) != "absent":
        return False
    files.write(path, file.text.encode(), 0o755 if file.executable else 0o644)
    return True


def _about(file: NewFile, answers: Answers, listed: bool) -> str:
    known = {
        CONF: f"the site of {answers.name} on {answers.host}",
        "mcc_deploy.py": "the same deploy by uv run, and the place of your own steps",
        "mcc_build.sh": "makes output/, which is all that a deploy reads",
        "pyproject.toml": f"what the application needs{', from requirements.txt' if listed else ''}",
    }
    return known.get(file.path, "the stage prod")
