"""Every step is killed at each of its kinds of effects, in what it does and in what it undoes.

The other suites take deaths by chance; here each step class has its own. The runs fail, so that one death hits a
``do`` or an ``undo``, and what is recovered is as it was.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import pytest

from engine import test_acl_deploys as acl
from engine import test_adoption_kills as adoption
from engine import test_hook_kills as hooks
from engine import test_leave_kills as leaving
from engine import test_offline_kills as offline
from engine import test_reset_kills as resetting
from engine import test_rollback_kills as back
from engine import test_slot_kills as slots
from engine import test_variables_kills as variables
from fakes import scenes
from fakes.deaths import Mortal, dead, revived
from fakes.host import FakeWorld
from fakes.scenes import BASE, OUT, Scene, State
from mcc.core.provisioned import marker, start_program
from mcc.model.conf import Ownership
from mcc.runs.kinds import step_kinds

Effect = tuple[str, str, str]
"""Step class, half (do, undo), kind of effect."""


class Case(Protocol):
    """A machine right before a run that fails."""

    scene: Any

    def check(self, scene: Any, where: str) -> None: ...


@dataclasses.dataclass
class Shared:
    """A site becomes one with lists; its services read ``.env``, and a log is theirs."""

    scene: Scene

    @classmethod
    def new(cls) -> Shared:
        scene = scenes.second(dataclasses.replace(acl.conf(), ownership=Ownership("none")))
        scene.conf = acl.conf()
        scene.world.plant({f"{OUT}/api/BEHAVES": b"answers 500"})
        log = acl.SITE.logs / "backup.log"
        scene.world.plant({str(start_program(BASE)): f"{marker(BASE)}\n".encode(), str(acl.SITE.variables): b"A=1\n"})
        scene.world.disk.chmod(acl.SITE.variables, 0o600)
        scene.world.plant({str(log): b"theirs"}, "www-data")
        scene.world.revive()
        return cls(scene)

    def check(self, scene: Scene, where: str) -> None:
        assert State.of(self.scene).difference(State.of(scene)) == [], where
        assert acl.databases(self.scene) == acl.databases(scene), where
        assert scene.journals() == [], where


@dataclasses.dataclass
class Variables:
    """A service does not live with the new values."""

    scene: variables.Scene

    @classmethod
    def new(cls) -> Variables:
        return cls(variables.TestReader().scene())

    @staticmethod
    def act(scene: variables.Scene) -> int:
        values = {"BROKEN": "1"}
        what = variables.Change(variables.SITE, values, restart=variables.CONF, reader="www-data")
        return variables.change(scene, what)[0]

    def check(self, scene: variables.Scene, where: str) -> None:
        assert self._state(scene) == self._state(self.scene), where

    def _state(self, scene: variables.Scene) -> tuple[object, ...]:
        access = scene.world.host().rights.look(variables.SITE.variables)
        return scene.text, access, scene.world.serving(), scene.world.disk.names(variables.SITE.journals)


@dataclasses.dataclass
class OnAServer:
    """A reset whose databases are PostgreSQL's."""

    scene: resetting.Resetting

    @classmethod
    def new(cls) -> OnAServer:
        scene = resetting.ready("answers 500")
        database = dataclasses.replace(scene.conf.database, kind="postgresql", name="app", schemas=("one", "two"))
        scene.conf = dataclasses.replace(scene.conf, database=database)
        scene.world.postgres.applied = {("app", "one"): ("001_one", "older"), ("app", "two"): ("001_one",)}
        return cls(scene)

    def check(self, scene: resetting.Resetting, where: str) -> None:
        assert scene.world.postgres.applied == self.scene.world.postgres.applied, where
        assert resetting.difference(self.scene.everything(), scene.everything()) == [], where


@dataclasses.dataclass
class Slots:
    """A template unit's first release answers on its own socket, and not behind nginx."""

    scene: Scene

    @classmethod
    def new(cls) -> Slots:
        scene = slots.first()
        scene.world.http.fixed[slots.FRONT] = (500, "")
        return cls(scene)

    def check(self, scene: Scene, where: str) -> None:
        assert State.of(self.scene).difference(State.of(scene)) == [], where
        assert scene.journals() == [], where


def _leaving_without_exchange() -> leaving.Case:
    scene = leaving.does_not_start()
    scene.world.tree.can_exchange = False
    one = leaving.Case.__new__(leaving.Case)
    one.scene = scene
    one.before = one.after = leaving.state_of(scene)
    return one


