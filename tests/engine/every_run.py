"""Every kind of run that there is, as ``bench/kills.py`` and the tests of it kill them: what it is before and after."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from engine import test_adoption_kills as adoption
from engine import test_alembic_kills as alembic
from engine import test_backup_kills as backing_up
from engine import test_clone_kills as cloning
from engine import test_each_effect_kills as each_effect
from engine import test_hook_kills as hooks
from engine import test_kills as deploying
from engine import test_leave_kills as leaving
from engine import test_maintenance_kills as resting
from engine import test_migrate_kills as migrating
from engine import test_offline_kills as offline
from engine import test_postgres_kills as postgres
from engine import test_rehearsals as rehearsing
from engine import test_reset_kills as resetting
from engine import test_restore_kills as restoring
from engine import test_rollback_kills as back
from engine import test_slot_kills as slots
from engine import test_slots_at_rest as slots_at_rest
from engine import test_variables_kills as variables
from fakes import scenes
from fakes.exchanges import Exchange
from fakes.hands import FakeHands
from fakes.host import FakeWorld, Snapshot
from fakes.kills import Act, Check, Kind, Lost, Mixed, Ready
from fakes.scenes import Scene, State
from mcc.core.layout import Site
from mcc.operations.freeze import freeze, unfreeze
from mcc.runs.drain import drain_after
from mcc.runs.frozen import frozen


def ready(scene: Any, act: Act, check: Check, last: int = 0) -> Ready:
    """With a look at what mcc itself keeps; ``last``: so many effects at the end are somebody else's business."""
    done = scene.fork()
    act(done)
    return Ready(scene, act, _with_kept(scene, done, check), done.world.process.ticks - last)


def _with_kept(before: Any, after: Any, check: Check) -> Check:
    """Confs, material of releases, code of hooks are those of one time too."""
    allowed = kept(before.world), kept(after.world)

    def look(scene: Any, where: str) -> None:
        now = kept(scene.world)
        check(scene, where)
        if now not in allowed:
            found = [resetting.difference(each, now) for each in allowed]
            raise Mixed(f"{where}: mixed: {min(found, key=len)}")

    return look


_TEMPORARY = ("journal", "runs", "hooks", "tool", "bin", "releases.jsonl", "unsent.jsonl", "told.json", "scratch")


def kept(world: FakeWorld) -> Snapshot:
    """The files in ``.mcc`` that outlive a run, but for the ledger, records of runs, and code that an undo may need."""
    own = Site(world.base).own
    skip = [pattern for name in _TEMPORARY for pattern in (str(own / name), f"{own / name}/*")]
    return {path: what for path, what in world.snapshot(own, skip=skip).items() if what[0] != "folder"}


# ---- deploys


def deploy(name: str) -> Ready:
    one = deploying.case(name)
    return ready(one.scene, Scene.deploy, one.check)


def deploy_with_slots(name: str) -> Ready:
    return ready(slots.case(name)[0], slots.CASES[name][1], functools.partial(slots.check, name))


def slots_rest(name: str) -> Ready:
    one = slots_at_rest.case(name)
    return ready(one.scene, one.act, one.check)


class Draining(Scene):
    """A machine on which the old slot drains; whoever recovers stops it, too."""

    def fork(self, kill_at: int | None = None, fail_at: int | None = None) -> Draining:
        return Draining(self.world.fork(kill_at, fail_at), self.conf, self.keep)

    def drain(self) -> bool:
        live = self.ledger.live
        return drain_after(self.request.site, live.run if live else "", 30, FakeHands(self.world), {})

    def recover(self, hands: FakeHands | None = None) -> None:
        slots.settle(self)


def drain() -> Ready:
    """The end of the old slot: what its last process does, or whoever finds it."""
    scene = slots.third()
    draining = Draining(scene.world, scene.conf, scene.keep)
    return ready(draining, Draining.drain, _before_or_after(draining, Draining.drain))


def deploy_offline(name: str) -> Ready:
    one = offline.case(name)
    return ready(one.scene, Scene.deploy, one.check)


