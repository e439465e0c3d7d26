"""A new front end has the hashed files of older ones beside its own; they come and go with the release."""

from __future__ import annotations

import dataclasses
import json

import pytest

from engine.test_rollback_kills import SITE, BackScene, of
from fakes import scenes, scripted
from fakes.deaths import cut_off, killed
from fakes.hands import FakeHands
from fakes.scenes import BASE, OUT, Scene, State
from mcc.core import assets
from mcc.deploy.run import plan_deploy
from mcc.model.conf import Component
from mcc.model.event import Warned

MIGRATIONS = ("001_one", "002_two", "003_three")


def bring(scene: Scene, number: int, **files: str) -> None:
    """A build whose page has one file of its own, and what else is named (``x__y``: the file ``x/y``)."""
    more = {f"{OUT}/ui/{name.replace('__', '/')}": text.encode() for name, text in files.items()}
    scene.world.time.pass_by(60)
    scene.world.revive()
    scene.bring({**scenes.rich_files(number, MIGRATIONS), **more})


def deployed(scene: Scene, *numbers: int) -> Scene:
    for number in numbers:
        bring(scene, number)
        assert scene.deploy() == 0
    return scene


def assets_of(scene: Scene, release: str | None = None) -> dict[str, bytes]:
    folder = BASE / "ui" / str(release or scene.live)
    disk = scene.world.disk
    return {name: disk.read(folder / "assets" / name) for name in disk.names(folder / "assets") if "-" in name}


def listed(scene: Scene) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads(
        scene.world.disk.read(scene.request.site.assets(str(scene.live), "ui"))
    )
    return found


def test_a_page_of_each_kept_release_finds_its_files_and_no_older_one_does() -> None:
    """Only what a release brought itself is passed on: what it took over goes with the release that brought it."""
    scene = deployed(scenes.first(), 1)
    first = str(scene.live)
    deployed(scene, 2)
    assert assets_of(scene) == {"app-a1b2c3d1.js": b"js 1", "app-a1b2c3d2.js": b"js 2"}
    assert listed(scene) == {"own": {"assets/app-a1b2c3d2.js": 4}, "older": {first: ["assets/app-a1b2c3d1.js"]}}
    deployed(scene, 3, 4, 5)
    assert scene.keep == 3
    assert sorted(assets_of(scene)) == [f"app-a1b2c3d{number}.js" for number in (2, 3, 4, 5)]


def test_the_files_lie_in_their_folders_and_the_page_is_the_new_one() -> None:
    scene = deployed(scenes.first(), 1)
    bring(scene, 2, **{"deep__er__x-8e0d5f3c.css": "old", "sw-8e0d5f3c.js": "old", "robots.txt": "old"})
    assert scene.deploy() == 0
    deployed(scene, 3)
    disk, ui = scene.world.disk, BASE / "ui" / str(scene.live)
    assert disk.read(ui / "deep/er/x-8e0d5f3c.css") == b"old"
    assert disk.read(ui / "index.html") == b"page 3"
    assert {disk.kind(ui / name) for name in ("sw-8e0d5f3c.js", "robots.txt")} == {"absent"}
    assert {disk.owner(ui / name) for name in ("deep", "deep/er/x-8e0d5f3c.css")} == {("www-data", "deploy")}


def test_a_name_that_both_have_keeps_the_new_content() -> None:
    scene = scenes.first()
    bring(scene, 1, **{"same-8e0d5f3c.js": "old"})
    assert scene.deploy() == 0
    bring(scene, 2, **{"same-8e0d5f3c.js": "new"})
    assert scene.deploy() == 0
    assert scene.world.disk.read(BASE / "ui" / str(scene.live) / "same-8e0d5f3c.js") == b"new"
    assert "same-8e0d5f3c.js" in listed(scene)["own"]


def test_nothing_is_copied_through_a_link_of_the_new_release() -> None:
    scene = deployed(scenes.first(), 1)
    bring(scene, 2)
    scene.world.disk.remove_tree(OUT / "ui/assets")
    scene.world.plant({f"{OUT}/ui/assets": str(OUT / "elsewhere"), f"{OUT}/elsewhere": None})
    scene.world.revive()
    assert scene.deploy() == 0
    assert scene.world.disk.names(OUT / "elsewhere") == []


