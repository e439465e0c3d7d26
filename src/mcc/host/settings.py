"""Finds and reads the files that say what to deploy, and where.

pydantic is imported late: :func:`read_base` and :func:`stage_base` need none of it.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

from mcc.core import stages
from mcc.core.conf.checks import relative_path, remote_base
from mcc.core.conf.unfit import Unfit
from mcc.core.document import Document
from mcc.core.nearest import did_you_mean
from mcc.errors import ConfigError
from mcc.host import yaml
from mcc.model.problem import Problem

if TYPE_CHECKING:
    from mcc.model.build import BuildInfo
    from mcc.model.conf import Backup, Conf
    from mcc.model.config import Config, Stage

# A config.yml can belong to the application itself; the longer name is never anybody else's.
CONFIG_NAMES = ("mcc_config.yml", "config.yml")
BUILD_INFO = "build_info.yml"
OWN_FOLDER = "mcc"
_MAX_SECRET = 64 * 1024


def read_config(output: Path) -> Config:
    """The stages of a project, from its output folder. Raises ConfigError."""
    from mcc.core.conf.stages_schema import to_config

    path = _config_path(output)
    return to_config(yaml.read(path, _shown(path, output)), path)


def conf_name(stage: Stage) -> str:
    """The file that holds the stage's conf (``parameters.conf``). Raises ConfigError."""
    return stages.conf_name(stage)


def read_conf(output: Path, name: str, *, site_env: bool = True, stand_ins: bool = False) -> Conf:
    """One stage's conf with its placeholders filled in. Raises ConfigError.

    DATABASE_URL and DB_PASSWORD are looked up in the environment where a conf needs and does not have them.

    With ``site_env`` false, ``REMOTE_BASE/.env`` is left alone: variables come from this process. With ``stand_ins``,
    what is not known here, and every ``{{file:…}}``, gets a stand-in: for those who need no secret.
    """
    from mcc.core.conf.placeholders import fill
    from mcc.core.conf.values import to_conf
    from mcc.core.databases import completed

    path = _conf_path(output, name)
    document = yaml.read(path, _shown(path, output))
    try:
        base: Path | None = _base(document)
    except ConfigError:
        base = None  # said below, among all other problems
    outside = (_Elsewhere if stand_ins else _OnThisMachine)(base, site_env)
    return completed(to_conf(document, fill(document, outside), path), outside.known)


def read_conf_elsewhere(output: Path, name: str) -> tuple[Conf, tuple[str, ...]]:
    """A conf as far as it can be read on another machine than its server; and what only the server knows.

    Values that need ``{{env:…}}`` or ``{{file:…}}`` are left out. Raises ConfigError with all else that is wrong.
    """
    from mcc.core.conf.placeholders import fill
    from mcc.core.conf.values import to_conf

    path = _conf_path(output, name)
    document = yaml.read(path, _shown(path, output))
    outside = _OnTheServer()
    filled = fill(document, outside)
    problems = tuple(problem for problem in filled.problems if problem.message not in outside.asked)
    return to_conf(document, dataclasses.replace(filled, problems=problems), path), tuple(outside.asked)


def read_document(output: Path, name: str) -> Document:
    """A conf as it is written. Raises ConfigError."""
    path = _conf_path(output, name)
    return yaml.read(path, _shown(path, output))


def read_build_info(output: Path) -> BuildInfo | None:
    """Where the output comes from, or None if there is no ``build_info.yml``. Raises ConfigError."""
    from mcc.core.build_info import to_build_info

    path = output / BUILD_INFO
    return to_build_info(yaml.read(path)) if os.path.lexists(path) else None


def read_base(output: Path, name: str) -> Path:
    """Only ``REMOTE_BASE`` of a conf: little work, for commands that look. Raises ConfigError."""
    path = _conf_path(output, name)
    return _base(yaml.read(path, _shown(path, output)))


def read_backup(output: Path, name: str) -> tuple[Backup, tuple[str, ...]]:
    """Whether, where and when a conf wants backups, and its domains: little work, too. Raises ConfigError."""
    from mcc.core.conf.placeholders import fill_one
    from mcc.model.conf import Backup

    path = _conf_path(output, name)
    document = yaml.read(path, _shown(path, output))
    keys = ("BACKUP_ENABLED", "BACKUP_PATH", "BACKUP_SCHEDULE", "DOMAINS", "DOMAIN")
    found = {key: fill_one(document, key) for key in keys}
    problems = [problem for _, problems in found.values() for problem in problems]
    if problems:
        raise ConfigError(problems)
    enabled, where, schedule, domains, domain = (found[key][0] for key in keys)
    place = str(_base(document) / where) if isinstance(where, str) else None
    names = [*domains] if isinstance(domains, list) else [domain]
    backup = Backup(enabled is True, place, schedule=schedule if isinstance(schedule, str) else None)
    return backup, tuple(name for name in names if isinstance(name, str))


def stage_base(output: Path, name: str) -> Path:
    """The same for a stage. Raises ConfigError or UsageError."""
    path = _config_path(output)
    document = yaml.read(path, _shown(path, output))
    return read_base(output, stages.conf_name(stages.find_stage(_roughly(document, path), name)))


def _roughly(document: Document, path: Path) -> Config:
    """The stages with their parameters, unchecked."""
    from mcc.model.config import Config, Stage

    deploy = document.data.get("deploy")
    if not isinstance(deploy, dict):
        raise ConfigError([document.problem(("deploy",), "is missing", "allowed: deploy: and below it the stages")])
    made = []
    for name, stage in deploy.items():
        parameters = stage.get("parameters") if isinstance(stage, dict) else None
        line = document.lines.get(("deploy", name), 0)
        made.append(Stage(name, parameters=parameters if isinstance(parameters, dict) else {}, line=line))
    return Config(path, tuple(made))


