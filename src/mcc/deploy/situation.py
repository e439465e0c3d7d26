"""What a deploy finds: the output, the site and the machine, looked at once and not changed."""

from __future__ import annotations

import dataclasses
import hashlib
import os.path
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath

from mcc.core.conf.found_components import found_in
from mcc.core.environment_key import (
    LocalPackage,
    free_name,
    key,
    local_packages,
    may_have_local_packages,
)
from mcc.core.layout import WIPED, Site, version_name
from mcc.core.ledger import Ledger
from mcc.core.maintenance import Maintained
from mcc.core.ownership import WEB_USER
from mcc.core.provisioned import is_ours, recovery_files
from mcc.deploy.adoption import PROJECT, Adoption, look_for_adoption
from mcc.deploy.alembic import PlannedAlembic, plan_alembic
from mcc.deploy.assets import PlannedAssets, plan_assets
from mcc.deploy.databases import PlannedDatabases, plan_databases
from mcc.deploy.request import Request
from mcc.deploy.slots import Slots, look_at_slots
from mcc.errors import SiteError
from mcc.host.environments import is_whole
from mcc.host.ports import Files, Host
from mcc.model.conf import Component
from mcc.model.database import Target
from mcc.model.hooks import ProjectCode
from mcc.model.release import Release
from mcc.runs.databases import site_databases
from mcc.runs.in_use import Running, led_to, running
from mcc.runs.ledger import read_ledger
from mcc.runs.maintenance import maintained
from mcc.runs.standing import irreplaceable
from mcc.steps.variables import read_by_services

_RECORDS_KEPT = 50


@dataclass(frozen=True, slots=True)
class PlannedEnvironment:
    """The environment that the release will have; ``whole``: it is there already."""

    name: str
    whole: bool
    made_from: tuple[tuple[str, str], ...]
    local_packages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that the plan is made from.

    ``leftovers`` are folders that nobody needs: of releases that are gone by the ledger, of older
    tools, of runs that have ended. ``code`` is the project's own Python. ``kept`` is for
    :class:`mcc.runs.work.Prepared`. ``back_to``: the release
    that a rollback brings live again; its output is what was kept of it.
    """

    request: Request
    run: str
    now: datetime
    version: str
    components: tuple[Component, ...]
    ledger: Ledger
    environment: PlannedEnvironment | None
    databases: PlannedDatabases | None
    alembic: PlannedAlembic | None
    environments_present: tuple[str, ...]
    script_names: tuple[str, ...]
    old_records: tuple[Path, ...]
    leftovers: tuple[Path, ...]
    has_crontab: bool
    by: str
    kept: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    recovers_at_boot: bool = False
    adoption: Adoption = field(default_factory=Adoption)
    back_to: Release | None = None
    project_files: tuple[str, ...] = PROJECT
    crontab: bytes = field(default=b"", repr=False)
    maintained: Maintained | None = None
    """The site was in maintenance before."""
    code: ProjectCode | None = None
    """The project's own Python."""
    shares_variables: bool = False
    """Services read ``.env``, which is there, as their own user."""
    resets: bool = False
    """Data is wiped first, so that databases count as empty."""
    every_target: tuple[Target, ...] = ()
    """All databases of the site, for the project's own steps."""
    web_user: str = ""
    """Who nginx runs as, if this machine has that user."""
    led_to: frozenset[str] = frozenset()
    """Where links of the site lead before the run, with all folders above, from the base on."""
    old_confs: tuple[Path, ...] = ()
    """Confs of releases that are gone."""
    running: Running = field(default_factory=Running)
    """Which releases processes may run still."""
    irreplaceable: frozenset[str] = frozenset()
    """Releases whose environments could not be built again."""
    slots: Slots | None = None
    """Of a template unit: which slot is live, and which one is next."""
    assets: tuple[PlannedAssets, ...] = ()
    """Front ends of the output, with what they take over from older ones."""

    @property
    def site(self) -> Site:
        return self.request.site

    def release_folder(self, component: Component) -> Path:
        """Where a component's new version will be."""
        return self.site.base / component.folder / self.version

    @property
    def links(self) -> tuple[tuple[str, str], ...]:
        """The links of the site, and where they will lead."""
        if self.back_to is not None:
            return self.back_to.links
        return tuple(
            (link, os.path.normpath(f"{component.folder}/{self.version}/{inside}"))
            for component in self.components
            for link, inside in component.links
        )

    @property
    def switched(self) -> frozenset[str]:
        """The links that this run leads to its release."""
        return frozenset(link for link, _ in self.links) | ({self.site.environment.name} if self.environment else set())

    @property
    def environment_component(self) -> Component | None:
        return next((component for component in self.components if component.environment), None)

    @property
    def environment_folder(self) -> Path | None:
        return self.site.environments / self.environment.name if self.environment else None

    @property
    def targets(self) -> tuple[Target, ...]:
        """The databases that the release's migrations belong to."""
        planned = self.databases or self.alembic
        return planned.targets if planned else ()

    @property
    def pending_targets(self) -> tuple[Target, ...]:
        """Those that are there and that migrations will change: what a copy is taken of."""
        planned = self.databases or self.alembic
        return planned.pending_targets if planned else ()

    @property
    def known(self) -> Ledger:
        """The ledger, with what a script or a person has made live since."""
        adopted = self.adoption.release
        return self.ledger.with_live(adopted) if adopted else self.ledger

    @property
    def first(self) -> bool:
        """Whether nothing is live yet."""
        return self.ledger.live is None


