"""Whether who runs the services can get at what they run: links, release, environment, interpreter."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from mcc.check.scene import Scene
from mcc.core.looks.findings import Finding, error, ok
from mcc.host.ports import Entry

_LOOKED_AT = 5000


def reach(scene: Scene) -> Iterator[Finding]:
    """The live release, as the service user sees it."""
    if scene.live is None:
        return
    found = [*_links(scene), *_environment(scene)]
    if scene.service_user is not None and scene.by_systemd:
        found += [*_ways(scene, scene.service_user), *_files(scene, scene.service_user)]
    yield from found
    if not found:
        who = scene.service_user or scene.user
        yield ok("reach.release", f"{who} can read the live release and its environment")


def _links(scene: Scene) -> Iterator[Finding]:
    files, live = scene.host.files, scene.live
    for link, target in live.links if live else ():
        path = scene.site.base / link
        if files.kind(path) == "link" and files.kind(scene.next_of(path)) != "folder":
            message = (
                f"it leads to {files.read_link(path)}, which is not there; {live.name if live else ''} was {target}"
            )
            yield error("reach.link", str(path), message, "deploy again, or mcc rollback")


def _environment(scene: Scene) -> Iterator[Finding]:
    live, files = scene.live, scene.host.files
    if live is None or live.environment is None:
        return
    folder = scene.site.environments / live.environment
    python = folder / "bin" / "python"
    if files.kind(folder) != "folder":
        message = f"the environment of {live.name} is gone: its services do not start again"
        yield error("reach.environment", str(folder), message, "deploy again: it is built anew")
    elif scene.host.rights.look(scene.end_of(python)) is None:
        message = f"its interpreter {scene.end_of(python)} is gone: services do not start again"
        help = f"install that Python again; or rm -r {folder} and deploy"
        yield error("reach.interpreter", str(python), message, help)


def _ways(scene: Scene, user: str) -> Iterator[Finding]:
    live = scene.live
    assert live is not None
    paths: list[tuple[str, Path]] = [(folder, scene.site.base / folder) for folder in live.folders]
    if live.environment:
        python = scene.site.environments / live.environment / "bin" / "python"
        paths += [("the environment", python), ("the interpreter", scene.end_of(python))]
    closed: dict[Path, str] = {}
    for what, path in paths:
        blocked = scene.host.machine.blocked(user, path)
        if blocked is not None:
            closed.setdefault(blocked, what)
    for folder, what in closed.items():
        yield error("reach.way", str(folder), f"{user} cannot pass it on the way to {what}", f"chmod o+x {folder}")


def _files(scene: Scene, user: str) -> Iterator[Finding]:
    live = scene.live
    assert live is not None
    for folder in live.folders:
        top = scene.site.base / folder
        entries = itertools.islice(scene.host.files.walk(top, skip=("__pycache__", ".venv")), _LOOKED_AT)
        shut = [entry.path for entry in entries if not _may(scene, user, top, entry)]
        if shut:
            more = f" and {len(shut) - 1} more" if len(shut) > 1 else ""
            yield error("reach.file", str(top / shut[0]), f"{user} may not read it{more}", f"chmod -R o+rX {top}")


def _may(scene: Scene, user: str, top: Path, entry: Entry) -> bool:
    needed, rights = (0o005, "rx") if entry.kind == "folder" else (0o004, "r")
    # Most files are for everybody to read: there are thousands, and asking for a user takes its time.
    if entry.kind == "link" or entry.mode & needed == needed:
        return True
    return scene.senses.may(user, top / entry.path, rights)
