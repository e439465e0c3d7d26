"""A deploy's cron jobs: what a script left is taken over, shown in the plan, and put back by an undo."""

from __future__ import annotations

import dataclasses

import pytest

from fakes.hands import FakeHands
from fakes.scenes import BASE, Scene, State, broken_first, first, rich_conf
from mcc.core.cron.crontab import FLOCK
from mcc.deploy.run import plan_deploy
from mcc.errors import SiteError
from mcc.model.plan import PlannedStep
from mcc.steps.cron import InstallCron

LEFT = (
    f"0 3 * * * cd {BASE}/scripts && ./older.sh >> {BASE}/logs/older.log 2>&1 # MCC-BACKUP\n"
    f"# MCC-BACKUP\n0 2 * * * cd {BASE}/scripts && ./backup.sh >> {BASE}/logs/backup.log 2>&1\n"
)
OTHERS = (
    f"MAILTO=ops@example.com\n# MCC-BACKUP\n0 2 * * * cd {BASE}-dev/scripts && ./backup.sh # MCC-BACKUP\n"
    "DB_PASSWORD=hunter2\n"
)


def plan_step(scene: Scene) -> PlannedStep:
    _, plan = plan_deploy(scene.request, FakeHands(scene.world))
    (step,) = [step for step in plan.steps if isinstance(step.step, InstallCron)]
    return step


def test_a_plan_shows_the_lines_that_go_and_come_and_nothing_else() -> None:
    scene = first()
    scene.world.cron.text = (OTHERS + LEFT).encode()
    details = plan_step(scene).details
    # The job's own lines are the same inside of the block: they stay.
    assert [line for line in details if line.startswith("- ")] == [f"- {LEFT.splitlines()[0]}"]
    assert f"+ # BEGIN mcc {BASE}" in details
    assert not any("dev" in line or "hunter2" in line for line in details)
    assert scene.world.cron.text == (OTHERS + LEFT).encode()


def test_what_a_script_left_is_taken_over_and_of_another_site_nothing() -> None:
    scene = first()
    scene.world.cron.text = (OTHERS + LEFT).encode()
    assert scene.deploy() == 0
    assert scene.world.cron.text.decode().startswith(f"{OTHERS}# BEGIN mcc {BASE}\n# MCC-BACKUP\n")
    assert b"older.sh" not in scene.world.cron.text
    assert plan_step(scene).details == ()


def test_a_deploy_that_fails_gives_the_lines_back_where_they_stood() -> None:
    scene = broken_first("ends at once")
    scene.world.cron.text = (LEFT + OTHERS + LEFT).encode()
    before = State.of(scene)
    assert scene.deploy() == 1
    assert before.difference(State.of(scene)) == []


def test_a_job_that_must_not_overlap_itself_needs_flock() -> None:
    conf = rich_conf()
    scene = first(dataclasses.replace(conf, cron=(dataclasses.replace(conf.cron[0], overlap=False),)))
    with pytest.raises(SiteError, match="/usr/bin/flock is missing, which MCC-BACKUP needs") as refused:
        scene.deploy()
    assert refused.value.help == "install util-linux"
    scene.world.plant({FLOCK: b""})
    assert scene.deploy() == 0
    assert f"&& {FLOCK} -n -E 197 {BASE}/.mcc/cron.MCC-BACKUP.lock ./backup.sh".encode() in scene.world.cron.text
