"""Files that a project and an output folder both have: migrations, and the project's own Python."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from mcc.core.hooks import FILE
from mcc.core.looks.findings import Finding, error, ok, warning
from mcc.core.nearest import did_you_mean
from mcc.core.sql.words import Dialect
from mcc.core.stages import OPERATIONS, operation
from mcc.core.wording import many
from mcc.errors import ConfigError, StepError
from mcc.host.migration_files import read_migrations
from mcc.host.ports import Files, Host
from mcc.model.conf import Component, Conf
from mcc.model.config import Config, Stage
from mcc.model.hooks import Hook

_ALEMBIC = ("env.py", "script.py.mako", "versions")


def hooks_file(host: Host, folder: Path) -> Iterator[Finding]:
    """``mcc_deploy.py`` says what it is; it is run for that, in a process of its own, and no hook is."""
    if host.files.kind(folder / FILE) != "file":
        return
    try:
        code = host.hooks.read(folder)
    except ConfigError as wrong:
        for problem in wrong.problems:
            where = f"{problem.file}:{problem.line}" if problem.line else problem.file
            yield error("hooks.invalid", where, problem.message, problem.help or "correct the line")
        return
    except StepError as wrong:
        yield error("hooks.invalid", FILE, wrong.message, wrong.help or "run it by hand: uv run mcc_deploy.py --help")
        return
    if code is None:
        help = "it is for uv run mcc_deploy.py; mcc deploy does the work itself"
        yield warning("hooks.own-script", FILE, "it does not import mcc, so mcc deploy does not run it", help)
        return
    yield from (warning("hooks.warning", FILE, text, "correct it, or leave it") for text in code.warnings)
    if not code.warnings:
        count = many(len(code.hooks), "function") if code.hooks else "no function"
        yield ok("hooks.read", f"{count} of the project's own", FILE)


def operations(host: Host, folder: Path, config: Config, stages: Sequence[Stage]) -> Iterator[Finding]:
    """Stages that are an operation which neither mcc knows nor the project's own Python."""
    for stage in stages:
        what = operation(stage.name, stage.parameters)
        if what is None or what in OPERATIONS or function_for(host, folder, stage) is not None:
            continue
        where = f"{config.path.name}:{stage.line}" if stage.line else config.path.name
        message = f"stage {stage.name}: neither mcc nor {FILE} knows the operation {what}"
        hints = (did_you_mean(what, OPERATIONS), f"operations: {', '.join(OPERATIONS)}; deploy for a deploy")
        yield error("config.operation", where, message, "; ".join(filter(None, hints)))


def function_for(host: Host, folder: Path, stage: Stage) -> Hook | None:
    """The project's own function that is what a stage does; what is wrong with the file is said elsewhere."""
    if host.files.kind(folder / FILE) != "file":
        return None
    try:
        code = host.hooks.read(folder)
    except (ConfigError, StepError):
        return None
    return (code.stage(stage.name) or code.stage(str(stage.parameters.get("operation")))) if code else None


def migrations_in(files: Files, folder: Path, conf: Conf, components: Sequence[Component]) -> list[Finding]:
    """Files that could not run, whatever a database has had already. alembic's are left to alembic."""
    found = [path for path in _folders(folder, conf, components) if files.kind(path) == "folder"]
    if not found or conf.database.kind == "none" or conf.database.tool == "alembic":
        return []
    path = found[0]
    if set(_ALEMBIC) & set(files.names(path)):
        return []
    dialect: Dialect = "postgresql" if conf.database.kind == "postgresql" else "sqlite"
    shown = path.relative_to(folder).as_posix()
    problems = dict.fromkeys(p for each in read_migrations(files, path, shown, dialect) for p in each.problems)
    return [
        warning(
            "output.migration", f"{problem.file}:{problem.line}" if problem.line else problem.file,
            f"where it has not run yet: {problem.message}", problem.help or "correct the file",
        )
        for problem in problems
    ]  # fmt: skip


def _folders(folder: Path, conf: Conf, components: Sequence[Component]) -> Iterator[Path]:
    """Where the migrations of the release are now."""
    wanted = conf.database.migrations_dir
    if wanted is None:
        wanted = "shared/db/scripts/migrations" if conf.domains else "migrations"
    place = PurePosixPath(wanted)
    for component in components:
        for source, target in component.sources if component.environment else ():
            inside = PurePosixPath(target)
            if inside == PurePosixPath() or inside in (place, *place.parents):
                yield folder / source / place.relative_to(inside)
