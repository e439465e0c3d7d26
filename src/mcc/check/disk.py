"""Room and inodes, beside what a release takes."""

from __future__ import annotations

from collections.abc import Iterator

from mcc.check.scene import Scene
from mcc.core.looks.findings import Finding, ok, warning

_RELEASES = 2
"""Room that there should be, in releases: one that comes, one that fails."""
_LEAST_BYTES = 256 * 1024 * 1024
_LEAST_INODES = 5000


def disk(scene: Scene) -> Iterator[Finding]:
    """A deploy is refused if the release does not fit; here there should be room for two."""
    size, count = _output(scene)
    free = scene.host.files.space(scene.site.base)
    need_bytes, need_inodes = max(size * _RELEASES, _LEAST_BYTES), max(count * _RELEASES, _LEAST_INODES)
    where, help = (
        str(scene.site.base),
        "remove what is not needed (mcc releases, backups, logs), or make the disk larger",
    )
    if free.bytes < need_bytes:
        message = f"{free.bytes / 1e6:.0f} MB are free, and {need_bytes / 1e6:.0f} MB should be"
        yield warning("disk.little", where, message, help)
    elif free.inodes < need_inodes:
        message = f"{free.inodes} files can still be made, and {need_inodes} should be"
        yield warning("disk.few-inodes", where, message, help)
    else:
        yield ok("disk.free", f"{free.bytes / 1e9:.1f} GB and {free.inodes} files are free")


def _output(scene: Scene) -> tuple[int, int]:
    """Bytes and files of the release that is to come."""
    if scene.request is None:
        return 0, 0
    size = count = 0
    for component in scene.components:
        for source, _ in component.sources:
            folder = scene.request.output / source
            for entry in scene.host.files.walk(folder) if scene.host.files.kind(folder) == "folder" else ():
                size, count = size + entry.size, count + 1
    return size, count
