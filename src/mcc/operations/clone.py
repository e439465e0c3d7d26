"""``mcc clone``: what a source's databases hold, brought to another site.

The source is opened to be read; nothing but its lock is taken. That the target is not the source after
all, by another path or address, is looked for before anything begins, and a target that is production,
or protected, is left alone unless its name is typed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from mcc.core.domain_map import pairs, untouched
from mcc.core.layout import Site
from mcc.core.masking import Masker
from mcc.core.migrating.files import read_one, refuse
from mcc.core.protection import refuse_protected
from mcc.core.stages import CLONE_SQL, clone_confs, clone_sql, operation
from mcc.errors import SiteError, UsageError
from mcc.host.ports import Host, migrator
from mcc.host.settings import read_conf
from mcc.model.build import BuildInfo
from mcc.model.conf import Conf
from mcc.model.config import Stage
from mcc.model.database import SqliteDatabase, Target, Tracking
from mcc.model.plan import Plan, PlannedStep
from mcc.operations.clone_far import far_databases, fetch_steps, fetched
from mcc.operations.exchange import Exchange, begin, databases_of, keep_steps, own_steps, refuse_missing_rights
from mcc.operations.stage import read_stage
from mcc.operations.stopping import Standstill, look_at_services, start_steps, stop_steps
from mcc.runs.frozen import refuse_frozen
from mcc.runs.hands import Hands
from mcc.runs.recover import dead_runs
from mcc.runs.run import run_id, run_work
from mcc.runs.work import Prepared, Work
from mcc.steps.clone import CopySource, PutClone, SourceCopy

_ROOM = 16 * 1024 * 1024

Pairs: TypeAlias = tuple[tuple[Target, Target], ...]
Script: TypeAlias = tuple[Path, str]
"""A file of SQL, and its name for the reader."""


@dataclass(frozen=True, slots=True)
class CloneRequest:
    """What was asked for, read. ``sql`` names a file of the project's own SQL in ``output``.

    ``confirm`` is the name of the target, if somebody typed it.
    """

    output: Path
    stage: Stage
    source: Conf
    target: Conf
    build: BuildInfo | None = None
    sql: str | None = None
    confirm: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def site(self) -> Site:
        return Site(self.target.server.base)

    @property
    def elsewhere(self) -> bool:
        """Whether the source is on another server: only if the stage says so, since one server has many names."""
        return self.stage.parameters.get("source") == "ssh"

    @property
    def source_site(self) -> Site:
        return Site(self.source.server.base)

    @property
    def masker(self) -> Masker:
        return Masker(self.source.secrets | self.target.secrets)


def read_clone(output: Path, stage_name: str, parameters: Mapping[str, str]) -> CloneRequest:
    """Read what ``output`` says of a clone; ``parameters`` are those of the command line. Raises Refused."""
    config, stage, build = read_stage(output, stage_name, parameters)
    if operation(stage.name, stage.parameters) != "clone":
        raise UsageError(
            f"the stage {stage.name} is no clone", help="name it clone-…, or give it the parameter operation: clone"
        )
    if stage.parameters.get("source") not in (None, "ssh", "local"):
        raise UsageError(f"source={stage.parameters['source']} is neither ssh nor local")
    source, target = clone_confs(stage)
    confirm = parameters.get("confirm", "")  # of the command line alone: in a file nobody types it
    return CloneRequest(
        output, stage, read_conf(output, source), read_conf(output, target), build,
        clone_sql(stage), confirm, config.warnings,
    )  # fmt: skip


def plan_clone(request: CloneRequest, hands: Hands) -> Plan:
    """Look, check and plan; nothing is changed. Raises Refused."""
    host = hands.host(request.site, request.target.services)
    refuse_frozen(request.site, host.files)
    return _prepared(request, hands, host, run_id(host)).plan


def clone(request: CloneRequest, hands: Hands) -> int:
    """Clone; the answer is the exit code. Raises Refused, SiteLocked, Stuck before anything began."""
    work = Work(
        request.site, "clone", request.stage.name, request.target.services, request.masker, request.build,
        held_too=() if request.elsewhere else (request.source_site,),
    )  # fmt: skip
    return run_work(work, lambda host, run: _prepared(request, hands, host, run), hands)


def _prepared(request: CloneRequest, hands: Hands, host: Host, run: str) -> Prepared:
    _refuse_protected(request)
    _refuse_same_site(request, host)
    if request.elsewhere:
        ours = far_databases(request.source, host)
    else:
        ours = databases_of(request.source, request.source_site, request.site, host, run, "pgpass-source")
    theirs = databases_of(request.target, request.site, request.site, ours.host, run, "pgpass-target")
    host = theirs.host
    chosen = _pairs(request, ours.targets, theirs.targets, host)
    script = _script(request, host, chosen)
    exchange = begin(
        request.target, request.site, tuple(target for _, target in chosen), "before-clone", request.stage.name,
        hands.tool(request.site).version, host,
    )  # fmt: skip
    refuse_missing_rights(exchange, host)
    _refuse_without_room(request, chosen, script, host)
    still = look_at_services(request.target, request.site, host, run)
    folder = request.site.kept(run) / "clone"
    copies = [SourceCopy(folder / f"{number}.copy") for number in range(len(chosen))]
    before = (
        *(fetch_steps(request.source, [each for each, _ in chosen], folder) if request.elsewhere else ()),
        *_copy_steps(request, chosen, copies, script, folder),
        *stop_steps(still),
        *keep_steps(exchange),
        *_put_steps(chosen, copies, script, exchange, still, request.source.database.tracking),
        *own_steps(exchange),
        *start_steps(still),
    )
    warnings = (*request.warnings, *_left_alone(theirs.targets, chosen), *still.warnings)
    return Prepared(Plan(before, (), warnings), kept={**ours.kept, **theirs.kept})


def _refuse_protected(request: CloneRequest) -> None:
    how = "--param confirm=NAME (mcc clone: --confirm NAME)"
    refuse_protected(request.target, request.confirm, "all its data would be replaced", how, "the target")


def _refuse_same_site(request: CloneRequest, host: Host) -> None:
    source, target = request.source, request.target
    place = _place(target, host, "deploy it first")
    if request.elsewhere:
        return  # the lock says it, should it be this server after all: the other side takes it too
    names = f"{source.path.name} and {target.path.name}"
    if source.server.base == target.server.base:
        raise UsageError(f"source and target are the same site: {names} both say REMOTE_BASE: {source.server.base}")
    if place == _place(source, host, "is it on another server? then the stage needs the parameter source: ssh"):
        raise UsageError(f"source and target are the same folder: {source.server.base} is {target.server.base}")
    if open_runs := dead_runs(host.files, request.source_site):
        raise SiteError(
            f"the source {source.server.base} has a run that died or goes on: {open_runs[0]}",
            help=f"wait for it, or: mcc recover --site {source.server.base}",
        )


def _place(conf: Conf, host: Host, help: str) -> str:
    place = host.clones.identity(conf.server.base)
    if not place:
        raise SiteError(f"{conf.path.name}: there is no site at {conf.server.base}", help=help)
    return place


def _pairs(request: CloneRequest, sources: Sequence[Target], targets: Sequence[Target], host: Host) -> Pairs:
    """Which database becomes which one, none of them itself."""
    ours, theirs = ({each.name: each for each in found} for found in (sources, targets))
    named = pairs(list(ours), list(theirs), request.target.clone_domains, request.target.path.name)
    chosen = tuple((ours[source], theirs[target]) for source, target in named)
    for source, target in chosen:
        if source.kind != target.kind:
            raise UsageError(f"{source.name} is {source.kind}, {target.name} is {target.kind}: no clone leads there")
    if not request.elsewhere:
        _refuse_itself(request, sources, chosen, host)
    return chosen


def _refuse_itself(request: CloneRequest, sources: Sequence[Target], chosen: Pairs, host: Host) -> None:
    identities = {host.clones.identity(source): source for source in sources}
    for source, target in chosen:
        if not migrator(host, source).look(source, request.source.database.tracking).exists:
            raise SiteError(f"the source has no database for {source.name} yet", help="leave it out by CLONE_DOMAINS")
        place = host.clones.identity(target)
        if place and place in identities:
            raise UsageError(
                f"the target's {target.name} is the source's own database {identities[place].name}: "
                "it would be overwritten",
                help=f"look at {request.target.path.name}, and for links below {request.target.server.base}",
            )


def _refuse_without_room(request: CloneRequest, chosen: Pairs, script: Script | None, host: Host) -> None:
    """Copies of the source lie in the target's site for a while; so does what the target holds now, for longer."""
    copies, present = (_sizes(host, each) for each in zip(*chosen, strict=True))
    copies = [0] if request.elsewhere else copies  # what is there is not known yet
    need = sum(copies) * (2 if script else 1) + max(copies) + sum(present)
    free = host.files.space(request.site.base).bytes
    if free < need + _ROOM:
        raise SiteError(
            f"no room: up to {(need + _ROOM) / 1e6:.0f} MB are needed on the disk of {request.site.base} for a while, "
            f"{free / 1e6:.0f} MB are free"
        )


