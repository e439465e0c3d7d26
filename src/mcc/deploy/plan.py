"""The whole deploy as a list of steps, on one screen."""

from __future__ import annotations

import os.path
from collections.abc import Iterable, Iterator
from pathlib import Path

from mcc.core.databases import files_of
from mcc.deploy import maintenance, rights
from mcc.deploy.asset_steps import asset_steps
from mcc.deploy.backups import back_up_steps, conf_steps
from mcc.deploy.databases import PlannedDatabases
from mcc.deploy.going_live import cut_over_steps, restart_steps, smoke_steps, stable_steps
from mcc.deploy.hooks import around, keep_steps
from mcc.deploy.material import adopt_steps, adopted_record, material_steps
from mcc.deploy.offline import phases, put_back_steps, stop_steps
from mcc.deploy.pruning import prune_steps
from mcc.deploy.situation import Situation
from mcc.deploy.slot_steps import drain_steps, empty_steps, health_before, start_steps
from mcc.model.build import BuildInfo
from mcc.model.conf import Component
from mcc.model.database import SqliteDatabase, Target
from mcc.model.migration import MigrationPhase
from mcc.model.plan import Phase, Plan, PlannedStep, Step
from mcc.model.release import Release
from mcc.steps.alembic import FurnishRoom, RunAlembic
from mcc.steps.environment import BuildEnvironment, CompileRelease, ProbeModule
from mcc.steps.folders import MakeFolders
from mcc.steps.migrate import MigrateDatabases
from mcc.steps.ownership import KeepOwnership, Own
from mcc.steps.place import PlaceComponent
from mcc.steps.record import RecordLive


def make_plan(s: Situation, wipe: Iterable[PlannedStep] = ()) -> Plan:
    """All steps of a deploy. What can fail comes before the cut-over. ``wipe``: see :mod:`mcc.deploy.reset`."""
    before = (
        *preparing_steps(s),
        *maintenance.begin_steps(s),
        *stop_steps(s, health_before(s)),
        *wipe,
        *_keep_owners(s),
        *rights.database_steps(s),
        *around(s, "back-up", (*back_up_steps(s), *put_back_steps(s))),
        *around(s, "migrate", _migrate(s)),
        *around(s, "own", _own(s)),
        *(around(s, "start", start_steps(s)) if s.slots else ()),
        *around(s, "cut-over", (*cut_over_steps(s), *maintenance.page_steps(s))),
        *(() if s.slots else around(s, "start", restart_steps(s))),
        *maintenance.end_steps(s),
        *around(s, "smoke", (*smoke_steps(s), *stable_steps(s))),
    )  # fmt: skip
    after = (
        *around(s, "record", _record(s)),
        *around(s, "after", (*_migrate_after(s), *drain_steps(s))),
        *around(s, "prune", prune_steps(s, new_release(s))),
    )  # fmt: skip
    return Plan(before, after, s.request.warnings)


def preparing_steps(s: Situation) -> tuple[PlannedStep, ...]:
    """What comes before anything that visitors or databases could notice."""
    place = (*_folders(s), *_place(s), *conf_steps(s), *material_steps(s), *asset_steps(s), *adopt_steps(s))
    return (
        *keep_steps(s),
        *around(s, "place", place),
        *around(s, "venv", _environment(s)),
        *around(s, "probe", _probe(s)),
    )


def _step(phase: Phase, title: str, step: Step, optional: bool = False) -> PlannedStep:
    return PlannedStep(phase, title, step, optional)


def _folders(s: Situation) -> Iterator[PlannedStep]:
    names = [component.folder for component in s.components]
    if s.request.conf.domains and s.databases:
        names.append("domains")
    files = (*(file.target for file in s.request.conf.site_files), *(f"scripts/{name}" for name in s.script_names))
    names += ["logs", *(str(Path(file).parent) for file in files)]
    folders = tuple(s.site.base / name for name in dict.fromkeys(names) if name != ".")
    yield from rights.folder_steps(s)
    yield _step("place", f"folders of {s.site.base}", MakeFolders(folders, rights.folder_mode(s)))
    yield from rights.variables_steps(s)


def _place(s: Situation) -> Iterator[PlannedStep]:
    for component in s.components:
        sources = tuple((s.request.output / source, target) for source, target in component.sources)
        folder = s.release_folder(component)
        shown = ", ".join(f"{source}/" for source, _ in component.sources)
        title = f"{shown} -> {component.folder}/{s.version}"
        yield _step("place", title, PlaceComponent(folder, sources, _environment_link(s, component)))


def _environment_link(s: Situation, component: Component) -> tuple[tuple[str, str], ...]:
    if not (component.environment and s.environment_folder):
        return ()
    return ((".venv", os.path.relpath(s.environment_folder, s.release_folder(component))),)


def _environment(s: Situation) -> Iterator[PlannedStep]:
    component, folder, environment = s.environment_component, s.environment_folder, s.environment
    if not (component and folder and environment):
        return
    conf = s.request.conf.environment
    what = "use" if environment.whole else "build"
    build = BuildEnvironment(
        s.request.output, folder, conf.sync_args, environment.local_packages, environment.made_from,
        reuse=environment.whole,
    )  # fmt: skip
    yield _step("venv", f"{what} venvs/{environment.name}", build)
    compile = CompileRelease(folder / "bin" / "python", (s.release_folder(component),))
    yield _step("venv", "byte-compile the release", compile)


