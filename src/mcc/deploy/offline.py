"""``MIGRATE_OFFLINE: true``: services and cron jobs stand still from the first copy to the new release.

A database that is there and gets migrations is what it is for. Then the way back is whole: what the
copies hold is put back before the old code runs again.
"""

from __future__ import annotations

from collections.abc import Iterator

from mcc.core.backups import root_of, set_folder
from mcc.core.standstill import lines_elsewhere, lines_that_stay
from mcc.core.sudo import Words, stop
from mcc.deploy.situation import Situation
from mcc.deploy.slot_steps import draining, running
from mcc.errors import Refused, SiteError
from mcc.host.ports import Host
from mcc.model.database import Target
from mcc.model.migration import MigrationPhase
from mcc.model.plan import PlannedStep
from mcc.steps.offline import StopServices, SuspendCron
from mcc.steps.restore import RestoreOnFailure
from mcc.steps.waiting import Health


def stands_still(s: Situation) -> bool:
    """Whether the site rests while its databases are migrated, or emptied."""
    return s.resets or (s.request.conf.database.offline and bool(s.pending_targets))


def phases(s: Situation) -> tuple[MigrationPhase, ...]:
    """Which migrations run before the cut-over: all, where no release lives with them meanwhile."""
    return ("before", "after") if stands_still(s) else ("before",)


def stop_rights(s: Situation) -> tuple[Words, ...]:
    """What must be allowed besides: a stopped unit is started by the restart that every deploy may do."""
    services = s.request.conf.services
    return tuple(stop(unit) for unit in running(s)) if stands_still(s) and services.manager == "systemd" else ()


def problems(s: Situation, host: Host) -> Iterator[Refused]:
    """A service that the next visitor starts again cannot stand still."""
    services = s.request.conf.services
    for name in running(s) if stands_still(s) and services.manager == "systemd" else ():
        triggers = [each for each in host.services.state(name).triggers if host.services.state(each).active]
        if triggers:
            yield SiteError(
                f"{_why(s)}: {name} would be started again by {', '.join(triggers)} while it has to stand still",
                help=f"as root, until it is over: systemctl stop {' '.join(triggers)}"
                + ("" if s.resets else "; or without MIGRATE_OFFLINE"),
            )


def warnings(s: Situation) -> Iterator[str]:
    """What cannot stand still."""
    services = s.request.conf.services
    if stands_still(s) and services.manager == "none" and services.all:
        names = ", ".join(services.all)
        yield f"{_why(s)}: {names} cannot be stopped by mcc (SERVICE_MANAGER: none); stop what writes yourself"


def _why(s: Situation) -> str:
    return "reset" if s.resets else "MIGRATE_OFFLINE"


def stop_steps(s: Situation, health: Health) -> Iterator[PlannedStep]:
    """Cron jobs first: one of them could start what is stopped."""
    if not stands_still(s):
        return
    conf, services, names = s.request.conf, s.request.conf.services, running(s)
    if s.has_crontab:
        stay, elsewhere = lines_that_stay(conf, s.site), lines_elsewhere(conf, s.site)
        step = SuspendCron(s.site.base, stay, elsewhere, s.site.kept(s.run) / "crontab")
        yield PlannedStep("stop", "the site's cron jobs rest", step)
    if names:
        halt = StopServices(names, health, services.start_timeout, for_good=draining(s))
        yield PlannedStep("stop", f"stop {', '.join(names)}", halt)


def put_back_steps(s: Situation) -> Iterator[PlannedStep]:
    """Stands behind the copies and before the migrations: on the way back databases are as before."""
    if not stands_still(s) or s.resets:
        return
    database = s.request.conf.database
    kept = set_folder(root_of(s.request.conf.backup.path, s.site.base), "before-migration", s.version)
    step = RestoreOnFailure(s.pending_targets, _new_targets(s), kept, running(s), change_unseen(s), database.tracking)
    yield PlannedStep("back up", "put the copies back if the deploy fails", step)


def _new_targets(s: Situation) -> tuple[Target, ...]:
    """Databases that the deploy makes; those of alembic are not told apart, and stay."""
    planned = s.databases.databases if s.databases else ()
    return tuple(each.target for each in planned if each.pending and not each.found.exists)


def change_unseen(s: Situation) -> bool:
    """Whether a deploy may change a database without a row that says so."""
    return s.alembic is not None or bool(s.databases and s.databases.unseen)
