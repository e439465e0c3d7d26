"""A reset that dies at any effect leaves the site with all its data, or wiped and deployed; never anything between."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes import scenes
from fakes.deaths import cut_off, killed, killed_twice, revived, some
from fakes.hands import FakeHands
from fakes.host import Killed, Snapshot
from fakes.scenes import BASE, OUT, Scene
from mcc.core.sudo import stop
from mcc.deploy.request import Request
from mcc.deploy.reset import plan_reset, reset
from mcc.deploy.run import deploy
from mcc.errors import Refused, SiteError, UsageError
from mcc.model.conf import Backup, Database, Ownership
from mcc.model.config import Stage
from mcc.model.event import RunEnded, Warned

NAMES = ("001_one", "002_two", "003_three", "004_four")
ONE, TWO = "one.example.com", "two.example.com"


class Resetting(Scene):
    """A machine right before a reset."""

    @property
    def request(self) -> Request:
        stage = Stage("reset-dev", parameters={"confirm": "notes"})  # in a file nobody has typed it
        return dataclasses.replace(scenes.request_for(self.conf, self.keep), stage=stage)

    def fork(self, kill_at: int | None = None, fail_at: int | None = None) -> Resetting:
        return Resetting(self.world.fork(kill_at, fail_at), self.conf, self.keep)

    def reset(self, hands: FakeHands | None = None, confirm: str | None = None) -> int:
        return reset(self.request, hands or FakeHands(self.world), confirm)

    def everything(self) -> Snapshot:
        """The whole site but for copies and what mcc itself knows, with the crontab and what runs."""
        own = self.request.site.own
        found = self.world.snapshot(BASE, skip=(f"{BASE}/backups*", str(own), f"{own}/*"), temporaries=True)
        serving = tuple(sorted(self.world.serving().items()))
        return {**found, "crontab": (self.world.cron.text,), "serving": serving, "live": (self.live,)}

    def asides(self) -> list[str]:
        return self.world.disk.names(self.request.site.asides)


def ready(behaves: str = "", conf: Callable[[Scene], None] = lambda _: None) -> Resetting:
    """A site with data of its users, a stray domain and links that a service's user has made."""
    first = scenes.first()
    conf(first)
    first.world.plant(
        {
            f"{BASE}/data/uploads/a.png": b"a",
            f"{BASE}/data/index.db": b"[]",
            f"{BASE}/data/away": "/etc",
            f"{BASE}/domains/{ONE}/logo.png": b"logo",
            f"{BASE}/domains/old.example.com/data.db": json.dumps(["001_one"]).encode(),
            f"{BASE}/domains/away": "/home",
        }
    )
    assert first.deploy() == 0
    first.world.time.pass_by(60)
    first.bring(scenes.rich_files(2, NAMES))
    first.world.revive()
    if behaves:
        first.world.plant({f"{OUT}/api/BEHAVES": behaves.encode()})
    return Resetting(first.world, first.conf, first.keep)


def third_fails() -> Resetting:
    scene = ready()
    scene.world.sqlite.failing = {"003_three"}
    return scene


def smoke_fails() -> Resetting:
    scene = ready()
    scene.world.http.fixed = {f"https://{TWO}/api": (503, "Service Unavailable")}
    return scene


def over_damage() -> Resetting:
    scene = ready("answers 500")
    scene.world.disk.scribble(BASE / "domains" / ONE / "data.db", b"no database", 0o664, synced=True)
    return scene


def single(behaves: str = "") -> Resetting:
    """One database at the top of the site, with what a service that was killed left beside it."""

    def one(scene: Scene) -> None:
        database = Database(migrations_dir=scenes.MIGRATIONS)
        scene.conf = dataclasses.replace(scene.conf, domains=(), database=database)

    scene = ready(behaves, one)
    scene.world.plant({f"{BASE}/data.db-wal": b"wal", f"{BASE}/data.db-shm": b"shm"}, owner="www-data")
    for name in ("data.db-wal", "data.db-shm"):
        node = scene.world.disk.node(BASE / name)
        node.owner, node.mode = ("www-data", "deploy"), scene.world.disk.node(BASE / "data.db").mode
    return scene


