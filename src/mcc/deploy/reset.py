"""``reset-…``: a stage is emptied, and deployed on empty databases, in one run.

Files of users go aside by their names and come back by them; what a server's databases hold is copied first and
put back. Only behind the commit is anything gone. Copies of all databases stay for a while, as before a restore.
"""

from __future__ import annotations

import dataclasses
import os.path
from collections.abc import Iterator
from pathlib import Path

from mcc.core.backups import root_of, set_folder, set_name
from mcc.core.databases import files_of
from mcc.core.protection import refuse_protected
from mcc.core.wording import many
from mcc.deploy.checks import check_request, check_situation
from mcc.deploy.hooks import told
from mcc.deploy.plan import make_plan, new_release, owned_paths
from mcc.deploy.request import Request
from mcc.deploy.rights import is_shared, rules_of
from mcc.deploy.situation import Situation, look
from mcc.deploy.slot_steps import running
from mcc.errors import SiteError
from mcc.host.ports import Host
from mcc.model.database import PostgresDatabase, SqliteDatabase, Target
from mcc.model.plan import Plan, PlannedStep
from mcc.runs.databases import site_databases
from mcc.runs.frozen import refuse_frozen
from mcc.runs.hands import Hands
from mcc.runs.recover import dead_runs
from mcc.runs.run import nothing_changed, run_id, run_work
from mcc.runs.work import Prepared, Work
from mcc.steps.keep_present import KeepPresent
from mcc.steps.leftovers import RemoveLeftovers
from mcc.steps.ownership import Own
from mcc.steps.rights import ShareFolders
from mcc.steps.wipe import EmptyDatabase, LetGo, WipeFiles
from mcc.version import __version__


def plan_reset(request: Request, hands: Hands, confirm: str | None = None) -> tuple[Situation, Plan]:
    """Look, check and plan; nothing is changed. ``confirm``: the site's name, if somebody typed it. Raises Refused."""
    host = hands.host(request.site, request.conf.services)
    with nothing_changed():
        refuse_frozen(request.site, host.files)
        situation, prepared = _prepared(request, hands, host, run_id(host), confirm)
    open_runs = tuple(f"the run {name} has not ended" for name in dead_runs(host.files, request.site))
    return situation, dataclasses.replace(prepared.plan, warnings=(*prepared.plan.warnings, *open_runs))


def reset(request: Request, hands: Hands, confirm: str | None = None) -> int:
    """Wipe and deploy; the answer is the exit code. Raises Refused, SiteLocked, Stuck before anything began."""
    conf = request.conf
    work = Work(
        request.site, "reset", request.stage.name, conf.services, request.masker, request.build, told=request.told
    )
    return run_work(work, lambda host, run: _prepared(request, hands, host, run, confirm)[1], hands)


def _prepared(request: Request, hands: Hands, host: Host, run: str, confirm: str | None) -> tuple[Situation, Prepared]:
    refuse_protected(request.conf, confirm, "all its data would be gone", "--param confirm=NAME")
    check_request(request, host)
    situation = look(request, host, run, hands.tool(request.site).version, resets=True)
    found = site_databases(request.conf, request.site, host, run)
    _refuse_copies(situation)
    _refuse_elsewhere(situation, found.targets)
    _refuse_links(situation, host, found.targets)
    _refuse_closed(situation, host)
    warnings = check_situation(situation, host)
    plan = make_plan(situation, tuple(_wipe(situation, host, found.targets)))
    aside, gone = situation.site.aside(run), situation.site.wiped(run)
    after = (
        *plan.after,
        PlannedStep("prune", "what was wiped is let go", LetGo(aside, gone), optional=True),
        PlannedStep("prune", "what was wiped is removed", RemoveLeftovers((gone,), ()), optional=True),
    )
    full = Plan(plan.before, after, (*plan.warnings, *warnings))
    kept = {**found.kept, **situation.kept, **told(situation, host)}
    return situation, Prepared(full, new_release(situation), kept)


def _refuse_copies(s: Situation) -> None:
    """The copies that a reset takes, and all older ones, would go aside with what is emptied, and then for good."""
    root = Path(os.path.normpath(root_of(s.request.conf.backup.path, s.site.base)))
    for folder in (s.site.data, s.site.domains):
        if folder in (root, *root.parents):
            raise SiteError(
                f"BACKUP_PATH {root} lies in {folder.name}/, which a reset empties",
                help="move the copies out of it, and let BACKUP_PATH name that folder",
            )


