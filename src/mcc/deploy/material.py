"""What is kept of a release for the way back to it, and of one that is adopted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mcc.deploy.adoption import PROJECT
from mcc.deploy.going_live import cron_lines
from mcc.deploy.situation import Situation
from mcc.host.alembic import INI
from mcc.model.plan import PlannedStep
from mcc.runs.adopted_jobs import CRONTAB
from mcc.steps.adopt import KeepCron
from mcc.steps.conf import KeepConf
from mcc.steps.material import KeepMaterial
from mcc.steps.record import RecordLive


def material_steps(s: Situation) -> Iterator[PlannedStep]:
    """Scripts, site files and project files of the output, by their names there."""
    output = s.request.output
    names = [file.source for file in s.request.conf.site_files]
    names += [*(PROJECT if s.environment else ()), *(f"scripts/{name}" for name in s.script_names)]
    named = {name: output / name for name in names} | _alembic_ini(s)
    files = tuple((path, name) for name, path in named.items())
    step = KeepMaterial(files, s.site.material(s.version))
    yield PlannedStep("place", "what a way back needs -> .mcc/releases", step)


def _alembic_ini(s: Situation) -> dict[str, Path]:
    """Where the release's revisions are is written there."""
    return {name: path for name, path in s.alembic.configuration if name == INI} if s.alembic else {}


def adopt_steps(s: Situation) -> Iterator[PlannedStep]:
    """The same of a release that is adopted, as the site has it now."""
    release = s.adoption.new
    if release is None:
        return
    folder = s.site.material(release.name)
    title = f"adopt {release.name}, which {release.by} brought live"
    yield PlannedStep("place", title, KeepMaterial(s.adoption.material, folder))
    conf = KeepConf(s.request.conf.path, s.site.conf(release.name))
    yield PlannedStep("place", f"{s.request.conf.path.name} -> .mcc/conf, for {release.name}", conf)
    if s.has_crontab:
        lines, older = cron_lines(s)
        step = KeepCron(s.site.base, lines, older, folder / CRONTAB)
        yield PlannedStep("place", f"the cron jobs of {release.name}", step)


def adopted_record(s: Situation) -> Iterator[PlannedStep]:
    """Stands before the new release's own line."""
    release = s.adoption.release
    if release is not None:
        title = f"{release.name} was live" + (", and is adopted" if s.adoption.new else "")
        yield PlannedStep("record", title, RecordLive(s.site.ledger, release))