def with_lists(behaves: str = "", domains: tuple[str, ...] = (ONE, TWO)) -> Resetting:
    def shared(scene: Scene) -> None:
        database = Database() if domains else Database(migrations_dir=scenes.MIGRATIONS)
        acl = Ownership("acl", "www-data")
        scene.conf = dataclasses.replace(scene.conf, ownership=acl, domains=domains, database=database)

    return ready(behaves, shared)


def of_an_empty_site(behaves: str = "") -> Resetting:
    scene = scenes.first()
    if behaves:
        scene.world.plant({f"{OUT}/api/BEHAVES": behaves.encode()})
    return Resetting(scene.world, scene.conf)


def in_maintenance() -> Resetting:
    scene = ready("dies")
    scene.world.plant({f"{BASE}/maintenance/on": b"{}", f"{BASE}/maintenance/page.html": b"page"})
    return scene


SCENES: dict[str, Callable[[], Resetting]] = {
    "good": ready,
    "good, one tenant": single,
    "good, with lists": with_lists,
    "good, with lists, one tenant": lambda: with_lists(domains=()),
    "with lists, dies": lambda: with_lists("dies"),
    "with lists, one tenant, dies": lambda: with_lists("dies", ()),
    "answers 500": lambda: ready("answers 500"),
    "one tenant, answers 500": lambda: single("answers 500"),
    "third migration": third_fails,
    "smoke": smoke_fails,
    "damaged": over_damage,
    "empty, dies": lambda: of_an_empty_site("dies"),
    "in maintenance, dies": in_maintenance,
}


class Case:
    """A scene, all that it is before, and all that it is when a reset has gone through undisturbed."""

    def __init__(self, scene: Resetting) -> None:
        self.scene = scene
        self.before = scene.everything()
        self.done = scene.fork()
        self.hands = FakeHands(self.done.world)
        self.code = self.done.reset(self.hands)
        self.after = self.done.everything()
        self.effects = self.done.world.process.ticks

    @property
    def ended(self) -> RunEnded:
        return [event for event in self.hands.events if isinstance(event, RunEnded)][-1]

    def check(self, scene: Resetting, where: str) -> None:
        now = scene.everything()
        if now not in (self.before, self.after):
            found = [difference(each, now) for each in (self.before, self.after)]
            raise AssertionError(f"{where}: mixed: {min(found, key=len)}")
        assert scene.journals() == [], where
        assert scene.asides() == [], where
        assert scene.world.orphans() == [], where


def difference(one: Snapshot, other: Snapshot) -> list[str]:
    paths = sorted(one.keys() | other.keys())
    return [f"{each}: {one.get(each)} / {other.get(each)}" for each in paths if one.get(each) != other.get(each)]


@functools.cache
def case(name: str) -> Case:
    return Case(SCENES[name]())


def test_a_reset_leaves_new_databases_and_nothing_of_what_users_made() -> None:
    one = case("good")
    assert one.code == 0, one.ended
    assert one.done.databases() == {f"{BASE}/domains/{name}/data.db": NAMES for name in (ONE, TWO)}
    names = [path for path in one.after if path.startswith((f"{BASE}/data/", f"{BASE}/domains/"))]
    assert sorted(names) == sorted(f"{BASE}/domains/{name}{tail}" for name in (ONE, TWO) for tail in ("", "/data.db"))
    assert one.after[f"{BASE}/data"] == one.before[f"{BASE}/data"], "the folder itself stays, with owner and rights"
    assert one.done.world.disk.kind(Path("/home/deploy")) == "folder", "no link was followed"