def _sizes(host: Host, databases: Sequence[Target]) -> list[int]:
    """Bytes of SQLite files; what a server holds is not seen from here."""
    paths = [each.path for each in databases if each.kind == "sqlite"]
    return [host.files.size(path) if host.files.kind(path) == "file" else 0 for path in paths] or [0]


def _script(request: CloneRequest, host: Host, chosen: Pairs) -> Script | None:
    """The project's own SQL; what is wrong with it is said before anything begins."""
    shown = request.sql or CLONE_SQL
    path = request.output / shown
    if host.files.kind(path) != "file":
        if request.sql is None:
            return None
        raise UsageError(f"the stage {request.stage.name} runs {shown}, which is not in {request.output}")
    refuse([read_one(host.files.read(path), shown, "always", chosen[0][0].kind)])
    return path, shown


def _copy_steps(
    request: CloneRequest, chosen: Pairs, copies: Sequence[SourceCopy], script: Script | None, folder: Path
) -> Iterator[PlannedStep]:
    for number, ((source, _), copied) in enumerate(zip(chosen, copies, strict=True)):
        if request.elsewhere and source.kind == "postgresql":
            continue  # a dump is put in place as it came
        if request.elsewhere:
            source = SqliteDatabase(source.name, fetched(folder, number, source))
        path, shown = script if script and source.kind == "sqlite" else (None, "")
        step = CopySource(source, copied, path, shown, request.source.database.tracking)
        yield PlannedStep("copy", f"copy {source.name}" + (f" and run {shown} on the copy" if shown else ""), step)


def _put_steps(
    chosen: Pairs, copies: Sequence[SourceCopy], script: Script | None, exchange: Exchange, still: Standstill,
    tracking: Tracking,
) -> Iterator[PlannedStep]:  # fmt: skip
    """``tracking`` is the source's: its table comes along."""
    for (source, target), copied in zip(chosen, copies, strict=True):
        path, shown = script if script and source.kind == "postgresql" else (None, "")
        step = PutClone(
            copied, source, target, exchange.kept, path, shown, still.stopped, not still.kept_up, tracking
        )  # fmt: skip
        yield PlannedStep("restore", f"{source.name} -> {target.name}" + (f", and run {shown}" if shown else ""), step)


def _left_alone(targets: Sequence[Target], chosen: Pairs) -> Iterator[str]:
    names = untouched([each.name for each in targets], tuple((source.name, target.name) for source, target in chosen))
    if names:
        yield f"nothing is brought to {', '.join(names)}"