CASES: Mapping[str, tuple[Callable[[], Case], Callable[[Any], int]]] = {
    "adopt": (lambda: adoption.case("adopt a broken one"), Scene.deploy),
    "adopt without exchange": (lambda: adoption.case("broken without exchange"), Scene.deploy),
    "hooks": (lambda: hooks.case("answers 500"), Scene.deploy),
    "roll back": (lambda: back.case("the old one fails"), back.BackScene.go_back),
    "leave": (lambda: leaving.case("does not start"), leaving.LeaveScene.leave),
    "leave without exchange": (_leaving_without_exchange, leaving.LeaveScene.leave),
    "lists": (Shared.new, Scene.deploy),
    "offline": (lambda: offline.case("smoke"), Scene.deploy),
    "reset": (lambda: resetting.case("with lists, dies"), resetting.Resetting.reset),
    "reset on a server": (OnAServer.new, resetting.Resetting.reset),
    "slots": (Slots.new, Scene.deploy),
    "variables": (Variables.new, Variables.act),
}

KILLED = {
    "BeginMaintenance", "BuildEnvironment", "CopyEnvironment", "EmptyDatabase", "EndMaintenance",
    "ExchangeEnvironment", "GiveEnvironment", "InstallCron", "KeepAssets", "KeepConf", "KeepCron", "KeepHooks",
    "KeepMaterial", "KeepPresent", "LendAssets", "MakeFolders", "PlaceComponent", "PlacePage", "ReplaceFiles",
    "RestartServices", "RestoreOnFailure", "RunHook", "ServicesBack", "ShareFiles", "ShareFolders", "ShareVariables",
    "StartSlot", "StopServices", "SuspendCron", "SwitchLink", "TakeLogs", "WipeFiles", "WriteVariables",
}  # fmt: skip
"""The steps of runs that can fail, each in at least one of the cases."""


@functools.cache
def case(name: str) -> Case:
    return CASES[name][0]()


@functools.cache
def effects(name: str) -> Mapping[Effect, int]:
    """Of an undisturbed run: each kind of effect of each step's halves, and its first number."""
    scene = case(name).scene.fork()
    found: dict[Effect, int] = {}
    with pytest.MonkeyPatch.context() as patch:
        for kind in step_kinds().values():
            for half in ("do", "undo"):
                patch.setattr(kind, half, _watched(scene.world, kind, half, found))
        assert CASES[name][1](scene) == 1
    return found


def _watched(world: FakeWorld, kind: type[Any], half: str, found: dict[Effect, int]) -> Callable[..., Any]:
    real = getattr(kind, half)

    def watched(self: object, host: object, seen: object) -> object:
        begin = world.process.ticks
        try:
            return real(self, host, seen)
        finally:
            for at, (what, _) in enumerate(world.process.trace[begin:], begin + 1):
                found.setdefault((kind.__name__, half, what), at)

    return watched


def deaths(name: str) -> Iterator[tuple[Mortal, str]]:
    """At each kind of effect that no case before this one has."""
    before = {effect for other in list(CASES)[: list(CASES).index(name)] for effect in effects(other)}
    for effect, at in effects(name).items():
        if effect in before:
            continue
        died = dead(case(name).scene, CASES[name][1], at)
        revived(died)
        yield died, f"{name}: killed at {at}, {' '.join(effect)}"


@pytest.mark.parametrize("name", CASES)
def test_killed_at_each_kind_of_effect_it_is_as_before(name: str) -> None:
    for scene, where in deaths(name):
        case(name).check(scene, where)


def test_all_steps_of_runs_that_can_fail_are_among_them() -> None:
    found = {kind for name in CASES for kind, _, _ in effects(name)}
    assert found >= KILLED


@pytest.mark.parametrize("kind", ["ExchangeEnvironment", "GiveEnvironment", "TakeLogs", "WriteVariables"])
def test_the_suite_sees_an_undo_that_is_left_out(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (name, *_) = [name for name in CASES if any(each[0] == kind for each in effects(name))]
    at = max(at for (each, half, _), at in effects(name).items() if (each, half) == (kind, "do"))
    monkeypatch.setattr(step_kinds()[kind], "undo", lambda self, host, seen: None)
    died = dead(case(name).scene, CASES[name][1], at + 1)
    revived(died)
    with pytest.raises(AssertionError):
        case(name).check(died, kind)
