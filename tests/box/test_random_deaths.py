"""A deploy that dies at a moment nobody chose: what is left is the site as before or as after, never something between.

The seed is fixed, the moments are not: they come from how far a run has told that it is, and from the machine. The
long suite (MCC_FULL=1) has twenty of them for each way to deploy.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest

from box.harness import DEPLOY_USER, Boxes
from box.notes import Notes, Outputs
from box.slotted import CONF, Load, Site
from box.whole import Moment, Seen, assert_whole, conf_of, rest_of, settle, strike
from fakes.deaths import FULL

KILL, TERM, HUP, INT = signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT
# Who is struck with what: the process that deploys, or its parent, too; then who ends what is left.
WAYS = {
    "runner": (KILL, False, ""),
    "TERM": (TERM, True, ""),
    "both-recover-recover": (KILL, True, "recovery is killed"),
    "both-deploy": (KILL, True, "deploy"),
    "INT": (INT, True, ""),
    "HUP": (HUP, True, ""),
    "both-recover": (KILL, True, "recover"),
}
REPEATED = 3 if FULL else 1


@pytest.fixture(scope="module")
def slots(slots_site: Site) -> Site:
    return slots_site


@pytest.fixture(scope="module")
def plain(module_boxes: Boxes, live_layer: Path) -> Notes:
    site = Notes(module_boxes(above=[live_layer]))
    site.wait_for_version("1")
    return site


@pytest.mark.slow
@pytest.mark.parametrize("way", list(WAYS) if FULL else list(WAYS)[:3])
def test_into_slots_no_visitor_notices(slots: Site, slot_builds: dict[str, Path], way: str) -> None:
    """Visitors get their answers all the time, by whatever hand a deploy dies, and who ends it."""
    random = Random(f"slots {way}")
    for _ in range(REPEATED):
        written = count_notes(slots)
        with Load(slots, ("new", "kept", "posts", "slow")).going_on() as load:
            struck(slots, way, random, slot_builds, CONF)
        assert load.failed[:3] == []
        assert load.answers["post"] == count_notes(slots) - written
        assert load.versions <= {"1", "2"}


@pytest.mark.slow
@pytest.mark.parametrize("way", list(WAYS) if FULL else ["HUP"])
def test_with_a_restart_one_release_serves_in_the_end(plain: Notes, outputs: Outputs, way: str) -> None:
    random = Random(f"restart {way}")
    for _ in range(REPEATED):
        struck(plain, way, random, {"1": outputs(), "2": outputs("v2")}, {})
        assert [plain.post(f"after {way}", domain) for domain in plain.domains] == [201, 201]


def struck(site: Notes, way: str, random: Random, builds: Mapping[str, Path], conf: Mapping[str, str]) -> None:
    """Deploy the other version, and let it die."""
    settle(site)
    old = site.version()
    new = {"1": "2", "2": "1"}[old]
    before = Seen.of(site)
    moment, (number, parent, then) = Moment.any(random), WAYS[way]
    running = site.start_deploy(builds[new], "--format", "jsonl", **{**conf, **conf_of(new)})
    said = moment.wait_for(running)
    hit = strike(site, number, guardian=parent, runner=True)
    ended, said = rest_of(running, said)
    told = f"{way} at {moment}, behind {said[: moment.events][-1:]}: {ended}"
    print(told)
    assert said, told
    if parent and number == KILL and hit:
        ended_by(site, then, random)
    settle(site)
    after = site.status()["live"]["name"] != before.live
    seen = assert_whole(site, new if after else old)
    if not after:
        assert seen == before, told
    assert not (then == "deploy" and hit and not after), told
    if not (parent and number == KILL and hit):
        assert ended.code == (0 if after else 1), told
    if ended.code == 1:
        assert said[-1]["event"] == "run_ended", told
        reason = "the deploying process died of SIGKILL" if number == KILL else "interrupted by "
        assert reason in said[-1]["error"], told
        assert said[-1]["code"].startswith(f"as before ({before.live}"), told


def ended_by(site: Notes, then: str, random: Random) -> None:
    """Nobody is left who knows of the dead run: the next command ends it, also where that dies as well."""
    mcc, recover = f"{site.base}/.mcc/bin/mcc", ("recover", "--site", site.base, "--wait", "60", "--format", "jsonl")
    if then == "deploy":
        done = site.mcc("deploy", "--stage", "prod", "--wait", "60")
        assert done.code == 0, done
        return
    if then == "recovery is killed":
        running = site.box.spawn([mcc, *recover], DEPLOY_USER)
        said = Moment.any(random, most=4).wait_for(running)
        strike(site, KILL, guardian=True, runner=True, words="mcc recover .*--wait")
        print(rest_of(running, said))
    done = site.box.exec([mcc, *recover], DEPLOY_USER, check=False)
    assert done.code == 0, done


def count_notes(site: Notes) -> int:
    """What visitors have written, in both domains."""
    found = (site.sql(f"domains/{domain}/data.db", "SELECT count(*) FROM notes") for domain in site.domains)
    return sum(int(count) for (count,) in found)