def test_with_lists_folders_and_databases_have_their_rights_again() -> None:
    one = case("good, with lists")
    for domain in (ONE, TWO):
        folder, database = f"{BASE}/domains/{domain}", f"{BASE}/domains/{domain}/data.db"
        assert one.after[folder] == one.before[folder]
        assert without_data(one.after[database]) == without_data(one.before[database])
    tenant = case("good, with lists, one tenant")
    assert tenant.after[f"{BASE}/data.db"] == tenant.before[f"{BASE}/data.db"], "the link stays"
    assert tenant.done.databases()[f"{BASE}/data/data.db"] == NAMES


def without_data(what: tuple[object, ...]) -> tuple[object, ...]:
    return (*what[:3], *what[4:])


def test_what_the_databases_held_is_kept_for_a_while() -> None:
    one = case("good")
    before = one.done.world.disk.names(BASE / "backups" / "before")
    manifest = one.done.world.disk.read(BASE / "backups" / "before" / before[-1] / "manifest.json")
    assert json.loads(manifest)["kind"] == "before-reset"
    assert [each["contents"]["migrations"] for each in json.loads(manifest)["databases"]] == [
        ["001_one", "002_two"]
    ] * 2


@pytest.mark.parametrize("name", [name for name in SCENES if not name.startswith("good")])
def test_a_reset_that_fails_leaves_everything_as_it_was(name: str) -> None:
    one = case(name)
    assert one.code == 1, one.ended
    assert difference(one.before, one.after) == []
    assert (one.ended.code.partition(" (")[0], one.ended.databases) == ("as before", "as before")
    assert one.done.asides() == []


@pytest.mark.parametrize("name", SCENES)
def test_killed_at_any_effect_it_is_before_or_after(name: str) -> None:
    one = case(name)
    for scene, where in killed(one.scene, Resetting.reset, some(45, one.effects, name)):
        one.check(scene, where)


@pytest.mark.parametrize("name", SCENES)
def test_killed_again_while_it_is_recovered_it_is_too(name: str) -> None:
    one = case(name)
    for scene, where in killed_twice(one.scene, Resetting.reset, some(3, one.effects, f"{name} twice"), 8):
        one.check(scene, where)


@pytest.mark.parametrize("name", SCENES)
def test_a_power_cut_at_any_effect_leaves_it_before_or_after(name: str) -> None:
    """Services have started again by then, with whatever the links say."""
    one = case(name)
    for scene, where in cut_off(one.scene, Resetting.reset, some(15, one.effects, f"{name} power")):
        one.check(scene, where)


def test_a_failure_at_any_effect_leaves_it_before_or_after() -> None:
    one = case("good")
    for at in some(30, one.effects, "fails"):
        scene = one.scene.fork(fail_at=at)
        try:
            code = scene.reset()
        except Refused as error:
            code = error.exit_code
        where = f"failed at {at}: {scene.world.process.trace[at - 1]}: {code}"
        if code in (1, 2):
            assert difference(one.before, scene.everything()) == [], where
        revived(scene)
        if code:
            one.check(scene, where)


def test_postgresql_is_emptied_and_put_back_too() -> None:
    scene = ready("answers 500")
    database = dataclasses.replace(scene.conf.database, kind="postgresql", name="app", schemas=("one", "two"))
    scene.conf = dataclasses.replace(scene.conf, database=database)
    scene.world.postgres.applied = {("app", "one"): ("001_one", "older"), ("app", "two"): ("001_one",)}
    before, good = dict(scene.world.postgres.applied), scene.fork()
    good.world.disk.remove(OUT / "api/BEHAVES")
    assert good.reset() == 0
    assert good.world.postgres.applied == {("app", "one"): NAMES, ("app", "two"): NAMES}
    watched, hands = scene.fork(), FakeHands(scene.world)
    assert scene.reset(hands) == 1
    assert scene.world.postgres.applied == before
    assert [event for event in hands.events if isinstance(event, RunEnded)][-1].databases == "as before"
    ticks = [what for what, _ in scene.world.process.trace]
    assert "clones.empty: committed" in ticks
    for at in some(20, len(ticks), "postgres"):
        died = watched.fork(kill_at=at)
        with pytest.raises(Killed):
            died.reset()
        revived(died)
        assert died.world.postgres.applied == before, at