def test_what_stands_in_the_place_of_an_old_file_is_a_warning() -> None:
    """A service's user may have put a link there; it is not followed, and the deploy goes on."""
    scene = deployed(scenes.first(), 1)
    old = BASE / "ui" / str(scene.live) / "assets/app-a1b2c3d1.js"
    scene.world.disk.remove(old)
    scene.world.plant({str(old): "/etc/passwd"}, "www-data")
    bring(scene, 2)
    hands = FakeHands(scene.world)
    assert scene.deploy(hands) == 0
    assert sorted(assets_of(scene)) == ["app-a1b2c3d2.js"]
    said = [event.text for event in hands.events if isinstance(event, Warned)]
    assert any(f"that are open may miss files: Too many levels of symbolic links ({old})" in text for text in said)


def test_a_release_whose_list_is_missing_counts_with_all_that_it_has() -> None:
    """An older mcc made it, or a script, which took nothing over."""
    scene = deployed(scenes.first(), 1)
    scene.world.disk.remove(scene.request.site.assets(str(scene.live), "ui"))
    scene.world.revive()
    deployed(scene, 2)
    assert sorted(assets_of(scene)) == ["app-a1b2c3d1.js", "app-a1b2c3d2.js"]
    scene = scripted.scripted()
    ui = scene.world.disk.read_link(BASE / "current-ui")
    scene.world.plant({f"{BASE / ui}/assets/app-a1b2c3d0.js": b"by the script"})
    scripted.settle(scene)
    assert scene.deploy() == 0
    assert assets_of(scene)["app-a1b2c3d0.js"] == b"by the script"


def test_beside_code_only_folders_with_a_page_take_part() -> None:
    """One release for all: the front end's folder in it counts, migrations and modules do not."""
    scene = scenes.first()
    parts = (("api", "api"), ("shared", "shared"), ("ui", "web"))
    one = Component("app", "versions", parts, (("current-api", "."), ("current-ui", "web")), environment=True)
    scene.conf = dataclasses.replace(scene.conf, components=(one,), services=scenes.simple_conf().services)
    for number in (1, 2):
        bring(scene, number)
        scene.world.plant({f"{OUT}/api/data-a1b2c3d{number}.txt": b"code"})
        scene.world.revive()
        assert scene.deploy() == 0
    folder = BASE / "versions" / str(scene.live)
    assert "app-a1b2c3d1.js" in scene.world.disk.names(folder / "web/assets")
    assert "data-a1b2c3d1.txt" not in scene.world.disk.names(folder / "api")


def test_who_wants_none_of_it_says_so() -> None:
    scene = deployed(scenes.first(), 1)
    scene.conf = dataclasses.replace(scene.conf, keep_assets=False)
    deployed(scene, 2)
    assert sorted(assets_of(scene)) == ["app-a1b2c3d2.js"]


def test_the_plan_says_how_much_it_is_and_what_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = deployed(scenes.first(), 1)
    bring(scene, 2, **{"big-8e0d5f3c.bin": "x" * 2_000_000})
    assert scene.deploy() == 0
    bring(scene, 3)
    plan = plan_deploy(scene.request, FakeHands(scene.world))[1]
    (title,) = [step.title for step in plan.steps if "hashed" in step.title]
    assert title.startswith("3 hashed files of 2 older releases, 2.0 MB -> ui/vrs-")
    monkeypatch.setattr(assets.choose, "__defaults__", (1_000_000, 20_000))
    hands = FakeHands(scene.world)
    assert scene.deploy(hands) == 0
    said = [event.text for event in hands.events if isinstance(event, Warned)]
    assert any(text.startswith("ui/: 1 hashed file of older releases left out") for text in said), said
    assert sorted(assets_of(scene)) == [f"app-a1b2c3d{number}.js" for number in (1, 2, 3)]


def test_room_for_them_is_asked_for_before_anything_begins() -> None:
    scene = scenes.first()
    bring(scene, 1, **{"big-8e0d5f3c.bin": "x" * 3_000_000})
    assert scene.deploy() == 0
    bring(scene, 2)
    size, _ = scene.world.tree.used()
    scene.world.tree.size_limit = size + 65 * 1024 * 1024
    with pytest.raises(Exception, match="no room"):
        scene.deploy()


def ready(how: str = "") -> Scene:
    """Before a deploy that takes over files of two releases; ``how`` its services behave."""
    scene = deployed(scenes.first(), 1, 2)
    bring(scene, 3)
    if how:
        scene.world.plant({f"{OUT}/api/BEHAVES": how.encode()})
        scene.world.revive()
    return scene


def deaths_of_the_step(scene: Scene) -> list[int]:
    copy = scene.fork()
    copy.deploy()
    return [
        at
        for at, (what, path) in enumerate(copy.world.process.trace, 1)
        if what.startswith("copy_files") or "/.assets" in path or "a1b2c3d" in path
    ]


