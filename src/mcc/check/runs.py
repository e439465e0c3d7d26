"""Runs that died or are under way, and backups that should be there."""

from __future__ import annotations

from collections.abc import Iterator

from mcc.check.scene import Scene
from mcc.core.backups import root_of
from mcc.core.looks.findings import Finding, error, ok, warning
from mcc.host.lock import holder_of
from mcc.operations.backup_age import backup_state
from mcc.runs.frozen import frozen
from mcc.runs.recover import dead_runs


def runs(scene: Scene) -> Iterator[Finding]:
    """Somebody has frozen the site, holds it now, or died while they did."""
    stopped = frozen(scene.site, scene.host.files)
    if stopped:
        way_out = f"mcc unfreeze --site {scene.site.base}, when that is over"
        yield error("runs.frozen", str(scene.site.frozen), f"the site is frozen {stopped.words}", way_out)
    held = holder_of(scene.site.lock)
    dead = dead_runs(scene.host.files, scene.site)
    if held:
        yield warning(
            "runs.held", str(scene.site.lock), f"another run holds the site: {held}", "wait until it has ended"
        )
        return
    for run in dead:
        message = f"the run {run} did not end; the next deploy brings it to its end first"
        yield warning("runs.dead", str(scene.site.journal(run)), message, f"mcc recover --site {scene.site.base}")
    if not dead:
        yield ok("runs.none", "no run is under way, none has died")


def backups(scene: Scene) -> Iterator[Finding]:
    """As late as ``mcc status`` says, and a folder that can be written."""
    root = root_of(scene.conf.backup.path, scene.site.base)
    if scene.host.files.kind(root) != "absent" and not scene.host.files.may_write(root):
        message = f"{scene.user} may not write in it: no copy can be made, also none before migrations"
        yield error("backups.closed", str(root), message, f"as root: chown {scene.user}: {root}")
    state = backup_state(scene.site, scene.live, scene.host.files, scene.host.clock.now().astimezone())
    if state["late"]:
        last = f"the last good one is of {state['last_good']}" if state["last_good"] else "there is none"
        message = f"there should be a newer backup by {state['schedule']}: {last}"
        yield warning("backups.late", str(root), message, "look at logs/backup.log, or run mcc backup")
    elif state["problem"]:
        yield warning("backups.unknown", str(root), str(state["problem"]), "correct the conf, and deploy")
    elif state["schedule"]:
        yield ok("backups.kept", f"the schedule {state['schedule']} is kept")