def test_what_a_service_makes_after_a_reboot_is_not_put_beside_the_old_database() -> None:
    """The machine stops between two names that go back: a service starts on a file of its own meanwhile."""
    one = case("one tenant, answers 500")
    trace = one.done.world.process.trace
    back = [at for at, (what, path) in enumerate(trace, 1) if what == "rename" and path.endswith("data.db")]
    died = one.scene.fork(kill_at=back[-1])  # the last: on the way back
    with pytest.raises(Killed):
        died.reset()
    assert died.world.disk.kind(BASE / "data.db") == "absent"
    died.world.plant({f"{BASE}/data.db": b"[]", f"{BASE}/data.db-journal": b"of the new one"})
    revived(died)
    assert difference(one.before, died.everything()) == []


def test_services_that_a_reboot_has_started_are_stopped_before_files_come_back() -> None:
    one = case("good")
    at = 1 + next(n for n, (what, _) in enumerate(one.done.world.process.trace) if what == "sqlite.migrate: committed")
    died = one.scene.fork(kill_at=at)
    with pytest.raises(Killed):
        died.reset()
    died.world.power_cut()
    assert all(died.world.serving().values())
    revived(died)
    trace = died.world.process.trace
    stopped = max(n for n, (what, _) in enumerate(trace) if what == "services.stop")
    back = min(n for n, (what, path) in enumerate(trace) if "/domains/" in path)
    assert stopped < back
    one.check(died, "after the reboot")


# ---- what is refused


@pytest.mark.parametrize("typed", [None, "", "prod"])
def test_a_protected_site_is_reset_only_if_its_name_is_typed(typed: str | None) -> None:
    scene = ready()
    scene.conf = dataclasses.replace(scene.conf, stage="prod")
    with pytest.raises(UsageError, match=r"is protected .*STAGE: prod.*all its data would be gone") as caught:
        scene.reset(confirm=typed)
    assert "--param confirm=notes" in caught.value.help
    scene.world.revive()
    assert scene.reset(confirm="notes") == 0


def test_folders_that_are_links_are_refused() -> None:
    scene = ready()
    scene.world.disk.rename(BASE / "data", Path("/mnt-data"))
    scene.world.plant({f"{BASE}/data": "/mnt-data"})
    with pytest.raises(SiteError, match="data is a link, not a folder"):
        scene.reset()


def test_a_folder_that_a_service_has_closed_is_refused_before_anything_begins() -> None:
    scene = with_lists()
    scene.world.plant({f"{BASE}/data/closed": None}, owner="www-data")
    scene.world.disk.chmod(BASE / "data/closed", 0o700)
    with pytest.raises(SiteError, match="data/closed cannot be moved aside: deploy may not write in it") as caught:
        scene.reset()
    assert caught.value.help == f"as root: chmod -R g+rwX {BASE}/data"


def test_a_database_that_is_a_link_is_refused() -> None:
    scene = single()
    scene.world.disk.rename(BASE / "data.db", BASE / "elsewhere.db")
    scene.world.plant({f"{BASE}/data.db": "elsewhere.db"})
    with pytest.raises(SiteError, match=r"data\.db is a link, not a file"):
        scene.reset()


def test_a_file_that_a_script_of_the_project_looks_after_goes_too() -> None:
    scene = ready()
    scene.conf = dataclasses.replace(scene.conf, domains=(), database=Database("none"))
    scene.world.plant({f"{BASE}/data.db": b"[]"}, owner="www-data")
    assert scene.reset() == 0
    assert scene.world.disk.kind(BASE / "data.db") == "absent"


