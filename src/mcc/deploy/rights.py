"""``OWNERSHIP: acl`` in a deploy: looked at before, set where it may be set, refused with the command where not.

No step of it needs sudo: the owner of a folder gives its list. What another user owns, only root can give back.
"""

from __future__ import annotations

import dataclasses
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from mcc.core.acl import for_file
from mcc.core.databases import files_of, side_files
from mcc.core.log_names import logs_added_to
from mcc.core.ownership import FolderRule, folders
from mcc.deploy.situation import Situation
from mcc.errors import Refused, SiteError
from mcc.host.ports import Host
from mcc.model.plan import PlannedStep
from mcc.steps.link import SwitchLink
from mcc.steps.rights import ShareFiles, ShareFolders, TakeLogs
from mcc.steps.variables import ShareVariables

_FILE_MODE = 0o660


def is_shared(s: Situation) -> bool:
    """Whether lists say who may do what on this site."""
    return s.request.conf.ownership.mode == "acl"


def rules_of(s: Situation) -> tuple[FolderRule, ...]:
    """The site's folders with the user who deploys now as their owner."""
    conf = s.request.conf
    server = dataclasses.replace(conf.server, user=s.by)
    return folders(dataclasses.replace(conf, server=server, components=s.components), s.web_user)


def folder_mode(s: Situation) -> int:
    """Of folders that no rule is for: with lists nobody needs the group, which a service may be in."""
    return 0o755 if is_shared(s) else 0o775


def folder_steps(s: Situation) -> Iterator[PlannedStep]:
    """Before anything is placed: what is made in a folder gets its list from it."""
    if not is_shared(s):
        return
    rules = rules_of(s)
    yield PlannedStep("place", f"{s.request.conf.ownership.user}'s rights in {len(rules)} folders", ShareFolders(rules))
    if _has_single(s):
        link = SwitchLink(s.site.single_database, _inner(s))
        yield PlannedStep("place", f"{s.site.single_database.name} -> {_inner(s)}", link)


def database_steps(s: Situation) -> Iterator[PlannedStep]:
    """Before databases are written: those that are older than the list of their folder."""
    files = _files(s)
    if is_shared(s) and files:
        written = next(rule for rule in rules_of(s) if rule.use == "written")
        title = f"{s.request.conf.ownership.user}'s rights on databases that are there"
        yield PlannedStep("migrate", title, ShareFiles(files, _FILE_MODE, for_file(written.acl)))


def log_steps(s: Situation, lines: Iterable[str]) -> Iterator[PlannedStep]:
    """Files of our own for the lines of the crontab to add to."""
    logs = logs_added_to(lines, s.site.logs)
    if is_shared(s) and logs:
        yield PlannedStep("cut-over", f"logs of cron jobs: {', '.join(log.name for log in logs)}", TakeLogs(logs))


def variables_steps(s: Situation) -> Iterator[PlannedStep]:
    """Before a service is started that reads ``.env`` as its user."""
    user = s.request.conf.ownership.user
    if s.shares_variables and user and user != s.by:
        yield PlannedStep("place", f".env: {user} reads it", ShareVariables(s.site.variables, user))


def problems(s: Situation, host: Host) -> Iterator[Refused]:
    """What only root, or a person, can put right."""
    if not is_shared(s):
        return
    user = s.request.conf.ownership.user or ""
    if not host.rights.knows(user):
        yield SiteError(f"DIR_USER: this machine has no user {user}", help="name the user who runs the services")
    group = s.request.conf.ownership.group
    if group and not host.rights.knows_group(group):
        yield SiteError(f"DIR_GROUP: this machine has no group {group}", help="OWNERSHIP: acl needs none")
    if not host.rights.supported(s.site.base):
        yield SiteError(
            f"OWNERSHIP: acl: the disk of {s.site.base} knows no access control lists",
            help="mount it with the option acl, or use OWNERSHIP: none",
        )
        return
    yield from _folders(s, host)
    yield from _elsewhere(s)
    yield from _single_file(s, host)
    for path in _files(s):
        yield from _file(s, path, host)


