"""The crontab: usable, and with the jobs of the site in it once."""

from __future__ import annotations

from collections.abc import Iterator

from mcc.check.scene import Scene
from mcc.core.cron.look import judge
from mcc.core.looks.findings import Finding, error, ok, warning
from mcc.core.provisioned import recovery_files
from mcc.errors import CommandFailed

_DAEMONS = ("cron.service", "crond.service", "cronie.service")


def crontab(scene: Scene) -> Iterator[Finding]:
    """Lines that are there twice or beside the block; a crontab that this user may not have; no cron at all."""
    host, conf = scene.host, scene.conf
    wants = bool(conf.cron) or (conf.backup.enabled and conf.backup.schedule is not None)
    if not host.crontab.available():
        return  # what needs it is refused by the deploy
    try:
        text = host.crontab.read()
    except CommandFailed as wrong:
        yield error("crontab.refused", "crontab", wrong.message, wrong.help or "as root: look at /etc/cron.allow")
        return
    found = list(judge(text, scene.site.base, scene.live is not None and (wants or _recovers_here(scene))))
    found += _daemon(scene) if wants and scene.by_systemd else ()
    found += _scripts(scene) if scene.live else ()
    yield from found
    if not found:
        yield ok("crontab.lines", "the site's lines are there once" if scene.live else "it can be read")


def _recovers_here(scene: Scene) -> bool:
    """Whether the crontab brings dead runs to their end after a reboot, and not a unit of root's."""
    _, at_boot = recovery_files(scene.site.base)
    return scene.by_systemd and scene.host.files.kind(at_boot) == "absent"


def _daemon(scene: Scene) -> Iterator[Finding]:
    if scene.host.commands.find("systemctl") is None:
        return
    words = ["systemctl", "is-active", *_DAEMONS]
    done = scene.host.commands.run(words, env={"LC_ALL": "C.UTF-8"}, timeout=30.0)
    if "active" not in done.output.split():
        message = "no cron daemon runs, so none of the site's jobs does"
        yield warning("crontab.daemon", "", message, "as root: systemctl enable --now cron")


def _scripts(scene: Scene) -> Iterator[Finding]:
    for job in scene.conf.cron:
        path = scene.site.scripts / job.script
        facts = scene.host.rights.look(path) if job.script else None
        if facts is not None and not facts.mode & 0o100:
            yield warning("crontab.script", str(path), "cron cannot run it: it is not executable", f"chmod +x {path}")
