"""How far the databases are ahead of a release that is gone back to, and which copies are from its time."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mcc.core.backups import root_of
from mcc.core.ledger import Ledger
from mcc.core.migrating.alembic_versions import Versions, read_versions, script_location
from mcc.core.wording import many
from mcc.deploy.databases import plan_databases
from mcc.deploy.request import Request
from mcc.errors import MccError
from mcc.host.alembic import INI
from mcc.host.copies.sets import sets_of
from mcc.host.ports import Files, Host, migrator
from mcc.model.conf import Component
from mcc.model.database import ALEMBIC
from mcc.runs.databases import SiteDatabases, site_databases

_HERE = "%(here)s/"


@dataclass(frozen=True, slots=True)
class Ahead:
    """``words`` for the last line of a run, ``todo`` for a person who finds that the code cannot live with it."""

    words: str = "as before"
    todo: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Rows:
    """What databases have had and the release does not know, and the other way round; ``revisions``: alembic's."""

    gone: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    revisions: bool = False


def databases_ahead(request: Request, folder: Path, name: str, ledger: Ledger, host: Host, run: str) -> Ahead:
    """Compare what the databases have had with the files of a release in ``folder``; they stay as they are.

    The output of ``request`` is what was kept of the release.
    """
    try:
        rows = _rows(request, folder, host, run)
    except (MccError, OSError) as error:
        text = error.message if isinstance(error, MccError) else str(error)
        return Ahead("as they are", "", (f"what the databases have had is not known: {text}",))
    if rows is None:
        return Ahead("as they are", "", (f"whether alembic's revisions are ahead of {name} is not known",))
    pending = _some(rows.pending)
    warnings = (f"{name} has migrations that not all databases have had: {pending}",) if rows.pending else ()
    if not rows.gone:
        return Ahead(warnings=warnings)
    words = f"{many(len(rows.gone), 'migration')} ahead of {name}: {_some(rows.gone)}"
    if rows.revisions:
        words = f"at alembic's revision {_some(rows.gone)}, which {name} does not know"
    return Ahead(words, _way_back(request, name, ledger, host), warnings)


def _rows(request: Request, folder: Path, host: Host, run: str) -> _Rows | None:
    """None: only alembic itself would know."""
    site = site_databases(request.conf, request.site, host, run)
    location = _location(request, host.files)
    if request.conf.database.tool == "alembic" or (request.conf.database.tool is None and location):
        versions = _versions(folder, location, host.files)
        return _revisions(versions, request, site) if versions else None
    return _files(request, folder, site)


def _files(request: Request, folder: Path, site: SiteDatabases) -> _Rows:
    here = Request(folder, request.stage, request.conf, request.build, request.keep)
    component = Component("release", "release", ((".", "."),), (), environment=True)
    planned = plan_databases(here, site, [component])
    if planned is None:
        return _Rows(_all_rows(request, site))  # the release knows of no migration
    standings = [each.standing for each in planned.databases if each.found.exists]
    gone = {row for standing in standings for row in standing.gone}
    pending = {file.name for standing in standings for file in standing.pending}
    return _Rows(tuple(sorted(gone)), tuple(sorted(pending)))


def _all_rows(request: Request, site: SiteDatabases) -> tuple[str, ...]:
    tracking = request.conf.database.tracking
    found = [migrator(site.host, target).look(target, tracking) for target in site.targets]
    return tuple(sorted({row.name for each in found if each.exists for row in each.applied}))


def _location(request: Request, files: Files) -> str | None:
    """Where alembic's files are, by the release's own configuration."""
    places = (request.output / INI, request.site.base / INI)
    ini = next((files.read(path) for path in places if files.kind(path) == "file"), None)
    project = request.output / "pyproject.toml"
    return script_location(ini, files.read(project) if files.kind(project) == "file" else None)


def _versions(folder: Path, location: str | None, files: Files) -> Versions | None:
    """The release's revisions, where they can be told without running alembic."""
    wanted = PurePosixPath((location or "/").removeprefix(_HERE))
    if wanted.is_absolute():
        return None
    inside = PurePosixPath(*wanted.parts[1:]) if wanted.parts[:1] == ("current-api",) else wanted
    place = folder / inside / "versions"
    if files.kind(place) != "folder":
        return None
    return read_versions({name: files.read(place / name) for name in files.names(place) if name.endswith(".py")})


def _revisions(versions: Versions, request: Request, site: SiteDatabases) -> _Rows:
    tracking = request.conf.database.tracking
    table = ALEMBIC if tracking.is_own else tracking
    found = [migrator(site.host, target).look(target, table) for target in site.targets]
    each = [one.names for one in found if one.exists]
    gone = {revision for names in each for revision in versions.unknown(names)}
    late = {revision for names in each for revision in versions.pending(names)} if not gone else set()
    return _Rows(tuple(sorted(gone)), tuple(sorted(late)), revisions=True)


def _way_back(request: Request, name: str, ledger: Ledger, host: Host) -> str:
    """The oldest copies from before a later release: what the databases were when this one was live."""
    root = root_of(request.conf.backup.path, request.site.base)
    there = sets_of(host.files, root, request.site.base)
    sets = {one.manifest.release: one for one in there if one.manifest.kind == "before-migration"}
    found = next((sets[later] for later in ledger.after(name) if later in sets), None)
    intro = f"if {name} cannot live with the databases as they are"
    if found is None:
        return f"{intro}: there are no copies from its time; deploy a release that can, or see mcc backup --list"
    command = f"mcc restore --site {shlex.quote(str(request.site.base))} --from {found.label}"
    return f"{intro}, copies from its time: {command} (what was written since goes with it, and is kept first)"


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
