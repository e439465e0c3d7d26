"""What a deploy does for backups: copies before migrations, and what the site's own mcc needs to make more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mcc.core.backups import root_of
from mcc.deploy.offline import change_unseen
from mcc.deploy.situation import Situation
from mcc.model.plan import PlannedStep
from mcc.model.release import Release
from mcc.steps.backup import BackUpDatabases
from mcc.steps.backup_keep import PruneSets
from mcc.steps.conf import KeepConf
from mcc.steps.record import RemoveFiles
from mcc.version import __version__


def back_up_steps(s: Situation) -> Iterator[PlannedStep]:
    """A verified copy of every database that migrations will change, and of no other."""
    targets = s.pending_targets
    if not targets:
        return
    step = BackUpDatabases(
        _root(s), "before-migration", s.version, s.site.base, targets, s.request.stage.name, s.version,
        __version__, s.request.conf.database.tracking, unseen=change_unseen(s),
    )  # fmt: skip
    many = targets[0].name if len(targets) == 1 else f"{len(targets)} databases"
    yield PlannedStep("back up", f"{many} -> {step.folder}", step)


def conf_steps(s: Situation) -> Iterator[PlannedStep]:
    """The conf, for commands that have no output folder."""
    step = KeepConf(s.request.conf.path, s.site.conf(s.version))
    yield PlannedStep("place", f"{s.request.conf.path.name} -> .mcc/conf", step)


def prune_steps(s: Situation, removed: Sequence[Release]) -> Iterator[PlannedStep]:
    """Copies that no release needs any more, and the confs of releases that go."""
    if s.targets:
        prune = PruneSets(_root(s), s.site.base, s.site.ledger, None, s.request.conf.backup.daily)
        yield PlannedStep("prune", "copies from before releases that are gone", prune, optional=True)
    confs = (*(s.site.conf(release.name) for release in removed), *s.old_confs)
    if confs:
        yield PlannedStep("prune", "confs of old releases", RemoveFiles(confs), optional=True)


def _root(s: Situation) -> Path:
    return root_of(s.request.conf.backup.path, s.site.base)