def _probe(s: Situation) -> Iterator[PlannedStep]:
    component, folder, module = s.environment_component, s.environment_folder, s.request.conf.environment.probe
    if component and folder and module:
        step = ProbeModule(folder / "bin" / "python", s.release_folder(component), module)
        yield _step("probe", f"import {module}", step)


def _keep_owners(s: Situation) -> Iterator[PlannedStep]:
    if s.request.conf.ownership.mode == "sudo":
        written = s.databases.written_targets if s.databases else s.pending_targets
        yield _step("migrate", "owners of what is made from here on", _keep_ownership(s, written))


def _migrate(s: Situation) -> Iterator[PlannedStep]:
    if s.databases is not None:
        yield _step("migrate", _databases_title(s.databases, phases(s)), _migration_step(s, s.databases, phases(s)))
    yield from _alembic(s)


def _alembic(s: Situation) -> Iterator[PlannedStep]:
    if s.alembic is None or s.environment_folder is None:
        return
    release = s.release_folder(s.alembic.component)
    links = [
        (link, s.release_folder(component) / inside) for component in s.components for link, inside in component.links
    ]
    room = s.alembic.room(s.site, s.run, release, s.environment_folder, links)
    yield _step("migrate", "a folder for alembic: the site with the new release in it", FurnishRoom(room))
    yield _step("migrate", s.alembic.title, RunAlembic(room, s.alembic.tenants))


def _databases_title(databases: PlannedDatabases, phases: tuple[MigrationPhase, ...]) -> str:
    pending = databases.names_in(phases)
    what = f"{len(pending)} pending" if pending else "nothing pending"
    many = len(databases.targets) != 1
    where = f"{len(databases.targets)} databases" if many else databases.targets[0].name
    server = next((each.found.server for each in databases.databases if each.found.server), "")
    return f"{where}{f' ({server})' if server else ''}: {what}"


def _migration_step(s: Situation, databases: PlannedDatabases, phases: tuple[MigrationPhase, ...]) -> MigrateDatabases:
    release = s.release_folder(databases.component)
    return databases.step(databases.in_release(release), phases, s.site.scratch)


def _migrate_after(s: Situation) -> Iterator[PlannedStep]:
    """Files that the old release could not have lived with."""
    if s.databases is not None and "after" not in phases(s) and s.databases.names_in(("after",)):
        title = _databases_title(s.databases, ("after",))
        yield from empty_steps(s)
        if s.request.conf.ownership.mode == "sudo":
            # The services that were restarted have files open beside their databases again.
            yield _step("after", "owners of what is there by now", _keep_ownership(s, s.pending_targets))
        yield _step("after", title, _migration_step(s, s.databases, ("after",)))
        if s.request.conf.ownership.mode == "sudo":
            yield _step("after", "owners of what was made behind the cut-over", _own_step(s))


def _own(s: Situation) -> Iterator[PlannedStep]:
    if s.request.conf.ownership.mode == "sudo":
        owner = s.request.conf.ownership
        yield _step("own", f"{owner.user}:{owner.group}, group may write", _own_step(s))


def _keep_ownership(s: Situation, written: Iterable[Target]) -> KeepOwnership:
    owner = s.request.conf.ownership
    return KeepOwnership(owned_paths(s), owner.user or "", owner.group or "", files_of(written), _may_be_new(s))


def _own_step(s: Situation) -> Own:
    owner = s.request.conf.ownership
    return Own(owned_paths(s), owner.user or "", owner.group or "", _may_be_new(s))


def _may_be_new(s: Situation) -> tuple[Path, ...]:
    """A project's own step may make ``data/``, for which no right was asked while it was not there."""
    return (s.site.data,) if s.code and s.code.around_steps else ()


def owned_paths(s: Situation) -> tuple[Path, ...]:
    """The fixed paths whose owner a deploy sets; those that are not there are passed over."""
    names = [component.folder for component in s.components]
    if s.request.conf.domains:
        names.append("domains")
    names += ["logs", "data"]
    if _has_single_file(s):
        names.append("data.db")
    return tuple(s.site.base / name for name in dict.fromkeys(names))


def _has_single_file(s: Situation) -> bool:
    return any(target == SqliteDatabase("data.db", s.site.single_database) for target in s.targets)


def new_release(s: Situation) -> Release:
    """What the ledger will say of this release."""
    conf = s.request.conf
    return Release(
        name=s.version,
        state="live",
        at=s.now.isoformat(timespec="seconds"),
        run=s.run,
        stage=s.request.stage.name,
        by=s.by,
        folders=tuple(f"{component.folder}/{s.version}" for component in s.components),
        links=s.links,
        environment=s.environment.name if s.environment else None,
        services=conf.services.all,
        manager=conf.services.manager,
        build=s.request.build or BuildInfo(),
    )


def _record(s: Situation) -> Iterator[PlannedStep]:
    yield from adopted_record(s)
    yield _step("record", f"{s.version} is live", RecordLive(s.site.ledger, new_release(s)))
