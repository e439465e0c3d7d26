"""The stage of an operation: found, and its branch checked as for a deploy."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from mcc.core.branches import refusal
from mcc.core.stages import find_stage
from mcc.errors import BranchRefused
from mcc.host.settings import read_build_info, read_config
from mcc.model.build import BuildInfo
from mcc.model.config import Config, Stage


def read_stage(output: Path, name: str, parameters: Mapping[str, str]) -> tuple[Config, Stage, BuildInfo | None]:
    """A stage of ``output``; ``parameters`` of the command line win over those of the file. Raises Refused."""
    config = read_config(output)
    stage = find_stage(config, name)
    build = read_build_info(output)
    if build is not None and build.branch is not None:
        problem = refusal(config, stage, build.branch)
        if problem is not None:
            raise BranchRefused(problem)
    return config, dataclasses.replace(stage, parameters={**stage.parameters, **parameters}), build
