"""A deploy with the project's own steps around every one of mcc's, killed at any effect.

Code and hooks end together: before, with every hook that had begun undone, or after, with all of them done.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import Self

import pytest

from fakes import scenes
from fakes.deaths import cut_off, killed, killed_twice, revived, some
from fakes.hands import FakeHands
from fakes.host import FakeWorld
from fakes.scenes import BASE, OUT, Scene, State
from mcc.core.hooks import BEFORE_COMMIT, BEHIND_COMMIT, FILE, STEPS
from mcc.core.layout import Site
from mcc.deploy.hooks import told
from mcc.deploy.situation import look
from mcc.errors import ConfigError, Stuck
from mcc.model.event import RunEnded, Warned
from mcc.model.hooks import ProjectCode
from mcc.operations.project_stage import ProjectStage, run_project_stage
from mcc.operations.site import Asked
from mcc.runs.recover import recover_all
from mcc.steps.hook import RunHook

HOOKS = [
    {"when": when, "at": step, "name": f"{when}_{step}", "undo": step in BEFORE_COMMIT}
    for step in STEPS
    for when in ("before", "after")
]
ALL = {(f"{hook['when']} {hook['at']}: {hook['name']}", half) for hook in HOOKS for half in (1, 2)}
SITE = Site(BASE)


def with_hooks(scene: Scene) -> Scene:
    """The same deploy, whose output says hooks around everything."""
    scene.world.plant({f"{OUT}/{FILE}": json.dumps({"hooks": HOOKS}).encode()})
    return scene


def scene_of(name: str) -> Scene:
    made = with_hooks(scenes.broken("answers 500") if name == "answers 500" else scenes.second())
    if name == "a hook fails":
        made.world.hooks.failing = {"after cut-over: after_cut-over"}
    return made


NAMES = ["second", "answers 500", "a hook fails"]


class Case:
    """A scene, what it is before, and what it is when the deploy has gone through undisturbed."""

    def __init__(self, name: str) -> None:
        self.scene = scene_of(name)
        self.before = State.of(self.scene)
        done = self.scene.fork()
        self.code = done.deploy()
        self.after = State.of(done)
        self.done = done
        self.effects = done.world.process.ticks

    def check(self, scene: Scene, where: str) -> None:
        """Code, hooks and calls are those of before, or those of after."""
        now, world = State.of(scene), scene.world
        assert scene.journals() == [], where
        if self.before.difference(now) == []:
            assert world.hooks.marks == set(), where
            _nothing_is_lost(scene, where)
        else:
            assert self.after.difference(now) == [], where
            assert world.hooks.marks == ALL, where


def _nothing_is_lost(scene: Scene, where: str) -> None:
    """Each hook that was entered has been undone after that."""
    for number, (what, key) in enumerate(scene.world.hooks.calls):
        if what == "do":
            assert ("undo", key) in scene.world.hooks.calls[number:], f"{where}: {key}"


@functools.cache
def case(name: str) -> Case:
    return Case(name)


def test_undisturbed_each_hook_runs_once_in_the_order_of_the_steps() -> None:
    one = case("second")
    assert one.code == 0
    assert one.done.world.hooks.marks == ALL
    assert [key for _, key in one.done.world.hooks.calls] == [
        f"{when} {step}: {when}_{step}" for step in STEPS for when in ("before", "after")
    ]


def test_hooks_stand_around_the_steps_of_their_names() -> None:
    """Seen by the effects: what lies between two hooks is the step's own work."""
    trace = [f"{what} {path}" for what, path in case("second").done.world.process.trace]
    for step, effect in {
        "place": "sync /srv/live/notes/api",
        "venv": "uv.sync",
        "cut-over": "link /srv/live/notes/current-api",
        "start": "restart",
        "record": "append /srv/live/notes/.mcc/releases.jsonl",
    }.items():
        first = trace.index(f"hook: do before {step}: before_{step}")
        last = trace.index(f"hook: do after {step}: after_{step}")
        assert any(effect in each for each in trace[first:last]), (step, trace[first:last])


@pytest.mark.parametrize("name", NAMES[1:])
def test_a_failure_undoes_every_hook_that_had_begun_newest_first(name: str) -> None:
    one = case(name)
    assert one.code == 1
    assert one.before.difference(one.after) == []
    assert one.done.world.hooks.marks == set()
    calls = one.done.world.hooks.calls
    begun = [key for what, key in calls if what == "do"]
    assert [key for what, key in calls if what == "undo"] == begun[::-1]


