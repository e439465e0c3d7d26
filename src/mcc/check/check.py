"""``mcc check``: looks at what it stands in, and gives all findings at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mcc.check.files import function_for, operations
from mcc.check.output import Output, build_info, check_output, lock
from mcc.check.project import branches, check_project, config_of, confs_of, is_project, problems
from mcc.check.server import check_server, scene_of, scene_of_site
from mcc.core.layout import Site
from mcc.core.looks.branch_table import BranchTable
from mcc.core.looks.findings import Finding, error, green
from mcc.core.masking import Masker
from mcc.core.stages import find_stage, operation
from mcc.deploy.request import Request, read_request
from mcc.errors import BranchRefused, ConfigError, UsageError
from mcc.host.ports import Host
from mcc.host.senses import Senses
from mcc.host.settings import stage_base
from mcc.model.conf import Services
from mcc.model.config import Config, Stage
from mcc.runs.hands import Hands

Place = Literal["project", "output", "server", "site"]


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at and found. ``stage`` is empty for all of them."""

    place: Place
    folder: Path
    stage: str
    findings: tuple[Finding, ...]
    table: BranchTable | None = None
    masker: Masker = field(default_factory=lambda: Masker(()))

    @property
    def green(self) -> bool:
        """Whether nothing would stop a deploy."""
        return green(self.findings)


def check_folder(folder: Path, stage: str | None, hands: Hands, senses: Senses) -> Checked:
    """A project, an output folder, or with a stage an output folder on its server. Raises UsageError."""
    host = hands.host(Site(folder), Services(manager="none"))
    config, found = config_of(folder)
    in_project = is_project(host.commands, host.files, folder)
    if config is None:
        return Checked("project" if in_project else "output", folder, stage or "", tuple(found))
    chosen = (find_stage(config, stage),) if stage else config.stages
    found += operations(host, folder, config, chosen)
    if in_project and not (stage and _is_here(folder, stage, host)):
        return _project(folder, stage or "", config, chosen, found, host)
    if stage and _deploys(chosen[0], host, folder):
        return _server(folder, stage, found, host, hands, senses)
    return _output(folder, stage or "", config, chosen, found, host)


def _is_here(folder: Path, stage: str, host: Host) -> bool:
    """Whether this machine has the stage's site: a checkout may be deployed from as it is."""
    try:
        return host.files.kind(stage_base(folder, stage)) != "absent"
    except (ConfigError, UsageError, OSError):
        return False


def _deploys(stage: Stage, host: Host, folder: Path) -> bool:
    return operation(stage.name, stage.parameters) is None and function_for(host, folder, stage) is None


def check_site(base: Path, hands: Hands, senses: Senses) -> Checked:
    """A site by itself, by the conf of its live release. Raises Refused if there is none."""
    scene = scene_of_site(base, hands, senses)
    return Checked("site", scene.site.base, "", check_server(scene), None, Masker(scene.conf.secrets))


def _project(
    folder: Path, stage: str, config: Config, stages: Sequence[Stage], found: list[Finding], host: Host
) -> Checked:
    confs, more = confs_of(folder, stages)
    table, of_branches = branches(host.commands, folder, config)
    found = [*found, *more, *of_branches, *check_project(host, folder)]
    secrets = {secret for _, conf in confs for secret in conf.secrets}
    return Checked("project", folder, stage, tuple(found), table, Masker(secrets))


def _output(
    folder: Path, stage: str, config: Config, stages: Sequence[Stage], found: list[Finding], host: Host
) -> Checked:
    confs, more = confs_of(folder, stages)
    build, of_build = build_info(folder)
    found = [*found, *more, *of_build, *check_output(Output(folder, host, config, build), confs)]
    secrets = {secret for _, conf in confs for secret in conf.secrets}
    return Checked("output", folder, stage, tuple(found), None, Masker(secrets))


def _server(
    folder: Path, stage: str, found: list[Finding], host: Host, hands: Hands, senses: Senses
) -> Checked:  # fmt: skip
    request, more = _request(folder, stage)
    found = [*found, *more, *lock(host, folder)]
    if request is None:
        return Checked("server", folder, stage, tuple(found))
    found += check_server(scene_of(request, hands, senses))
    return Checked("server", folder, stage, tuple(dict.fromkeys(found)), None, request.masker)


def _request(folder: Path, stage: str) -> tuple[Request | None, list[Finding]]:
    try:
        return read_request(folder, stage), []
    except ConfigError as wrong:
        return None, problems("config.invalid", wrong)
    except BranchRefused as wrong:
        help = wrong.help or "deploy it to another stage, build another branch, or change allow_branches"
        return None, [error("branches.refused", f"stage {stage}", wrong.message, help)]
