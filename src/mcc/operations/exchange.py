"""What restore and clone share: the databases, what is kept of them, whom files belong to."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mcc.core.backups import SetKind, root_of, set_folder, set_name
from mcc.core.databases import files_of, targets
from mcc.core.layout import Site
from mcc.core.sudo import required, way_out
from mcc.errors import RightsError, SiteError
from mcc.host.ports import Host
from mcc.model.conf import Conf
from mcc.model.database import Target
from mcc.model.plan import PlannedStep
from mcc.runs.databases import SiteDatabases, site_databases
from mcc.runs.ledger import read_ledger
from mcc.steps.keep_present import KeepPresent
from mcc.steps.ownership import KeepOwnership, Own


@dataclass(frozen=True, slots=True)
class Exchange:
    """The databases of a site whose content a run exchanges. ``kept`` is the set of what they held."""

    conf: Conf
    site: Site
    targets: tuple[Target, ...]
    kind: SetKind
    kept: Path
    stage: str
    release: str
    tool: str


def begin(
    conf: Conf, site: Site, chosen: tuple[Target, ...], kind: SetKind, stage: str, tool: str, host: Host
) -> Exchange:
    """Choose the name of the set; nothing is made yet."""
    root = root_of(conf.backup.path, site.base)
    taken = host.files.names(set_folder(root, kind, ""))
    live = read_ledger(host.files, site).live
    kept = set_folder(root, kind, set_name(host.clock.now(), taken))
    return Exchange(conf, site, chosen, kind, kept, stage, live.name if live else "", tool)


def databases_of(conf: Conf, own: Site, of_run: Site, host: Host, run: str, name: str) -> SiteDatabases:
    """The databases of a conf whose site is ``own``; ``name`` is that of the password file of this run.

    Raises SiteError where there are none.
    """
    found = site_databases(conf, of_run, host, run, name)
    if conf.database.kind != "postgresql":
        found = dataclasses.replace(found, targets=targets(conf, own))
    if not found.targets:
        raise SiteError(f"{conf.path.name}: DATABASE: none: there is nothing to copy or to restore")
    passwords = {of_run.kept(run) / file: text.decode() for file, text in found.kept.items()}
    knowing = dataclasses.replace(found.host, clones=found.host.clones.knowing(passwords))
    return dataclasses.replace(found, host=knowing)


def refuse_missing_rights(exchange: Exchange, host: Host) -> None:
    """Raise RightsError if files could not be given to the service's user afterwards."""
    wanted = required(exchange.conf, _owned(exchange))
    missing = [words for words in wanted if words[0] in ("chown", "chmod") and not host.sudo.allows(words)]
    if missing:
        user = host.machine.user()
        what = "\n".join(f"  sudo {' '.join(words)}" for words in missing)
        raise RightsError(f"{user} may not run what this needs:\n{what}", help=way_out(user, *missing))


def keep_steps(exchange: Exchange) -> Iterator[PlannedStep]:
    """What the databases hold, kept; and owners put right on the way back."""
    owner, owned = exchange.conf.ownership, _owned(exchange)
    if owned:
        step = KeepOwnership(owned, owner.user or "", owner.group or "", files_of(exchange.targets))
        yield PlannedStep("back up", "owners of what is made from here on", step)
    keep = KeepPresent(
        exchange.targets, exchange.kept, exchange.site.base, exchange.kind, exchange.stage, exchange.release,
        exchange.tool, exchange.conf.database.tracking,
    )  # fmt: skip
    yield PlannedStep("back up", f"what is there now -> before/{exchange.kept.name}", keep)


def own_steps(exchange: Exchange) -> Iterator[PlannedStep]:
    """Databases, and what SQLite made beside them, belong to the service's user."""
    owner, owned = exchange.conf.ownership, _owned(exchange)
    if owned:
        step = Own(owned, owner.user or "", owner.group or "")
        yield PlannedStep("own", f"{owner.user}:{owner.group}, group may write", step)


def _owned(exchange: Exchange) -> tuple[Path, ...]:
    """The fixed paths of databases, as a deploy has them: sudoers knows no others."""
    if exchange.conf.ownership.mode != "sudo" or exchange.conf.database.kind == "postgresql":
        return ()
    return (exchange.site.domains,) if exchange.conf.domains else (exchange.site.single_database,)
