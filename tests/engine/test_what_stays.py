"""What links of the site lead to is never removed, also if a release does not bring it."""

from __future__ import annotations

import dataclasses

from engine import test_leave_kills, test_rollback_kills
from fakes import scenes
from fakes.hands import FakeHands
from fakes.scenes import BASE, OUT, Scene, rich_conf
from mcc.core.conf.found_components import found_in
from mcc.model.conf import Environment
from mcc.model.event import Warned


def only(scene: Scene, *names: str, python: bool = True) -> None:
    """From now on the conf names these components, and the output brings no others."""
    found = found_in(["api", "shared", "worker", "ui"])
    parts = tuple(component for component in found if component.name in names)
    scene.conf = dataclasses.replace(rich_conf(), components=parts, environment=Environment())
    if not python:
        for name in ("pyproject.toml", "uv.lock"):
            scene.world.disk.remove(OUT / name)
    scene.world.revive()


def deploy_often(scene: Scene, times: int = 3) -> None:
    for _ in range(times):
        scene.world.time.pass_by(60)
        scene.world.revive()
        assert scene.deploy() == 0


def test_a_front_end_that_is_deployed_alone_leaves_the_back_end_that_is_live() -> None:
    """Release, environment and link: all that the services run from."""
    scene = scenes.second()
    scene.keep = 1
    first = scene.live
    environment = scene.world.disk.read_link(BASE / ".venv")
    only(scene, "ui", python=False)
    deploy_often(scene)
    disk = scene.world.disk
    assert disk.read_link(BASE / "current-api") == f"api/{first}"
    assert disk.kind(BASE / "api" / str(first)) == "folder"
    assert disk.kind(BASE / environment) == "folder"
    assert scene.world.orphans() == []
    assert scene.ledger.get(str(first)).state == "good"  # type: ignore[union-attr]
    assert len(disk.names(BASE / "ui")) == 3, "the live one, its fallback, and what came with the back end"


def test_the_back_end_goes_when_no_link_leads_to_it_any_more() -> None:
    scene = scenes.second()
    scene.keep = 1
    first = scene.live
    only(scene, "ui", python=False)
    deploy_often(scene)
    scene.bring(scenes.rich_files(3, ("001_one", "002_two", "003_three")))
    only(scene, "api", "ui")
    deploy_often(scene, 2)
    assert first not in scene.world.disk.names(BASE / "api")
    assert scene.world.orphans() == []


def test_a_link_that_only_a_script_knows_keeps_the_version_that_it_leads_to() -> None:
    scene = scenes.second()
    scene.keep = 1
    first = str(scene.live)
    scene.world.plant({f"{BASE}/current-worker": f"{BASE}/api/{first}/worker"})
    deploy_often(scene)
    assert scene.world.disk.kind(BASE / "api" / first / "worker") == "folder"


def test_a_rollback_says_which_links_go_on_with_the_newer_release() -> None:
    scene = scenes.second()
    only(scene, "ui", python=False)
    deploy_often(scene, 1)
    alone = str(scene.live)
    scene.bring(scenes.rich_files(3, ("001_one", "002_two", "003_three")))
    only(scene, "api", "ui")
    deploy_often(scene, 1)
    full = str(scene.live)
    back, hands = test_rollback_kills.of(scene), FakeHands(scene.world)
    assert back.go_back(hands) == 0
    said = [event.text for event in hands.events if isinstance(event, Warned)]
    assert f"current-api goes on with api/{full}: {alone} did not bring one" in said


def test_parts_that_come_by_turns_are_nobody_elses_doing() -> None:
    """What is live is what each part's own last release has brought; nothing is adopted, nobody is suspected."""
    scene = scenes.second()
    said: list[str] = []
    for names, python in ((("ui",), False), (("api",), True), (("ui",), False), (("api", "ui"), True)):
        scene.bring(scenes.rich_files(3, ("001_one", "002_two", "003_three")))
        only(scene, *names, python=python)
        hands = FakeHands(scene.world)
        scene.world.time.pass_by(60)
        assert scene.deploy(hands) == 0
        said += [event.text for event in hands.events if isinstance(event, Warned)]
    assert said == []
    assert [release.origin for release in scene.ledger.releases] == [""] * 5


def test_a_back_end_that_an_older_release_brought_keeps_an_environment_when_the_site_is_left() -> None:
    scene = scenes.second()
    first = str(scene.live)
    only(scene, "ui", python=False)
    deploy_often(scene, 1)
    leaving = test_leave_kills.of(scene)
    assert leaving.leave() == 0
    disk = leaving.world.disk
    assert disk.read_link(BASE / "api" / first / ".venv") == "../../.venv"
    assert disk.kind(BASE / ".venv") == "folder"
