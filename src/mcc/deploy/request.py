"""What a person asked for, read and checked: the stage, its conf, the build."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mcc.core.branches import refusal
from mcc.core.layout import Site
from mcc.core.masking import Masker
from mcc.core.stages import find_stage, keep_builds, known_operation
from mcc.errors import BranchRefused, UsageError
from mcc.host.settings import conf_name, read_build_info, read_conf, read_config
from mcc.model.build import BuildInfo
from mcc.model.conf import Conf
from mcc.model.config import Config, Stage
from mcc.runs.notices import Told


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
    def told(self) -> Told:
        """Who is told how it ended."""
        return Told(self.conf.notify, self.conf.secrets)

    @property
    def warnings(self) -> tuple[str, ...]:
        missing = () if self.build else ("no build_info.yml: the branch of this build is not checked",)
        return (*self.config_warnings, *self.conf.warnings, *missing)


def read_request(
    output: Path, stage_name: str, wanted: str | None = None, parameters: Mapping[str, str] | None = None
) -> Request:
    """Read everything that ``output`` says about a stage that is the operation ``wanted``; None: a deploy.

    ``parameters`` are those of the command line. Raises Refused.
    """
    config = read_config(output)
    found = find_stage(config, stage_name)
    stage = dataclasses.replace(found, parameters={**found.parameters, **(parameters or {})})
    _refuse_other(stage, wanted)
    build = read_build_info(output)
    _check_branch(config, stage, build)
    keep = keep_builds(stage)
    return Request(output, stage, read_conf(output, conf_name(stage)), build, keep, config.warnings)


def _refuse_other(stage: Stage, wanted: str | None) -> None:
    what = known_operation(stage)
    if what != wanted:
        is_a, needed = (f"an operation ({what})" if what else "a deploy"), wanted or "a deploy"
        raise UsageError(
            f"the stage {stage.name!r} is {is_a}; this needs one that is {needed}",
            help=f"mcc deploy --stage {stage.name} does what it is; the parameter operation says what that is",
        )


def _check_branch(config: Config, stage: Stage, build: BuildInfo | None) -> None:
    if build is None or build.branch is None:
        return
    problem = refusal(config, stage, build.branch)
    if problem is not None:
        raise BranchRefused(problem)
