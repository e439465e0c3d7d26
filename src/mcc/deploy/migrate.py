"""``mcc migrate``: the databases of a stage by themselves, with the code of a deploy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mcc.core.backups import root_of, set_folder, set_name
from mcc.core.databases import files_of
from mcc.core.nearest import did_you_mean
from mcc.core.sudo import chmod, chown
from mcc.deploy.alembic import uses_alembic
from mcc.deploy.checks import check_rights
from mcc.deploy.databases import PlannedDatabases, plan_databases
from mcc.deploy.request import Request
from mcc.deploy.situation import components_of
from mcc.errors import SiteError, UsageError
from mcc.host.ports import Host
from mcc.model.database import Target
from mcc.model.migration import Migration
from mcc.model.plan import Plan, PlannedStep
from mcc.runs.databases import SiteDatabases, site_databases
from mcc.runs.hands import Hands
from mcc.runs.ledger import read_ledger
from mcc.runs.run import run_id, run_work
from mcc.runs.slots import units_that_run
from mcc.runs.work import Prepared, Work
from mcc.steps.backup import BackUpDatabases
from mcc.steps.ownership import KeepOwnership, Own
from mcc.steps.record_migrations import RecordMigrations
from mcc.version import __version__

Choose = Callable[[PlannedDatabases], tuple[RecordMigrations, ...]]


@dataclass(frozen=True, slots=True)
class Wish:
    """``databases``: names, if not all. ``late``: files that may run behind later ones."""

    databases: Collection[str] = ()
    late: Collection[str] = ()


def look_at(request: Request, hands: Hands, wish: Wish) -> PlannedDatabases:
    """What there is and what is pending; nothing is changed. Raises Refused."""
    host = hands.host(request.site, request.conf.services)
    return _planned(request, host, run_id(host), wish)[1]


def apply(request: Request, hands: Hands, wish: Wish) -> int:
    """Bring the databases forward; the answer is the exit code."""

    def prepare(host: Host, run: str) -> Prepared:
        site, planned = _planned(request, host, run, wish)
        _check_names(wish.late, planned)
        planned.refuse(command(request), wish.late)
        _refuse_running(request, host, planned)
        step = planned.step(planned.in_output, ("before", "after"), request.site.scratch)
        title = f"{many(len(planned.targets))}: {len(planned.pending_names) or 'nothing'} pending"
        copies = tuple(_copies(request, host, planned))
        steps = (*copies, *_owned(request, host, planned, planned.written_targets, PlannedStep("migrate", title, step)))
        return Prepared(Plan(steps, (), planned.warnings(request.conf.database.offline)), None, site.kept)

    return run_work(_work(request), prepare, hands)


def accept(request: Request, hands: Hands, wish: Wish, names: Collection[str]) -> int:
    """Take files that were changed after they were applied as they are now; the answer is the exit code."""

    def choose(planned: PlannedDatabases) -> tuple[RecordMigrations, ...]:
        wanted = _check_names(names, planned)
        # A file that one database has had may be pending for another: there it is still to be run.
        where: dict[tuple[str, ...], list[Target]] = {}
        for each in planned.databases:
            changed = tuple(file.name for file in each.standing.changed if file.name in wanted)
            if changed:
                where.setdefault(changed, []).append(each.target)
        if not where:
            raise UsageError(f"{', '.join(sorted(wanted))}: every database that has had it had it as it is now")
        return tuple(_record(planned, tuple(targets), changed) for changed, targets in where.items())

    return _run_record(request, hands, wish, choose, "accept")


def baseline(request: Request, hands: Hands, wish: Wish, name: str) -> int:
    """Record all files up to ``name`` in databases that are filled and have no record; the exit code."""

    def choose(planned: PlannedDatabases) -> tuple[RecordMigrations, ...]:
        (last,) = _check_names([name], planned)
        bare = tuple(each.target for each in planned.databases if each.found.filled and not each.found.applied)
        if not bare:
            raise UsageError(
                "there is no database that is filled and has no record of its migrations",
                help=f"see {command(request)} --status",
            )
        order = [each.name for each in _files(planned)]
        return (_record(planned, bare, tuple(order[: order.index(last) + 1])),)

    return _run_record(request, hands, wish, choose, "baseline")


def _run_record(request: Request, hands: Hands, wish: Wish, choose: Choose, what: str) -> int:
    def prepare(host: Host, run: str) -> Prepared:
        site, planned = _planned(request, host, run, wish)
        chosen = choose(planned)
        steps = [
            PlannedStep("migrate", f"{what} in {many(len(step.targets))}: {', '.join(step.names)}", step)
            for step in chosen
        ]
        written = [target for step in chosen for target in step.targets]
        return Prepared(Plan(_owned(request, host, planned, written, *steps), ()), None, site.kept)

    return run_work(_work(request), prepare, hands)


def _record(planned: PlannedDatabases, targets: tuple[Target, ...], names: tuple[str, ...]) -> RecordMigrations:
    files = planned.in_output
    return RecordMigrations(files.migrations, targets, names, planned.how, files.dialect)


def _planned(request: Request, host: Host, run: str, wish: Wish) -> tuple[SiteDatabases, PlannedDatabases]:
    site = site_databases(request.conf, request.site, host, run)
    planned = plan_databases(request, site, components_of(request, host.files), wish.databases)
    if planned is None:
        components = components_of(request, host.files)
        component = next((each for each in components if each.environment), None)
        if uses_alembic(request, component, host.files):
            raise SiteError(
                "the migrations of this release are alembic's, which a deploy runs in the release's environment",
                help=f"mcc deploy --stage {request.stage.name} --plan says what is pending",
            )
        raise SiteError(
            f"{request.output} brings no files of SQL for databases",
            help="MIGRATIONS_DIR names their folder in the release; DATABASE says which kind of database it is",
        )
    return site, planned


def _owned(
    request: Request, host: Host, planned: PlannedDatabases, written: Iterable[Target], *steps: PlannedStep
) -> tuple[PlannedStep, ...]:
    """The steps between what puts owners right on the way back and on the way forward."""
    owner = request.conf.ownership
    paths = tuple(_places(request, planned))
    if owner.mode != "sudo" or not owner.user or not owner.group or not paths:
        return steps
    who = (owner.user, owner.group)
    check_rights([words for path in paths for words in (chown(*who, path), chmod(path))], host)
    keep = KeepOwnership(paths, *who, files_of(written))
    before = PlannedStep("migrate", "owners of what is made from here on", keep)
    after = PlannedStep("own", f"{owner.user}:{owner.group}, group may write", Own(paths, *who))
    return (before, *steps, after)


def _refuse_running(request: Request, host: Host, planned: PlannedDatabases) -> None:
    """Only a deploy stops what MIGRATE_OFFLINE wants stopped, and starts it again."""
    services = request.conf.services
    if not (request.conf.database.offline and planned.pending_targets) or services.manager == "none":
        return
    names = units_that_run(services, request.site, host.files)
    running = [name for name in names if host.services.state(name).active]
    if running:
        raise SiteError(
            f"MIGRATE_OFFLINE: {', '.join(running)} would go on writing while the databases are migrated",
            help="deploy, which stops them and starts them again; or stop them yourself, and say it again",
        )


def _copies(request: Request, host: Host, planned: PlannedDatabases) -> Iterator[PlannedStep]:
    """A verified copy of every database that will change, as in a deploy; it belongs to the live release."""
    if not planned.pending_targets:
        return
    root = root_of(request.conf.backup.path, request.site.base)
    name = set_name(host.clock.now(), host.files.names(set_folder(root, "before-migration", "")))
    live = read_ledger(host.files, request.site).live
    step = BackUpDatabases(
        root, "before-migration", name, request.site.base, planned.pending_targets, request.stage.name,
        live.name if live else "", __version__, planned.how.tracking, unseen=planned.unseen,
    )  # fmt: skip
    yield PlannedStep("back up", f"{many(len(step.targets))} -> {step.folder}", step)


def _places(request: Request, planned: PlannedDatabases) -> Iterator[Path]:
    if planned.in_output.dialect == "sqlite":
        yield request.site.domains if request.conf.domains else request.site.single_database


def _files(planned: PlannedDatabases) -> Iterator[Migration]:
    return (each for each in planned.migrations if each.role == "migration")


def _check_names(names: Collection[str], planned: PlannedDatabases) -> set[str]:
    """Names without ``.sql``. Raises UsageError for one that no file has."""
    known = [each.name for each in _files(planned)]
    found = {name.removesuffix(".sql") for name in names}
    for name in sorted(found - set(known)):
        raise UsageError(f"there is no migration {name!r} in {planned.folder}", help=did_you_mean(name, known))
    return found


def command(request: Request) -> str:
    """What a person types to get at the databases of a stage."""
    return f"mcc migrate --stage {request.stage.name}"


def many(count: int) -> str:
    return f"{count} database{'' if count == 1 else 's'}"


def _work(request: Request) -> Work:
    conf = request.conf
    return Work(request.site, "migrate", request.stage.name, conf.services, request.masker, request.build)
