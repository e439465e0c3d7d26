"""What an operation works on: a stage of an output folder, or a site by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcc.core.layout import Site
from mcc.core.masking import Masker
from mcc.errors import SiteError, UsageError
from mcc.host.files import RealFiles
from mcc.host.settings import conf_name, read_conf
from mcc.model.build import BuildInfo
from mcc.model.conf import Conf
from mcc.operations.stage import read_stage
from mcc.runs.ledger import read_ledger


@dataclass(frozen=True, slots=True)
class Asked:
    """A site with its conf. ``parameters`` are the stage's, with those of the command line."""

    site: Site
    conf: Conf
    stage: str
    build: BuildInfo | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def masker(self) -> Masker:
        return Masker(self.conf.secrets)


def asked_by_stage(output: Path, name: str, parameters: Mapping[str, str] | None = None) -> Asked:
    """A stage of an output folder, its branch checked as for a deploy. Raises Refused."""
    config, stage, build = read_stage(output, name, parameters or {})
    conf = read_conf(output, conf_name(stage))
    warnings = (*config.warnings, *conf.warnings)
    return Asked(Site(conf.server.base), conf, stage.name, build, stage.parameters, warnings)


def asked_by_site(base: Path, parameters: Mapping[str, str] | None = None) -> Asked:
    """A site, by the conf that its live release was deployed with. Raises Refused."""
    site = Site(base.absolute())
    live = read_ledger(RealFiles(), site).live
    if live is None:
        raise UsageError(f"nothing is live at {site.base}", help="is that the site's REMOTE_BASE? or use --stage")
    path = site.conf(live.name)
    if RealFiles().kind(path) != "file":
        raise SiteError(
            f"{path} is missing: an older mcc deployed {live.name}, or a backup brought the site back without it",
            help="deploy once, or use --stage in an output folder",
        )
    conf = read_conf(path.parent, path.name)
    if conf.server.base != site.base:
        raise SiteError(f"{path} is the conf of another site: REMOTE_BASE is {conf.server.base}")
    build = None if live.build == BuildInfo() else live.build
    return Asked(site, conf, live.stage, build, parameters or {}, conf.warnings)