@pytest.mark.parametrize("name", NAMES)
def test_killed_at_any_effect_code_and_hooks_are_before_or_after(name: str) -> None:
    one = case(name)
    for scene, where in killed(one.scene, Scene.deploy, some(60, one.effects, f"hooks {name}")):
        one.check(scene, where)


@pytest.mark.parametrize("name", NAMES)
def test_killed_at_every_effect_of_a_hook_it_is_undone(name: str) -> None:
    one = case(name)
    at_hooks = [at for at, (what, _) in enumerate(one.done.world.process.trace, 1) if what.startswith("hook")]
    assert len(at_hooks) > 30
    for scene, where in killed(one.scene, Scene.deploy, at_hooks):
        one.check(scene, where)


@pytest.mark.parametrize("name", NAMES)
def test_killed_again_while_it_is_recovered_no_undo_is_lost(name: str) -> None:
    one = case(name)
    for scene, where in killed_twice(one.scene, Scene.deploy, some(4, one.effects, f"hooks {name} twice"), 12):
        one.check(scene, where)


def test_a_power_cut_takes_neither_the_code_of_an_undo_nor_what_it_needs_to_know() -> None:
    one = case("second")
    for scene, where in cut_off(one.scene, Scene.deploy, some(25, one.effects, "hooks power")):
        one.check(scene, where)


def test_a_hook_that_never_began_is_not_undone() -> None:
    """Killed right before it, when its step has begun already."""
    one = case("second")
    at = 1 + [what for what, _ in one.done.world.process.trace].index("hook: do")
    for scene, _ in killed(one.scene, Scene.deploy, [at - 2]):
        assert scene.world.hooks.calls == []


def test_ctrl_c_at_any_moment_undoes_the_hooks_too() -> None:
    one = case("second")
    watched = one.scene.fork()
    hands = FakeHands(watched.world)
    watched.deploy(hands)
    for number in range(1, hands.interrupt_at.count + 1, 5):
        scene = one.scene.fork()
        assert scene.deploy(FakeHands(scene.world, interrupt_at=number)) == 1
        one.check(scene, f"interrupted at {number}")


def test_an_undo_that_fails_is_stuck_and_tried_again_with_the_kept_code() -> None:
    """Also when the output has another code by then, or none."""
    one = case("answers 500")
    scene = one.scene.fork()
    scene.world.hooks.failing_undo = {"before migrate: before_migrate"}
    hands = FakeHands(scene.world)
    assert scene.deploy(hands) == 3
    (ended,) = [event for event in hands.events if isinstance(event, RunEnded)]
    assert "(mcc_deploy.py:9): mcc_deploy.py:9: before_migrate: ValueError" in ended.todo[0]
    scene.world.disk.remove_tree(OUT)
    with pytest.raises(Stuck):
        revived(scene)
    scene.world.hooks.failing_undo = set()
    revived(scene)
    one.check(scene, "stuck, then undone")


def test_a_hook_that_fails_behind_the_commit_is_a_warning() -> None:
    for step in BEHIND_COMMIT:
        scene = case("second").scene.fork()
        scene.world.hooks.failing = {f"before {step}: before_{step}"}
        hands = FakeHands(scene.world)
        assert scene.deploy(hands) == 0
        assert scene.live != case("second").before.live
        warned = [event.text for event in hands.events if isinstance(event, Warned)]
        assert any(f"before_{step}: ValueError: no" in text for text in warned)


def test_hooks_take_no_part_in_a_deploy_whose_code_cannot_be_read() -> None:
    scene = scenes.second()
    scene.world.plant({f"{OUT}/{FILE}": b'{"problem": "there is no step \'migrat\'"}'})
    before = State.of(scene)
    with pytest.raises(ConfigError, match="there is no step 'migrat'"):
        scene.deploy()
    assert before.difference(State.of(scene)) == []
    assert scene.journals() == []


def test_kept_code_goes_with_its_release_and_that_of_failed_ones_with_the_next_deploy() -> None:
    scene = with_hooks(scenes.second())
    scene.keep = 1
    scene.world.hooks.failing = {"after smoke: after_smoke"}
    assert scene.deploy() == 1
    (failed,) = scene.world.disk.names(SITE.all_hooks)
    scene.world.hooks.failing = set()
    kept = []
    for _ in range(3):
        scene.world.revive()
        scene.world.time.pass_by(60)
        assert scene.deploy() == 0
        kept.append(scene.world.disk.names(SITE.all_hooks))
    first, fallback, live = [release.name for release in scene.ledger.releases][-3:]
    assert kept == [[first], [first, fallback], [fallback, live]]  # a fallback always stays
    assert failed not in kept[0]


