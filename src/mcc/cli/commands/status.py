"""``mcc status`` and ``mcc releases``: they read, and change nothing."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mcc.cli.screens.status import print_releases, print_status
from mcc.core import ledger as ledgers
from mcc.core.layout import Site
from mcc.core.ledger import Ledger
from mcc.errors import StepError, UsageError
from mcc.host.clock import RealClock
from mcc.host.files import RealFiles
from mcc.model.release import Release
from mcc.runs.frozen import frozen, frozen_data
from mcc.runs.maintenance import maintenance_data
from mcc.runs.standing import Standing, obstacles, standings

_FAILURES = 10


def show_status(stage: str | None, base: Path | None, format: str) -> int:
    """What is live, what runs, what died. Exit code 3 if a run is stuck or dead, 1 if the backup is too old."""
    site = _site(stage, base)
    answer = _status(site)
    if format == "json":
        print(json.dumps(answer, indent=2))
    else:
        print_status(site, _ledger(site), answer, RealClock().now())
    if answer["dead_runs"]:
        return 3
    return 1 if answer["backup"]["late"] else 0


def show_releases(stage: str | None, base: Path | None, format: str) -> int:
    """Every release in the ledger."""
    site = _site(stage, base)
    ledger = _ledger(site)
    found = standings(RealFiles(), site, ledger.releases)
    if format == "json":
        print(json.dumps([_row(release, found[release.name]) for release in ledger.releases], indent=2))
        return 0
    print_releases(site, ledger.releases, found, frozen(site, RealFiles()))
    return 0


def _row(release: Release, standing: Standing) -> dict[str, Any]:
    return {
        "state": release.state,
        **ledgers.release_data(release),
        "no_way_back": standing.obstacle,
        "rebuilds": standing.rebuilds,
    }


def _site(stage: str | None, base: Path | None) -> Site:
    if base is None and stage is None:
        raise UsageError("which site?", help="--site DIR, or --stage S in an output folder")
    if base is None:
        base = _base_of(str(stage))
    site = Site(base.absolute())
    kind = RealFiles().kind(site.base)
    if kind not in ("folder", "link", "absent"):
        raise UsageError(f"{site.base} is a {kind}, not a site", help="name the folder: its REMOTE_BASE")
    if kind == "absent":
        raise UsageError(f"there is no site at {site.base}", help="nothing has been deployed there yet")
    return site


def _base_of(stage_name: str) -> Path:
    from mcc.host.settings import stage_base

    return stage_base(Path.cwd(), stage_name)


def _ledger(site: Site) -> Ledger:
    files = RealFiles()
    return ledgers.read(files.read(site.ledger)) if files.kind(site.ledger) == "file" else Ledger()


def _status(site: Site) -> dict[str, Any]:
    from mcc.host.lock import holder_of
    from mcc.operations.backup_age import backup_state

    ledger = _ledger(site)
    live = ledger.live
    held = holder_of(site.lock)
    failures = [_failure(release) for release in ledger.releases if release.state == "failed"]
    ways = [name for name, why in obstacles(RealFiles(), site, ledger.releases).items() if not why]
    open_runs = [name.removesuffix(".jsonl") for name in RealFiles().names(site.journals) if name.endswith(".jsonl")]
    return {
        "site": str(site.base),
        "live": {"state": live.state, **ledgers.release_data(live)} if live else None,
        "links": {link: _target(site.base / link) for link in _links(site, live)},
        "changed_links": [link for link, to in live.links if _target(site.base / link) != to] if live else [],
        "changes": list(_changes(site, ledger)),
        "can_go_back_to": ways,
        "goes_back_to": _goes_back_to(ledger, ways),
        "last_failure": failures[-1] if failures else None,
        "failures": failures[-_FAILURES:],
        "backup": backup_state(site, live, RealFiles(), RealClock().now().astimezone()),
        "maintenance": maintenance_data(site, RealFiles()),
        "frozen": frozen_data(site, RealFiles()),
        "held_by": held,
        "dead_runs": [] if held else open_runs,
        "bad_ledger_lines": list(ledger.bad_lines),
    }


def _goes_back_to(ledger: Ledger, ways: Sequence[str]) -> str | None:
    """Where ``mcc rollback`` would go; None: nowhere."""
    before = ledger.before(ledger.live.name) if ledger.live else None
    return before.name if before and before.name in ways else None


def _links(site: Site, live: Release | None) -> list[str]:
    """Those of the live release; of a site that a script has made, those that look like them."""
    if live is not None:
        return [link for link, _ in live.links]
    return [name for name in RealFiles().names(site.base) if name.startswith("current-") and _target(site.base / name)]


def _changes(site: Site, ledger: Ledger) -> tuple[str, ...]:
    """What somebody else has changed since the live release was made live."""
    from mcc.runs.changes import look_for_changes

    try:
        return look_for_changes(RealFiles(), _crontab(), site, ledger).sentences
    except OSError as error:
        return (f"what else was changed is not known: {error}",)


def _crontab() -> bytes:
    """Empty where this user has none, or may have none."""
    from mcc.host.commands import RealCommands
    from mcc.host.crontab import SystemCrontab

    crontab = SystemCrontab(RealCommands())
    try:
        return crontab.read() if crontab.available() else b""
    except StepError:
        return b""


def _target(link: Path) -> str | None:
    files = RealFiles()
    return files.read_link(link) if files.kind(link) == "link" else None


def _failure(release: Release) -> dict[str, Any]:
    return {
        "release": release.name,
        "at": release.at,
        "by": release.by,
        "build": dataclasses.asdict(release.build),
        "error": release.error,
    }
