"""A backup that dies at any effect leaves whole sets alone: none is lost, none is half there.

All of it runs on the fake machine; a seeded part always, everything with MCC_FULL=1.
"""

from __future__ import annotations

import dataclasses
import errno
import functools
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from fakes.deaths import some
from fakes.hands import FakeHands
from fakes.host import FakeWorld, Killed
from mcc.core.backups import BackupSet
from mcc.core.layout import Site
from mcc.errors import Refused
from mcc.host.copies.sets import sets_of
from mcc.host.ports import Host
from mcc.model.conf import Backup, Conf, Ownership, Server, Services
from mcc.model.database import SqliteDatabase
from mcc.model.event import RunEnded
from mcc.model.plan import Seen
from mcc.operations.backup import back_up
from mcc.operations.backup_look import sets, verify
from mcc.operations.site import Asked
from mcc.runs.recover import recover_all
from mcc.steps.backup import BackUpDatabases

BASE = Path("/srv/site")
ROOT = BASE / "backups"
DAY = 86400.0


def asked(**backup: object) -> Asked:
    conf = Conf(
        BASE / "conf.yml", Server(BASE), ownership=Ownership("none"), services=Services(manager="none"),
        domains=("a.example", "b.example"), backup=Backup(path=str(ROOT), **backup),  # type: ignore[arg-type]
    )  # fmt: skip
    return Asked(Site(BASE), conf, "prod")


WANTED = asked(daily=2, weekly=1, monthly=1)


def machine() -> FakeWorld:
    world = FakeWorld(BASE)
    names = json.dumps(["001_one"]).encode()
    world.plant({str(Site(BASE).database(name)): names for name in ("a.example", "b.example")})
    world.plant({f"{ROOT}/daily/by-hand/data.db": b"somebody else's", f"{ROOT}/notes.txt": b"theirs"})
    return world


def run(world: FakeWorld, wanted: Asked = WANTED, hands: FakeHands | None = None, names: tuple[str, ...] = ()) -> int:
    return back_up(wanted, names, hands or FakeHands(world))


def after(days: int, wanted: Asked = WANTED) -> FakeWorld:
    """A machine with so many backups, one a day, right before the next one."""
    world = machine()
    for _ in range(days):
        assert run(world, wanted) == 0
        world.time.pass_by(DAY)
        world.revive()
    return world


def known(world: FakeWorld) -> dict[str, BackupSet]:
    return {one.label: one for one in sets_of(world.disk, ROOT, BASE)}


def recover(world: FakeWorld) -> None:
    world.revive()
    hands = FakeHands(world)
    site = Site(BASE)
    if world.disk.kind(site.own) == "folder":
        lock = hands.lock(site, {})
        recover_all(site, hands, lock, "found by the next command")
        lock.release()


def check(world: FakeWorld, before: Mapping[str, BackupSet], where: str) -> None:
    """Every set is whole, and what there was to come back to is there."""
    host = world.host()
    found = sets(WANTED, host)
    bad = []
    assert verify(found, WANTED, host, (), lambda each: bad.append(each) if each.problem else None), (where, bad)
    newest = {name for name in ("a.example", "b.example") if any(one.manifest.get(name) for one in found)}
    assert not before or newest == {"a.example", "b.example"}, where
    assert world.disk.read(ROOT / "daily/by-hand/data.db") == b"somebody else's", where
    assert world.disk.names(Site(BASE).journals) == [], where
    databases = world.snapshot(BASE / "domains")
    assert databases == machine().snapshot(BASE / "domains"), where


def hidden(world: FakeWorld) -> list[str]:
    return [path for path in world.snapshot(ROOT, temporaries=True) if "/." in path.removeprefix(str(ROOT))]


@functools.cache
def scene(days: int) -> tuple[FakeWorld, int]:
    world = after(days)
    done = world.fork()
    assert run(done) == 0
    return world, done.process.ticks


def test_undisturbed_it_makes_a_set_and_keeps_what_the_calendar_says() -> None:
    world = after(5)
    labels = sorted(known(world))
    assert len([label for label in labels if label.startswith("daily/")]) == 2
    assert len([label for label in labels if label.startswith("weekly/")]) == 1
    assert len([label for label in labels if label.startswith("monthly/")]) == 1
    assert hidden(world) == []
    check(world, known(world), "undisturbed")