def deploy_with_hooks(name: str) -> Ready:
    one = hooks.case(name)
    return ready(one.scene, Scene.deploy, one.check)


def deploy_with_lists() -> Ready:
    one = each_effect.Shared.new()
    return ready(one.scene, Scene.deploy, one.check)


def deploy_on_postgres() -> Ready:
    scene = postgres.scene()
    check = _before_or_after(scene, Scene.deploy)

    def look(one: Scene, where: str) -> None:
        check(one, where)
        if not set(one.world.postgres.applied.values()) <= {postgres.FIRST, postgres.ALL}:
            raise Lost(f"{where}: {one.world.postgres.applied}")
        assert postgres.leftovers_of_the_secret(one) == [], where

    return ready(scene, Scene.deploy, look)


def deploy_with_alembic() -> Ready:
    scene = alembic.scene()
    return ready(scene, Scene.deploy, _before_or_after(scene, Scene.deploy))


def adopt(name: str) -> Ready:
    one = adoption.case(name)
    return ready(one.scene, Scene.deploy, one.check)


def rehearse(name: str) -> Ready:
    scene = rehearsing.SCENES[name]()
    return ready(scene, rehearsing.act, lambda one, where: rehearsing.check_recovered(one, scene, where))


def _before_or_after(scene: Any, act: Callable[[Any], object]) -> Check:
    before, done = State.of(scene), scene.fork()
    act(done)
    after = State.of(done)

    def look(one: Scene, where: str) -> None:
        found = min((each.difference(State.of(one)) for each in (before, after)), key=len)
        if found:
            raise Mixed(f"{where}: mixed: {found}")
        assert one.world.orphans() == [], where
        assert one.journals() == [], where

    return look


# ---- back


def roll_back(name: str) -> Ready:
    one = back.case(name)
    return ready(one.scene, back.BackScene.go_back, one.check)


def reset(name: str) -> Ready:
    one = resetting.case(name)
    return ready(one.scene, resetting.Resetting.reset, one.check)


def leave(name: str) -> Ready:
    """``.mcc`` gets its other name by one rename, when the run has ended."""
    one = leaving.case(name)
    return ready(one.scene, leaving.LeaveScene.leave, one.check, last=2)


# ---- data


@dataclasses.dataclass
class BackingUp:
    """A machine right before a backup."""

    world: FakeWorld

    def fork(self, kill_at: int | None = None, fail_at: int | None = None) -> BackingUp:
        return BackingUp(self.world.fork(kill_at, fail_at))

    def recover(self) -> None:
        if self.world.disk.kind(Site(backing_up.BASE).own) == "folder":
            backing_up.recover_with(self.world)

    def run(self) -> int:
        return backing_up.run(self.world)


def back_up(days: int) -> Ready:
    world = backing_up.after(days)
    known = backing_up.known(world)
    return ready(BackingUp(world), BackingUp.run, lambda one, where: backing_up.check(one.world, known, where))


def restore(name: str) -> Ready:
    one = restoring.case(name)
    return ready(one.scene, restoring.Restoring.run, one.check)


def clone(name: str) -> Ready:
    one = cloning.case(name)
    return ready(one.scene, Exchange.run, one.check)


def migrate() -> Ready:
    scene = scenes.second()
    before = migrating.site(scene)

    def look(one: Scene, where: str) -> None:
        if migrating.site(one) != before:
            raise Mixed(f"{where}: mixed: {resetting.difference(before, migrating.site(one))}")  # type: ignore[arg-type]
        if not {*one.databases().values()} <= {migrating.OLD, migrating.NEW}:
            raise Lost(f"{where}: {one.databases()}")
        assert one.journals() == [], where

    return ready(scene, migrating.migrate, look)


# ---- settings


def set_variables(broken: bool = False) -> Ready:
    scene = variables.TestReader().scene()
    values = {"BROKEN": "1"} if broken else {"B": "2"}
    what = variables.Change(variables.SITE, values, restart=variables.CONF, reader="www-data")
    done = scene.fork()
    variables.change(done, what)
    allowed = _variables(scene), _variables(done)

    def look(one: variables.Scene, where: str) -> None:
        if _variables(one) not in allowed:
            raise Mixed(f"{where}: mixed: {_variables(one)}")

    return ready(scene, lambda one: variables.change(one, what), look)


