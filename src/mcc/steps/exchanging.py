"""A link and a folder that change places: an environment that becomes a link, and the other way round."""

from __future__ import annotations

import errno
from pathlib import Path

from mcc.host.ports import Files, Host

_CANNOT = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


def change_places(host: Host, place: Path, other: Path) -> None:
    """One of the two is a folder, the other a link. In one stroke, unless the file system cannot.

    Then ``place`` is missing for a moment. Killed meanwhile it leaves one of: the folder alone under one of the two
    names, or both in their new or old places.
    """
    try:
        host.files.exchange(place, other)
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
        host.listener.warn(f"this file system cannot exchange two names at once: {place} is missing for a moment")
        _one_by_one(host.files, place, other)


def _one_by_one(files: Files, place: Path, other: Path) -> None:
    is_folder = files.kind(place) == "folder"
    link, folder = (other, place) if is_folder else (place, other)
    target = files.read_link(link)
    files.remove(link)
    files.rename(folder, link)
    files.link(folder, target)


def folder_back(host: Host, place: Path, other: Path, target: str) -> None:
    """Have the folder at ``place`` and nothing at ``other``, wherever :func:`change_places` was interrupted.

    ``target`` is where the link led; what somebody else has put there since is left alone.
    """
    files = host.files
    if files.kind(other) == "folder" and files.kind(place) == "absent":
        files.rename(other, place)
    elif files.kind(other) == "folder" and _leads(files, place, target):
        change_places(host, place, other)
    if _leads(files, other, target):
        files.remove(other)


def link_back(host: Host, place: Path, other: Path, target: str) -> None:
    """Have the link at ``place``, and the folder, if it is there, at ``other``."""
    files = host.files
    if files.kind(place) == "absent":
        files.link(place, target)
    elif files.kind(place) == "folder" and files.kind(other) in ("absent", "link"):
        if files.kind(other) == "absent":
            files.link(other, target)
        change_places(host, place, other)


def _leads(files: Files, link: Path, target: str) -> bool:
    return files.kind(link) == "link" and files.read_link(link) == target