@pytest.mark.parametrize("days", [0, 4])
def test_killed_at_any_effect_all_sets_are_whole(days: int) -> None:
    world, effects = scene(days)
    before = known(world)
    for at in some(60, effects, f"kill {days}"):
        one = world.fork(kill_at=at)
        with pytest.raises(Killed):
            run(one)
        recover(one)
        check(one, before, f"killed at {at}")
        one.time.pass_by(DAY)
        one.revive()
        assert run(one) == 0
        assert hidden(one) == [], f"killed at {at}, then made again"


def test_a_power_cut_at_any_effect_leaves_all_sets_whole() -> None:
    world, effects = scene(4)
    before = known(world)
    for at in some(30, effects, "power"):
        one = world.fork(kill_at=at)
        with pytest.raises(Killed):
            run(one)
        one.power_cut(at)
        recover(one)
        check(one, before, f"power cut at {at}")


def test_killed_while_it_is_recovered_all_sets_are_whole() -> None:
    world, effects = scene(4)
    for at in some(6, effects, "twice"):
        died = world.fork(kill_at=at)
        with pytest.raises(Killed):
            run(died)
        for again in range(1, 12):
            one = died.fork(kill_at=again)
            try:
                recover_with(one)
            except Killed:
                recover(one)
            check(one, known(world), f"killed at {at} and {again}")


def recover_with(world: FakeWorld) -> None:
    """As :func:`recover`, with the process that there is."""
    hands = FakeHands(world)
    lock = hands.lock(Site(BASE), {})
    recover_all(Site(BASE), hands, lock, "found")


def no_room(what: str, path: str) -> Exception:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


@pytest.mark.parametrize("failure", [None, no_room], ids=["as the tool says it", "no space left"])
def test_a_failure_at_any_effect_removes_nothing(failure: Callable[[str, str], Exception] | None) -> None:
    """Before the set counts it is exit code 1 (or 2), and every older set is still there."""
    world, effects = scene(4)
    before = known(world)
    for at in some(60, effects, f"fail {failure}"):
        one = world.fork()
        one.revive(fail_at=at, failure=failure)
        try:
            code = run(one)
        except Refused:
            code = 2
        where = f"failed at {at}: {one.process.trace[at - 1]}"
        recover(one)
        check(one, before, where)
        if code:
            assert before.items() <= known(one).items(), where


def test_a_database_that_cannot_be_copied_does_not_cost_the_others_theirs() -> None:
    """Exit code 1, the good copies stay, the manifest says why, nothing is removed."""
    world = after(4)
    before = known(world)
    world.copies.failing.add("b.example")
    hands = FakeHands(world)
    assert run(world, hands=hands) == 1
    now = known(world)
    assert before.items() <= now.items()
    (new,) = now.keys() - before.keys()
    assert [copied.name for copied in now[new].manifest.good] == ["a.example"]
    assert now[new].manifest.failed[0].error == "b.example: made to fail"
    ended = [event for event in hands.events if isinstance(event, RunEnded)][-1]
    assert "1 of 2 databases could not be copied: b.example" in ended.error
    assert ended.code == "not touched"


def test_when_nothing_can_be_copied_there_is_no_set() -> None:
    world = after(2)
    before = known(world)
    world.copies.failing |= {"a.example", "b.example"}
    assert run(world) == 1
    assert known(world) == before
    assert hidden(world) == []


