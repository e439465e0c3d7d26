"""Sets of copies: where they lie, what their manifest says, and how long they are kept.

::

    BACKUP_PATH/
      daily/2026-02-27T020000/       one set: one file a database, and manifest.json
      weekly/2026-02-23T020000/      the first good copies of an ISO week: other names of the same files
      monthly/…                      the same of a month, if BACKUP_RETENTION_MONTHLY asks for it
      before/vrs-2026-02-27T150000/  what a deploy, a restore or a clone was about to change

What has no manifest of ours is no backup: it is neither listed nor touched. All times are UTC.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args

from mcc.model.database import Contents, Target

SetKind = Literal["daily", "weekly", "monthly", "before-migration", "before-restore", "before-clone", "before-reset"]
Shelf = Literal["daily", "weekly", "monthly", "before"]
"""The folder of BACKUP_PATH that sets of a kind are in."""

SHELVES: tuple[Shelf, ...] = get_args(Shelf)
MANIFEST = "manifest.json"
SCHEMA = 1
_FORMAT = "%Y-%m-%dT%H%M%S"
_MAKING, _REMOVING = ".making-", ".removing-"


@dataclass(frozen=True, slots=True)
class Copied:
    """One database of a set. ``contents`` None: there is no good copy, and ``error`` says why."""

    name: str
    file: str
    contents: Contents | None = None
    error: str = ""

    @property
    def good(self) -> bool:
        return self.contents is not None and not self.error


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in a set. ``at``: when its copies were begun, in UTC; ``release``: what was live then.

    ``release`` of a set from before migrations is the one that was about to come.
    """

    at: datetime
    site: Path
    kind: SetKind
    databases: tuple[Copied, ...]
    stage: str = ""
    release: str = ""
    tool: str = ""

    def get(self, database: str) -> Copied | None:
        """The database of that name, good or not."""
        return next((copied for copied in self.databases if copied.name == database), None)

    @property
    def good(self) -> tuple[Copied, ...]:
        return tuple(copied for copied in self.databases if copied.good)

    @property
    def failed(self) -> tuple[Copied, ...]:
        return tuple(copied for copied in self.databases if not copied.good)


@dataclass(frozen=True, slots=True)
class BackupSet:
    """A set on disk. ``name`` is its folder's; ``label`` is what a person types."""

    folder: Path
    shelf: Shelf
    manifest: Manifest

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def label(self) -> str:
        return f"{self.shelf}/{self.name}"

    @property
    def size(self) -> int:
        """Bytes of its good copies; other names of the same file count again."""
        return sum(copied.contents.size for copied in self.manifest.good if copied.contents)


@dataclass(frozen=True, slots=True)
class Keep:
    """``BACKUP_RETENTION_*``: of how many days, ISO weeks and months copies are kept."""

    daily: int = 7
    weekly: int = 4
    monthly: int = 0


def shelf_of(kind: SetKind) -> Shelf:
    """Where sets of a kind lie."""
    return "before" if kind.startswith("before") else kind  # type: ignore[return-value]


def set_folder(root: Path, kind: SetKind, name: str) -> Path:
    """The folder of a set below BACKUP_PATH."""
    return root / shelf_of(kind) / name


def root_of(path: str | None, base: Path) -> Path:
    """BACKUP_PATH of a conf; ``path`` None: ``backups`` in the site."""
    return Path(path) if path else base / "backups"


def set_name(now: datetime, taken: Collection[str] = ()) -> str:
    """The UTC second, or the next one that is free."""
    name = now.strftime(_FORMAT)
    while name in taken:
        now += timedelta(seconds=1)
        name = now.strftime(_FORMAT)
    return name


def next_name(name: str) -> str:
    """The name of the second behind that of ``name``."""
    return (datetime.strptime(name, _FORMAT).replace(tzinfo=UTC) + timedelta(seconds=1)).strftime(_FORMAT)


def making(folder: Path, site: Path) -> Path:
    """The hidden name under which a site makes a set: sites may share a BACKUP_PATH."""
    return folder.with_name(f"{_MAKING}{_mark(site)}-{folder.name}")


