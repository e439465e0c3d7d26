"""A restore that dies at any effect, and is recovered, leaves every database before or after, and loses no copy."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fakes.deaths import cut_off, killed, killed_twice, revived, some
from fakes.exchanges import DEV, Exchange, data, ended, exchange
from fakes.hands import FakeHands
from mcc.core import ledger
from mcc.core.backups import Copied, Manifest, to_json
from mcc.core.layout import Site
from mcc.errors import Refused, SiteError, UsageError
from mcc.model.database import Contents
from mcc.model.event import Warned
from mcc.model.release import Release
from mcc.operations.restore import RestoreRequest, plan_restore, restore
from mcc.operations.site import Asked

A, B = "a.dev.example.com", "b.dev.example.com"
DAILY = DEV / "backups" / "daily"
Databases = dict[str, tuple[str, ...]]


@dataclasses.dataclass
class Restoring(Exchange):
    """A site with two sets, right before a restore."""

    set: str | None = None
    names: tuple[str, ...] = ()

    @property
    def restore_request(self) -> RestoreRequest:
        return RestoreRequest(Asked(Site(DEV), self.target, "dev"), self.set, self.names)

    def run(self, hands: FakeHands | None = None) -> int:
        return restore(self.restore_request, hands or FakeHands(self.world))


def contents(*names: str) -> Contents:
    digest = hashlib.sha256(data(*names)).hexdigest()
    return Contents("sqlite", len(data(*names)), digest, len(data(*names)), {"migrations": len(names)}, names)


def plant_set(scene: Exchange, name: str, databases: Databases, site: Path = DEV, folder: Path = DAILY) -> Manifest:
    """A set on disk, as a backup leaves it."""
    copied = tuple(Copied(domain, f"{domain}.db.gz", contents(*names)) for domain, names in databases.items())
    at = datetime.strptime(name, "%Y-%m-%dT%H%M%S").replace(tzinfo=UTC)
    manifest = Manifest(at, site, "daily", copied)
    files = {f"{folder}/{name}/{each.file}": data(*databases[each.name]) for each in copied}
    scene.world.plant({**files, f"{folder}/{name}/manifest.json": to_json(manifest)})
    return manifest


def restoring(**changes: object) -> Restoring:
    plain = exchange()
    scene = Restoring(plain.world, **changes)  # type: ignore[arg-type]
    plant_set(scene, "2026-02-20T020000", {A: ("old",), B: ("old", "older")})
    plant_set(scene, "2026-02-21T020000", {A: ("new",), B: ("new", "newer")})
    return scene


def over_damage() -> Restoring:
    scene = restoring()
    scene.world.plant({f"{DEV}/domains/{A}/data.db": b"no database"})
    return scene


def of_what_is_missing() -> Restoring:
    scene = restoring()
    scene.world.disk.remove_tree(DEV / "domains" / B)
    return scene


def without_rights() -> Restoring:
    scene = restoring()
    scene.world.units.may_stop = False
    return scene


SCENES: dict[str, Callable[[], Restoring]] = {
    "the newest": restoring,
    "an older set": lambda: restoring(set="daily/2026-02-20T020000"),
    "one domain": lambda: restoring(names=(B,)),
    "over a damaged database": over_damage,
    "a database that is missing": of_what_is_missing,
    "services may not be stopped": without_rights,
}
AFTER: dict[str, dict[str, tuple[str, ...]]] = {
    "an older set": {A: ("old",), B: ("old", "older")},
    "one domain": {A: ("001",), B: ("new", "newer")},
}
NEWEST = {A: ("new",), B: ("new", "newer")}


class Case:
    """A scene, what it is before, and what an undisturbed restore makes of it."""

    def __init__(self, scene: Restoring) -> None:
        self.scene = scene
        self.before = self.state(scene)
        self.sets = self.files(scene)
        self.done = scene.fork()
        self.hands = FakeHands(self.done.world)
        self.code = self.done.run(self.hands)
        self.after = self.state(self.done)
        self.effects = self.done.world.process.ticks

    @staticmethod
    def state(scene: Exchange) -> tuple[object, ...]:
        found = scene.world.snapshot(DEV / "domains", owners=False)
        texts = {path: what[2] for path, what in found.items() if path.endswith("data.db")}
        return texts, scene.world.cron.text, scene.world.serving(), scene.rest()

    @staticmethod
    def files(scene: Exchange) -> dict[str, tuple[object, ...]]:
        return scene.world.snapshot(DAILY)

    def check(self, scene: Exchange, where: str) -> None:
        now = self.state(scene)
        assert now in (self.before, self.after), where
        assert scene.world.disk.names(scene.site.journals) == [], where
        assert scene.leftovers() == [], where
        assert self.files(scene) == self.sets, where


@functools.cache
def case(name: str) -> Case:
    return Case(SCENES[name]())


@pytest.mark.parametrize("name", SCENES)
def test_undisturbed_the_databases_are_what_the_copies_are(name: str) -> None:
    one = case(name)
    assert one.code == 0, ended(one.hands)
    assert ended(one.hands).databases.startswith("restored from daily/2026-02-2")
    found = {Path(path).parent.name: names for path, names in one.done.databases().items()}
    assert found == AFTER.get(name, NEWEST)
    assert one.before[1:] == one.after[1:]


@pytest.mark.parametrize("name", SCENES)
def test_killed_at_any_effect_it_is_before_or_after(name: str) -> None:
    one = case(name)
    for scene, where in killed(one.scene, Restoring.run, some(40, one.effects, name)):
        one.check(scene, where)


@pytest.mark.parametrize("name", SCENES)
def test_killed_again_while_it_is_recovered_it_is_before_or_after(name: str) -> None:
    one = case(name)
    for scene, where in killed_twice(one.scene, Restoring.run, some(5, one.effects, f"{name} twice"), 6):
        one.check(scene, where)


@pytest.mark.parametrize("name", SCENES)
def test_a_power_cut_at_any_effect_leaves_it_before_or_after(name: str) -> None:
    one = case(name)
    for scene, where in cut_off(one.scene, Restoring.run, some(15, one.effects, f"{name} power")):
        one.check(scene, where)


@pytest.mark.parametrize("name", SCENES)
def test_a_failure_at_any_effect_is_undone(name: str) -> None:
    one = case(name)
    for at in some(30, one.effects, f"{name} fails"):
        scene = one.scene.fork(fail_at=at)
        try:
            code = scene.run()
        except Refused as error:
            code = error.exit_code
        where = f"failed at {at}: {scene.world.process.trace[at - 1]}: {code}"
        assert code in (0, 1, 2, 3), where
        if code in (1, 2):
            assert Case.state(scene) == one.before, where
        revived(scene)
        one.check(scene, where)


def test_what_was_there_is_kept_and_can_be_restored() -> None:
    """A restore can itself be taken back."""
    scene = restoring()
    before = scene.databases()
    assert scene.run() == 0
    (kept,) = scene.world.disk.names(DEV / "backups" / "before")
    back = dataclasses.replace(scene, set=f"before/{kept}")
    back.world.revive()
    back.world.time.pass_by(60)
    assert back.run() == 0
    assert back.databases() == before


def test_a_damaged_database_is_kept_byte_for_byte() -> None:
    one = case("over a damaged database")
    (kept,) = one.done.world.disk.names(DEV / "backups" / "before")
    folder = DEV / "backups" / "before" / kept
    assert one.done.world.disk.read(folder / f"{A}.db.raw") == b"no database"
    assert [event.text for event in one.hands.events if isinstance(event, Warned) and "byte for byte" in event.text]


@pytest.mark.parametrize("damage", ["flipped", "cut off", "missing", "foreign", "no manifest", "manifest cut off"])
def test_a_copy_that_is_not_good_changes_nothing(damage: str) -> None:
    scene = restoring(set="daily/2026-02-21T020000")
    folder = DAILY / "2026-02-21T020000"
    place = folder / f"{B}.db.gz"
    text, manifest = scene.world.disk.read(place), scene.world.disk.read(folder / "manifest.json")
    changes: dict[str, Callable[[], object]] = {
        "flipped": lambda: scene.world.plant({str(place): bytes([text[0] ^ 1]) + text[1:]}),
        "cut off": lambda: scene.world.plant({str(place): text[:-1]}),
        "missing": lambda: scene.world.disk.remove(place),
        "foreign": lambda: plant_set(scene, "2026-02-21T020000", NEWEST, Path("/srv/live/prod")),
        "no manifest": lambda: scene.world.disk.remove(folder / "manifest.json"),
        "manifest cut off": lambda: scene.world.plant({f"{folder}/manifest.json": manifest[:90]}),
    }
    changes[damage]()
    before, hands = Case.state(scene), FakeHands(scene.world)
    said = {
        "flipped": "is not what was written", "cut off": r"has \d+ bytes, its manifest says", "missing": "is missing",
        "foreign": "no set daily/2026", "no manifest": "no set daily/2026", "manifest cut off": "no set daily/2026",
    }[damage]  # fmt: skip
    if damage == "flipped":
        assert scene.run(hands) == 1
        assert said in ended(hands).error
    else:
        with pytest.raises((UsageError, SiteError), match=said):
            scene.run(hands)
    assert Case.state(scene) == before
    assert scene.world.disk.names(DEV / "backups" / "before") == []


def test_a_set_elsewhere_is_taken_by_its_path_but_not_one_of_another_site() -> None:
    scene = restoring(set="/mnt/restic/2026-02-19T020000")
    elsewhere = Path("/mnt/restic")
    plant_set(scene, "2026-02-19T020000", {A: ("far",)}, folder=elsewhere)
    assert scene.run() == 0
    assert ("far",) in scene.databases().values()
    plant_set(scene, "2026-02-19T020000", {A: ("far",)}, Path("/srv/live/prod"), elsewhere)
    scene.world.revive()
    with pytest.raises(UsageError, match="it was taken of /srv/live/prod, and this is /srv/live/dev"):
        scene.run()


def test_a_domain_without_a_copy_is_left_alone_and_said_or_refused_if_it_was_named() -> None:
    scene = restoring(set="daily/2026-02-22T020000")
    plant_set(scene, "2026-02-22T020000", {A: ("one",)})
    plan = plan_restore(scene.restore_request, FakeHands(scene.world))
    assert plan.warnings[0] == f"there is no copy of {B}: it is left alone"
    named = dataclasses.replace(scene, names=(B,))
    with pytest.raises(UsageError, match=f"has no copy of {B}"):
        named.run()
    unknown = dataclasses.replace(scene, names=("a.dev.example.con",))
    with pytest.raises(UsageError, match=r"no database a\.dev\.example\.con") as caught:
        unknown.run()
    assert "did you mean a.dev.example.com?" in caught.value.help


def test_a_release_that_is_older_or_newer_than_the_copy_is_said() -> None:
    scene = restoring(names=(B,))
    scene.world.plant(
        {
            f"{DEV}/api/vrs-1/shared/db/scripts/migrations/new.sql": b"",
            f"{DEV}/api/vrs-1/shared/db/scripts/migrations/other.sql": b"",
            f"{DEV}/.mcc/releases.jsonl": b"",
        }
    )
    release = Release("vrs-1", "live", "2026-02-20T00:00:00+00:00", "a-run", folders=("api/vrs-1",))
    scene.world.disk.write(DEV / ".mcc" / "releases.jsonl", ledger.live_line(release))
    warnings = plan_restore(scene.restore_request, FakeHands(scene.world)).warnings
    assert any("knows 1 of the copy's 2 migrations (not newer): it is older than the copy" in text for text in warnings)
    assert any("the copy lacks 1 of the live release's 2 migrations (other)" in text for text in warnings)


def test_rights_that_are_missing_are_named_before_anything_begins() -> None:
    scene = restoring()
    scene.world.sudo.allowed = set()
    with pytest.raises(Refused, match="may not run what this needs") as caught:
        scene.run()
    assert "/bin/chown -R www-data" in caught.value.help


def test_what_was_written_since_a_restore_went_back_is_not_lost_when_the_rest_is_undone_again() -> None:
    """The old data is back, and its services do not answer: a person mends that, and visitors write meanwhile."""
    scene = restoring()
    before = scene.databases()
    scene.world.units.broken = {"vrs-1": "answers 500"}
    assert scene.run() == 3
    assert scene.databases() == before
    scene.world.units.broken = {}
    scene.world.start()
    written = DEV / "domains" / A / "data.db"
    scene.world.disk.scribble(written, data("001", "a visitor's"), synced=True)
    revived(scene)
    assert scene.world.disk.read(written) == data("001", "a visitor's")
    assert scene.world.disk.names(scene.site.journals) == []
    assert set(scene.world.serving().values()) == {"api/vrs-1"}
