"""Stages that are operations: each is done by one function, imported when it is needed."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from mcc.core.stages import find_stage, known_operation, refuse_unknown_parameters
from mcc.host.settings import read_config
from mcc.host.turn import Turn

Operation: TypeAlias = Callable[[Path, str, bool, str, Mapping[str, str], Turn | None], int]
"""Output folder, stage, whether only to plan, format, parameters of the command line, locks; the exit code."""

PLACES: Mapping[str, tuple[str, str]] = {
    "clone": ("clone", "run_clone_stage"),
    "reset": ("reset", "run_reset_stage"),
    "db-backup": ("backup", "run_backup_stage"),
    "db-restore": ("restore", "run_restore_stage"),
    "maintenance-on": ("maintenance", "run_maintenance_on"),
    "maintenance-off": ("maintenance", "run_maintenance_off"),
}
"""By the name of an operation: the module of this folder, and the function in it."""


def find_operation(output: Path, stage: str, parameters: Mapping[str, str]) -> Operation | None:
    """What does the work of a stage that is no deploy; None: it deploys.

    Raises UsageError for an operation, or a parameter of the command line, that is not known.
    """
    found = find_stage(read_config(output), stage)
    what = known_operation(dataclasses.replace(found, parameters={**found.parameters, **parameters}))
    if what is None:
        return None
    refuse_unknown_parameters(what, parameters)
    module, function = PLACES[what]
    does: Operation = getattr(importlib.import_module(f"mcc.cli.commands.{module}"), function)
    return does
