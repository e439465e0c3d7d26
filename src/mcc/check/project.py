"""A project before it is built: its files, and what its branches would trigger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mcc.check.files import hooks_file
from mcc.core.looks import branch_table
from mcc.core.looks.branch_table import BranchTable
from mcc.core.looks.findings import Finding, error, ok, warning
from mcc.core.looks.plain_secrets import plain_secrets
from mcc.core.stages import clone_confs, conf_name, operation
from mcc.core.wording import many
from mcc.errors import ConfigError, UsageError
from mcc.host import git
from mcc.host.ports import Commands, Files, Host
from mcc.host.settings import OWN_FOLDER, read_conf_elsewhere, read_config, read_document
from mcc.model.conf import Conf
from mcc.model.config import Config, Stage

_MANY = 40
"""Branches that a table shows."""


def config_of(folder: Path) -> tuple[Config | None, list[Finding]]:
    """The stages, with all that is wrong with the file."""
    try:
        config = read_config(folder)
    except ConfigError as wrong:
        return None, problems("config.invalid", wrong)
    found = [
        warning("config.warning", config.path.name, text, "correct it, or leave it: nothing depends on it")
        for text in config.warnings
    ]
    return config, [
        *found,
        ok(
            "config.read",
            f"{many(len(config.stages), 'stage')}: {', '.join(s.name for s in config.stages)}",
            config.path.name,
        ),
    ]


def confs_of(folder: Path, stages: Sequence[Stage]) -> tuple[list[tuple[Stage, Conf]], list[Finding]]:
    """The conf of each stage that deploys; those of clones are read, too. Values of the server are left out."""
    confs, found = list[tuple[Stage, Conf]](), list[Finding]()
    seen: set[str] = set()
    for stage in stages:
        for name in _names(stage, found):
            try:
                conf, away = read_conf_elsewhere(folder, name)
            except ConfigError as wrong:
                found += problems("config.invalid", wrong) if name not in seen else []
            else:
                found += _conf(conf, name, away) if name not in seen else []
                if operation(stage.name, stage.parameters) is None:
                    confs.append((stage, conf))
            seen.add(name)
    return confs, list(dict.fromkeys(found))


def _names(stage: Stage, found: list[Finding]) -> tuple[str, ...]:
    what = operation(stage.name, stage.parameters)
    try:
        return clone_confs(stage) if what == "clone" else (conf_name(stage),)
    except ConfigError as wrong:
        found += problems("config.invalid", wrong)
        return ()


def _conf(conf: Conf, name: str, away: Sequence[str]) -> Iterator[Finding]:
    for text in conf.warnings:
        yield warning("config.warning", name, text, "correct the key, or leave it: it is passed on as it is")
    more = f"; {', '.join(away)} are looked up on the server" if away else ""
    yield ok("config.read", f"it can be read{more}", name)


def problems(code: str, wrong: ConfigError) -> list[Finding]:
    """All that is wrong with a file that a person wrote."""
    found = []
    for problem in wrong.problems:
        where = f"{problem.file}:{problem.line}" if problem.line else problem.file
        message = f"{problem.key}: {problem.message}" if problem.key else problem.message
        found.append(error(code, where, message, problem.help or "correct the file; mcc schema describes it"))
    return found


def is_project(commands: Commands, files: Files, folder: Path) -> bool:
    """Whether a folder is where people write, and not what a build left: git has it, or has its config.yml."""
    if files.kind(folder / ".git") != "absent":
        return True
    names = ("config.yml", "mcc_config.yml", f"{OWN_FOLDER}/config.yml", f"{OWN_FOLDER}/mcc_config.yml")
    there = [name for name in names if files.kind(folder / name) == "file"]
    return bool(there) and bool(git.tracked(commands, folder).intersection(there))


def branches(commands: Commands, folder: Path, config: Config) -> tuple[BranchTable | None, list[Finding]]:
    """What each branch of the repository would trigger, and patterns that mean something else than they seem to."""
    names = git.branches(commands, folder)
    found = list(branch_table.judge(config, names))
    if not names:
        return None, found
    table = branch_table.branch_table(config, names[:_MANY])
    if not found:
        found.append(ok("branches.table", f"{len(names)} of them, {many(len(config.stages), 'stage')}"))
    return table, found


def check_project(host: Host, folder: Path) -> Iterator[Finding]:
    """Passwords that git keeps, the project's own Python, the lock file."""
    yield from _secrets(folder, git.tracked(host.commands, folder))
    yield from hooks_file(host, folder)
    files = host.files
    if files.kind(folder / "pyproject.toml") == "file" and files.kind(folder / "uv.lock") != "file":
        yield warning(
            "output.lock-missing", "uv.lock", "pyproject.toml has no uv.lock beside it", "run uv lock, and commit it"
        )


def _secrets(folder: Path, tracked: frozenset[str]) -> Iterator[Finding]:
    confs = sorted(name for name in tracked if _is_conf(name))
    found = []
    for name in confs:
        try:
            document = read_document(folder, name.removeprefix(f"{OWN_FOLDER}/"))
        except (ConfigError, UsageError):
            continue  # said where it is read for its stage
        for secret in plain_secrets(document):
            where = f"{secret.file}:{secret.line}"
            found.append(
                warning("secrets.in-git", where, f"{secret.key}: {secret.what} that git keeps for ever", secret.help)
            )
    yield from found
    if confs and not found:
        yield ok("secrets.none-in-git", f"no passwords in {', '.join(confs)}")


def _is_conf(name: str) -> bool:
    bare = name.removeprefix(f"{OWN_FOLDER}/")
    return (
        "/" not in bare
        and bare.startswith("conf")
        and not bare.startswith("config")
        and bare.endswith((".yml", ".yaml"))
    )