def look(request: Request, host: Host, run: str, tool: str, resets: bool = False) -> Situation:
    """Look at everything; nothing is changed. ``tool`` is the version of mcc that runs. Raises Refused."""
    components = components_of(request, host.files)
    python = has_python(request, host.files)
    ledger = read_ledger(host.files, request.site)
    found = site_databases(request.conf, request.site, host, run)
    alembic = plan_alembic(request, found, components, run, resets)
    present = environments_of(host.files, request.site)
    now = host.clock.now()
    situation = Situation(
        request=request,
        run=run,
        now=now,
        version=version_name(now, _taken(host.files, request.site, components, ledger)),
        components=components,
        ledger=ledger,
        environment=planned_environment(request, host, present) if python else None,
        databases=plan_databases(request, found, components, blank=resets),
        alembic=alembic,
        kept=alembic.kept if alembic else found.kept,
        every_target=found.targets,
        environments_present=present,
        script_names=_scripts(host.files, request.output / "scripts"),
        old_records=_old_records(host.files, request.site),
        old_confs=tuple(_old_confs(host.files, request.site, ledger)),
        leftovers=tuple(_leftovers(host.files, request.site, ledger, tool)),
        by=host.machine.user(),
        web_user=WEB_USER if host.rights.knows(WEB_USER) else "",
        has_crontab=host.crontab.available(),
        adoption=look_for_adoption(
            host.files,
            request.site,
            ledger,
            components,
            request.conf.site_files,
            now,
            run,
            request.stage.name,
            exchanges=python,
        ),
        crontab=host.crontab.read() if host.crontab.available() else b"",
        recovers_at_boot=recovers_at_boot(host.files, request.site),
        maintained=maintained(request.site, host.files),
        shares_variables=shares_variables(request.site, host.files),
        resets=resets,
        code=host.hooks.read(request.output),
        slots=look_at_slots(request.conf, request.site, host, components),
    )
    return dataclasses.replace(
        situation,
        led_to=led_to(host.files, request.site, ledger, ()),
        running=running(host, request.conf.services, situation.known),
        irreplaceable=irreplaceable(host.files, request.site, ledger),
        assets=plan_assets(request, host.files, components, situation.known, python),
    )


def recovers_at_boot(files: Files, site: Site) -> bool:
    """Whether root's unit does what else a line of the crontab is for: it is there, ours, and enabled."""
    unit, link = recovery_files(site.base)
    if files.kind(unit) != "file" or files.kind(link) != "link":
        return False
    return is_ours(files.read(unit), site.base)


def shares_variables(site: Site, files: Files) -> bool:
    return files.kind(site.variables) == "file" and read_by_services(files, site.base)


def components_of(request: Request, files: Files) -> tuple[Component, ...]:
    """The components that the conf names, or that are found in the output."""
    output = request.output
    return request.conf.components or found_in(
        [name for name in files.names(output) if files.kind(output / name) == "folder"]
    )


def _scripts(files: Files, folder: Path) -> tuple[str, ...]:
    if files.kind(folder) != "folder":
        return ()
    return tuple(entry.path for entry in files.walk(folder, skip=("__pycache__",)) if entry.kind == "file")


def _old_records(files: Files, site: Site) -> tuple[Path, ...]:
    # Names begin with the time of the run.
    return tuple(site.runs / name for name in files.names(site.runs)[:-_RECORDS_KEPT])


def _old_confs(files: Files, site: Site, ledger: Ledger) -> Iterator[Path]:
    """Of releases that are gone: an earlier clean-up did not come that far."""
    gone = (release.name for release in ledger.releases if release.state in ("failed", "pruned"))
    yield from (path for path in map(site.conf, gone) if files.kind(path) == "file")