def test_a_copy_that_reads_back_wrong_is_no_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read back before it counts: one that the disk has changed is not in the set."""
    from fakes.copies import FakeCopies

    copy = FakeCopies.copy

    def spoilt(self: FakeCopies, target: object, place: Path, *rest: object) -> object:
        contents = copy(self, target, place, *rest)  # type: ignore[arg-type]
        if "b.example" in place.name:
            self._files.scribble(place, b"flipped", synced=True)
        return contents

    monkeypatch.setattr(FakeCopies, "copy", spoilt)
    world = machine()
    assert run(world) == 1
    (found,) = known(world).values()
    assert [copied.name for copied in found.manifest.good] == ["a.example"]
    assert found.manifest.failed[0].error.endswith("its SHA-256 is another")
    assert world.disk.names(found.folder) == ["a.example.db.gz", "manifest.json"]


def test_what_a_killed_look_into_a_set_left_goes_after_a_day() -> None:
    long = asked(daily=9, weekly=9)
    world = after(1, long)
    (folder,) = {one.folder for one in known(world).values() if one.shelf == "weekly"}
    old, stranger = folder / ".a.example.db.gz.0123456789ab.mcc-tmp", folder / "notes.txt"
    for path in (old, stranger):
        world.disk.write(path, b"x")
    world.time.pass_by(2 * DAY)
    young = folder / ".b.example.db.gz.0123456789ab.mcc-tmp"
    world.disk.write(young, b"x")
    assert run(world, long) == 0
    assert [world.disk.kind(path) for path in (old, stranger, young)] == ["absent", "file", "file"]


def test_one_database_by_name_leaves_the_others_days_alone() -> None:
    world = after(3)
    before = known(world)
    assert run(world, names=("a.example",)) == 0
    left = known(world)
    assert [one for one in left.values() if one.manifest.get("b.example")]
    assert len({one.name for one in left.values() if one.manifest.get("b.example") and one.shelf == "daily"}) == 2
    assert before.keys() - left.keys() <= {min(before)}


def test_a_file_system_without_hard_links_gets_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    from fakes.files import FakeFiles

    def refused(self: FakeFiles, source: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(source))

    monkeypatch.setattr(FakeFiles, "hard_link", refused)
    world = machine()
    assert run(world) == 0
    assert sorted(label.split("/")[0] for label in known(world)) == ["daily", "monthly", "weekly"]
    check(world, known(world), "copies")


def test_a_link_in_the_place_of_the_folder_is_not_followed() -> None:
    """The service can write into the site: nobody leads all data elsewhere."""
    world = machine()
    world.disk.remove_tree(ROOT)
    world.plant({"/srv/elsewhere": None, str(ROOT): "/srv/elsewhere"})
    assert run(world) == 1
    assert world.disk.names(Path("/srv/elsewhere")) == []


def test_sets_of_another_site_in_the_same_folder_are_not_counted() -> None:
    other = Path("/srv/other")
    world = after(4)
    labels = known(world)
    theirs = dataclasses.replace(WANTED, site=Site(other), conf=dataclasses.replace(WANTED.conf, server=Server(other)))
    world.plant({str(Site(other).database(name)): b"[]" for name in ("a.example", "b.example")})
    assert run(world, theirs) == 0
    assert known(world) == labels


def test_two_sites_that_begin_in_the_same_second_both_get_their_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both by one line of cron: the other one has taken the name when ours is made."""
    world, look = after(0), BackUpDatabases.look

    def late(step: BackUpDatabases, host: Host) -> Seen:
        world.plant({f"{step.folder}/manifest.json": b"somebody else's"})
        return look(step, host)

    monkeypatch.setattr(BackUpDatabases, "look", late)
    assert run(world) == 0
    assert sorted(one.shelf for one in known(world).values()) == ["daily", "monthly", "weekly"]
    assert len({one.name for one in known(world).values()}) == 1


def test_copies_from_before_a_change_that_failed_are_not_taken_for_those_of_a_faster_site() -> None:
    world, names = after(0), ("a.example", "b.example")
    host = world.host()
    ours, theirs = (
        BackUpDatabases(
            ROOT, "before-migration", "vrs-1", site,
            tuple(SqliteDatabase(name, Site(BASE).database(name)) for name in names),
        )
        for site in (BASE, Path("/srv/other"))
    )  # fmt: skip
    seen = ours.look(host)
    theirs.do(host, theirs.look(host))
    with pytest.raises(OSError, match="not empty"):
        ours.do(host, seen)
    ours.undo(host, seen)
    assert [one.label for one in sets_of(world.disk, ROOT, Path("/srv/other"))] == ["before/vrs-1"]


# The suite must be able to fail.


def test_the_suite_sees_pruning_before_the_copy_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    from mcc.operations import backup as operation

    real = operation._steps

    def turned(*args: object) -> object:
        before, behind = real(*args)  # type: ignore[arg-type]
        return (behind[-1], *before), behind[:-1]

    monkeypatch.setattr(operation, "_steps", turned)
    monkeypatch.setattr("mcc.core.backups.newest_good", lambda sets, name: None)
    with pytest.raises(AssertionError):
        test_a_database_that_cannot_be_copied_does_not_cost_the_others_theirs()