def removing(folder: Path, site: Path) -> Path:
    """The hidden name of a set on its way out: without a manifest it would stay for ever."""
    return folder.with_name(f"{_REMOVING}{_mark(site)}-{folder.name}")


def is_leftover(name: str, site: Path) -> bool:
    """Whether a name is of a set of this site that was half made, or half removed."""
    return name.startswith((f"{_MAKING}{_mark(site)}-", f"{_REMOVING}{_mark(site)}-"))


def _mark(site: Path) -> str:
    return hashlib.sha256(str(site).encode("utf-8", "surrogateescape")).hexdigest()[:8]


def file_name(target: Target) -> str:
    """``app.example.com.db.gz``, ``NAME.dump``: in a set, no two databases have the same name."""
    # A schema's name may hold what a file's cannot.
    plain = target.name.replace("%", "%25").replace("/", "%2F").replace("\0", "%00")
    plain = "%2E" + plain[1:] if plain.startswith(".") else plain
    if target.kind == "postgresql":
        return f"{plain}.dump"
    return f"{plain.removesuffix('.db')}.db.gz"


def to_json(manifest: Manifest) -> bytes:
    """``manifest.json``."""
    data: dict[str, Any] = {
        "mcc_backup": SCHEMA,
        "at": manifest.at.astimezone(UTC).isoformat(timespec="seconds"),
        "site": str(manifest.site),
        "kind": manifest.kind,
        "stage": manifest.stage,
        "release": manifest.release,
        "tool": manifest.tool,
        "databases": [_copied_data(copied) for copied in manifest.databases],
    }
    return json.dumps(data, indent=1, ensure_ascii=True).encode() + b"\n"


def _copied_data(copied: Copied) -> dict[str, Any]:
    contents = dataclasses.asdict(copied.contents) if copied.contents else None
    return {"name": copied.name, "file": copied.file, "contents": contents, "error": copied.error}


def from_json(text: bytes) -> Manifest:
    """What :func:`to_json` wrote. Raises ValueError for everything else, saying what it is."""
    try:
        data = json.loads(text)
        if not isinstance(data, dict) or "mcc_backup" not in data:
            raise ValueError("it is not a manifest of mcc")
        if data["mcc_backup"] != SCHEMA:
            raise ValueError(f"its schema is {data['mcc_backup']!r}, this mcc reads {SCHEMA}")
        return _manifest(data)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it is not whole: {type(error).__name__}: {error}") from error


def _manifest(data: Mapping[str, Any]) -> Manifest:
    if data["kind"] not in get_args(SetKind):
        raise ValueError(f"its kind is {data['kind']!r}")
    return Manifest(
        at=datetime.fromisoformat(data["at"]).astimezone(UTC),
        site=Path(data["site"]),
        kind=data["kind"],
        databases=tuple(_copied(copied) for copied in data["databases"]),
        stage=str(data["stage"]),
        release=str(data["release"]),
        tool=str(data["tool"]),
    )


def _copied(data: Mapping[str, Any]) -> Copied:
    file = str(data["file"])
    if "/" in file or file in ("", ".", "..", MANIFEST):
        raise ValueError(f"it names a file {file!r}")
    contents = data["contents"]
    return Copied(str(data["name"]), file, _contents(contents) if contents is not None else None, str(data["error"]))


def _contents(data: Mapping[str, Any]) -> Contents:
    known = {field.name for field in dataclasses.fields(Contents)}
    values = {key: value for key, value in data.items() if key in known}
    rows = {str(table): int(count) for table, count in data["rows"].items()}
    return Contents(**{**values, "rows": rows, "migrations": tuple(map(str, data["migrations"]))})


def newest_good(sets: Iterable[BackupSet], database: str) -> BackupSet | None:
    """The set with the newest good copy of a database, of those that are made by the calendar."""
    good = [one for one in sets if one.shelf != "before" and _is_good(one, database)]
    return max(good, key=lambda one: one.manifest.at, default=None)