def _base(document: Document) -> Path:
    from mcc.core.conf.placeholders import fill_one

    key = "REMOTE_BASE"
    value, problems = fill_one(document, key)
    if problems:
        raise ConfigError(problems)
    try:
        if value is None:
            raise Unfit("is missing", "allowed: the absolute path of the site")
        return Path(remote_base(value))
    except Unfit as error:
        raise ConfigError([document.problem((key,), error.message, error.help)]) from None


def _shown(path: Path, output: Path) -> str:
    return path.relative_to(output).as_posix()


def _config_path(output: Path) -> Path:
    """In the output folder, then in its ``mcc/``; in each, the longer name first."""
    for folder in (output, output / OWN_FOLDER):
        for name in CONFIG_NAMES:
            if os.path.lexists(folder / name):
                return folder / name
    where = f"{output} holds no config.yml, no mcc_config.yml and neither of them in {OWN_FOLDER}/"
    raise ConfigError([Problem("config.yml", 0, "", "is missing", f"{where}; is it an output folder?")])


def _conf_path(output: Path, name: str) -> Path:
    try:
        relative_path(name)
    except Unfit as error:
        raise ConfigError([Problem(name, 0, "", error.message, error.help)]) from None
    for folder in (output, output / OWN_FOLDER):
        if os.path.lexists(folder / name):
            return folder / name
    there = sorted({path.name for folder in (output, output / OWN_FOLDER) for path in folder.glob("conf[-.]*yml")})
    hints = [did_you_mean(name, there), f"there is: {', '.join(there)}" if there else ""]
    where = f"it is looked for in {output} and in its {OWN_FOLDER}/"
    raise ConfigError([Problem(name, 0, "", "is missing", "; ".join(filter(None, [*hints, where])))])


class _OnTheServer:
    """Notes what is asked for, and has nothing of it."""

    def __init__(self) -> None:
        self.asked: dict[str, None] = {}

    def variable(self, name: str) -> str:
        raise self._note(f"{{{{env:{name}}}}}")

    def file(self, path: str) -> str:
        raise self._note(f"{{{{file:{path}}}}}")

    def _note(self, what: str) -> Unfit:
        self.asked.setdefault(what)
        return Unfit(what)


class _OnThisMachine:
    """Values from the environment, from ``REMOTE_BASE/.env`` and from files."""

    def __init__(self, base: Path | None, site_env: bool) -> None:
        self._base = base
        self._site_env = site_env
        self._variables: dict[str, str] | None = None

    def known(self, name: str) -> str | None:
        """A variable that may be missing. The process comes first, so that one run can be given another value."""
        value = os.environ.get(name)
        return self._in_site(name) if value is None and self._site_env else value

    def variable(self, name: str) -> str:
        value = self.known(name)
        if value is None:
            env = f", or: mcc env set {name} --site {self._base}" if self._base and self._site_env else ""
            raise Unfit(f"found {{{{env:{name}}}}}, but {name} is not set", f"add it to the environment{env}")
        return value

    def _in_site(self, name: str) -> str | None:
        from mcc.core.dotenv import variables

        if self._base is None:
            raise Unfit(f"found {{{{env:{name}}}}}, which cannot be looked up", "REMOTE_BASE must be right first")
        if self._variables is None:
            path = self._base / ".env"
            self._variables = variables(_text(path, str(path))) if os.path.lexists(path) else {}
        return self._variables.get(name)

    def file(self, path: str) -> str:
        place = f"{{{{file:{path}}}}}"
        if self._base is None and not path.startswith("/"):
            raise Unfit(f"found {place}, which cannot be looked up", "REMOTE_BASE must be right first")
        if ".." in path.split("/"):
            raise Unfit(f"found {place}", "allowed: a path without .., absolute or from REMOTE_BASE on")
        whole = Path(path) if self._base is None else self._base / path
        if self._base is not None and not path.startswith("/"):
            self._check_inside(whole, place)
        return _text(whole, place).rstrip("\r\n")

    def _check_inside(self, path: Path, place: str) -> None:
        """The service's user can write below the site: no link of theirs is followed out of it."""
        assert self._base is not None
        try:
            inside = path.resolve().is_relative_to(self._base.resolve())
        except (OSError, RuntimeError):
            inside = False
        if not inside:
            raise Unfit(f"found {place}, which leads out of {self._base}", "give the absolute path of the file itself")


class _Elsewhere(_OnThisMachine):
    """Values that only the server has are said by their names."""

    def variable(self, name: str) -> str:
        value = self.known(name)
        return f"{name}-on-the-server" if value is None else value

    def file(self, path: str) -> str:
        return f"{path}-on-the-server"


def _text(path: Path, place: str) -> str:
    """The text of a small file. Raises Unfit."""
    from mcc.host.way import open_regular

    try:
        if path.exists() and not path.is_file():
            raise Unfit(f"found {place}, but {path} is no file")
        with os.fdopen(open_regular(path), "rb") as stream:  # not through a link that came since
            data = stream.read(_MAX_SECRET + 1)
        if len(data) > _MAX_SECRET:
            raise Unfit(f"found {place}, but {path} is larger than {_MAX_SECRET // 1024} KiB")
        return data.decode()
    except UnicodeDecodeError:
        raise Unfit(f"found {place}, but {path} is not UTF-8") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Unfit(f"found {place}, but {path} cannot be read: {reason}") from None
