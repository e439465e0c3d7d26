"""How far the databases are ahead of a release that is gone back to, and which copies are from its time."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from mcc.core.backups import root_of
from mcc.core.ledger import Ledger
from mcc.core.wording import many
from mcc.deploy.alembic import plan_alembic
from mcc.deploy.databases import plan_databases
from mcc.deploy.request import Request
from mcc.errors import MccError
from mcc.host.copies.sets import sets_of
from mcc.host.ports import Host, migrator
from mcc.model.conf import Component
from mcc.runs.databases import SiteDatabases, site_databases


@dataclass(frozen=True, slots=True)
class Ahead:
    """``words`` for the last line of a run, ``todo`` for a person who finds that the code cannot live with it."""

    words: str = "as before"
    todo: str = ""
    warnings: tuple[str, ...] = ()


def databases_ahead(request: Request, folder: Path, name: str, ledger: Ledger, host: Host, run: str) -> Ahead:
    """Compare what the databases have had with the files of a release in ``folder``; they stay as they are."""
    component = Component(name, name, ((".", "."),), (), environment=True)
    try:
        gone, pending = _rows(_in(request, folder), component, host, run)
    except (MccError, OSError) as error:
        text = error.message if isinstance(error, MccError) else str(error)
        return Ahead("as they are", "", (f"what the databases have had is not known: {text}",))
    warnings = (f"{name} has migrations that not all databases have had: {_some(pending)}",) if pending else ()
    if not gone:
        return Ahead(warnings=warnings)
    words = f"{many(len(gone), 'migration')} ahead of {name}: {_some(gone)}"
    return Ahead(words, _way_back(request, name, ledger, host), warnings)


def _in(request: Request, folder: Path) -> Request:
    return Request(folder, request.stage, request.conf, request.build, request.keep)


def _rows(request: Request, component: Component, host: Host, run: str) -> tuple[list[str], list[str]]:
    """Names that databases have and the release has not, and the other way round."""
    site = site_databases(request.conf, request.site, host, run)
    alembic = plan_alembic(request, site, [component], run)
    if alembic is not None:
        if alembic.versions is None:
            return [], []
        each = [found.names for found in alembic.found if found.exists]
        gone = [revision for names in each for revision in alembic.versions.unknown(names)]
        late = [revision for names in each for revision in alembic.versions.pending(names)]
        return sorted(set(gone)), [] if gone else sorted(set(late))
    planned = plan_databases(request, site, [component])
    if planned is None:
        return _all_rows(request, site), []  # the release knows of no migration
    standings = [each.standing for each in planned.databases if each.found.exists]
    gone = [row for standing in standings for row in standing.gone]
    return sorted(set(gone)), sorted({file.name for standing in standings for file in standing.pending})


def _all_rows(request: Request, site: SiteDatabases) -> list[str]:
    tracking = request.conf.database.tracking
    found = [migrator(site.host, target).look(target, tracking) for target in site.targets]
    return sorted({row.name for each in found if each.exists for row in each.applied})


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


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
