"""What a stage is: a deploy, or an operation; and what its parameters say."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from mcc.core.conf.checks import relative_path, whole
from mcc.core.conf.unfit import Unfit
from mcc.core.nearest import did_you_mean
from mcc.errors import ConfigError, UsageError
from mcc.model.config import Config, Stage
from mcc.model.problem import Problem

KEEP_BUILDS = 10
CONF = "conf.yml"
CLONE_SOURCE = "conf-prod.yml"
CLONE_TARGET = "conf-dev.yml"
CLONE_SQL = "clone.sql"

OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "clone": ("conf-source", "conf-target", "source", "sql", "confirm"),
    "reset": ("conf", "keep_builds", "confirm"),
    "db-backup": ("conf", "databases"),
    "db-restore": ("conf", "from", "databases", "confirm"),
    "maintenance-on": ("conf",),
    "maintenance-off": ("conf",),
}
"""What a stage may be instead of a deploy, and the parameters that it reads."""

_PREFIXES = ("reset", "clone", "maintenance")


def find_stage(config: Config, name: str) -> Stage:
    """The stage of that name. Raises UsageError with those that there are."""
    stage = config.stage(name)
    if stage is not None:
        return stage
    names = [stage.name for stage in config.stages]
    hints = [did_you_mean(name, names), f"stages: {', '.join(names)}"]
    raise UsageError(f"{config.path.name} has no stage {name}", help="; ".join(filter(None, hints)))


def operation(name: str, parameters: Mapping[str, Any]) -> str | None:
    """Which operation a stage is (``reset``, ``clone``, ``db-backup``, ``maintenance-on``, ...), or None.

    ``parameters.operation`` decides over the name; ``deploy`` there means a deploy.
    """
    said = parameters.get("operation")
    if said is not None:
        return None if said == "deploy" else str(said)
    lower = name.lower()
    for prefix in _PREFIXES:
        if lower == prefix or lower.startswith(f"{prefix}-"):
            return lower if prefix == "maintenance" else prefix
    return lower if lower.startswith("db-") else None


def known_operation(stage: Stage) -> str | None:
    """The same, if it is one that mcc knows. Raises UsageError for any other."""
    what = operation(stage.name, stage.parameters)
    if what is None or what in OPERATIONS:
        return what
    hints = (did_you_mean(what, OPERATIONS), f"operations: {', '.join(OPERATIONS)}; deploy for a deploy")
    raise UsageError(
        f"the stage {stage.name!r} is an operation ({what}) that mcc does not know; nothing was done",
        help="; ".join(filter(None, hints)),
    )


def refuse_unknown_parameters(what: str, given: Collection[str]) -> None:
    """Raise UsageError for ``--param`` that the operation ``what`` does not read: a misspelt one would be lost."""
    known = ("operation", *OPERATIONS[what])
    for name in given:
        if name not in known:
            hints = (did_you_mean(name, known), f"it takes: {', '.join(OPERATIONS[what])}")
            raise UsageError(f"--param {name}: {what} knows no parameter {name}", help="; ".join(filter(None, hints)))


def names_in(value: object) -> tuple[str, ...]:
    """Names of databases in a parameter: a list, or text with commas or spaces between them."""
    words = value if isinstance(value, list | tuple) else str(value or "").replace(",", " ").split()
    return tuple(str(word) for word in words)


def keep_builds(stage: Stage) -> int:
    """How many good releases stay, the live one included. Raises ConfigError."""
    value = stage.parameters.get("keep_builds")
    try:
        return KEEP_BUILDS if value is None else whole(1)(value)
    except Unfit as error:
        raise _wrong(stage, "keep_builds", error) from None


def conf_name(stage: Stage) -> str:
    """The file that holds the stage's conf. Raises ConfigError."""
    return _file(stage, "conf", CONF)


def clone_confs(stage: Stage) -> tuple[str, str]:
    """The confs that a clone reads from and writes to. Raises ConfigError."""
    return _file(stage, "conf-source", CLONE_SOURCE), _file(stage, "conf-target", CLONE_TARGET)


def clone_sql(stage: Stage) -> str | None:
    """The project's own SQL for what a clone brings; None: :data:`CLONE_SQL`, if it is there. Raises ConfigError."""
    return _file(stage, "sql", CLONE_SQL) if stage.parameters.get("sql") is not None else None


def restore_from(stage: Stage) -> str | None:
    """The set that a restore takes; None: the newest good one."""
    value = stage.parameters.get("from")
    return None if value is None else str(value)


def _file(stage: Stage, key: str, default: str) -> str:
    value = stage.parameters.get(key)
    try:
        return default if value is None else relative_path(value)
    except Unfit as error:
        raise _wrong(stage, key, error) from None


def _wrong(stage: Stage, key: str, error: Unfit) -> ConfigError:
    """For parameters that did not come through the check of the whole file."""
    place = f"deploy.{stage.name}.parameters.{key}"
    return ConfigError([Problem("config.yml", stage.line, place, error.message, error.help)])
