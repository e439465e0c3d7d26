"""Looking at sets: what there is, how old it is, and whether it is what it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mcc.core.backups import BackupSet, Copied, find, root_of
from mcc.errors import CopyFailed, StepError, UsageError
from mcc.host.copies.sets import sets_of
from mcc.host.ports import Host
from mcc.operations.site import Asked


@dataclass(frozen=True, slots=True)
class Judged:
    """One copy of a set; ``problem`` is empty for a good one."""

    one: BackupSet
    copied: Copied
    problem: str


def sets(asked: Asked, host: Host, names: Sequence[str] = ()) -> tuple[BackupSet, ...]:
    """All sets of a site, oldest first; with ``names``, those that hold one of these databases."""
    found = sets_of(host.files, root_of(asked.conf.backup.path, asked.site.base), asked.site.base)
    return tuple(one for one in found if not names or any(one.manifest.get(name) for name in names))


def chosen(found: Sequence[BackupSet], text: str) -> tuple[BackupSet, ...]:
    """``all``, ``newest`` (by the calendar), or the one that is named. Raises UsageError."""
    if not found:
        raise UsageError("there is no backup yet", help="mcc backup makes one")
    if text == "all":
        return tuple(found)
    if text in ("", "newest"):
        daily = [one for one in found if one.shelf != "before"] or list(found)
        return (max(daily, key=lambda one: one.manifest.at),)
    try:
        return (find(found, text),)
    except ValueError as error:
        raise UsageError(str(error), help="mcc backup --list shows all of them") from error


def judge(one: BackupSet, host: Host, names: Sequence[str] = ()) -> Iterator[Judged]:
    """What can be said without reading the copies: are they there, with their size?"""
    for copied in _wanted(one, names):
        yield Judged(one, copied, _seen(one, copied, host))


def _seen(one: BackupSet, copied: Copied, host: Host) -> str:
    path = one.folder / copied.file
    if copied.contents is None or copied.error:
        return copied.error or "it was not copied"
    if host.files.kind(path) != "file":
        return f"{path} is missing"
    if host.files.size(path) != copied.contents.size:
        return f"{path} has {host.files.size(path)} bytes, not {copied.contents.size}"
    return ""


def verify(
    found: Sequence[BackupSet], asked: Asked, host: Host, names: Sequence[str], each: Callable[[Judged], None]
) -> bool:
    """Read copies back, all of each; ``each`` is told. Whether all of them are good: what was never
    copied is told too, and is no copy that went bad."""
    good = True
    for one in found:
        for judged in judge(one, host, names):
            problem = judged.problem or _read_back(judged, asked, host)
            each(Judged(one, judged.copied, problem))
            good = good and not (problem and judged.copied.good)
    return good


def _read_back(judged: Judged, asked: Asked, host: Host) -> str:
    contents = judged.copied.contents
    assert contents is not None
    port: Any = host.sqlite_copies if contents.kind == "sqlite" else host.postgres_copies
    try:
        port.verify(judged.one.folder / judged.copied.file, contents, asked.conf.database.tracking)
    except (CopyFailed, OSError) as error:
        return error.message if isinstance(error, StepError) else str(error)
    return ""


def _wanted(one: BackupSet, names: Sequence[str]) -> Iterator[Copied]:
    return (copied for copied in one.manifest.databases if not names or copied.name in names)


def age(one: BackupSet, now: datetime) -> float:
    """Seconds since a set was made; never less than 0."""
    return max(0.0, (now - one.manifest.at).total_seconds())
