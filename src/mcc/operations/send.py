"""``mcc send``: copies of a site's databases to whoever runs it over ssh. The site is only read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO

from mcc.core.nearest import did_you_mean
from mcc.errors import SiteError, UsageError
from mcc.host.copies.stream import Sender
from mcc.host.ports import Host, copier
from mcc.model.database import Target
from mcc.operations.exchange import databases_of
from mcc.operations.site import Asked, asked_by_site
from mcc.runs.hands import Hands
from mcc.runs.recover import dead_runs
from mcc.runs.run import run_id

_WAIT = 30.0


def send(base: Path, names: Sequence[str], hands: Hands, stream: IO[bytes]) -> None:
    """Write copies of the databases, of all if none is named, to ``stream``.

    The site is held meanwhile. Raises Refused, SiteLocked, CopyFailed; the stream has no end then.
    """
    asked = asked_by_site(base)
    host = hands.host(asked.site, asked.conf.services)
    run = run_id(host)
    lock = hands.lock(asked.site, _holder(host, run))
    folder = asked.site.kept(run)
    try:
        if open_runs := dead_runs(host.files, asked.site):
            raise SiteError(
                f"the site {asked.site.base} has a run that died: {open_runs[0]}",
                help=f"there: mcc recover --site {asked.site.base}",
            )
        _send(asked, names, host, run, folder, stream)
    finally:
        host.files.remove_tree(folder)
        lock.release()


def _send(asked: Asked, names: Sequence[str], host: Host, run: str, folder: Path, stream: IO[bytes]) -> None:
    found = databases_of(asked.conf, asked.site, asked.site, host, run, "pgpass")
    chosen = _chosen(found.targets, names, asked)
    host.files.make_folder(folder, 0o700)
    for name, text in found.kept.items():
        host.files.write(folder / name, text, 0o600)
    sender, tracking = Sender(stream), asked.conf.database.tracking
    for target in chosen:
        place = folder / "copy"
        contents = copier(host, target).copy(target, place, _WAIT, False, _quietly, tracking)
        copier(host, target).verify(place, contents, tracking)
        sender.add(target.name, place, contents)
        host.files.remove(place)
    sender.end()


def _chosen(targets: Sequence[Target], names: Sequence[str], asked: Asked) -> list[Target]:
    known = {target.name: target for target in targets}
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or f"it has: {', '.join(known)}"
            raise UsageError(f"the site {asked.site.base} has no database {name}", help=hint)
    return [known[name] for name in names] or list(targets)


def _holder(host: Host, run: str) -> dict[str, object]:
    since = host.clock.now().isoformat(timespec="seconds")
    return {"what": "send", "run": run, "user": host.machine.user(), "pid": host.machine.pid(), "since": since}


def _quietly(_done: int, _total: int) -> None:
    """Nobody watches: what is said would stand among the other server's lines."""
