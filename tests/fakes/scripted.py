"""Sites that the specification's own script has deployed to, on the fake machine."""

from __future__ import annotations

import dataclasses

from fakes import scenes
from fakes.scenes import BASE, OUT, Scene, State, rich_conf, rich_files
from mcc.core.cron.crontab import unquoted_commands
from mcc.core.layout import Site
from mcc.model.conf import Conf

OLDER = "vrs-2026-02-20T100000"
SCRIPTED = "vrs-2026-02-26T100000"
FOREIGN = b"MAILTO=ops@example.com\n5 4 * * * /usr/bin/true\n"
SERVICE_USER = "www-data"


def script_deploys(scene: Scene, version: str = SCRIPTED, number: int = 1) -> None:
    """What the script does: releases, absolute links by unlink and symlink, an environment in place, jobs again.

    An environment that is a link is changed where it leads, as uv does it.
    """
    world, disk = scene.world, scene.world.disk
    api = {
        f"{BASE}/api/{version}/api/main.py": b"script %d" % number,
        f"{BASE}/api/{version}/api/__pycache__/main.pyc": b"bytecode",
        f"{BASE}/api/{version}/shared/text.py": b"shared",
        f"{BASE}/ui/{version}/index.html": b"script %d" % number,
        f"{BASE}/scripts/backup.sh": b"#!/bin/sh\n# script %d\n" % number,
    }
    world.plant(api)
    for name in ("api", "ui"):
        disk.remove(BASE / f"current-{name}")
        world.plant({f"{BASE}/current-{name}": f"{BASE}/{name}/{version}"})
    world.plant({f"{BASE}/pyproject.toml": b"[project]", f"{BASE}/uv.lock": b"version = %d" % number})
    if disk.kind(BASE / ".venv") == "absent":
        world.plant({f"{BASE}/.venv/": None})
    for name, data in {"bin/uvicorn": f"#!{BASE}/.venv/bin/python".encode(), "lib/app.py": b"lock %d" % number}.items():
        disk.make_folder(BASE / ".venv" / name.split("/")[0])
        disk.scribble(BASE / ".venv" / name, data, synced=True)
    open_to_the_service(scene)
    job = f"0 2 * * * {unquoted_commands(rich_conf().cron, Site(BASE))[0]}\n".encode()
    marker = b"# MCC-BACKUP\n"
    kept = b"".join(line for line in world.cron.text.splitlines(keepends=True) if line != marker)
    world.cron.text = kept + marker + job
    world.start()
    world.revive()


def open_to_the_service(scene: Scene) -> None:
    """``sudo chown -R www-data`` and ``chmod -R g+rw``.

    Of a link, chown changes the link alone.
    """
    disk, owner = scene.world.disk, (SERVICE_USER, scene.world.user)
    for name in ("api", "ui", ".venv"):
        top = disk.node(BASE / name)
        top.owner = owner
        folder = disk.tree.find(str(BASE / name), disk.who, True)[2]
        for node in disk.tree.nodes(folder):
            node.mode |= 0o060
            node.owner = owner if folder is top else node.owner


def scripted(conf: Conf | None = None, times: int = 3) -> Scene:
    """A site that the script deployed to several times, and an output that mcc is about to deploy."""
    scene = Scene(scenes.machine(), conf or rich_conf())
    scene.world.cron.text = FOREIGN
    scene.bring(rich_files(1, ()))
    for number in range(1, times + 1):
        script_deploys(scene, OLDER if number == 1 else SCRIPTED, number)
    scene.world.time.pass_by(60)
    scene.bring(rich_files(7, ("001_one", "002_two")))
    settle(scene)
    return scene


def settle(scene: Scene) -> None:
    """All that is there is safe on disk."""
    disk = scene.world.disk
    disk.sync(BASE)
    disk.sync(OUT)
    scene.world.revive()


def state_of(scene: Scene) -> State:
    """The site, but for whom links themselves belong to: nobody asks, and no deploy user can give them back."""
    state = State.of(scene)
    site = {path: what[:2] + what[3:] if what[0] == "link" else what for path, what in state.site.items()}
    return dataclasses.replace(state, site=site)
