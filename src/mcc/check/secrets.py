"""Files with secrets: for the deploy user alone, and ``.env`` for services that read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mcc.check.scene import Scene
from mcc.core.acl import others_in
from mcc.core.looks.findings import Finding, error, ok, warning
from mcc.core.ownership import closing
from mcc.host.ports import Access
from mcc.steps.variables import read_by_services


def secrets(scene: Scene) -> Iterator[Finding]:
    """``.env``, and the conf that the live release was deployed with."""
    paths = [scene.site.variables]
    if scene.live is not None:
        paths.append(scene.site.conf(scene.live.name))
    there = [path for path in paths if scene.host.files.kind(path) != "absent"]
    found = [finding for path in there for finding in _one(scene, path)]
    yield from found
    if there and not found:
        yield ok("secrets.closed", "files with secrets can be read by nobody else")


def _one(scene: Scene, path: Path) -> Iterator[Finding]:
    facts = scene.host.rights.look(path)
    if facts is None:
        return
    if scene.host.files.kind(path) != "file":
        yield error("secrets.kind", str(path), "it is not a plain file", f"move {path} away, and write it anew")
    elif facts.owner != scene.user:
        message = f"it belongs to {facts.owner}, who can change it"
        yield error("secrets.owner", str(path), message, f"as root: chown {scene.user}: {path} && chmod 600 {path}")
    else:
        yield from _open(scene, path, facts)


def _open(scene: Scene, path: Path, facts: Access) -> Iterator[Finding]:
    reader = scene.service_user if path == scene.site.variables else None
    others = others_in(facts.mode, facts.acl, (reader,) if reader else ())
    if others:
        message = f"{', '.join(others)} may get at the secrets in it ({facts.mode:04o})"
        named = reader if reader and read_by_services(scene.host.files, scene.site.base) else ""
        yield warning("secrets.open", str(path), message, closing(path, named, facts.acl))