def _folders(s: Situation, host: Host) -> Iterator[Refused]:
    strange: dict[str, list[str]] = {}
    for rule in rules_of(s):
        kind, now = host.files.kind(rule.path), host.rights.look(rule.path)
        if now is None or (kind == "link" and rule.path == s.site.base):
            continue
        if kind != "folder":
            yield SiteError(f"{rule.path} is a {kind}, not a folder", help="move it away, then deploy again")
        elif now.owner != s.by and not (rule.use == "written" and _will_do(s, rule, host)):
            strange.setdefault(now.owner, []).append(str(rule.path))
    for owner, paths in strange.items():
        if str(s.site.base) in paths:
            yield SiteError(f"{s.site.base} belongs to {owner}, and this runs as {s.by}", help=f"deploy as {owner}")
            continue
        verb, it = ("belongs", "it has") if len(paths) == 1 else ("belong", "they have")
        message = f"{', '.join(paths)} {verb} to {owner}, and with OWNERSHIP: acl {it} to be {s.by}'s"
        yield SiteError(message, help=_provision(s))


def _will_do(s: Situation, rule: FolderRule, host: Host) -> bool:
    """A tenant's folder that the service has made: its list came from the folder above.

    Where names of ours must stay (sticky), the owner of the folder could take them away.
    """
    now, user = host.rights.look(rule.path), s.request.conf.ownership.user
    if now is None or rule.mode & stat.S_ISVTX or not host.files.may_write(rule.path):
        return False
    lists = {f"d:u:{name}:rwx" for name in (s.by, user)}
    return now.owner == user and lists <= set(now.acl)


def _file(s: Situation, path: Path, host: Host) -> Iterator[Refused]:
    """A database, or what SQLite keeps beside it, that another user made."""
    now = host.rights.look(path)
    if now is None or host.files.kind(path) != "file" or now.owner == s.by or host.files.may_write(path):
        return
    yield SiteError(
        f"{path} belongs to {now.owner}, and {s.by} may not write it: an application that makes a database itself "
        "has to make it with mode 0660",
        help=f"as {now.owner} or root: chmod g+rw {path}; or {_provision(s)}",
    )


def _single_file(s: Situation, host: Host) -> Iterator[Refused]:
    """The one database of a site stands behind a link: see docs/site.md."""
    path = s.site.single_database
    if not _has_single(s):
        return
    if host.files.kind(path) == "file":
        sides = " ".join(str(each) for each in (path, *side_files(path)) if host.files.kind(each) == "file")
        yield SiteError(
            f"{path} is a file, and SQLite makes others beside it, where services may not write (OWNERSHIP: acl)",
            help=f"stop what uses it; then: mkdir -p {s.site.data} && mv {sides} {s.site.data}/ && "
            f"ln -s {_inner(s)} {path}; then deploy again",
        )
    elif host.files.kind(path) == "link" and host.files.read_link(path) != _inner(s):
        yield SiteError(f"{path} leads to {host.files.read_link(path)}", help=f"let it lead to {_inner(s)}")


def _elsewhere(s: Situation) -> Iterator[Refused]:
    """A database that alembic's own address puts where the service may not write."""
    written = {rule.path for rule in rules_of(s) if rule.use == "written"}
    for path in files_of(s.targets):
        if not written & {*path.parents} and s.site.base in path.parents:
            yield SiteError(
                f"{path}: with OWNERSHIP: acl the services may write in data/, and not beside the site's links",
                help=f"let DATABASE_URL name data/{path.name}",
            )


def _inner(s: Situation) -> str:
    return str(s.site.shared_database.relative_to(s.site.base))


def _has_single(s: Situation) -> bool:
    return s.site.shared_database in files_of(s.targets)


def _files(s: Situation) -> tuple[Path, ...]:
    """Databases of the site, with what SQLite keeps beside them."""
    return tuple(each for path in files_of(s.targets) for each in (path, *side_files(path)))


def _provision(s: Situation) -> str:
    return f"run: mcc provision --stage {s.request.stage.name} --only folders --script | sudo sh"