def test_the_kept_code_is_open_to_the_deploy_user_alone_and_no_secret_is_in_the_journal() -> None:
    """What hooks may know lies beside the journal (0600), and goes with it."""
    conf = scenes.dataclasses.replace(
        scenes.rich_conf(), values={"DB_PASSWORD": "much-secret"}, secrets=frozenset({"much-secret"})
    )
    scene = with_hooks(scenes.second(conf))
    effects = scene.fork()
    effects.deploy()
    at = 1 + [what for what, _ in effects.world.process.trace].index("hook: do, half")
    died = scene.fork(kill_at=at)
    assert died.world.dies(lambda _host: died.deploy())
    (code,) = died.world.disk.names(SITE.all_hooks)
    assert died.world.disk.node(SITE.hooks(code)).mode == 0o700
    found = died.world.snapshot(BASE)
    holding = [path for path, what in found.items() if what[0] == "file" and b"much-secret" in bytes(what[3])]  # type: ignore[call-overload]
    assert [path.rpartition("/")[2] for path in holding] == ["hooks.json"]
    assert found[holding[0]][1] == 0o600
    revived(died)
    assert died.journals() == []


@pytest.mark.parametrize("wiped", [False, True])
def test_a_hook_of_a_reset_is_told_of_no_release_before(wiped: bool) -> None:
    """One that makes or changes a schema has to make it: there is nothing any more."""
    scene = with_hooks(scenes.second())
    host = FakeHands(scene.world).host(SITE, scene.request.conf.services)
    s = look(scene.request, host, "run", "tool", resets=wiped)
    told_of = json.loads(told(s, host)["hooks.json"])
    assert (told_of["previous"] is None) == wiped


# A stage that is the project's own


@dataclass
class StageScene:
    """A machine right before ``mcc deploy --stage reset-dev``, whose function is the project's."""

    world: FakeWorld

    @classmethod
    def new(cls) -> StageScene:
        scene = scenes.second()
        hook = {"when": "stage", "at": "reset-dev", "name": "reset", "undo": True}
        scene.world.plant({f"{OUT}/{FILE}": json.dumps({"hooks": [hook]}).encode()})
        return cls(scene.world)

    def fork(self, kill_at: int | None = None) -> Self:
        return type(self)(self.world.fork(kill_at))

    def run(self, hands: FakeHands | None = None) -> int:
        code = self.world.host().hooks.read(OUT)
        assert isinstance(code, ProjectCode)
        asked = Asked(SITE, scenes.rich_conf(), "reset-dev")
        wanted = ProjectStage(asked, OUT, code, code.hooks[0])
        return run_project_stage(wanted, hands or FakeHands(self.world))

    def recover(self) -> None:
        hands = FakeHands(self.world)
        lock = hands.lock(SITE, {})
        recover_all(SITE, hands, lock, "found by the next command")
        lock.release()


def test_a_stage_of_the_projects_own_is_one_run_and_its_code_goes_with_it() -> None:
    scene = StageScene.new()
    hands = FakeHands(scene.world)
    assert scene.run(hands) == 0
    assert scene.world.hooks.calls == [("do", "stage reset-dev: reset")]
    assert scene.world.disk.names(SITE.all_hooks) == []
    (ended,) = [event for event in hands.events if isinstance(event, RunEnded)]
    assert (ended.code, ended.databases, ended.release) == ("not touched", "as reset left them", "")


def test_a_stage_that_is_killed_at_any_effect_is_undone_or_done() -> None:
    start = StageScene.new()
    done = start.fork()
    assert done.run() == 0
    for scene, where in killed(start, StageScene.run, list(range(1, done.world.process.ticks + 1))):
        halves = {half for _, half in scene.world.hooks.marks}
        assert halves in (set(), {1, 2}), where
        assert scene.world.disk.names(SITE.journals) == [], where


def test_a_stage_that_fails_is_undone() -> None:
    scene = StageScene.new()
    scene.world.hooks.failing = {"stage reset-dev: reset"}
    assert scene.run() == 1
    assert scene.world.hooks.marks == set()


# The suite must be able to fail.


def test_the_suite_sees_an_undo_that_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunHook, "undo", lambda self, host, seen: None)
    one = case("second")
    at = 1 + [what for what, _ in one.done.world.process.trace].index("hook: do, half")
    ((scene, where),) = killed(one.scene, Scene.deploy, [at])
    with pytest.raises(AssertionError):
        one.check(scene, where)