def _variables(scene: variables.Scene) -> tuple[object, ...]:
    access = scene.world.host().rights.look(variables.SITE.variables)
    journals = scene.world.disk.names(variables.SITE.journals)
    return scene.text, access, scene.world.serving(), journals


def switch_maintenance(name: str) -> Ready:
    one = resting.case(name)
    return ready(one.scene, resting.Switching.switch, one.check)


REASON = "the audit goes on"


def freeze_it(ends: bool = False) -> Ready:
    scene = scenes.second()
    if ends:
        freeze(scene.request.site, REASON, scene.world.host())
        scene.world.revive()

    def act(one: Scene) -> object:
        site, host = one.request.site, one.world.host()
        return unfreeze(site, host) if ends else freeze(site, REASON, host)

    def look(one: Scene, where: str) -> None:
        found = frozen(one.request.site, one.world.disk)
        if found is not None and found.reason != REASON:
            raise Mixed(f"{where}: mixed: {found}")
        assert State.of(scene).difference(State.of(one)) == [], where

    return Ready(scene, act, look, _effects(scene, act))


def _effects(scene: Scene, act: Callable[[Scene], object]) -> int:
    done = scene.fork()
    act(done)
    return done.world.process.ticks


def own_stage() -> Ready:
    scene = hooks.StageScene.new()

    def look(one: hooks.StageScene, where: str) -> None:
        halves = {half for _, half in one.world.hooks.marks}
        if halves not in (set(), {1, 2}):
            raise Mixed(f"{where}: mixed: {halves}")
        assert one.world.disk.names(hooks.SITE.journals) == [], where

    return ready(scene, hooks.StageScene.run, look)


# ---- all of them


def _kinds() -> Iterator[Kind]:
    def some(words: str, make: Callable[[str], Ready], names: Mapping[str, Any], *whole: str) -> Iterator[Kind]:
        for name in names:
            yield Kind(f"{words}: {name}", functools.partial(make, name), name in whole)

    yield from some("deploy", deploy, deploying.ALL, "second")
    with_back = [name for name in slots.CASES if "back" in name]
    yield from some("deploy, two slots", deploy_with_slots, slots.CASES, "second", *with_back)
    yield Kind("two slots: the old one drains", drain, True)
    yield from some("two slots", slots_rest, slots_at_rest.CASES)
    yield from some("deploy, offline", deploy_offline, offline.SCENES)
    yield from some("deploy, own steps", deploy_with_hooks, dict.fromkeys(hooks.NAMES))
    yield Kind("deploy, access lists", deploy_with_lists)
    yield Kind("deploy, PostgreSQL", deploy_on_postgres)
    yield Kind("deploy, Alembic", deploy_with_alembic)
    yield from some("deploy onto a script's site", adopt, adoption.CASES)
    yield from some("rehearsal", rehearse, rehearsing.SCENES)
    yield from some("rollback", roll_back, back.CASES, "two releases", "the old one fails")
    yield from some("reset", reset, resetting.SCENES)
    yield from some("leave", leave, leaving.CASES, *leaving.CASES)
    yield Kind("backup: the first", lambda: back_up(0), True)
    yield Kind("backup: with older ones", lambda: back_up(4), True)
    yield from some("restore", restore, restoring.SCENES, "the newest")
    yield from some("clone", clone, cloning.SCENES, "all as it should be")
    yield Kind("migrate", migrate, True)
    yield Kind("variables: set", set_variables, True)
    yield Kind("variables: the service does not live with them", lambda: set_variables(broken=True), True)
    yield from some("maintenance", switch_maintenance, resting.SCENES, *resting.SCENES)
    yield Kind("freeze", freeze_it, True)
    yield Kind("unfreeze", lambda: freeze_it(ends=True), True)
    yield Kind("a stage of the project's own", own_stage, True)


KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _kinds()}
