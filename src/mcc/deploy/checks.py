"""Everything that would stop a deploy, found before anything is touched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from mcc.core.cron.backup_line import backup_lines
from mcc.core.cron.crontab import FLOCK
from mcc.core.hooks import FILE
from mcc.core.layout import WIPED
from mcc.core.sudo import Words, required, way_out
from mcc.core.unit_names import is_template
from mcc.deploy import maintenance, offline, rights
from mcc.deploy.databases import is_alembic, migrations_source
from mcc.deploy.plan import new_release, owned_paths
from mcc.deploy.pruning import stays
from mcc.deploy.request import Request
from mcc.deploy.situation import Situation, has_python
from mcc.deploy.slot_steps import slot_problems, slot_warnings
from mcc.errors import Refused, RightsError, SiteError
from mcc.host.ports import Host
from mcc.runs.changes import look_for_changes

_ROOM = 64 * 1024 * 1024
_INODES = 1000

Coded: TypeAlias = tuple[str, Refused]
"""A reason why nothing is started, with the code that ``mcc check`` gives it."""


def check_request(request: Request, host: Host) -> None:
    """What can be known before the site is looked at. Raises Refused with all that is wrong."""
    refuse(problem for _, problem in request_problems(request, host))


def request_problems(request: Request, host: Host) -> Iterator[Coded]:
    """The same, all of it, each with the code of its finding."""
    yield from _coded("folders.base", _base(request, host))
    yield from _coded("tools.uv", _programs(request, host))
    yield from _coded("output.lock-missing", _lock_file(request, host))


def check_situation(s: Situation, host: Host) -> tuple[str, ...]:
    """What the plan needs of the site and the machine; the answer are warnings. Raises Refused."""
    if s.databases is not None:
        s.databases.refuse(f"mcc migrate --stage {s.request.stage.name}")
    refuse(problem for _, problem in situation_problems(s, host))
    check_rights(needed_rights(s, host), host)
    return tuple(text for _, text in situation_warnings(s, host))


def situation_problems(s: Situation, host: Host) -> Iterator[Coded]:
    """Why a deploy would be refused, each with the code of its finding, but for rights and databases."""
    yield from _coded("output.components", _components(s, host))
    yield from _coded("output.file-missing", _scripts(s, host))
    yield from _coded("folders.link", _links(s, host))
    yield from _coded("databases.unclear", _database(s, host))
    yield from _coded("disk.room", _room(s, host))
    yield from _coded("units.template", slot_problems(s, host))
    yield from _coded("units.unknown", _services(s, host))
    yield from _coded("folders.rights", rights.problems(s, host))
    yield from _coded("secrets.argument", _secrets(s))
    yield from _coded("reach.blocked", _reach(s, host))
    yield from _coded("crontab.missing", _cron(s, host))
    yield from _coded("units.offline", offline.problems(s, host))
    yield from _coded("output.maintenance-page", maintenance.problems(s, host))


def back_problems(s: Situation, host: Host) -> Iterator[Refused]:
    """Why a release that was live before cannot be brought live again."""
    yield from _scripts(s, host)
    yield from _links(s, host)
    yield from slot_problems(s, host)
    yield from _services(s, host)
    yield from _reach(s, host)
    yield from _cron(s, host)


def _coded(code: str, problems: Iterable[Refused]) -> Iterator[Coded]:
    return ((code, problem) for problem in problems)


def check_rights(needed: Iterable[Words], host: Host) -> None:
    """Raise RightsError with the line to add, if a command may not be run as root."""
    missing = tuple(words for words in needed if not host.sudo.allows(words))
    if missing:
        user = host.machine.user()
        what = "\n".join(f"  sudo {' '.join(words)}" for words in missing)
        raise RightsError(f"{user} may not run what is needed:\n{what}", help=way_out(user, *missing))


def refuse(problems: Iterable[Refused]) -> None:
    """Raise Refused with all that is wrong, if anything is."""
    found = list(problems)
    if len(found) == 1:
        raise found[0]
    if found:
        texts = (f"{error.message} ({error.help})" if error.help else error.message for error in found)
        raise SiteError("\n".join(texts))


def _base(request: Request, host: Host) -> Iterator[Refused]:
    base = request.site.base
    place = base
    while host.files.kind(place) == "absent":
        place = place.parent
    if host.files.kind(place) not in ("folder", "link"):
        yield SiteError(f"REMOTE_BASE {base}: {place} is a {host.files.kind(place)}, not a folder")
    elif not host.files.may_write(place):
        user = host.machine.user()
        if host.files.kind(place) == "link":
            yield SiteError(f"REMOTE_BASE {base}: the link {place} leads nowhere, or to where {user} may not write")
        else:
            help = f"as root: chown {user} {place}"
            yield SiteError(f"REMOTE_BASE {base}: {user} may not write in {place}", help=help)


def _programs(request: Request, host: Host) -> Iterator[Refused]:
    if has_python(request, host.files) and host.commands.find("uv") is None:
        yield SiteError(
            "uv is not installed, and the release needs an environment",
            help="put the uv program on the PATH of the deploy user",
        )


def _lock_file(request: Request, host: Host) -> Iterator[Refused]:
    has = {name: host.files.kind(request.output / name) == "file" for name in ("pyproject.toml", "uv.lock")}
    if has["pyproject.toml"] and not has["uv.lock"]:
        yield SiteError(f"{request.output}: pyproject.toml has no uv.lock beside it", help="run uv lock when building")


def _components(s: Situation, host: Host) -> Iterator[Refused]:
    if not s.components:
        yield SiteError(
            f"{s.request.output} holds nothing to deploy: no api/, shared/, worker/, migrations/ or ui/",
            help="build first, or name the folders with COMPONENTS",
        )
    for component in s.components:
        for source, _ in component.sources:
            if host.files.kind(s.request.output / source) != "folder":
                yield SiteError(f"the component {component.name} needs {source}/, which is not in {s.request.output}")
    yield from _vanished(s)


def _vanished(s: Situation) -> Iterator[Refused]:
    """A part that the live release has and this output has not is more likely forgotten than meant."""
    if s.request.conf.components is not None:
        return  # said in so many words
    live = s.ledger.live
    now = {link for component in s.components for link, _ in component.links}
    for link, target in live.links if live else ():
        if link not in now:
            yield SiteError(
                f"the live release has {link} ({target}), and this output brings nothing for it",
                help="build it again, or name the components with COMPONENTS",
            )


def _scripts(s: Situation, host: Host) -> Iterator[Refused]:
    for job in s.request.conf.cron:
        if job.script and job.script not in s.script_names and host.files.kind(s.site.scripts / job.script) != "file":
            yield SiteError(f"the cron job {job.marker} runs {job.script}, which is not in scripts/ of the output")
    for file in s.request.conf.site_files:
        if host.files.kind(s.request.output / file.source) != "file":
            yield SiteError(f"SITE_FILES: {file.source} is not in {s.request.output}")


def _links(s: Situation, host: Host) -> Iterator[Refused]:
    for component in s.components:
        for link, _ in component.links:
            kind = host.files.kind(s.site.base / link)
            if kind not in ("absent", "link"):
                yield SiteError(f"{s.site.base / link} is a {kind}, not a link", help="move it away, then deploy again")
    if s.environment:
        yield from _environment(s, host)


def _environment(s: Situation, host: Host) -> Iterator[Refused]:
    """A real one is moved to another folder: its entry .. changes, which is a write."""
    path, kind = s.site.environment, host.files.kind(s.site.environment)
    if kind not in ("absent", "link", "folder"):
        yield SiteError(f"{path} is a {kind}, not an environment", help="move it away, then deploy again")
    elif kind == "folder" and not host.files.may_write(path):
        user = host.machine.user()
        yield SiteError(
            f"{path} is a real environment, as a script makes one, and {user} may not move it: it cannot write it",
            help=f"as root: chown {user} {path}",
        )


def _database(s: Situation, host: Host) -> Iterator[Refused]:
    if s.alembic is not None:
        yield from s.alembic.refusals()
        if s.environment is None:
            yield SiteError(
                "alembic runs in the release's own environment, and this output brings none",
                help="put pyproject.toml and uv.lock, with alembic among the dependencies, into the output",
            )
    yield from _which_database(s, host)


def _which_database(s: Situation, host: Host) -> Iterator[Refused]:
    conf, component = s.request.conf, s.environment_component
    if conf.database.kind is not None or component is None:
        return
    source = migrations_source(s.request, component)
    here = source is not None and host.files.kind(source[1]) == "folder"
    alembic = here and source is not None and is_alembic(host.files, source[1])
    if alembic or conf.database.tool == "alembic" or _speaks_of_postgresql(s.request):
        yield SiteError(
            f"{conf.path.name}: which database is it? The migrations or other keys speak of PostgreSQL or alembic",
            help="add the line DATABASE: postgresql (alembic runs by itself then) or DATABASE: sqlite; "
            "or DATABASE: none, if a script of your own migrates",
        )


def _speaks_of_postgresql(request: Request) -> bool:
    values = request.conf.values
    url = str(values.get("DATABASE_URL", ""))
    return url.startswith(("postgres", "${")) or bool({"DB_HOST", "DATABASE_SCHEMA"} & set(values))


def _room(s: Situation, host: Host) -> Iterator[Refused]:
    size = files = 0
    for component in s.components:
        for source, _ in component.sources:
            if host.files.kind(s.request.output / source) != "folder":
                continue
            for entry in host.files.walk(s.request.output / source):
                size, files = size + entry.size, files + 1
    for assets in s.assets:
        size, files = size + assets.chosen.bytes, files + assets.chosen.files
    space = host.files.space(s.site.base)
    if space.bytes < size + _ROOM:
        need, has = (size + _ROOM) / 1e6, space.bytes / 1e6
        yield SiteError(f"no room: the release needs {need:.0f} MB on the disk of {s.site.base}, {has:.0f} MB are free")
    if space.inodes < files + _INODES:
        need_inodes = files + _INODES
        yield SiteError(f"no inodes: {need_inodes} are needed on the disk of {s.site.base}, {space.inodes} are free")


def _services(s: Situation, host: Host) -> Iterator[Refused]:
    if s.request.conf.services.manager == "none":
        return
    for name in s.request.conf.services.all:
        if is_template(name):
            continue  # said with its slots: systemd knows instances of it only
        state = host.services.state(name)
        if not state.known:
            yield SiteError(
                f"the service {name} is not known: {state.words}",
                help="only root can install it: mcc provision shows the unit, and writes a script for root",
            )


def _secrets(s: Situation) -> Iterator[Refused]:
    arguments = " ".join(s.request.conf.environment.sync_args)
    if any(secret in arguments for secret in s.request.conf.secrets):
        yield SiteError(
            "UV_SYNC_ARGS holds a secret, which every user could read in the list of processes",
            help="put it into the environment (UV_INDEX_…_PASSWORD), or into uv.toml",
        )


def _reach(s: Situation, host: Host) -> Iterator[Refused]:
    """What runs as another user must be able to get at the interpreter and the site."""
    user = s.request.conf.ownership.user
    if user is None or s.request.conf.services.manager != "systemd" or user == host.machine.user():
        return
    paths = [("the site", s.site.base / "api")]
    interpreter = dict(s.environment.made_from).get("interpreter") if s.environment else None
    if interpreter:
        paths.append(("the Python interpreter", Path(interpreter)))
    for what, path in paths:
        blocked = host.machine.blocked(user, path)
        if blocked is not None:
            yield SiteError(
                f"{user} cannot reach {what} {path}: {blocked} is closed to it",
                help=f"chmod o+x {blocked}, or install what is needed elsewhere",
            )


def _cron(s: Situation, host: Host) -> Iterator[Refused]:
    if s.request.conf.cron and not s.has_crontab:
        yield SiteError("CRON_JOBS needs the crontab command, which this machine does not have", help="install cron")
    if backup_lines(s.request.conf.backup, s.site) and not s.has_crontab:
        yield SiteError(
            "BACKUP_SCHEDULE needs the crontab command, which this machine does not have", help="install cron"
        )
    yield from _lock_of_jobs(s, host)


def _lock_of_jobs(s: Situation, host: Host) -> Iterator[Refused]:
    alone = [job.marker for job in s.request.conf.cron if not job.overlap]
    if alone and host.files.kind(Path(FLOCK)) == "absent":
        what = f"{FLOCK} is missing, which {', '.join(alone)} needs for overlap: false"
        yield SiteError(what, help="install util-linux")


def needed_rights(s: Situation, host: Host) -> tuple[Words, ...]:
    """The commands that a deploy runs as root."""
    # data/ is the application's own: its owner is set where it exists.
    owned = [path for path in owned_paths(s) if path != s.site.data or host.files.kind(path) != "absent"]
    return (*required(s.request.conf, owned), *offline.stop_rights(s))


def situation_warnings(s: Situation, host: Host) -> Iterator[tuple[str, str]]:
    """What a person should know, though a deploy goes on, each with the code of its finding."""
    yield from _said("deploy.warning", _general(s, host))
    yield from _said("units.offline", offline.warnings(s))
    yield from _said("units.template", slot_warnings(s))
    yield from _said("http.maintenance", maintenance.warnings(s))
    yield from _said("hooks.own-script", _own_script(s, host))
    if s.databases is not None:
        yield from _said("databases.hazard", s.databases.warnings(s.request.conf.database.offline))
    lacks = host.notifier.lacks(s.request.conf.notify.addresses)
    yield from _said("tools.notify", (f"NOTIFY: {text}" for text in lacks))
    yield from _said("deploy.changed", _behind_our_back(s, host))
    yield from _said("databases.folder", _side_files(s, host))


def _said(code: str, texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    return ((code, text) for text in texts)


def _general(s: Situation, host: Host) -> Iterator[str]:
    conf = s.request.conf
    if s.ledger.bad_lines:
        yield f"{s.site.ledger}: lines {', '.join(map(str, s.ledger.bad_lines))} cannot be read and are left out"
    if conf.server.user and conf.server.user != host.machine.user():
        yield f"REMOTE_USER is {conf.server.user}, but this runs as {host.machine.user()}"
    for assets in s.assets:
        yield from assets.warnings
    yield from stays(s, new_release(s))
    yield from _aside(s, host)
    if conf.services.manager == "systemd" and not s.has_crontab and not s.recovers_at_boot:
        yield "no crontab command: after a reboot in the middle of a deploy, run mcc recover by hand"


def _aside(s: Situation, host: Host) -> Iterator[str]:
    """What a dead reset would have brought back, had somebody not removed its journal."""
    for name in host.files.names(s.site.asides):
        if not name.endswith(WIPED) and host.files.kind(s.site.journal(name)) == "absent":
            place = s.site.aside(name)
            yield f"{place} holds what a reset has moved aside, and no journal brings it back: look, then remove it"


def _own_script(s: Situation, host: Host) -> Iterator[str]:
    script = s.request.output / FILE
    if s.code is None and host.files.kind(script) == "file":
        yield f"{script.name} is a script of the project's own, and is not run: that is for uv run {script.name}"
    yield from s.code.warnings if s.code else ()


def _behind_our_back(s: Situation, host: Host) -> Iterator[str]:
    whole = s.environment.name if s.environment and s.environment.whole else None
    yield from look_for_changes(host.files, s.crontab, s.site, s.ledger, whole).sentences
    yield from s.adoption.warnings()


def _side_files(s: Situation, host: Host) -> Iterator[str]:
    """SQLite makes -wal and -shm beside a database: who writes it must be able to write the folder."""
    owner = s.request.conf.ownership
    if s.databases is None or owner.mode != "sudo" or s.request.conf.domains:
        return
    if owner.user and not host.machine.may_make_files(owner.user, s.site.base):
        yield (
            f"{owner.user} cannot make files in {s.site.base}, as SQLite needs beside data.db; "
            f"as root: chown {owner.user}:{owner.group} {s.site.base} && chmod 2775 {s.site.base}"
        )
