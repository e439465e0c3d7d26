"""The databases of a release whose migrations are alembic's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from mcc.core.databases import password, url_of
from mcc.core.layout import Site
from mcc.core.migrating.alembic_versions import Versions, read_versions, script_location
from mcc.deploy.databases import is_alembic, look_in, migrations_source, place_in_output
from mcc.deploy.request import Request
from mcc.errors import Refused, SiteError
from mcc.host.alembic import INI, Room, Tenant
from mcc.host.ports import Files
from mcc.model.conf import Component
from mcc.model.database import ALEMBIC, Found, Target
from mcc.runs.databases import SiteDatabases

_URL_FILE = "database-url"
_HERE = "%(here)s/"


@dataclass(frozen=True, slots=True)
class PlannedAlembic:
    """``versions`` None: what is pending is only known when alembic runs, in the release's environment.

    ``configuration``: files of the output that the site will have, by their names there. ``kept`` is for
    :class:`mcc.runs.work.Prepared`.
    """

    component: Component
    targets: tuple[Target, ...]
    found: tuple[Found, ...]
    tenants: tuple[Tenant, ...]
    configuration: tuple[tuple[str, Path], ...]
    versions: Versions | None
    kept: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def pending_targets(self) -> tuple[Target, ...]:
        """Databases that are there and that will change, or may."""
        return tuple(
            target for target, found in zip(self.targets, self.found, strict=True)
            if found.exists and (self.versions is None or self.versions.pending(found.names))
        )  # fmt: skip

    @property
    def title(self) -> str:
        """For the plan."""
        where = f"{len(self.targets)} databases" if len(self.targets) != 1 else self.targets[0].name
        server = next((f" ({found.server})" for found in self.found if found.server), "")
        return f"{where}{server}: alembic upgrade head, {self._pending()}"

    def _pending(self) -> str:
        if self.versions is None:
            return "what is pending shows when it runs"
        pending = {name for found in self.found for name in self.versions.pending(found.names)}
        return f"{len(pending)} pending" if pending else "nothing pending"

    def refusals(self) -> Iterator[Refused]:
        """Why nothing may run."""
        if self.versions is None:
            return
        if len(self.versions.heads) > 1:
            heads = ", ".join(self.versions.heads)
            yield SiteError(f"alembic has more than one head: {heads}", help="join them: alembic merge heads")
        for target, found in zip(self.targets, self.found, strict=True):
            unknown = self.versions.unknown(found.names)
            if unknown:
                yield SiteError(
                    f"{target.name} is at alembic's revision {', '.join(unknown)}, which this release does not have",
                    help="deploy a release that has it; or bring the database back with the release that made it",
                )

    def room(self, site: Site, run: str, release: Path, environment: Path, links: Sequence[tuple[str, Path]]) -> Room:
        """Where alembic will run."""
        return Room(site.kept(run) / "alembic", site.base, release, environment, tuple(links), self.configuration)


def uses_alembic(request: Request, component: Component | None, files: Files) -> bool:
    """Whether the conf says so, or says which database it is and the release's migrations are alembic's."""
    database = request.conf.database
    if component is None or database.kind in (None, "none"):
        return False
    if database.tool is not None:
        return database.tool == "alembic"
    source = migrations_source(request, component)
    if source is not None and files.kind(source[1]) == "folder":
        return is_alembic(files, source[1])
    return database.kind == "postgresql" and _ini(request, files) is not None


def plan_alembic(
    request: Request, site: SiteDatabases, components: Sequence[Component], run: str, blank: bool = False
) -> PlannedAlembic | None:
    """Look at all databases; None if the migrations are not alembic's. ``blank``: they will have been emptied.

    Raises SiteError for a project that alembic cannot work in, MigrationFailed for a database that does not answer.
    """
    component = next((component for component in components if component.environment), None)
    files = site.host.files
    if component is None or not uses_alembic(request, component, files):
        return None
    ini = _ini(request, files)
    pyproject = _read(files, request.output / "pyproject.toml")
    location = script_location(_read(files, ini) if ini else None, pyproject)
    if ini is None and location is None:
        raise SiteError(
            f"alembic: there is no {INI} in {request.output} and none in {request.site.base}",
            help=f"put {INI} into the output when building, or say [tool.alembic] in pyproject.toml",
        )
    tracking = request.conf.database.tracking
    table = ALEMBIC if tracking.is_own else tracking  # env.py may have a version_table of its own
    found = tuple(look_in(site.host, target, table, blank) for target in site.targets)
    tenants, kept = _tenants(request, site, run)
    versions = _versions(request, component, components, files, location)
    configuration = tuple(_configuration(request, ini, files))
    return PlannedAlembic(component, site.targets, found, tenants, configuration, versions, {**site.kept, **kept})


def _ini(request: Request, files: Files) -> Path | None:
    """In the output, under the name that a site file has there too; else the site's."""
    placed = [request.output / file.source for file in request.conf.site_files if file.target == INI]
    places = (*placed, request.output / INI, request.site.base / INI)
    return next((path for path in places if files.kind(path) == "file"), None)


