"""The databases of a release: which there are, what they have had, what they will get."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from mcc.core.hazards.find import hazards
from mcc.core.migrating.state import Standing, refusals, some, stand, warnings
from mcc.core.nearest import did_you_mean
from mcc.core.sql.postgres import invalid_indexes
from mcc.core.wording import all_of
from mcc.deploy.request import Request
from mcc.deploy.table_rows import table_rows
from mcc.errors import ConfigError, MigrationFailed, SiteError, UsageError
from mcc.host.migration_files import Sources, read_sources
from mcc.host.ports import Files, Host, migrator
from mcc.model.conf import Component
from mcc.model.database import Found, How, Target, Tracking
from mcc.model.migration import Migration, MigrationPhase
from mcc.model.problem import Problem
from mcc.runs.databases import SiteDatabases
from mcc.steps.migrate import MigrateDatabases


@dataclass(frozen=True, slots=True)
class PlannedDatabase:
    """One database, what was found in it, and how it stands beside the files."""

    target: Target
    found: Found
    standing: Standing

    @property
    def pending(self) -> tuple[Migration, ...]:
        """The files that it will get, in order."""
        return self.standing.pending


@dataclass(frozen=True, slots=True)
class PlannedDatabases:
    """The databases that the release's migrations belong to.

    ``folder``, ``schema`` and ``always`` are relative to the release; ``in_output`` is where the files are
    now. ``strays`` are databases of domains that the conf does not name. ``rows``: about how many the
    tables have that pending files change.
    """

    component: Component
    folder: str
    migrations: tuple[Migration, ...]
    databases: tuple[PlannedDatabase, ...]
    how: How
    in_output: Sources
    schema: str | None = None
    always: str | None = None
    strays: tuple[str, ...] = ()
    rows: Mapping[str, int] = field(default_factory=dict)

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
    def written_targets(self) -> tuple[Target, ...]:
        """Databases that are there and that a run writes, if only for ``ALWAYS_SQL``."""
        return tuple(each.target for each in self.databases if each.found.exists and (each.pending or self.always))

    @property
    def unseen(self) -> bool:
        """Whether a database may change without a row that says so: by a part of a file without a transaction."""
        return any(not file.transaction for each in self.databases for file in each.pending)

    @property
    def pending_names(self) -> tuple[str, ...]:
        """The names of the files that run on some database, each once, in order."""
        return self.names_in(("before", "after"))

    def names_in(self, phases: tuple[MigrationPhase, ...]) -> tuple[str, ...]:
        """The same of those that run in these phases; a new database gets all of them before the cut-over."""
        names = {
            migration.name
            for each in self.databases
            for migration in each.pending
            if ("before" if each.found.new else migration.phase) in phases
        }
        return tuple(each.name for each in self.migrations if each.role == "migration" and each.name in names)

    @property
    def standings(self) -> dict[str, Standing]:
        """How each database stands, by its name."""
        return {each.target.name: each.standing for each in self.databases}

    def refuse(self, command: str, late_allowed: Iterable[str] = ()) -> None:
        """Raise ConfigError with all reasons why nothing may run; ``command`` leads out of some of them."""
        files = (problem for each in self.databases for file in each.pending for problem in file.problems)
        beside = (problem for each in self.migrations if each.role != "migration" for problem in each.problems)
        standing = refusals(self.standings, late_allowed, command)
        problems = tuple(dict.fromkeys((*files, *beside, *standing, *self._invalid_indexes())))
        if problems:
            raise ConfigError(problems)

    def _invalid_indexes(self) -> Iterator[Problem]:
        for each in self.databases:
            if each.pending and each.found.invalid:
                yield Problem(each.target.name, 0, "", *invalid_indexes(each.found.invalid))

    def warnings(self, offline: bool = False) -> tuple[str, ...]:
        """What a person should know before it runs; ``offline``: nothing serves meanwhile."""
        return (*map(str, self.hazards(offline)), *warnings(self.standings), *self._left_alone())

    def hazards(self, offline: bool = False) -> tuple[Problem, ...]:
        """Statements that are right and may hurt all the same. A new database has nothing to hurt."""
        ways = {id(each.pending): each.pending for each in self.databases if not each.found.new}
        dialect = self.in_output.dialect
        found = (hazards(files, dialect, self.rows, offline=offline) for files in ways.values())
        return tuple(dict.fromkeys(problem for problems in found for problem in problems))

    def _left_alone(self) -> Iterator[str]:
        if self.strays:
            count = f"{len(self.strays)} database{'' if len(self.strays) == 1 else 's'}"
            yield f"{count} of domains that the conf does not name, left alone: {some(self.strays, 0)}"

    def step(self, sources: Sources, phases: tuple[MigrationPhase, ...], scratch: Path) -> MigrateDatabases:
        """The step that brings them forward."""
        how = dataclasses.replace(self.how, phases=phases)
        files = (sources.schema, sources.always, sources.dialect)
        return MigrateDatabases(sources.migrations, self.targets, how, *files, scratch)

    def in_release(self, release: Path) -> Sources:
        """Where the files are when the release is in place."""
        schema, always = (release / name if name else None for name in (self.schema, self.always))
        return Sources(release / self.folder, schema, always, self.in_output.dialect)


def plan_databases(
    request: Request, site: SiteDatabases, components: Sequence[Component], only: Iterable[str] = (),
    blank: bool = False,
) -> PlannedDatabases | None:  # fmt: skip
    """Look at all databases of the conf; None if the release brings no files of SQL for them.

    ``only``: names of databases, if not all; ``blank``: see :func:`look_in`.
    Nothing that is found raises: see ``PlannedDatabases.refuse``.
    Raises SiteError for a conf that does not fit the output.
    """
    component = next((component for component in components if component.environment), None)
    host, database = site.host, request.conf.database
    if component is None or database.kind == "none" or database.tool == "alembic":
        return None
    source = migrations_source(request, component)
    if source is not None and host.files.kind(source[1]) == "link" and not is_alembic(host.files, source[1]):
        raise SiteError(
            f"{source[1]} is a symbolic link: the release would have no files of migrations, or others",
            help="put the folder itself into the output when building",
        )
    if source is None or host.files.kind(source[1]) != "folder":
        return None
    if database.tool is None and is_alembic(host.files, source[1]):
        return None  # see plan_alembic; or the checks ask for the line that is missing
    schema, always = (_beside(request, component, name, host.files) for name in ("schema_sql", "always_sql"))
    chosen = _chosen(site.targets, set(only), request)
    sources = Sources(source[1], schema, always, chosen[0].kind if chosen else "sqlite")
    migrations = read_sources(host.files, sources, request.output)
    how = How(database.tracking)
    planned = _look(host, chosen, migrations, how, blank)
    waiting = ((each.target, each.pending) for each in planned if each.pending and not each.found.new)
    return PlannedDatabases(
        component, source[0], migrations, planned, how, sources, database.schema_sql, database.always_sql,
        tuple(_strays(request, host.files)), table_rows(host, waiting, sources.dialect),
    )  # fmt: skip


def look_in(host: Host, target: Target, tracking: Tracking, blank: bool = False) -> Found:
    """What a database has had. ``blank``: it will have been emptied by then, whatever is in it now.

    Raises MigrationFailed; of a file that will be gone nothing is asked.
    """
    if blank and target.kind == "sqlite":
        return Found(False)
    found = migrator(host, target).look(target, tracking)
    return Found(False, server=found.server) if blank else found


def _look(
    host: Host, chosen: tuple[Target, ...], migrations: tuple[Migration, ...], how: How, blank: bool
) -> tuple[PlannedDatabase, ...]:
    """Tenants mostly stand alike: what was judged for one is taken for the next.

    Raises MigrationFailed with all files that cannot be read; of a server's schemas the first says it for all.
    """
    known: dict[tuple[bool, int], Standing] = {}
    planned: list[PlannedDatabase] = []
    failed: list[MigrationFailed] = []
    for target in chosen:
        try:
            found = look_in(host, target, how.tracking, blank)
        except MigrationFailed as error:
            failed.append(error)
            if target.kind == "sqlite":
                continue
            break
        like = (found.filled, id(found.applied))  # the very tuple: see applied_from
        if like not in known:
            known[like] = stand(migrations, found, how)
        planned.append(PlannedDatabase(target, found, known[like]))
    if len(failed) > 1:
        raise all_of(failed, len(chosen), "read")
    if failed:
        raise failed[0]
    return tuple(planned)


def _chosen(found: tuple[Target, ...], only: set[str], request: Request) -> tuple[Target, ...]:
    unknown = only - {target.name for target in found}
    for name in sorted(unknown):
        hint = did_you_mean(name, [target.name for target in found])
        raise UsageError(f"{request.conf.path.name} knows no database {name!r}", help=hint)
    return tuple(target for target in found if not only or target.name in only)


def _strays(request: Request, files: Files) -> Iterator[str]:
    site, domains = request.site, set(request.conf.domains)
    for name in files.names(site.domains) if domains and request.conf.database.kind != "postgresql" else ():
        if name not in domains and files.kind(site.database(name)) == "file":
            yield name


def migrations_source(request: Request, component: Component) -> tuple[str, Path] | None:
    """The migrations' folder in the release, and where the output has it."""
    conf = request.conf
    folder = conf.database.migrations_dir
    if folder is None:
        folder = "shared/db/scripts/migrations" if conf.domains else "migrations"
    found = place_in_output(request, component, folder)
    return (folder, found) if found else None


def place_in_output(request: Request, component: Component, path: str) -> Path | None:
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
    path = place_in_output(request, component, name)
    if path is None or files.kind(path) != "file":
        raise SiteError(
            f"{request.conf.path.name}: {key.upper()}: {name} is not in the output",
            help="give its path in the release, from its top on (shared/db/schema.sql)",
        )
    return path


def is_alembic(files: Files, folder: Path) -> bool:
    """Whether a folder of migrations is alembic's."""
    return bool({"env.py", "script.py.mako", "versions"} & set(files.names(folder)))
