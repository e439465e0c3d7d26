"""The units of systemd that a deploy restarts."""

from __future__ import annotations

from collections.abc import Iterator

from mcc.check.scene import Scene
from mcc.core.looks.findings import Finding, ok
from mcc.core.looks.unit import PROPERTIES, Expected, judge, read_shown
from mcc.core.slots import units_of
from mcc.host.access import may
from mcc.runs.slots import units_that_serve


def units(scene: Scene) -> Iterator[Finding]:
    """Whether they run the site's own files as the right user, and come up again."""
    services = scene.conf.services
    if not scene.by_systemd or not services.all or scene.host.commands.find("systemctl") is None:
        return
    names = units_of(services)
    words = ["systemctl", "show", f"--property={','.join(PROPERTIES)}", "--", *names]
    done = scene.host.commands.run(words, env={"LC_ALL": "C.UTF-8"}, timeout=30.0)
    shown = read_shown(done.stdout.decode("utf-8", "replace"))
    found, known = [], True
    for name in names:
        properties = shown.get(name if "." in name else f"{name}.service", {})
        known = known and properties.get("LoadState") == "loaded"
        found += list(judge(name, properties, _expected(scene, name)))
    yield from found
    if known and not found and scene.links:  # what systemd does not know the checks of a deploy say
        yield ok("units.fit", f"{', '.join(services.all)}: paths, user and limits fit")


def _expected(scene: Scene, name: str) -> Expected:
    user = scene.service_user
    serving = units_that_serve(scene.conf.services, scene.site, scene.host.files)
    idle = set(units_of(scene.conf.services)) - {*serving}
    return Expected(
        base=str(scene.site.base),
        links=scene.links,
        user=scene.conf.ownership.user,
        deployer=scene.user,
        worker=name in scene.conf.services.workers,
        live=scene.live is not None and name not in idle,
        variables=scene.host.files.kind(scene.site.variables) == "file",
        readable=user is None or may(scene.host.rights, user, scene.site.variables, "r"),
    )
