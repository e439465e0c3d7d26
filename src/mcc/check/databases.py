"""SQLite's files: the service must be able to write them, and to make side files beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mcc.check.scene import Scene
from mcc.core.databases import files_of, side_files, targets
from mcc.core.looks.findings import Finding, error, ok


def databases(scene: Scene) -> Iterator[Finding]:
    """Each file that is there, its side files and its folder."""
    if scene.conf.database.kind == "postgresql" or not _has_any(scene):
        return
    paths = [path for path in files_of(targets(scene.conf, scene.site)) if scene.host.files.kind(path) != "absent"]
    found = [finding for path in paths for finding in _one(scene, path)]
    yield from found
    if paths and not found:
        yield ok("databases.files", f"{len(paths)} databases can be written by {scene.service_user or scene.user}")


def _has_any(scene: Scene) -> bool:
    return scene.conf.database.kind != "none" and scene.serves


def _one(scene: Scene, path: Path) -> Iterator[Finding]:
    kind = scene.host.files.kind(path)
    if kind != "file":
        message = f"it is a {kind}, and no deploy touches what it leads to"
        yield error("databases.kind", str(path), message, "put the database itself there")
        return
    for each in (path, *side_files(path)):
        if scene.host.files.kind(each) == "file":
            yield from _file(scene, each)
    user = scene.service_user
    if user is not None and not scene.senses.may(user, path.parent, "wx"):
        message = f"{user} may make no files in it, as SQLite must beside {path.name}"
        yield error("databases.folder", str(path.parent), message, _help(scene, path.parent))


def _file(scene: Scene, path: Path) -> Iterator[Finding]:
    user = scene.service_user
    facts = scene.host.rights.look(path)
    if user is not None and not scene.senses.may(user, path, "rw"):
        owner = f"{facts.owner}:{facts.group} {facts.mode:04o}" if facts else "?"
        message = f"{user} may not write it ({owner}): to the application the database is read-only"
        yield error("databases.read-only", str(path), message, _help(scene, path))
    if not scene.host.files.may_write(path):
        message = f"{scene.user} may not write it: no migration, copy or restore is possible"
        yield error("databases.closed", str(path), message, _help(scene, path))


def _help(scene: Scene, path: Path) -> str:
    owner = scene.conf.ownership
    if owner.mode == "acl":
        return "as root: what mcc provision --only folders writes"
    return f"as root: chown {owner.user or scene.user}:{owner.group or scene.user} {path} && chmod ug+rw {path}"