def test_it_goes_with_a_release_that_fails() -> None:
    scene = ready("answers 500")
    before = State.of(scene)
    assert scene.deploy() == 1
    assert before.difference(State.of(scene)) == []
    assert scene.world.disk.names(BASE / "ui") == [release.name for release in scene.ledger.standing()]
    kept = scene.request.site.own / "releases"
    assert scene.world.disk.names(kept) == [release.name for release in scene.ledger.standing()]


def test_killed_or_cut_off_at_each_of_its_effects_the_site_is_as_before() -> None:
    scene = ready()
    before, deaths = State.of(scene), deaths_of_the_step(scene)
    assert len(deaths) > 8
    for die in (killed, cut_off):
        for died, where in die(scene, Scene.deploy, deaths):
            assert before.difference(State.of(died)) == [], where
            names = died.world.disk.names(died.request.site.own / "releases")
            assert names == [release.name for release in died.ledger.standing()], where


class TestRollback:
    """Now the newer page is the one that is open."""

    def scene(self) -> BackScene:
        scene = deployed(scenes.first(), 1)
        bring(scene, 2, **{"deep__er__x-8e0d5f3c.css": "new"})
        assert scene.deploy() == 0
        scene.world.time.pass_by(60)
        return of(scene)

    def test_the_release_that_comes_live_again_gets_the_files_of_the_newer_one(self) -> None:
        scene = self.scene()
        newer = str(scene.live)
        assert scene.go_back() == 0
        disk, ui = scene.world.disk, BASE / "ui" / str(scene.live)
        assert assets_of(scene) == {"app-a1b2c3d1.js": b"js 1", "app-a1b2c3d2.js": b"js 2"}
        assert disk.read(ui / "deep/er/x-8e0d5f3c.css") == b"new"
        assert disk.read(ui / "index.html") == b"page 1"
        assert listed(scene) == {
            "own": {"assets/app-a1b2c3d1.js": 4},
            "older": {newer: ["assets/app-a1b2c3d2.js", "deep/er/x-8e0d5f3c.css"]},
        }
        assert {disk.owner(ui / name) for name in ("deep", "deep/er/x-8e0d5f3c.css")} == {("www-data", "deploy")}

    def test_they_are_not_the_releases_own_in_the_next_deploy(self) -> None:
        scene = self.scene()
        assert scene.go_back() == 0
        scene.keep = 1
        deployed(scene, 3)
        assert sorted(assets_of(scene)) == ["app-a1b2c3d1.js", "app-a1b2c3d3.js"]

    def test_a_rollback_that_fails_takes_all_of_it_back(self) -> None:
        scene = self.scene()
        old = scene.ledger.standing()[0].name
        scene.world.units.broken = {old: "answers 500"}
        before, kept = State.of(scene), scene.world.disk.read(SITE.assets(old, "ui"))
        assert scene.go_back() == 1
        assert before.difference(State.of(scene)) == []
        assert scene.world.disk.read(SITE.assets(old, "ui")) == kept

    @pytest.mark.parametrize("what", ["has a list", "has none"])
    def test_killed_at_each_of_its_effects_it_is_as_before(self, what: str) -> None:
        scene = self.scene()
        old = scene.ledger.standing()[0].name
        if what == "has none":
            scene.world.disk.remove(SITE.assets(old, "ui"))
        before, copy = State.of(scene), scene.fork()
        assert copy.go_back() == 0
        trace = copy.world.process.trace
        ats = [at for at, (_, path) in enumerate(trace, 1) if f"/ui/{old}/" in path or "/.assets" in path]
        assert len(ats) > 12
        for die in (killed, cut_off):
            for died, where in die(scene, BackScene.go_back, ats):
                assert before.difference(State.of(died)) == [], where
                assert (died.world.disk.kind(SITE.assets(old, "ui")) == "file") == (what == "has a list"), where

    def test_one_that_cannot_be_copied_is_a_warning(self) -> None:
        scene = self.scene()
        trace = scene.fork()
        assert trace.go_back() == 0
        at = next(at for at, (what, path) in enumerate(trace.world.process.trace, 1) if "x-8e0d5f3c" in path)
        one = scene.fork(fail_at=at)
        hands = FakeHands(one.world)
        assert one.go_back(hands) == 0
        said = [event.text for event in hands.events if isinstance(event, Warned)]
        assert any(text.startswith("pages of newer releases that are open may miss files") for text in said), said

    def test_nothing_is_copied_through_a_link_of_the_older_release(self) -> None:
        scene = self.scene()
        old = scene.ledger.standing()[0].name
        scene.world.plant({f"{BASE}/ui/{old}/deep": str(OUT), str(OUT): None})
        before = scene.world.disk.names(OUT)
        assert scene.go_back() == 0
        assert scene.world.disk.names(OUT) == before
