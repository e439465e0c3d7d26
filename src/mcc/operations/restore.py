"""``mcc restore``: databases become what copies of them are.

What they hold now is kept first, so that a restore can itself be taken back. A copy is read back before
anything is touched, and the database is looked at behind it: if it is not what the manifest promises, or
the application does not come up with it, everything is put back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mcc.core.backups import BackupSet, Copied, find, newest_good, root_of
from mcc.core.migrating.files import SUFFIX
from mcc.core.nearest import did_you_mean
from mcc.errors import CopyFailed, SiteError, UsageError
from mcc.host.copies.sets import manifest_in, sets_of
from mcc.host.ports import Host
from mcc.model.database import Target
from mcc.model.plan import Plan, PlannedStep
from mcc.operations.exchange import Exchange, begin, databases_of, keep_steps, own_steps, refuse_missing_rights
from mcc.operations.site import Asked
from mcc.operations.stopping import Standstill, look_at_services, start_steps, stop_steps
from mcc.runs.hands import Hands
from mcc.runs.ledger import read_ledger
from mcc.runs.run import run_id, run_work
from mcc.runs.work import Prepared, Work
from mcc.steps.restore import PutBack, Source, VerifyCopies

_ROOM = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Chosen:
    """A database and the copy that it becomes; ``label`` names the set, ``folder`` is where it lies."""

    target: Target
    copied: Copied
    label: str
    folder: Path

    @property
    def source(self) -> Source:
        assert self.copied.contents is not None
        return Source(self.folder / self.copied.file, self.copied.contents, self.label)


@dataclass(frozen=True, slots=True)
class RestoreRequest:
    """What was asked for. ``set`` None: the newest good copy of each; ``names``: databases, all if there are none."""

    asked: Asked
    set: str | None = None
    names: tuple[str, ...] = ()


def plan_restore(request: RestoreRequest, hands: Hands) -> Plan:
    """Look, check and plan; nothing is changed. Raises Refused."""
    host = hands.host(request.asked.site, request.asked.conf.services)
    return _prepared(request, hands, host, run_id(host)).plan


def restore(request: RestoreRequest, hands: Hands) -> int:
    """Restore; the answer is the exit code. Raises Refused, SiteLocked, Stuck before anything began."""
    asked = request.asked
    work = Work(
        asked.site, "restore", asked.stage, asked.conf.services, asked.masker, asked.build, although_frozen=True
    )  # fmt: skip
    return run_work(work, lambda host, run: _prepared(request, hands, host, run), hands)


def _prepared(request: RestoreRequest, hands: Hands, host: Host, run: str) -> Prepared:
    asked = request.asked
    found = databases_of(asked.conf, asked.site, asked.site, host, run, "pgpass")
    host = found.host
    chosen, missing = _chosen(request, found.targets, host)
    _refuse_unfit(chosen, host)
    exchange = begin(
        asked.conf, asked.site, tuple(each.target for each in chosen), "before-restore", asked.stage,
        hands.tool(asked.site).version, host,
    )  # fmt: skip
    refuse_missing_rights(exchange, host)
    still = look_at_services(asked.conf, asked.site, host, run)
    steps = (
        *_verify_steps(chosen, exchange),
        *stop_steps(still),
        *keep_steps(exchange),
        *_put_steps(chosen, exchange, still),
        *own_steps(exchange),
        *start_steps(still),
    )
    warnings = (*asked.warnings, *missing, *_about_migrations(asked, chosen, host), *still.warnings)
    return Prepared(Plan(steps, (), warnings), kept=found.kept)


def _chosen(
    request: RestoreRequest, targets: Sequence[Target], host: Host
) -> tuple[tuple[Chosen, ...], tuple[str, ...]]:
    """What becomes what, and what is left alone because there is no copy of it."""
    known = {target.name: target for target in targets}
    for name in request.names:
        if name not in known:
            hints = [did_you_mean(name, known), f"it has: {', '.join(known)}"]
            raise UsageError(f"the site has no database {name}", help="; ".join(filter(None, hints)))
    wanted = request.names or tuple(known)
    pick = _newest(request, host) if request.set in (None, "newest") else _from_set(request, host)
    chosen, missing = [], []
    for name in wanted:
        one = pick.get(name)
        if one is not None:
            copied = one.manifest.get(name)
            assert copied is not None
            chosen.append(Chosen(known[name], copied, one.label, one.folder))
        else:
            missing.append(name)
    if missing and (request.names or not chosen):
        where = f"the set {request.set} has" if request.set else "there is"
        raise UsageError(
            f"{where} no copy of {', '.join(missing)}", help="mcc backup --list shows all sets, and what is in them"
        )
    return tuple(chosen), tuple(f"there is no copy of {name}: it is left alone" for name in missing)


def _newest(request: RestoreRequest, host: Host) -> dict[str, BackupSet]:
    """The newest good copy of each database, whichever set it is in."""
    sets = _sets(request, host)
    names = {copied.name for one in sets for copied in one.manifest.good}
    return {name: one for name in names if (one := newest_good(sets, name)) is not None}


def _from_set(request: RestoreRequest, host: Host) -> dict[str, BackupSet]:
    """The databases of the set that was named, by its label or by the path of its folder."""
    one = _named(request, host)
    return {copied.name: one for copied in one.manifest.databases}


def _named(request: RestoreRequest, host: Host) -> BackupSet:
    text, site = str(request.set), request.asked.site
    try:
        return find(_sets(request, host), text)
    except ValueError as error:
        if not text.startswith("/"):
            raise UsageError(str(error), help="mcc backup --list shows them") from error
    try:
        manifest = manifest_in(host.files, Path(text))
    except CopyFailed as error:
        raise UsageError(error.message, help=error.help) from error
    if manifest.site != site.base:
        raise UsageError(
            f"{text} is a set of another site: it was taken of {manifest.site}, and this is {site.base}",
            help="mcc clone brings data from one site to another",
        )
    return BackupSet(Path(text), "daily", manifest)


def _sets(request: RestoreRequest, host: Host) -> tuple[BackupSet, ...]:
    asked = request.asked
    return sets_of(host.files, root_of(asked.conf.backup.path, asked.site.base), asked.site.base)


def _refuse_unfit(chosen: Sequence[Chosen], host: Host) -> None:
    """What can be seen of a copy without reading it, and room for it."""
    need = 0
    for each in chosen:
        contents, place = each.copied.contents, each.folder / each.copied.file
        if contents is None or each.copied.error:
            raise UsageError(f"{each.label} has no good copy of {each.target.name}: {each.copied.error}")
        if contents.kind != each.target.kind:
            raise UsageError(
                f"{each.label} has {each.target.name} as {contents.kind}, and the conf says {each.target.kind}",
                help="was DATABASE changed since? take a set that is newer than that",
            )
        size = host.files.size(place) if host.files.kind(place) == "file" else None
        if size != contents.size:
            found = "is missing" if size is None else f"has {size} bytes, its manifest says {contents.size}"
            raise SiteError(f"{place} {found}", help="take another set: mcc backup --list")
        need += contents.plain_size
    free = host.files.space(chosen[0].folder).bytes
    # What is there now is kept beside the copies, and each copy is unpacked there for a moment.
    if free < need + _ROOM:
        raise SiteError(f"no room: up to {need / 1e6:.0f} MB are needed for a while, {free / 1e6:.0f} MB are free")


def _verify_steps(chosen: Sequence[Chosen], exchange: Exchange) -> Iterator[PlannedStep]:
    labels = ", ".join(dict.fromkeys(each.label for each in chosen))
    sources = tuple(each.source for each in chosen)
    step = VerifyCopies(sources, exchange.targets, exchange.conf.database.tracking)
    yield PlannedStep("check", f"read back {_many(len(chosen))} of {labels}", step)


def _put_steps(chosen: Sequence[Chosen], exchange: Exchange, still: Standstill) -> Iterator[PlannedStep]:
    for each in chosen:
        step = PutBack(
            each.source, each.target, exchange.kept, still.stopped, not still.kept_up, exchange.conf.database.tracking
        )
        yield PlannedStep("restore", f"{each.label} -> {each.target.name}", step)


def _about_migrations(asked: Asked, chosen: Sequence[Chosen], host: Host) -> Iterator[str]:
    """How the copies go with the code that is live: the one may be older than the other."""
    known = _known_migrations(asked, host)
    if known is None:
        return
    for each in chosen:
        has = each.source.contents.migrations
        unknown = [name for name in has if name not in known]
        lacking = [name for name in known if name not in has]
        if unknown:
            yield (
                f"{each.target.name}: the live release knows {len(has) - len(unknown)} of the copy's "
                f"{len(has)} migrations (not {_named_few(unknown)}): it is older than the copy"
            )
        if lacking:
            yield (
                f"{each.target.name}: the copy lacks {len(lacking)} of the live release's {len(known)} migrations "
                f"({_named_few(lacking)}): migrate afterwards (mcc migrate --apply), or deploy"
            )


def _known_migrations(asked: Asked, host: Host) -> tuple[str, ...] | None:
    """The names of the live release's migration files; None if it has none that are mcc's to run."""
    live = read_ledger(host.files, asked.site).live
    database = asked.conf.database
    if live is None or database.tool == "alembic":
        return None
    folder = database.migrations_dir or ("shared/db/scripts/migrations" if asked.conf.domains else "migrations")
    for release in live.folders:
        place = asked.site.base / release / PurePosixPath(folder)
        if host.files.kind(place) == "folder":
            names = [name for name in host.files.names(place) if name.lower().endswith(SUFFIX)]
            return tuple(name[: -len(SUFFIX)] for name in names)
    return None


def _named_few(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _many(count: int) -> str:
    return f"{count} copy" if count == 1 else f"{count} copies"