def _leftovers(files: Files, site: Site, ledger: Ledger, tool: str) -> Iterator[Path]:
    used = {site.base / path for path in led_to(files, site, ledger, ())}
    for release in ledger.releases:
        if release.state in ("failed", "pruned"):
            # Its folders went, or something in them could not be removed then.
            places = (*(site.base / name for name in release.folders), site.material(release.name))
            yield from (place for place in places if files.kind(place) == "folder" and place not in used)
    yield from _old_tools(files, site, tool)
    needed = {release.name for release in ledger.standing()}
    yield from (site.hooks(name) for name in files.names(site.all_hooks) if name not in needed)
    for name in files.names(site.journals):
        if name.endswith(".kept") and files.kind(site.journal(name.removesuffix(".kept"))) == "absent":
            yield site.journals / name
    yield from (site.asides / name for name in files.names(site.asides) if name.endswith(WIPED))


def _old_tools(files: Files, site: Site, tool: str) -> Iterator[Path]:
    """All but the one that runs, and the one that cron has used so far: it may be running."""
    used = files.read_link(site.tool_command) if files.kind(site.tool_command) == "link" else ""
    needed = {tool, PurePosixPath(used).parent.name}
    for name in files.names(site.tools):
        if name not in needed and files.kind(site.tools / name) == "folder":
            yield site.tools / name


def has_python(request: Request, files: Files) -> bool:
    """Whether the output brings an environment: ``pyproject.toml`` with its lock."""
    return files.kind(request.output / "pyproject.toml") == "file" and (
        files.kind(request.output / "uv.lock") == "file"
    )


def _taken(files: Files, site: Site, components: tuple[Component, ...], ledger: Ledger) -> set[str]:
    names = {release.name for release in ledger.releases}
    for component in components:
        names.update(files.names(site.base / component.folder))
    return {name.removeprefix(".placing-") for name in names}


def environments_of(files: Files, site: Site) -> tuple[str, ...]:
    """The names of the environments that are there."""
    names = files.names(site.environments)
    return tuple(name for name in names if files.kind(site.environments / name) == "folder")


def planned_environment(request: Request, host: Host, present: tuple[str, ...]) -> PlannedEnvironment:
    """The environment of the output's lock file: one that is there and unchanged, or one that has to be built."""
    lock = host.files.read(request.output / "uv.lock")
    made_from, local = _made_from(request, host, lock)
    site = request.site
    wanted = key(made_from)
    altered = [
        name for name in present
        if name.startswith(wanted) and not is_whole(host.files, site.environments / name)
    ]  # fmt: skip
    name = free_name(wanted, altered)
    whole = name in present
    if not whole:
        _locals(request, lock)  # is it in order? One that an environment was made from is
    return PlannedEnvironment(name, whole, tuple(sorted(made_from.items())), local)


def _made_from(request: Request, host: Host, lock: bytes) -> tuple[dict[str, str], tuple[str, ...]]:
    interpreter = host.uv.interpreter(request.output)
    local = _locals(request, lock) if may_have_local_packages(lock) else ()
    made_from = {
        "uv.lock": _hash(lock),
        "pyproject.toml": _hash(host.files.read(request.output / "pyproject.toml")),
        "interpreter": interpreter.path,
        "version": interpreter.version,
        "platform": interpreter.platform,
        "arguments": " ".join(request.conf.environment.sync_args),
    }
    for package in local:
        made_from[f"package {package.name}"] = _content(host.files, request.output / package.folder)
    return made_from, tuple(package.name for package in local)


def _locals(request: Request, lock: bytes) -> tuple[LocalPackage, ...]:
    try:
        packages = local_packages(lock.decode())
    except ValueError as error:
        raise SiteError(f"{request.output / 'uv.lock'}: not a lock file: {error}", help="run uv lock") from error
    for package in packages:
        inside = os.path.normpath(package.folder)
        if inside.startswith("..") or PurePosixPath(inside).is_absolute():
            raise SiteError(
                f"uv.lock: the package {package.name} comes from {package.folder}, outside the output folder",
                help="copy it into the output when building; a deploy reads nothing else",
            )
    return packages


# What changes with every build and is no part of a package.
_NOT_CONTENT = (".venv", "__pycache__", ".git", "build_info.yml", "ui")


def _content(files: Files, folder: Path) -> str:
    total = hashlib.sha256()
    for entry in files.walk(folder, skip=_NOT_CONTENT):
        total.update(f"{entry.path}\0{entry.kind}\0{entry.target}\0".encode())
        if entry.kind == "file":
            total.update(hashlib.sha256(files.read(folder / entry.path)).digest())
    return total.hexdigest()


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
