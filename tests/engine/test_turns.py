"""The script, mcc, rollbacks and broken releases in any order: after each run of mcc all fits together."""

from __future__ import annotations

import dataclasses
import os
from random import Random

import pytest

from fakes import scripted
from fakes.hands import FakeHands
from fakes.host import Killed
from fakes.scenes import BASE, OUT, Scene, rich_files
from fakes.scripted import state_of
from mcc.core.layout import Site
from mcc.deploy.rollback import plan_rollback, rollback
from mcc.deploy.way_back import RollbackRequest, choose
from mcc.errors import Refused
from mcc.operations.leave import leave
from mcc.operations.site import Asked
from mcc.runs.changes import look_for_changes
from mcc.runs.standing import environment_stands, obstacles

SITE = Site(BASE)
MOVES = ("deploy", "deploy", "broken", "script", "back", "back to any", "sync", "links", "leave", "dies", "dies")
ROUNDS = 400 if os.environ.get("MCC_FULL") else 6


class Turns:
    """A site, and what may happen to it."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.scene = scripted.scripted()
        self.number = 10

    def deploy(self, broken: bool = False) -> int:
        self._build()
        if broken:
            self.scene.world.plant({f"{OUT}/api/BEHAVES": b"answers 500"})
        return self.scene.deploy()

    def dies(self) -> bool:
        """A deploy, or a rollback to any release, is killed and recovered; whether it came to its end before that."""
        to = self.chance.choice(["", *self.possible()])
        if not to:
            self._build()
        self.scene.world.revive(kill_at=self.chance.randint(1, 220))
        try:
            assert (self.back(to) if to else self.scene.deploy()) == 0
        except Killed:
            self.scene.world.revive()
            self.scene.recover()
            return False
        return True

    def script(self) -> None:
        now = self.scene.world.host().clock.now()
        self.number += 1
        if self.scene.world.disk.kind(SITE.environment) == "link" and self.chance.random() < 0.3:
            self.scene.world.disk.remove(SITE.environment)
        scripted.script_deploys(self.scene, f"vrs-{now:%Y-%m-%dT%H%M%S}", self.number)
        scripted.settle(self.scene)

    def back(self, to: str | None = None) -> int:
        request = self.request(to)
        return rollback(request, FakeHands(self.scene.world))

    def request(self, to: str | None) -> RollbackRequest:
        release = choose(self.scene.world.host().files, SITE, self.scene.ledger, to)
        return RollbackRequest(SITE, release, dataclasses.replace(self.scene.conf, path=SITE.conf(release.name)), to)

    def possible(self) -> list[str]:
        found = obstacles(self.scene.world.disk, SITE, self.scene.ledger.releases)
        return [name for name, problem in found.items() if not problem]

    def sync(self) -> None:
        """Somebody runs uv by hand."""
        if self.scene.world.disk.names(SITE.environment / "lib"):
            self.scene.world.disk.scribble(SITE.environment / "lib/extra.py", b"x" * self.number, synced=True)

    def links(self) -> None:
        """Somebody leads both links to another version by hand."""
        disk = self.scene.world.disk
        there = [name for name in disk.names(BASE / "api") if name in disk.names(BASE / "ui")]
        name = self.chance.choice(there)
        for part in ("api", "ui"):
            disk.link(BASE / f"current-{part}", f"{part}/{name}")
        self.scene.world.start()

    def leave(self) -> int:
        return leave(Asked(SITE, self.scene.conf, "prod"), FakeHands(self.scene.world)).code

    def _build(self) -> None:
        self.number += 1
        self.scene.bring(rich_files(self.number, ("001_one", "002_two")))
        scripted.settle(self.scene)


def fits_together(scene: Scene, where: str) -> None:
    """The site is what the ledger says, and all services run it."""
    disk, live = scene.world.disk, scene.ledger.live
    assert live is not None, where
    changes = look_for_changes(disk, scene.world.cron.text, SITE, scene.ledger)
    assert dataclasses.replace(changes, strangers=()).sentences == (), where
    assert environment_stands(disk, SITE, live), where
    assert set(scene.world.serving().values()) == {f"{dict(live.links)['current-api']} venvs/{live.environment}"}, where
    assert scene.world.cron.text.count(b"./backup.sh") == 1, where
    assert scene.world.cron.text.startswith(scripted.FOREIGN), where
    assert scene.journals() == [], where
    assert scene.world.orphans() == [], where
    assert [each.state for each in scene.ledger.releases].count("live") == 1, where


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_whatever_the_turns(seed: int) -> None:
    turns = Turns(Random(seed))
    scene = turns.scene
    done: list[str] = []
    for _ in range(14):
        scene.world.time.pass_by(120)
        scene.world.revive()
        move = turns.chance.choice(MOVES)
        done.append(move)
        where = f"seed {seed}: {', '.join(done)}"
        before = state_of(scene)
        live = scene.ledger.live
        if move == "deploy":
            assert turns.deploy() == 0, where
            fits_together(scene, where)
        elif move == "broken":
            assert turns.deploy(broken=True) == 1, where
            assert before.difference(state_of(scene)) == [], where
        elif move == "back" and live is not None:
            try:
                plan_rollback(turns.request(None), FakeHands(scene.world))
            except Refused:
                continue  # nothing was live before, or it cannot be gone back to
            assert turns.back() == 0, where
            fits_together(scene, where)
        elif move == "back to any" and turns.possible():
            name = turns.chance.choice(turns.possible())
            assert turns.back(name) == 0, where
            fits_together(scene, where)
            assert scene.live == name, where
        elif move == "dies":
            if turns.dies() or before.difference(state_of(scene)):
                fits_together(scene, where)
        elif move == "leave" and live is not None:
            assert turns.leave() == 0, where
            assert scene.world.disk.kind(SITE.environment) == "folder", where
            assert scene.ledger.live is None, where
        elif move in ("script", "sync", "links"):
            getattr(turns, move)()
