"""The databases of a release: which there are, what they have had, what they will get."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mcc.core.databases import targets
from mcc.core.migration_work import waiting
from mcc.core.migrations import refuse
from mcc.core.sql_words import Dialect
from mcc.deploy.request import Request
from mcc.errors import SiteError
from mcc.host.migration_files import Sources, read_sources
from mcc.host.ports import Files, Host, migrator
from mcc.model.conf import Component
from mcc.model.database import Found, How, Target
from mcc.model.migration import Migration, MigrationPhase


@dataclass(frozen=True, slots=True)
class PlannedDatabase:
    """One database, what was found in it, and what it will get, in order."""

    target: Target
    found: Found
    pending: tuple[Migration, ...]


@dataclass(frozen=True, slots=True)
class PlannedDatabases:
    """The databases that the release's migrations belong to.

    ``folder``, ``schema`` and ``always`` are relative to the release. ``warnings`` are for the reader.
    """

    component: Component
    folder: str
    migrations: tuple[Migration, ...]
    databases: tuple[PlannedDatabase, ...]
    how: How
    schema: str | None = None
    always: str | None = None
    warnings: tuple[str, ...] = ()

    def sources(self, release: Path) -> Sources:
        """The files of SQL in a release."""
        schema, always = (release / name if name else None for name in (self.schema, self.always))
        return Sources(release / self.folder, schema, always, _dialect(self.targets))

    @property
    def targets(self) -> tuple[Target, ...]:
        """All databases, in the order of the conf."""
        return tuple(each.target for each in self.databases)

    @property
    def pending_targets(self) -> tuple[Target, ...]:
        """Databases that are there and that migrations will change: what a copy is taken of.

        ``ALWAYS_SQL`` alone does not count, and a database that is not there yet has nothing to lose.
        """
        return tuple(each.target for each in self.databases if each.pending and each.found.exists)

    @property
    def pending_names(self) -> tuple[str, ...]:
        """The names of the files that run on some database, each once, in order."""
        names = {migration.name for each in self.databases for migration in each.pending}
        return tuple(migration.name for migration in self.migrations if migration.name in names)

    def has_pending(self, phase: MigrationPhase) -> bool:
        """Whether a file of that phase will run; a new database gets all of them before the cut-over."""
        if phase == "before":
            return any(each.found.new or _of(each, phase) for each in self.databases if each.pending)
        return any(not each.found.new and _of(each, phase) for each in self.databases)


def _of(each: PlannedDatabase, phase: MigrationPhase) -> bool:
    return any(migration.phase == phase for migration in each.pending)


def plan_databases(request: Request, host: Host, components: Sequence[Component]) -> PlannedDatabases | None:
    """Look at all databases of the conf; None if the release brings no files of SQL for them.

    Raises ConfigError for files that cannot run, SiteError for databases that must not be touched.
    """
    component = next((component for component in components if component.environment), None)
    database = request.conf.database
    if component is None or database.kind == "none" or database.tool == "alembic":
        return None
    source = migrations_source(request, component)
    if source is None or host.files.kind(source[1]) != "folder":
        return None
    if database.kind is None and is_alembic(host.files, source[1]):
        return None  # the checks ask for the line that is missing
    schema, always = (_beside(request, component, name, host.files) for name in ("schema_sql", "always_sql"))
    found = _targets(request, host)
    sources = Sources(source[1], schema, always, _dialect(found))
    migrations = read_sources(host.files, sources, request.output)
    how = How(database.tracking)
    databases = _look(host, found, migrations, how)
    return PlannedDatabases(
        component, source[0], migrations, databases, how, database.schema_sql, database.always_sql
    )  # fmt: skip


def _look(
    host: Host, targets: tuple[Target, ...], migrations: tuple[Migration, ...], how: How
) -> tuple[PlannedDatabase, ...]:
    planned = []
    for target in targets:
        found = migrator(host, target).look(target, how.tracking)
        planned.append(PlannedDatabase(target, found, waiting(migrations, found, how)))
    refuse(migration for each in planned for migration in each.pending)
    return tuple(planned)


def _dialect(targets: Sequence[Target]) -> Dialect:
    return targets[0].kind if targets else "sqlite"


def _targets(request: Request, host: Host) -> tuple[Target, ...]:
    url = host.machine.variable("DATABASE_URL")
    try:
        return targets(request.conf, request.site, {"DATABASE_URL": url} if url else {})
    except ValueError as error:
        raise SiteError(f"{request.conf.path.name}: {error}") from error


def migrations_source(request: Request, component: Component) -> tuple[str, Path] | None:
    """The migrations' folder in the release, and where the output has it."""
    conf = request.conf
    folder = conf.database.migrations_dir
    if folder is None:
        folder = "shared/db/scripts/migrations" if conf.domains else "migrations"
    found = _in_output(request, component, folder)
    return (folder, found) if found else None


def _in_output(request: Request, component: Component, path: str) -> Path | None:
    """Where the output has what will be at that path of the release."""
    wanted = PurePosixPath(path)
    for source, target in component.sources:
        inside = PurePosixPath(target)
        if inside == PurePosixPath() or inside in (wanted, *wanted.parents):
            return request.output / source / wanted.relative_to(inside)
    return None


def _beside(request: Request, component: Component, key: str, files: Files) -> Path | None:
    """The file of SCHEMA_SQL or ALWAYS_SQL. Raises SiteError if it is not in the output."""
    name: str | None = getattr(request.conf.database, key)
    if name is None:
        return None
    path = _in_output(request, component, name)
    if path is None or files.kind(path) != "file":
        raise SiteError(
            f"{request.conf.path.name}: {key.upper()}: {name} is not in the output",
            help="give its path in the release, from its top on (shared/db/schema.sql)",
        )
    return path


def is_alembic(files: Files, folder: Path) -> bool:
    """Whether a folder of migrations is alembic's."""
    return bool({"env.py", "script.py.mako", "versions"} & set(files.names(folder)))