def test_a_database_outside_of_the_site_is_refused() -> None:
    scene = single()
    scene.world.plant({f"{OUT}/alembic.ini": b"[alembic]\nscript_location = migrations\n"})
    database = Database("sqlite", tool="alembic", url="sqlite:////var/lib/app.db")
    scene.conf = dataclasses.replace(scene.conf, database=database)
    with pytest.raises(SiteError, match=r"lies outside of the site, in /var/lib/app\.db"):
        scene.reset()


def test_services_that_may_not_be_stopped_are_refused_with_the_line() -> None:
    scene = ready()
    scene.world.sudo.allowed = Everything(but={stop("app.service"), stop("worker.service")})  # type: ignore[assignment]
    before = scene.everything()
    with pytest.raises(Refused, match=r"sudo /bin/systemctl stop app\.service"):
        scene.reset()
    assert difference(before, scene.everything()) == []


class Everything:
    """Sudo rights but for a few."""

    def __init__(self, but: set[tuple[str, ...]]) -> None:
        self.but = but

    def __contains__(self, words: object) -> bool:
        return words not in self.but


def test_a_plan_changes_nothing_and_says_what_goes() -> None:
    scene = ready()
    before = scene.world.snapshot(BASE)
    _, plan = plan_reset(scene.request, FakeHands(scene.world))
    assert scene.world.snapshot(BASE) == before
    titles = [step.title for step in plan.before if step.phase == "wipe"]
    assert titles == ["domains/, data/ aside"]
    migrate = next(step.title for step in plan.before if step.phase == "migrate" and "pending" in step.title)
    assert migrate == "2 databases: 4 pending"


@pytest.mark.parametrize("folder", ["data/backups", "domains/backups", "data"])
def test_copies_in_what_is_emptied_would_go_too_and_nothing_is_started(folder: str) -> None:
    """Those that the reset itself takes among them: it could not even come back."""
    scene = ready()
    scene.conf = dataclasses.replace(scene.conf, backup=Backup(path=f"{BASE}/{folder}"))
    before = scene.world.snapshot(BASE)
    with pytest.raises(SiteError, match=r"BACKUP_PATH .* lies in (data|domains)/, which a reset empties"):
        scene.reset()
    assert scene.world.snapshot(BASE) == before


def test_what_went_aside_stays_if_somebody_removes_the_journal_that_would_bring_it_back() -> None:
    """They were told to, perhaps: a journal that cannot be read ends so. Data of users is never a leftover."""
    scene = ready()
    died = scene.fork(kill_at=_when_all_is_aside())
    with pytest.raises(Killed):
        died.reset()
    (journal,) = [name for name in died.journals() if name.endswith(".jsonl")]
    died.world.disk.remove(died.request.site.journals / journal)
    died.world.revive()
    died.world.time.pass_by(60)
    hands = FakeHands(died.world)
    assert deploy(died.request, hands) == 0
    (run,) = died.asides()
    assert "a.png" in str(died.world.snapshot(died.request.site.aside(run)))
    said = [event.text for event in hands.events if isinstance(event, Warned)]
    assert any(f"{died.request.site.aside(run)} holds what a reset has moved aside" in text for text in said)


def _when_all_is_aside() -> int:
    trace = case("good").done.world.process.trace
    return max(
        at for at, (what, path) in enumerate(trace, 1) if what.startswith("write") and path.endswith("all-aside")
    )


def test_what_is_gone_for_good_and_could_not_be_removed_goes_with_the_next_deploy() -> None:
    scene = ready()
    trace = case("good").done.world.process.trace
    aside = [at for at, (what, path) in enumerate(trace, 1) if what == "remove_tree" and "/aside/" in path]
    scene = scene.fork(fail_at=aside[0])
    assert scene.reset() == 0
    (name,) = scene.asides()
    assert name.endswith(".gone")
    scene.world.revive()
    scene.world.time.pass_by(60)
    assert deploy(scene.request, FakeHands(scene.world)) == 0
    assert scene.asides() == []