def _refuse_elsewhere(s: Situation, targets: tuple[Target, ...]) -> None:
    for target in targets:
        if isinstance(target, SqliteDatabase) and s.site.base not in target.path.parents:
            raise SiteError(
                f"{target.name} lies outside of the site, in {target.path}: a reset leaves it alone and cannot go on",
                help="remove it by hand, and deploy; or let DATABASE_URL name a file below REMOTE_BASE",
            )


def _refuse_links(s: Situation, host: Host, targets: tuple[Target, ...]) -> None:
    """What lies behind a link would have to be followed, and may be somebody else's."""
    wanted = {s.site.data: "folder", s.site.domains: "folder", **dict.fromkeys(files_of(targets), "file")}
    for path, what in wanted.items():
        kind = host.files.kind(path)
        if kind not in ("absent", what):
            raise SiteError(f"{path} is a {kind}, not a {what}: a reset does not follow it", help="move it away")


def _refuse_closed(s: Situation, host: Host) -> None:
    """A folder changes when it is moved to another: its entry .. does. With sudo its owner is set before."""
    if s.request.conf.ownership.mode == "sudo":
        return
    for folder in (s.site.domains, s.site.data):
        paths = [folder, *(folder / name for name in host.files.names(folder))]
        closed = [path for path in paths if host.files.kind(path) == "folder" and not host.files.may_write(path)]
        if closed:
            more = f" (and {len(closed) - 1} more)" if len(closed) > 1 else ""
            raise SiteError(
                f"{closed[0]}{more} cannot be moved aside: {s.by} may not write in it",
                help=f"as root: chmod -R g+rwX {folder}",
            )


def _wipe(s: Situation, host: Host, targets: tuple[Target, ...]) -> Iterator[PlannedStep]:
    stopped = running(s)
    owner, live = s.request.conf.ownership, s.ledger.live
    if owner.mode == "sudo":
        own = Own(owned_paths(s), owner.user or "", owner.group or "")
        yield PlannedStep("stop", "owners of what goes aside", own)
    kept = _set(s, host)
    if targets:
        keep = KeepPresent(
            targets, kept, s.site.base, "before-reset", s.request.stage.name, live.name if live else "", __version__,
            s.request.conf.database.tracking,
        )  # fmt: skip
        yield PlannedStep("back up", f"{many(len(targets), 'database')} -> before/{kept.name}", keep)
    yield _files_step(s, host, targets, stopped)
    for target in targets:
        if isinstance(target, PostgresDatabase):
            empty = EmptyDatabase(target, kept, s.site.kept(s.run), stopped)
            yield PlannedStep("wipe", f"empty {target.name}", empty)
    yield from _shared_again(s)


def _shared_again(s: Situation) -> Iterator[PlannedStep]:
    """With lists, folders of domains are made as they are on a new site."""
    rules = tuple(rule for rule in rules_of(s) if rule.path.parent == s.site.domains) if is_shared(s) else ()
    if rules:
        yield PlannedStep("wipe", "folders of the domains, empty", ShareFolders(rules))


def _files_step(s: Situation, host: Host, targets: tuple[Target, ...], stopped: tuple[str, ...]) -> PlannedStep:
    folders = (s.site.domains, s.site.data)
    single = tuple(path for path in _databases(s, host, targets) if not set(folders) & {*path.parents})
    in_files = all(isinstance(target, SqliteDatabase) for target in targets)
    step = WipeFiles(folders, single, s.site.aside(s.run), stopped, all_databases=in_files)
    shown = ", ".join([*(f"{folder.name}/" for folder in folders), *(path.name for path in single)])
    return PlannedStep("wipe", f"{shown} aside", step)


def _databases(s: Situation, host: Host, targets: tuple[Target, ...]) -> Iterator[Path]:
    """Files of the conf's databases, and a ``data.db`` that a script of the project's own looks after."""
    files = files_of(targets)
    yield from files
    if s.site.single_database not in files and host.files.kind(s.site.single_database) == "file":
        yield s.site.single_database


def _set(s: Situation, host: Host) -> Path:
    root = root_of(s.request.conf.backup.path, s.site.base)
    return set_folder(root, "before-reset", set_name(s.now, host.files.names(set_folder(root, "before-reset", ""))))
