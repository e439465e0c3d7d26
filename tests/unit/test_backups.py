"""Sets, manifests and the calendar that keeps them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcc.core.backup_age import is_late, last_good, next_after
from mcc.core.backups import (
    BackupSet,
    Copied,
    Keep,
    Manifest,
    SetKind,
    befores_to_remove,
    file_name,
    find,
    from_json,
    is_leftover,
    making,
    newest_good,
    period,
    removing,
    set_folder,
    set_name,
    shelf_of,
    to_json,
    to_promote,
    to_remove,
)
from mcc.core.cron.backup_line import backup_lines
from mcc.core.cron.crontab import parts
from mcc.core.layout import Site
from mcc.model.conf import Backup
from mcc.model.database import Contents, PostgresDatabase, SqliteDatabase

SITE, ROOT = Path("/srv/site"), Path("/srv/site/backups")
START = datetime(2026, 2, 27, 2, 0, tzinfo=UTC)
LATER = START + timedelta(days=1000)
CONTENTS = Contents("sqlite", 10, "ab" * 32, 100, {"notes": 3}, ("001_one",), 4096, "3.40.1")


def one(at: datetime, *good: str, bad: Sequence[str] = (), kind: SetKind = "daily", release: str = "") -> BackupSet:
    copies = [Copied(name, f"{name}.db.gz", CONTENTS) for name in good]
    copies += [Copied(name, f"{name}.db.gz", None, "it was locked") for name in bad]
    manifest = Manifest(at, SITE, kind, tuple(copies), release=release)
    return BackupSet(set_folder(ROOT, kind, set_name(at)), shelf_of(kind), manifest)


def day(number: int, hour: int = 2) -> datetime:
    return START.replace(hour=hour) + timedelta(days=number)


# Manifests


def test_a_manifest_is_read_as_it_was_written() -> None:
    manifest = Manifest(
        START, SITE, "before-migration",
        (Copied("a", "a.db.gz", CONTENTS), Copied("b", "b.db.gz", None, "it was locked")),
        "prod", "vrs-2026-02-27T150000", "0.1-abc",
    )  # fmt: skip
    assert from_json(to_json(manifest)) == manifest


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"mcc_backup": 2}, "its schema is 2"),
        ({"kind": "yearly"}, "its kind is 'yearly'"),
        ({"at": "yesterday"}, "Invalid isoformat"),
        ({"databases": None}, "not whole"),
        ({"databases": [{"name": "a", "file": "../a", "contents": None, "error": ""}]}, r"names a file '\.\./a'"),
        ({"databases": [{"name": "a", "file": "manifest.json", "contents": None, "error": ""}]}, "names a file"),
        ({"databases": [{"name": "a"}]}, "not whole: KeyError: 'file'"),
    ],
)
def test_a_manifest_that_is_none_of_ours_is_refused_with_the_reason(change: dict[str, object], reason: str) -> None:
    data = json.loads(to_json(one(START, "a").manifest)) | change
    with pytest.raises(ValueError, match=reason):
        from_json(json.dumps(data).encode())


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b"null", b"\xff"])
def test_what_is_no_manifest_at_all_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        from_json(text)


@given(st.text(min_size=1, max_size=60).filter(lambda name: "\0" not in name))
def test_a_databases_name_becomes_one_file_name_whatever_is_in_it(name: str) -> None:
    for target in (SqliteDatabase(name, Path("/x")), PostgresDatabase(name, "db")):
        file = file_name(target)
        assert "/" not in file
        assert not file.startswith(".")
        assert file.endswith((".db.gz", ".dump"))


def test_the_files_of_a_set_are_named_for_the_reader() -> None:
    assert file_name(SqliteDatabase("app.example.com", Path("/x"))) == "app.example.com.db.gz"
    assert file_name(SqliteDatabase("data.db", Path("/x"))) == "data.db.gz"
    assert file_name(PostgresDatabase("tenant-one", "db")) == "tenant-one.dump"


def test_two_sets_of_one_second_get_two_names() -> None:
    first = set_name(START)
    assert first == "2026-02-27T020000"
    assert set_name(START, {first}) == "2026-02-27T020001"


def test_half_made_sets_of_another_site_in_the_same_folder_are_not_ours() -> None:
    folder = ROOT / "daily" / "2026-02-27T020000"
    for hidden in (making(folder, SITE), removing(folder, SITE)):
        assert hidden.parent == folder.parent
        assert is_leftover(hidden.name, SITE)
        assert not is_leftover(hidden.name, Path("/srv/other"))
    assert not is_leftover(folder.name, SITE)
    assert not is_leftover(".making-something-of-theirs", SITE)


# Finding


def test_a_set_is_found_by_its_label_its_folder_or_its_name() -> None:
    sets = [one(day(0), "a"), one(day(0), "a", kind="weekly"), one(day(1), "a")]
    assert find(sets, "weekly/2026-02-27T020000") is sets[1]
    assert find(sets, str(sets[1].folder)) is sets[1]
    assert find(sets, "2026-02-27T020000") is sets[0]
    with pytest.raises(ValueError, match=r"no set tuesday; the newest are: .*daily/2026-02-28T020000"):
        find(sets, "tuesday")


def test_the_newest_good_copy_is_none_that_failed_and_none_from_before_a_change() -> None:
    sets = [one(day(0), "a"), one(day(1), bad=["a"]), one(day(2), "a", kind="before-restore")]
    assert newest_good(sets, "a") is sets[0]
    assert newest_good(sets, "b") is None


# Weeks and months


def test_a_week_is_an_iso_week_and_the_turn_of_the_year_lies_within_one() -> None:
    friday, monday = datetime(2027, 1, 1, 2, tzinfo=UTC), datetime(2026, 12, 28, 2, tzinfo=UTC)
    assert period("weekly", friday) == period("weekly", monday) == (2026, 53)
    assert period("monthly", friday) == (2027, 1)


def test_days_are_those_of_utc() -> None:
    late = datetime(2026, 2, 27, 23, 30, tzinfo=timezone(timedelta(hours=-3)))
    assert period("daily", late) == (2026, 2, 28)


def test_the_first_good_copy_of_a_week_is_kept_for_it_by_database() -> None:
    """A database that failed on Monday gets its weekly copy on Tuesday; the others do not get a second one."""
    monday = datetime(2026, 2, 23, 2, tzinfo=UTC)
    first = one(monday, "a", bad=["b"])
    assert [copied.name for copied in to_promote(first, [first], "weekly")] == ["a"]
    weekly = one(monday, "a", kind="weekly")
    second = one(monday + timedelta(days=1), "a", "b")
    assert [copied.name for copied in to_promote(second, [first, weekly, second], "weekly")] == ["b"]
    next_week = one(monday + timedelta(days=7), "a")
    assert [copied.name for copied in to_promote(next_week, [first, weekly], "weekly")] == ["a"]


# Retention


def removed(sets: Sequence[BackupSet], keep: Keep) -> set[str]:
    return {found.label for found in to_remove(sets, keep, LATER)}


def test_so_many_days_stay_as_are_asked_for() -> None:
    sets = [one(day(number), "a") for number in range(10)]
    assert removed(sets, Keep(7)) == {found.label for found in sets[:3]}


def test_days_without_a_backup_do_not_count() -> None:
    """A server that was off for a month does not lose all its backups the day it comes back."""
    sets = [one(day(number), "a") for number in (0, 1, 2, 40)]
    assert removed(sets, Keep(3)) == {sets[0].label}


def test_of_a_day_the_newest_stays_and_of_the_newest_day_all() -> None:
    sets = [one(day(0, hour), "a") for hour in (2, 8)] + [one(day(1, hour), "a") for hour in (2, 8)]
    assert removed(sets, Keep(7)) == {sets[0].label}


def test_sets_of_a_clock_that_was_ahead_take_nobodys_place() -> None:
    sets = [one(day(number), "a") for number in (0, 1, 2, 400, 401, 402)]
    assert to_remove(sets, Keep(2), day(2)) == (sets[0],)


def test_failed_copies_are_not_counted() -> None:
    sets = [one(day(0), "a"), *(one(day(number), "b", bad=["a"]) for number in range(1, 10))]
    assert sets[0].label not in removed(sets, Keep(3))


def test_the_last_good_one_stays_whatever_is_asked_for() -> None:
    sets = [one(day(number), "a") for number in range(3)]
    assert removed(sets, Keep(0, 0, 0)) == {sets[0].label, sets[1].label}


def test_a_set_stays_for_the_one_database_that_needs_it() -> None:
    """A domain that left the conf keeps its last copy."""
    sets = [one(day(0), "a", "gone"), *(one(day(number), "a") for number in range(1, 9))]
    assert removed(sets, Keep(3)) == {found.label for found in sets[1:6]}


def test_weeks_and_months_are_counted_by_themselves() -> None:
    sets = [one(day(7 * number), "a", kind="weekly") for number in range(6)]
    sets += [one(day(31 * number), "a", kind="monthly") for number in range(4)]
    sets.append(one(day(100), "a"))
    assert removed(sets, Keep(1, 4, 2)) == {found.label for found in (*sets[:2], *sets[6:8])}


names = st.lists(st.sampled_from("abc"), unique=True)
some_sets = st.lists(
    st.builds(
        lambda hours, good, bad, kind: one(START + timedelta(hours=hours), *good, bad=bad, kind=kind),
        st.integers(0, 3000), names, names, st.sampled_from(["daily", "weekly", "monthly", "before-restore"]),
    ),
    max_size=25, unique_by=lambda found: found.folder,
)  # fmt: skip
keeps = st.builds(Keep, st.integers(0, 8), st.integers(0, 5), st.integers(0, 3))


@given(some_sets, keeps)
def test_whatever_there_is_no_database_loses_its_last_good_copy(sets: list[BackupSet], keep: Keep) -> None:
    gone = to_remove(sets, keep, LATER)
    left = [found for found in sets if found not in gone]
    for name in "abc":
        assert newest_good(left, name) == newest_good(sets, name)
    assert not any(found.shelf == "before" for found in gone)


@given(some_sets, keeps)
def test_what_stays_stays_the_next_time_too(sets: list[BackupSet], keep: Keep) -> None:
    left = [found for found in sets if found not in to_remove(sets, keep, LATER)]
    assert to_remove(left, keep, LATER) == ()


@given(some_sets, keeps)
def test_every_day_that_is_asked_for_has_a_copy_of_each_database(sets: list[BackupSet], keep: Keep) -> None:
    left = [found for found in sets if found not in to_remove(sets, keep, LATER)]
    for name in "abc":
        for shelf, count in (("daily", keep.daily), ("weekly", keep.weekly), ("monthly", keep.monthly)):

            def periods(found: list[BackupSet], shelf: str = shelf, name: str = name) -> list[tuple[int, ...]]:
                return sorted({
                    period(each.shelf, each.manifest.at)
                    for each in found
                    if each.shelf == shelf and (copied := each.manifest.get(name)) and copied.good
                })  # fmt: skip

            wanted = periods(sets)[-count:] if count else []
            assert set(wanted) <= set(periods(left))


def test_copies_from_before_a_release_stay_as_long_as_it_stands() -> None:
    sets = [
        one(day(0), "a", kind="before-migration", release="vrs-1"),
        one(day(0, 3), "a", kind="before-migration", release="vrs-2"),
        one(day(0, 4), "a", kind="before-migration", release="vrs-failed"),
        one(day(50), "a", kind="before-migration", release="vrs-new"),
        one(day(0, 5), "a"),
    ]
    over = befores_to_remove(sets, {"vrs-2", "vrs-new"}, day(51), 7)
    assert {found.manifest.release for found in over} == {"vrs-1", "vrs-failed"}
    assert befores_to_remove(sets[:1], (), day(6), 7) == ()
    assert befores_to_remove(sets[:1], (), day(0, 20), 0) == ()


# Age


def test_the_last_good_backup_is_as_old_as_the_database_that_was_not_copied_since() -> None:
    sets = [one(day(0), "a", "b"), one(day(1), "a", bad=["b"])]
    assert last_good(sets, ["a"]) == day(1)
    assert last_good(sets, ["a", "b"]) == day(0)
    assert last_good(sets, ["a", "new"]) is None
    assert last_good(sets, []) == day(1)
    assert last_good([], []) is None


@pytest.mark.parametrize(
    ("schedule", "since", "now", "late"),
    [
        ("0 2 * * *", day(0), day(1, 3), False),
        ("0 2 * * *", day(0), day(1, 5), True),
        ("@daily", day(0), day(1, 1), False),
        ("@daily", day(0), day(1, 3), True),
        ("@hourly", day(0), day(0, 6), True),
        ("0 2 * * 0", day(0), day(2, 3), False),  # 27 February 2026 is a Friday
        ("0 2 * * 0", day(0), day(2, 5), True),
        ("@reboot", day(0), day(900), False),
        ("0 0 30 2 *", day(0), day(900), False),
    ],
)
def test_a_backup_is_late_two_hours_after_the_next_one_was_due(
    schedule: str, since: datetime, now: datetime, late: bool
) -> None:
    assert is_late(schedule, since, now) is late


def test_a_schedule_is_read_in_the_time_zone_of_cron() -> None:
    there = timezone(timedelta(hours=5))
    now = datetime(2026, 2, 28, 5, 0, tzinfo=there)
    assert is_late("0 2 * * *", datetime(2026, 2, 26, 21, 0, tzinfo=UTC), now)
    assert not is_late("0 2 * * *", datetime(2026, 2, 27, 21, 0, tzinfo=UTC), now)
    assert next_after("0 2 * * *", now) == datetime(2026, 3, 1, 2, 0, tzinfo=there)


# The cron line


def test_a_schedule_that_is_enabled_becomes_a_line_of_the_sites_own_mcc() -> None:
    site = Site(Path("/srv/a b/50%"))
    backup = Backup(True, schedule="0 2 * * *")
    marker, line = backup_lines(backup, site)
    assert marker.startswith("# ")
    found = parts(line.encode())
    assert found is not None
    assert found[0] == "0 2 * * *"
    assert rb"'/srv/a b/50\%/.mcc/bin/mcc' backup --site '/srv/a b/50\%'" in found[1]
    assert found[1].endswith(rb"/logs/backup.log' 2>&1")
    assert backup_lines(replace(backup, enabled=False), site) == ()
    assert backup_lines(replace(backup, schedule=None), site) == ()