def _configuration(request: Request, ini: Path | None, files: Files) -> Iterator[tuple[str, Path]]:
    """What stands at the top of the site when the release is live, and is not yet there."""
    single = {file.target: request.output / file.source for file in request.conf.site_files if "/" not in file.target}
    single |= {name: request.output / name for name in ("pyproject.toml", "uv.lock")}
    yield from ((name, path) for name, path in single.items() if name != INI and files.kind(path) == "file")
    if ini is not None:
        yield INI, ini


def _read(files: Files, path: Path) -> bytes | None:
    return files.read(path) if files.kind(path) == "file" else None


def _tenants(request: Request, site: SiteDatabases, run: str) -> tuple[tuple[Tenant, ...], dict[str, bytes]]:
    database = request.conf.database
    if database.kind == "postgresql":
        file = request.site.kept(run) / _URL_FILE
        made = [
            Tenant(target.name, "", file, target.password_file, None, _schema_variables(target.schema))
            for target in site.targets if target.kind == "postgresql"
        ]  # fmt: skip
        base = next(target for target in site.targets if target.kind == "postgresql")
        return tuple(made), {_URL_FILE: (database.url or url_of(base, password(database, {}))).encode()}
    files = [target for target in site.targets if target.kind == "sqlite"]
    if database.url and not request.conf.domains:
        file = request.site.kept(run) / _URL_FILE  # an encrypted one has its key in it
        return tuple(Tenant(each.name, "", file, None, each.path) for each in files), {_URL_FILE: database.url.encode()}
    return tuple(Tenant(each.name, f"sqlite:///{each.path}", None, None, each.path) for each in files), {}


def _schema_variables(schema: str | None) -> tuple[tuple[str, str], ...]:
    """libpq takes the search path from here (https://www.postgresql.org/docs/current/libpq-envars.html)."""
    if schema is None:
        return ()
    quoted = '"' + schema.replace('"', '""') + '"'
    escaped = quoted.replace("\\", "\\\\").replace(" ", "\\ ")
    return (("DATABASE_SCHEMA", schema), ("PGOPTIONS", f"-csearch_path={escaped}"))


def _versions(
    request: Request, component: Component, components: Sequence[Component], files: Files, location: str | None
) -> Versions | None:
    """The revisions of the output, where they can be told without running alembic."""
    if location is None or PurePosixPath(location).is_absolute():
        return None
    wanted = PurePosixPath(location.removeprefix(_HERE))
    for each in components:
        for link, inside in each.links:
            if wanted.parts[:1] == (link,):
                component, wanted = each, PurePosixPath(inside, *wanted.parts[1:])
    folder = place_in_output(request, component, str(wanted / "versions"))
    if folder is None or files.kind(folder) != "folder":
        return None
    names = [name for name in files.names(folder) if name.endswith(".py")]
    return read_versions({name: files.read(folder / name) for name in names})
