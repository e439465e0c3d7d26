"""What a person asked for, read and checked: the stage, its conf, the build."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcc.core.branches import refusal
from mcc.core.layout import Site
from mcc.core.masking import Masker
from mcc.core.stages import find_stage, keep_builds, operation
from mcc.errors import BranchRefused, UsageError
from mcc.host.settings import conf_name, read_build_info, read_conf, read_config
from mcc.model.build import BuildInfo
from mcc.model.conf import Conf
from mcc.model.config import Config, Stage


@dataclass(frozen=True, slots=True)
class Request:
    """One deploy, before the site has been looked at. ``keep`` counts good releases."""

    output: Path
    stage: Stage
    conf: Conf
    build: BuildInfo | None
    keep: int
    config_warnings: tuple[str, ...] = ()

    @property
    def site(self) -> Site:
        return Site(self.conf.server.base)

    @property
    def masker(self) -> Masker:
        return Masker(self.conf.secrets)

    @property
    def warnings(self) -> tuple[str, ...]:
        missing = () if self.build else ("no build_info.yml: the branch of this build is not checked",)
        return (*self.config_warnings, *self.conf.warnings, *missing)


def read_request(output: Path, stage_name: str) -> Request:
    """Read everything that ``output`` says about a stage. Raises Refused."""
    config = read_config(output)
    stage = find_stage(config, stage_name)
    _refuse_operations(stage)
    build = read_build_info(output)
    _check_branch(config, stage, build)
    keep = keep_builds(stage)
    return Request(output, stage, read_conf(output, conf_name(stage)), build, keep, config.warnings)


def _refuse_operations(stage: Stage) -> None:
    what = operation(stage.name, stage.parameters)
    if what is not None:
        raise UsageError(
            f"the stage {stage.name!r} is an operation ({what}), which this version of mcc does not have",
            help="it was not deployed; use the project's own script for it",
        )


def _check_branch(config: Config, stage: Stage, build: BuildInfo | None) -> None:
    if build is None or build.branch is None:
        return
    problem = refusal(config, stage, build.branch)
    if problem is not None:
        raise BranchRefused(problem)
