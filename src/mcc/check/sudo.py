"""What the deploy user may run as root: each line that is needed, and nothing broader."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from mcc.check.scene import Scene
from mcc.core.cron.look import sites_in
from mcc.core.layout import Site
from mcc.core.looks.findings import Finding, error, ok, warning
from mcc.core.looks.sudo_list import Meant, joined, judge, read_list
from mcc.core.slots import units_of
from mcc.core.sudo import Words, required, restart, start, status, stop, way_out
from mcc.errors import CommandFailed
from mcc.host.ports import Host
from mcc.runs.ledger import read_ledger

_LIMIT = 30.0


def missing_rights(scene: Scene, needed: Iterable[Words]) -> Iterator[Finding]:
    """Commands without which a deploy is refused, asked of sudo itself."""
    missing = [words for words in needed if not scene.host.sudo.allows(words)]
    for words in missing:
        message = f"{scene.user} may not run what is needed: sudo {' '.join(words)}"
        yield error("sudo.missing", "sudoers", message, way_out(scene.user, words))


def sudo(scene: Scene) -> Iterator[Finding]:
    """What the rules allow beyond that. Root has no rules, and needs none."""
    if scene.user == "root" or scene.host.commands.find("sudo") is None:
        return
    meant = _meant(scene)
    done = scene.host.commands.run(["sudo", "-n", "-l"], env={"LC_ALL": "C.UTF-8", "COLUMNS": "1000"}, timeout=_LIMIT)
    rights = read_list(done.output)
    found = list(judge(rights, meant))
    yield from found
    yield from _status(scene)
    yield from _owners(scene, meant)
    if scene.request is None:
        yield from missing_rights(scene, meant.required)
    if done.ok and not found:
        yield ok("sudo.list", f"{len(rights)} commands are allowed, none broader than a deploy needs")


def _meant(scene: Scene) -> Meant:
    conf, units = scene.conf, set(units_of(scene.conf.services))
    names = [*scene.folders, *(["domains"] if conf.domains else []), "logs", "data", "data.db"]
    owned = [scene.site.base / name for name in names]
    needed = required(conf, [path for path in owned if scene.host.files.kind(path) != "absent"])
    useful = (*required(conf, owned), *(words(unit) for unit in units for words in (restart, status, stop, start)))
    bases = [str(scene.site.base)]
    for site in _beside(scene.host):
        live = read_ledger(scene.host.files, site).live
        units.update(live.services if live else ())
        bases.append(str(site.base))
    units |= {f"{unit.removesuffix('.service')}.socket" for unit in units}  # what holds a service's port
    return Meant(scene.user, needed, useful, frozenset(units), tuple(bases))


def _beside(host: Host) -> Iterator[Site]:
    """Other sites of this user: each has a block in the crontab, if that can be read."""
    with contextlib.suppress(CommandFailed):
        yield from (Site(base) for base in sites_in(host.crontab.read()))


def _status(scene: Scene) -> Iterator[Finding]:
    if not scene.by_systemd:
        return
    missing = [words for unit in units_of(scene.conf.services) if not scene.host.sudo.allows(words := status(unit))]
    if missing:
        message = f"{scene.user} may not ask how a service is: a failed deploy would show less of the reason"
        yield warning("sudo.status", "sudoers", message, way_out(scene.user, *missing))


def _owners(scene: Scene, meant: Meant) -> Iterator[Finding]:
    """``chown -R`` by root below a folder that somebody else can exchange for a link is a way to root."""
    commands = [joined(words) for words in meant.required if "chown" in words[0]]
    if commands and scene.conf.ownership.mode == "sudo":
        message = f"whoever can replace {scene.site.base} by a link can own any folder of this machine"
        help = "set up OWNERSHIP: acl with mcc provision, which needs no chown; or trust the deploy user like root"
        yield warning("sudo.chown", "OWNERSHIP: sudo", message, help)
