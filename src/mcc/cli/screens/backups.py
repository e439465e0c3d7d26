"""Sets of copies, printed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from mcc.core.backups import BackupSet
from mcc.host.ports import Host
from mcc.operations.backup_look import Judged, age, judge

_UNITS = ("B", "kB", "MB", "GB", "TB")


def show_list(found: Sequence[BackupSet], host: Host, names: Sequence[str], format: str) -> None:
    """Every set with its age, size and databases, oldest first."""
    now = host.clock.now()
    judged = [(one, list(judge(one, host, names))) for one in found]
    if format == "json":
        print(json.dumps([_data(one, copies, now) for one, copies in judged], indent=2, ensure_ascii=False))
        return
    if not judged:
        print("no backups yet")
    for one, copies in judged:
        bad = [each for each in copies if each.problem]
        what = copies[0].copied.name if len(copies) == 1 else f"{len(copies)} databases"
        state = "good" if not bad else f"{len(bad)} of {len(copies)} not good"
        release = f"  {one.manifest.release}" if one.manifest.release else ""
        print(f"{one.label:<32} {_age(age(one, now)):>8}  {_size(one.size):>9}  {what}, {state}{release}")
        for each in bad:
            print(f"    {each.copied.name}: {each.problem}")


def _data(one: BackupSet, copies: Sequence[Judged], now: datetime) -> dict[str, Any]:
    manifest = one.manifest
    return {
        "set": one.label,
        "folder": str(one.folder),
        "at": manifest.at.isoformat(),
        "age_seconds": round(age(one, now)),
        "kind": manifest.kind,
        "release": manifest.release,
        "size": one.size,
        "good": not any(each.problem for each in copies),
        "databases": [_copy_data(each) for each in copies],
    }


def _copy_data(each: Judged) -> dict[str, Any]:
    contents = each.copied.contents
    return {
        "name": each.copied.name,
        "file": each.copied.file,
        "good": not each.problem,
        "problem": each.problem,
        "size": contents.size if contents else None,
        "plain_size": contents.plain_size if contents else None,
        "rows": sum(contents.rows.values()) if contents else None,
        "migrations": len(contents.migrations) if contents else None,
        "sha256": contents.sha256 if contents else None,
    }


def show_verified(each: Judged, format: str) -> None:
    """One copy that was read back."""
    if format in ("json", "jsonl"):
        data = {"event": "verified", "set": each.one.label, **_copy_data(each)}
        print(json.dumps(data, ensure_ascii=False), flush=True)
        return
    print(f"{each.one.label}  {each.copied.name}: {each.problem or 'good'}", flush=True)


def _age(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _size(count: float) -> str:
    for unit in _UNITS:
        if count < 1000 or unit == _UNITS[-1]:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError
