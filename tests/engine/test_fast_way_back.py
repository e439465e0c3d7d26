"""Visitors of a broken release wait for a rollback: between lock and rename only what must be asked there is asked."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from engine import test_slot_kills as slots
from fakes.hands import FakeHands
from mcc.core import sudo
from mcc.deploy.rollback import rollback
from mcc.deploy.way_back import whole_environment
from mcc.errors import RightsError, SiteError
from mcc.host import environments
from mcc.host.ports import Files


def test_visitors_are_back_before_an_environment_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both were looked at before the site was held; the process that is still up needs no second look."""
    scene = slots.back()
    live = scene.ledger.live
    assert live
    asked = dataclasses.replace(scene.back, whole=str(live.environment))
    led_to, fingerprint = [], environments.fingerprint

    def seen(files: Files, environment: Path) -> str:
        led_to.append(slots.live_unit(scene))
        return fingerprint(files, environment)

    monkeypatch.setattr(environments, "fingerprint", seen)
    assert slots.live_unit(scene) == slots.UNITS[1]
    assert rollback(asked, FakeHands(scene.world)) == 0
    assert set(led_to) == {slots.UNITS[0]}


def test_what_is_known_of_the_live_environment_before_is_that_nobody_has_changed_it() -> None:
    scene = slots.back()
    files, site, live, release = scene.world.host().files, slots.SITE, scene.ledger.live, scene.back.release
    assert live
    assert live.environment != release.environment
    assert whole_environment(files, site, live, release) == live.environment
    assert whole_environment(files, site, live, live) == "", "it is the one that is looked at anyhow"
    scene.world.plant({f"{site.environments / str(live.environment)}/lib/new.py": b"other"})
    assert whole_environment(files, site, live, release) == ""


def test_where_the_old_slot_is_gone_its_environment_is_looked_at_while_the_site_is_held() -> None:
    """Somebody may have changed it since it was asked for: nothing is started that cannot be as it was."""
    scene = slots.back(drained=True)
    asked = scene.back
    scene.world.plant({f"{slots.SITE.environments / str(asked.release.environment)}/lib/new.py": b"other"})
    scene.world.disk.remove_tree(slots.SITE.material(asked.release.name))
    with pytest.raises(SiteError, match="was changed since it was built"):
        rollback(asked, FakeHands(scene.world))


def test_rights_are_asked_for_before_the_site_is_held() -> None:
    scene = slots.back()
    scene.world.sudo.allowed = {sudo.restart(unit) for unit in (*slots.UNITS, "worker.service")}
    hands = FakeHands(scene.world)
    with pytest.raises(RightsError, match=r"stop app@a\.service"):
        scene.go_back(hands)
    assert hands._locks == {}


@pytest.mark.parametrize("format", ["live", "plain", "jsonl"])
def test_a_screen_is_imported_when_it_is_chosen_and_not_while_the_site_is_held(format: str) -> None:
    code = (
        "import sys; from mcc.cli.screens.choose import screen_for; from mcc.core.masking import Masker\n"
        f"make = screen_for({format!r}); there = set(sys.modules); make(Masker(()))\n"
        "assert set(sys.modules) == there, set(sys.modules) - there"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