def _is_good(one: BackupSet, database: str) -> bool:
    copied = one.manifest.get(database)
    return copied is not None and copied.good


def find(sets: Iterable[BackupSet], text: str) -> BackupSet:
    """The set that a person means: ``daily/NAME``, or NAME alone. Raises ValueError with those that there are."""
    known = list(sets)
    text = text.rstrip("/")
    matches = [one for one in known if text in (one.label, str(one.folder))] or [
        one for one in known if one.name == text
    ]
    if matches:
        return min(matches, key=lambda one: SHELVES.index(one.shelf))
    names = ", ".join(one.label for one in sorted(known, key=lambda one: one.manifest.at)[-5:])
    raise ValueError(
        f"there is no set {text}; the newest are: {names}" if names else f"there is no set {text}, nor any"
    )


def period(shelf: Shelf, at: datetime) -> tuple[int, ...]:
    """The calendar day, ISO week or month of a moment, in UTC."""
    day = at.astimezone(UTC).date()
    if shelf == "weekly":
        return tuple(day.isocalendar())[:2]
    return (day.year, day.month) if shelf == "monthly" else (day.year, day.month, day.day)


def to_promote(made: BackupSet, there: Iterable[BackupSet], shelf: Shelf) -> tuple[Copied, ...]:
    """The good copies of a new set that are the first of their database in this week (month)."""
    now = period(shelf, made.manifest.at)
    had = {
        copied.name
        for one in there
        if one.shelf == shelf and period(shelf, one.manifest.at) == now
        for copied in one.manifest.good
    }
    return tuple(copied for copied in made.manifest.good if copied.name not in had)


def to_remove(sets: Collection[BackupSet], keep: Keep, now: datetime) -> tuple[BackupSet, ...]:
    """Daily, weekly and monthly sets that no database needs any more.

    For each database, and over good copies alone: the newest copy of each of the last ``daily`` days
    that have one, all copies of the newest day, the newest of each of the last ``weekly`` weeks and
    ``monthly`` months, and in any case the newest good one of all. A set goes when nothing in it is needed.
    One from after ``now`` was made by a clock that was wrong: it takes nobody's place, and stays.
    """
    counted = [one for one in sets if one.shelf != "before" and one.manifest.at <= now]
    needed = {one.folder for name in _names(counted) for one in _needed(counted, name, keep)}
    return tuple(one for one in counted if one.folder not in needed)


def _names(sets: Iterable[BackupSet]) -> set[str]:
    return {copied.name for one in sets for copied in one.manifest.good}


def _needed(sets: Collection[BackupSet], database: str, keep: Keep) -> list[BackupSet]:
    good = [one for one in sets if _is_good(one, database)]
    last = newest_good(good, database)
    needed = [last] if last else []
    for shelf, count in (("daily", keep.daily), ("weekly", keep.weekly), ("monthly", keep.monthly)):
        needed += _newest_periods([one for one in good if one.shelf == shelf], count)
    return needed


def _newest_periods(sets: Collection[BackupSet], count: int) -> list[BackupSet]:
    by_period: dict[tuple[int, ...], list[BackupSet]] = {}
    for one in sorted(sets, key=lambda one: one.manifest.at):
        by_period.setdefault(period(one.shelf, one.manifest.at), []).append(one)
    newest = sorted(by_period)[-count:] if count > 0 else []
    kept = [by_period[when][-1] for when in newest]
    return kept + (by_period[newest[-1]] if newest else [])


def befores_to_remove(
    sets: Iterable[BackupSet], standing: Collection[str], now: datetime, days: int
) -> tuple[BackupSet, ...]:
    """Sets from before a change that nobody needs any more.

    One stays as long as its release stands (is live, or can be gone back to), and for at least ``days``
    days: also if its release never came live, or is pruned by now.
    """
    old = now - timedelta(days=max(1, days))
    return tuple(
        one for one in sets if one.shelf == "before" and one.manifest.at < old and one.manifest.release not in standing
    )
