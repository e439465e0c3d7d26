"""What a run keeps of a database before it exchanges its content, and putting that back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mcc.core.backups import Copied, file_name
from mcc.core.databases import side_files
from mcc.errors import CopyFailed
from mcc.host.copies.sets import manifest_in
from mcc.host.ports import Host, copier
from mcc.host.temporaries import sweep
from mcc.model.database import Target

WAIT = 30.0
"""Seconds for whoever holds a database."""
_MODE = 0o664  # what an application finds that shares its group with the deploy user


def raw_names(target: Target) -> tuple[str, ...]:
    """Names in a set for a file that is no whole database, and for what lies beside it."""
    name = file_name(target).removesuffix(".gz")
    return (f"{name}.raw", f"{name}.raw-wal", f"{name}.raw-journal")


def raw_paths(target: Target) -> tuple[Path, ...]:
    """The files that are kept under those names: ``-shm`` is made anew from the others."""
    if target.kind != "sqlite":
        return ()
    log, _, journal = side_files(target.path)
    return target.path, log, journal


def stop_all(host: Host, services: Sequence[str]) -> None:
    """Stop what a reboot, or a start that came too early, has brought up; what dies again and again counts."""
    for name in services:
        state = host.services.state(name)
        if state.running or state.starting:
            host.services.stop(name)


def put_kept_back(host: Host, target: Target, folder: Path) -> str:
    """Make a database what the set in ``folder`` says that it was; one that was not there goes again.

    The answer is what to say of databases. Raises CopyFailed.
    """
    kept = manifest_in(host.files, folder).get(target.name)
    if kept is None and target.kind == "postgresql":
        words = f"{target.name} was not there, and what is in it stays"
        host.listener.warn(words)
        return f"as before, but {words}"
    if kept is None:
        _remove(host, target)
    elif kept.contents is not None:
        copier(host, target).put_back(folder / kept.file, kept.contents, target, WAIT)
    else:
        _put_raw(host, target, folder, kept)
    return "as before"


def _remove(host: Host, target: Target) -> None:
    if target.kind == "sqlite":
        for path in (*side_files(target.path), target.path):
            host.files.remove(path)


def _put_raw(host: Host, target: Target, folder: Path, kept: Copied) -> None:
    names = [name for name in raw_names(target) if host.files.kind(folder / name) == "file"]
    if target.kind != "sqlite" or not names:
        raise CopyFailed(f"{target.name}: {folder} has nothing of it: {kept.error}")
    sweep(host.files, target.path.parent)
    _remove(host, target)
    for name, path in zip(raw_names(target), raw_paths(target), strict=True):
        if name in names:
            host.files.copy_file(folder / name, path, _MODE)
