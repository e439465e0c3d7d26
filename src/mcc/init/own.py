"""What a project has already: what stays as it is, what needs a line, what needs a hook."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mcc.core.stages import conf_name, operation
from mcc.errors import ConfigError
from mcc.host import yaml
from mcc.host.ports import Files
from mcc.host.settings import CONFIG_NAMES, OWN_FOLDER, read_conf, read_config
from mcc.init.files import CONF
from mcc.init.notes import Note
from mcc.init.own_script import look_at_script
from mcc.model.conf import Conf
from mcc.model.config import Config
from mcc.model.project import NewFile, Project

# These can only be known on the server.
_SERVER_ONLY = ("{{env:", "{{file:")


@dataclass(frozen=True, slots=True)
class Existing:
    """What the project has of mcc's files. ``config_name`` is the file of the stages, there or to be made."""

    config_name: str
    config: Config | None
    confs: tuple[str, ...]
    notes: tuple[Note, ...] = ()
    beside: tuple[NewFile, ...] = ()


def look_at_own(project: Project, files: Files) -> Existing:
    """Stages, confs and deploy script, as far as they are there."""
    folder = project.folder
    name, config, notes = _stages(folder, files)
    beside: list[NewFile] = []
    names = _conf_names(folder, files, config)
    for conf in names:
        for note, file in _conf(project, conf, files):
            notes.append(note)
            beside += [file] if file else []
    for note, file in look_at_script(folder, files):
        notes.append(note)
        beside += [file] if file else []
    return Existing(name, config, names, tuple(notes), tuple(beside))


def _stages(folder: Path, files: Files) -> tuple[str, Config | None, list[Note]]:
    there = [name for name in CONFIG_NAMES if files.kind(folder / name) == "file"]
    ours = [name for name in there if name != "config.yml" or _speaks_of_deploy(folder / name)]
    if not ours:
        why = "the application's own, without stages: mcc_config.yml stands beside it"
        own = [Note("unchanged", name, why) for name in there]
        return ("mcc_config.yml" if there else "config.yml"), None, own
    name = ours[0]
    try:
        config = read_config(folder)
    except ConfigError as error:
        return name, None, [Note("line", name, str(problem)) for problem in error.problems]
    stages = ", ".join(stage.name for stage in config.stages)
    return name, config, [Note("unchanged", name, f"its stages are taken as they are: {stages}")]


def _speaks_of_deploy(path: Path) -> bool:
    try:
        return "deploy" in yaml.read(path).data
    except ConfigError:
        return True  # broken, but whose it is cannot be told: better said than passed over


def _conf_names(folder: Path, files: Files, config: Config | None) -> tuple[str, ...]:
    names = (CONF,) if config is None else _of_deploys(config)
    return tuple(name for name in names if _where(folder, name, files))


def missing_confs(folder: Path, files: Files, config: Config) -> tuple[str, ...]:
    """Confs that a stage names and nobody has written."""
    return tuple(name for name in _of_deploys(config) if not _where(folder, name, files))


def _of_deploys(config: Config) -> tuple[str, ...]:
    """The confs that stages name which deploy, each once."""
    deploys = (stage for stage in config.stages if operation(stage.name, stage.parameters) is None)
    return tuple(dict.fromkeys(map(conf_name, deploys)))


def _where(folder: Path, name: str, files: Files) -> str | None:
    """A conf's path from the project on: beside the stages, or in the folder ``mcc``."""
    return next((path for path in (name, f"{OWN_FOLDER}/{name}") if files.kind(folder / path) == "file"), None)


def _conf(project: Project, name: str, files: Files) -> Iterator[tuple[Note, NewFile | None]]:
    path = _where(project.folder, name, files) or name
    try:
        conf = read_conf(project.folder, name, site_env=False)
    except ConfigError as error:
        problems = [each for each in error.problems if not any(what in str(each) for what in _SERVER_ONLY)]
        yield from ((Note("line", path, str(problem)), None) for problem in problems)
        if not problems:
            yield Note("unchanged", path, "taken as it is; what it reads from the server shows there"), None
        return
    line = _lacking(project, conf)
    if not line:
        yield Note("unchanged", path, f"taken as it is: {conf.server.base}"), None
        return
    text = files.read(project.folder / path).decode("utf-8", "replace")
    yield Note("line", path, f"needs {line}"), NewFile(f"{path}.new", f"{text.rstrip()}\n\n{line}\n")


def _lacking(project: Project, conf: Conf) -> str:
    """The one line that a conf for the older script can lack."""
    alembic = project.migrations is not None and project.migrations.tool == "alembic"
    if conf.database.kind is None and (project.database == "postgresql" or alembic):
        return f"DATABASE: {project.database}"
    return ""
