"""What may happen to a site with two slots: a reboot in the middle, a second deploy, a hungry release, another mcc."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from box.harness import DEPLOY_USER, Box, Result, Running, until
from box.notes import Notes, reach, rest
from box.slotted import CONF, Load, Site
from box.whole import KILL, Seen, assert_whole, conf_of, rest_of, settle, strike
from fakes.deaths import FULL

VISITORS = ("new", "kept", "posts", "slow")
# As much memory as the kernel lets it have; where the test could set it no limit, it ends as the kernel would end it.
HUNGRY = """
import os
import signal


def eat() -> None:
    taken = []
    while len(taken) < 384:
        taken.append(b"x" * 1_000_000)
    os.kill(os.getpid(), signal.SIGKILL)
"""
AT_START = f"{HUNGRY}\n\neat()\n"
WHEN_ASKED = HUNGRY + '''

from fastapi import APIRouter

router = APIRouter()


@router.get("/api/public/health/health")
def health() -> None:
    eat()
'''


@pytest.fixture(scope="module")
def site(slots_site: Site) -> Site:
    return slots_site


def deploy_words(version: str) -> dict[str, str]:
    return {**CONF, **conf_of(version)}


def start(site: Site, builds: dict[str, Path], version: str) -> Running:
    return site.start_deploy(builds[version], "--format", "jsonl", **deploy_words(version))


@contextlib.contextmanager
def nobody_loses(site: Site) -> Iterator[Load]:
    """Visitors come and go meanwhile, and all get their answers."""
    with Load(site, VISITORS).going_on() as load:
        yield load
    assert load.failed[:3] == []
    assert min(load.answers[kind] for kind in ("new", "kept", "post", "slow")) > 0


@pytest.mark.slow
def test_of_two_deploys_at_once_one_is_told_who_holds_the_site_and_one_gets_its_turn(
    site: Site, slot_builds: dict[str, Path]
) -> None:
    before = Seen.of(site)
    with nobody_loses(site):
        running = start(site, slot_builds, "2")
        reach(running, "place")
        assert strike(site, signal.SIGSTOP, guardian=False, runner=True)  # it takes its time
        waits = site.start_deploy_brought("--wait", "300")
        assert waits.process.stderr
        says = waits.process.stderr.readline()
        refused = site.deploy()
        assert strike(site, signal.SIGCONT, guardian=False, runner=True)
        ended, _ = rest(running)
        waited = waits.wait(300)
        settle(site)
    assert (refused.code, ended.code, waited.code) == (4, 0, 0), (refused, ended, waited)
    held = "the site is held by deploy --stage prod of stenvala, build #18 from main"
    assert f"mcc: {held}" in refused.stderr
    assert f" s at most: {held}" in says
    assert refused.stdout == ""
    after = assert_whole(site, "2")
    releases = [path for path in after.facts if path.count("/") == 1 and path.startswith("api/vrs-")]
    assert len(releases) == len([path for path in before.facts if path in releases]) + 2


@pytest.mark.slow
def test_a_rollback_while_the_old_slot_drains_lends_and_marks(site: Site, slot_builds: dict[str, Path]) -> None:
    """Pages of either version find their files before and after; what was marked bad is not gone back to."""
    files = [style_of(slot_builds[version]) for version in ("1", "2")]
    settle(site)
    if site.version() == "1":
        assert site.deploy(slot_builds["2"], **deploy_words("2")).code == 0
        settle(site)
    with nobody_loses(site) as load, somebody_stays(site):
        patient = {**deploy_words("1"), "DRAIN_TIMEOUT": "600"}
        assert site.deploy(slot_builds["1"], **patient).code == 0
        bad = site.status()["live"]["name"]
        assert len(site.slots()) == 2, "the slot of version 2 drains"
        assert [site.get(f"/assets/{name}").status for name in files] == [200, 200]
        back = site.back("--mark-bad", "loses orders", "--format", "jsonl")
        assert back.code == 0, back
        assert [site.get(f"/assets/{name}").status for name in files] == [200, 200]
    settle(site)
    assert not [title for title in titles(back) if title.startswith("start ")], "the process was still there"
    assert "run/current-api.sock -> " in titles(back)[0]
    assert_whole(site, "2")
    assert files[1] in site.get("/").text
    assert load.versions == {"1", "2"}
    refused = site.back("--to", bad)
    assert (refused.code, "it was marked bad by stenvala: loses orders" in refused.stderr) == (2, True), refused


def style_of(output: Path) -> str:
    (found,) = (path.name for path in (output / "ui/assets").glob("style.*.css"))
    return found


def titles(done: Result) -> list[str]:
    """The steps that a run has done."""
    events = map(json.loads, done.stdout.splitlines())
    return [event["title"] for event in events if event["event"] == "step_done"]


@contextlib.contextmanager
def somebody_stays(site: Site) -> Iterator[None]:
    """An event stream of the slot that is live now; a slot drains as long as somebody has one."""
    with site.box.pool(host=site.domains[0], https=True) as pool:
        headers = {"Host": site.domains[0]}
        answer = pool.request("GET", "/api/events", headers=headers, retries=False, preload_content=False)
        try:
            assert answer.read(1)
            yield
        finally:
            answer.close()


@pytest.mark.slow
@pytest.mark.parametrize("when", ["asked", "started"] if FULL else ["asked"])
def test_a_release_that_eats_all_memory_dies_in_its_slot_and_the_old_one_serves_on(
    site: Site, slot_builds: dict[str, Path], tmp_path: Path, when: str
) -> None:
    settle(site)
    version, before = site.version(), Seen.of(site)
    hungry = tmp_path / "hungry"
    shutil.copytree(slot_builds[version], hungry, symlinks=True)
    (hungry / "api/routes/health.py").write_text(WHEN_ASKED if when == "asked" else AT_START)
    with nobody_loses(site) as load, little_memory(site.box):
        done = site.deploy(hungry, **deploy_words(version))
        settle(site)
    assert done.code == 1, done
    assert "did not come up: " in done.output
    assert "code:      as before" in done.output
    assert load.versions == {version}
    assert assert_whole(site, version) == before


@contextlib.contextmanager
def little_memory(box: Box, most: int = 256_000_000) -> Iterator[None]:
    """What the box starts from now on may have so much memory in all: then the kernel ends the largest of it.

    Groups of memory are the machine's, whose version of them is not ours to choose. Where it has none that can
    be used here, a hungry program is ended all the same, by itself.
    """
    above = Path("/sys/fs/cgroup/memory")
    if not (above / "memory.limit_in_bytes").exists():
        yield
        return
    group = above / f"mccbox-{box.name}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(most))
        (group / "cgroup.procs").write_text(box.leader)
        yield
        counted = (group / "memory.oom_control").read_text()
        assert "oom_kill 0" not in counted, counted
    finally:
        until(lambda: _moved(group, above), "an empty group")
        group.rmdir()


def _moved(group: Path, above: Path) -> bool:
    for pid in (group / "cgroup.procs").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            (above / "cgroup.procs").write_text(pid)
    return not (group / "cgroup.procs").read_text().split()


@pytest.mark.slow
def test_a_reboot_in_the_middle_of_a_deploy_leaves_the_release_that_was_live_whichever_slot_it_has(
    site: Site, slot_builds: dict[str, Path]
) -> None:
    """The plug is pulled behind the cut-over, then, from the other slot, before it; nobody logs in."""
    moments = (("1", "smoke"), ("2", "start"))
    for version, phase in moments if FULL else moments[:1]:
        settle(site)
        if site.version() == version:
            other = other_than(version)
            assert site.deploy(slot_builds[other], **deploy_words(other)).code == 0
            settle(site)
        old, before, live = site.version(), Seen.of(site), site.live()
        running = start(site, slot_builds, version)
        reach(running, phase)
        strike(site, signal.SIGSTOP, guardian=False, runner=True)  # it is there still when the power goes
        site.box.reboot()
        run = rest(running)[1][0]["run"]
        until(lambda run=run: bool(told(site, run)), f"the end of {run}")
        settle(site)
        if told(site, run) == "done":  # so slow is this machine that the deploy was through before the power went
            assert_whole(site, version)
            continue
        assert assert_whole(site, old) == before
        assert site.live() == live


def other_than(version: str) -> str:
    return {"1": "2", "2": "1"}[version]


def told(site: Notes, run: str) -> str:
    """How a run ended, as its record says; empty while it has not."""
    lines = site.box.read(f"{site.base}/.mcc/runs/{run}.jsonl").splitlines()
    return next((event["result"] for event in map(json.loads, lines) if event["event"] == "run_ended"), "")


@pytest.mark.slow
@pytest.mark.skipif(not FULL, reason="test_deaths.py has it for a restart")
def test_a_newer_mcc_lets_the_one_recover_that_began(site: Site, slot_builds: dict[str, Path]) -> None:
    """Visitors are in the new slot when all die; the old code, which the site has kept, leads them back."""
    settle(site)
    old, before = site.version(), Seen.of(site)
    with nobody_loses(site):
        patient = {**deploy_words(other_than(old)), "STABLE_FOR": "5"}  # long enough to be killed behind the cut-over
        running = site.start_deploy(slot_builds[other_than(old)], "--format", "jsonl", **patient)
        reach(running, "smoke")
        assert strike(site, KILL, guardian=True, runner=True)
        ended, said = rest_of(running, [running.first])
        assert ended.code not in (0, 1, 2, 3, 4), ended
        assert site.version() == other_than(old)
        site.box.exec("echo '# newer' >>/opt/mcc/lib/python3.11/site-packages/mcc/version.py")
        words = ["mcc", "recover", "--site", site.base, "--wait", "60", "--format", "jsonl"]
        done = site.box.exec(words, DEPLOY_USER, check=False)
        settle(site)
    assert done.code == 0, done
    assert "undone" in done.stderr  # in the words of the old one; the new one speaks JSON
    assert done.stdout == ""
    assert assert_whole(site, old) == before
    assert told(site, said[0]["run"]) == "failed"
