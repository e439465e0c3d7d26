"""``mcc backup``: a set of verified copies, and what the calendar keeps of older ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from mcc.core.backups import Keep, root_of, set_name
from mcc.core.nearest import did_you_mean
from mcc.errors import MigrationFailed, SiteError, UsageError
from mcc.host.ports import Host, migrator
from mcc.model.database import Target
from mcc.model.plan import Plan, PlannedStep
from mcc.operations.site import Asked
from mcc.runs.databases import site_databases
from mcc.runs.hands import Hands
from mcc.runs.ledger import read_ledger
from mcc.runs.recover import dead_runs
from mcc.runs.run import run_id, run_work
from mcc.runs.work import Prepared, Work
from mcc.steps.backup import BackUpDatabases
from mcc.steps.backup_keep import PromoteSet, PruneSets


def plan_backup(asked: Asked, names: Sequence[str], hands: Hands) -> Plan:
    """Look, check and plan; nothing is changed. Raises Refused."""
    host = hands.host(asked.site, asked.conf.services)
    plan = _prepare(asked, names, hands, host, run_id(host)).plan
    open_runs = tuple(f"the run {name} has not ended" for name in dead_runs(host.files, asked.site))
    return dataclasses.replace(plan, warnings=(*plan.warnings, *open_runs))


def back_up(asked: Asked, names: Sequence[str], hands: Hands) -> int:
    """Copy; the answer is the exit code. ``names``: databases, all if there are none. Raises Refused."""
    work = Work(asked.site, "backup", asked.stage, asked.conf.services, asked.masker, asked.build, although_frozen=True)
    return run_work(work, lambda host, run: _prepare(asked, names, hands, host, run), hands)


def keep_of(asked: Asked) -> Keep:
    """How long the conf wants copies to be kept."""
    backup = asked.conf.backup
    return Keep(backup.daily, backup.weekly, backup.monthly)


def _prepare(asked: Asked, names: Sequence[str], hands: Hands, host: Host, run: str) -> Prepared:
    if asked.conf.database.kind == "none":
        raise UsageError(f"{asked.conf.path.name} says DATABASE: none: there is nothing to copy")
    found = site_databases(asked.conf, asked.site, host, run)
    chosen = _chosen(found.targets, names, asked)
    there, missing = _there(chosen, asked, found.host)
    if not there:
        raise SiteError(f"{asked.site.base} has no database yet: there is nothing to copy")
    warnings = [f"{name} has no database yet: nothing to copy" for name in missing]
    before, after = _steps(asked, there, hands, host)
    return Prepared(Plan(before, after, (*asked.warnings, *warnings)), kept=found.kept)


def _chosen(targets: Sequence[Target], names: Sequence[str], asked: Asked) -> tuple[Target, ...]:
    known = [target.name for target in targets]
    for name in names:
        if name not in known:
            raise UsageError(f"{asked.conf.path.name} knows no database {name!r}", help=did_you_mean(name, known))
    return tuple(target for target in targets if not names or target.name in names)


def _there(targets: Sequence[Target], asked: Asked, host: Host) -> tuple[tuple[Target, ...], list[str]]:
    there, missing = [], []
    for target in targets:
        try:
            found = migrator(host, target).look(target, asked.conf.database.tracking)
            # A whole database is there if it can be asked, also without a schema for new tables.
            exists = found.exists or (target.kind == "postgresql" and target.schema is None)
        except MigrationFailed:
            exists = True  # the copy says what is wrong with it, and the others are copied
        if exists:
            there.append(target)
        else:
            missing.append(target.name)
    return tuple(there), missing


def _steps(
    asked: Asked, targets: tuple[Target, ...], hands: Hands, host: Host
) -> tuple[tuple[PlannedStep, ...], tuple[PlannedStep, ...]]:
    site, keep = asked.site, keep_of(asked)
    root = root_of(asked.conf.backup.path, site.base)
    name = set_name(host.clock.now(), host.files.names(root / "daily") if host.files.kind(root) == "folder" else ())
    live = read_ledger(host.files, site).live
    step = BackUpDatabases(
        root, "daily", name, site.base, targets, asked.stage, live.name if live else "",
        hands.tool(site).version, asked.conf.database.tracking,
    )  # fmt: skip
    many = targets[0].name if len(targets) == 1 else f"{len(targets)} databases"
    back_up = PlannedStep("back up", f"{many} -> {step.folder}", step)
    return (back_up,), tuple(_after(asked, name, keep))


def _after(asked: Asked, name: str, keep: Keep) -> Iterator[PlannedStep]:
    site, root = asked.site, root_of(asked.conf.backup.path, asked.site.base)
    if keep.weekly:
        yield PlannedStep("record", "the first of a week", PromoteSet(root, site.base, name, "weekly"), True)
    if keep.monthly:
        yield PlannedStep("record", "the first of a month", PromoteSet(root, site.base, name, "monthly"), True)
    prune = PruneSets(root, site.base, site.ledger, keep, keep.daily)
    weeks = f", {keep.weekly} weeks" if keep.weekly else ""
    months = f", {keep.monthly} months" if keep.monthly else ""
    yield PlannedStep("prune", f"sets beyond {keep.daily} days{weeks}{months}", prune, True)
