"""``mcc status`` and ``mcc releases``: they read, and change nothing."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from mcc.core import ledger as ledgers
from mcc.core.layout import Site
from mcc.core.ledger import Ledger
from mcc.core.maintenance import Maintained
from mcc.errors import StepError, UsageError
from mcc.host.clock import RealClock
from mcc.host.files import RealFiles
from mcc.model.release import Release
from mcc.runs.maintenance import maintenance_data
from mcc.runs.standing import obstacles


def show_status(stage: str | None, base: Path | None, format: str) -> int:
    """What is live, what runs, what died. Exit code 3 if a run is stuck or dead, 1 if the backup is too old."""
    site = _site(stage, base)
    answer = _status(site)
    if format == "json":
        print(json.dumps(answer, indent=2))
    else:
        _print_status(site, answer)
    if answer["dead_runs"]:
        return 3
    return 1 if answer["backup"]["late"] else 0


def show_releases(stage: str | None, base: Path | None, format: str) -> int:
    """Every release in the ledger."""
    site = _site(stage, base)
    ledger = _ledger(site)
    problems = obstacles(RealFiles(), site, ledger.releases)
    if format == "json":
        rows = [
            {"state": release.state, **ledgers.release_data(release), "no_way_back": problems[release.name]}
            for release in ledger.releases
        ]
        print(json.dumps(rows, indent=2))
        return 0
    if not ledger.releases:
        print(f"{site.base}: no releases yet")
    for release in ledger.releases:
        _print_release(release, problems[release.name])
    return 0


def _print_release(release: Release, problem: str) -> None:
    """``<-``: it can be gone back to."""
    mark = "->" if release.state == "live" else "  " if problem else "<-"
    print(f"{mark} {release.name}  {release.state:<7} {_build(release):<34} {_by(release)}")
    if release.error:
        print(f"     {release.error.splitlines()[0]}")
    if release.state == "good" and problem:
        print(f"     no way back: {problem}")


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
    open_runs = [name.removesuffix(".jsonl") for name in RealFiles().names(site.journals) if name.endswith(".jsonl")]
    return {
        "site": str(site.base),
        "live": {"state": live.state, **ledgers.release_data(live)} if live else None,
        "links": {link: _target(site.base / link) for link in _links(site, live)},
        "changed_links": [link for link, to in live.links if _target(site.base / link) != to] if live else [],
        "changes": list(_changes(site, ledger)),
        "can_go_back_to": [
            name for name, problem in obstacles(RealFiles(), site, ledger.releases).items() if not problem
        ],
        "last_failure": _last_failure(ledger),
        "backup": backup_state(site, live, RealFiles(), RealClock().now().astimezone()),
        "maintenance": maintenance_data(site, RealFiles()),
        "held_by": held,
        "dead_runs": [] if held else open_runs,
        "bad_ledger_lines": list(ledger.bad_lines),
    }


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


def _last_failure(ledger: Ledger) -> dict[str, str] | None:
    failed = [release for release in ledger.releases if release.state == "failed"]
    if not failed:
        return None
    return {"release": failed[-1].name, "at": failed[-1].at, "error": failed[-1].error}


def _print_status(site: Site, answer: dict[str, Any]) -> None:
    ledger = _ledger(site)
    live = ledger.live
    print(f"site      {site.base}")
    if live is None and answer["links"]:
        print("live      not by mcc: the next deploy adopts what is there")
        print("links     " + ", ".join(f"{link} -> {target or 'nothing'}" for link, target in answer["links"].items()))
    elif live is None:
        print("live      nothing yet")
    else:
        print(f"live      {live.name}, for {_ago(live.at)} (since {live.at})")
        print(f"build     {_build(live)}, {_by(live)}")
        print("links     " + ", ".join(f"{link} -> {target or 'nothing'}" for link, target in answer["links"].items()))
    if answer["can_go_back_to"]:
        kept = answer["can_go_back_to"]
        print(f"kept      {len(kept)} earlier {'release' if len(kept) == 1 else 'releases'}, the newest {kept[-1]}")
    if answer["last_failure"]:
        failure = answer["last_failure"]
        print(f"failed    {failure['release']}: {failure['error'].splitlines()[0] if failure['error'] else '?'}")
    if ledger.bad_lines:
        print(f"warning   {site.ledger}: lines that cannot be read: {', '.join(map(str, ledger.bad_lines))}")
    if answer["maintenance"]:
        print(f"resting   in maintenance, {Maintained(**answer['maintenance']).words}; mcc maintenance off ends it")
    _print_backup(answer["backup"])
    under_way = answer["held_by"] or answer["dead_runs"]
    for sentence in () if under_way else answer["changes"]:
        print(f"warning   {sentence}")
    if answer["held_by"]:
        print(f"running   {answer['held_by']}")
    for run in answer["dead_runs"]:
        print(f"dead      the run {run} did not end; the next deploy recovers it, or: mcc recover --site {site.base}")


def _print_backup(backup: dict[str, Any]) -> None:
    schedule = f", schedule {backup['schedule']}" if backup["schedule"] else ""
    if backup["problem"]:
        print(f"warning   nothing is known of backups: {backup['problem']}")
    elif backup["last_good"]:
        print(f"backup    the last good one is {_ago(backup['last_good'])} old{schedule}")
    elif schedule:
        print(f"backup    none yet{schedule}")
    if backup["late"]:
        print("warning   there should be a newer backup by now: look at logs/backup.log, or run mcc backup")


def _build(release: Release) -> str:
    return str(release.build) if release.build.branch or release.build.number is not None else "no build information"


def _by(release: Release) -> str:
    return f"by {release.by}" + (f", stage {release.stage}" if release.stage else "")


def _ago(at: str) -> str:
    seconds = int((RealClock().now() - datetime.fromisoformat(at)).total_seconds())
    for size, word in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {word}{'s' if count != 1 else ''}"
    return "1 second" if seconds == 1 else f"{max(0, seconds)} seconds"
