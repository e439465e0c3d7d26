"""A disk that is full, out of inodes or read-only from some moment on: nobody is refused, and the site stays whole.

Each test has both ways to deploy; with MCC_FULL=1 each phase has, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from box.faults import BUILDS, Before, Disk, begin, failure, go_on, kill_both, recover, visitors
from box.notes import Notes, Outputs
from box.slotted import Site
from fakes.deaths import FULL
from mcc.core.hooks import BEHIND_COMMIT

FULL_DISK = re.compile(r"No space left on device|the disk (is full|failed, or is full)")
BEFORE_ANYBODY_NOTICES = ("place", "venv", "back-up", "migrate", "own", "cut-over")
LATER = ("start", "smoke", *BEHIND_COMMIT)
LITTLE = 8192
"""Bytes: enough for a line of the journal, for nothing else."""


@pytest.fixture(scope="module")
def slots(slots_site: Site) -> Disk:
    return Disk.under(slots_site)


@pytest.fixture(scope="module")
def plain(shared_live: Notes) -> Disk:
    return Disk.under(shared_live)


@pytest.fixture
def disk(request: pytest.FixtureRequest) -> Iterator[Disk]:
    """The disk of one of the two sites, by its name; a test that fails leaves room for the next one."""
    found: Disk = request.getfixturevalue(request.param)
    yield found
    found.make_room()


@pytest.fixture
def builds(disk: Disk, outputs: Outputs, slot_builds: dict[str, Path]) -> dict[str, Path]:
    return slot_builds if isinstance(disk.site, Site) else {"1": outputs(), "2": outputs("v2")}


def both(*some: tuple[str, str], of: tuple[str, ...]) -> pytest.MarkDecorator:
    """These sites with their phases, or each site with each phase."""
    return pytest.mark.parametrize(
        ("disk", "phase"),
        [(site, phase) for site in ("slots", "plain") for phase in of] if FULL else some,
        indirect=["disk"],
    )


@both(("plain", "migrate"), ("slots", "cut-over"), of=BEFORE_ANYBODY_NOTICES)
def test_full_before_anybody_notices_it_is_gone_back_from(disk: Disk, builds: dict[str, Path], phase: str) -> None:
    site, before = disk.site, Before.of(disk.site)
    with visitors(site) as load:
        running = begin(site, builds["2"], "before", phase, **BUILDS)
        disk.fill(LITTLE)
        ended, events = go_on(site, running)
    assert ended.code == 1, ended
    assert FULL_DISK.search(str(events))
    assert (load.failed, load.versions) == ([], {"1"})
    disk.make_room()
    before.assert_back()


@both(("slots", "record"), of=LATER)
def test_full_later_the_site_is_as_before_or_as_after(disk: Disk, builds: dict[str, Path], phase: str) -> None:
    """A few lines may still have had room. Behind the commit nothing is taken back: with room again it is finished."""
    site, before = disk.site, Before.of(disk.site)
    with visitors(site) as load:
        running = begin(site, builds["2"], "before", phase, SMOKE_TIMEOUT="3", START_TIMEOUT="20")
        disk.fill(LITTLE)
        ended, events = go_on(site, running)
        disk.make_room()
        if ended.code == 3:
            assert recover(site).code == 0
    assert load.versions <= {"1", "2"}
    committed = phase in BEHIND_COMMIT or any(event["event"] == "committed" for event in events)
    if not committed:
        assert ended.code in (1, 3)
        before.assert_back()
    else:
        assert ended.code == 0 or "is live, but not all is done" in events[-1]["code"]
        before.assert_left("2")
        assert_way_back(disk, before.live)


def assert_way_back(disk: Disk, release: str) -> None:
    """On a full disk a rollback is refused, and leaves nothing; with room again it works."""
    site, before = disk.site, Before.of(disk.site)
    disk.fill()
    refused = site.mcc("rollback", "--stage", "prod", "--to", release)
    disk.make_room()
    assert refused.code == 2, refused
    assert "nothing was started: No space left on device" in refused.stderr
    before.assert_back()
    back = site.mcc("rollback", "--stage", "prod", "--to", release)
    assert back.code == 0, back
    site.wait_for_version("1")


@both(("plain", "smoke"), of=("smoke", "own", "cut-over"))
def test_full_on_the_way_back_it_is_gone_back_all_the_same(disk: Disk, builds: dict[str, Path], phase: str) -> None:
    """No byte can be written any more when the deploy fails."""
    site, before = disk.site, Before.of(disk.site)
    with visitors(site):
        running = begin(site, builds["2"], "after", phase, **BUILDS)
        disk.fill()
        ended, _ = go_on(site, running, fails=True)
    assert ended.code == 1, ended
    disk.make_room()
    before.assert_back()


@both(("slots", "smoke"), of=("smoke",))
def test_full_when_a_dead_run_is_recovered(disk: Disk, builds: dict[str, Path], phase: str) -> None:
    site, before = disk.site, Before.of(disk.site)
    with visitors(site):
        running = begin(site, builds["2"], "before", phase, **BUILDS)
        disk.fill()
        kill_both(site)
        go_on(site, running)  # the project's own step has survived, and holds the site
        recovered = recover(site)
    assert recovered.code == 0, recovered
    disk.make_room()
    before.assert_back()


@both(("plain", "venv"), of=BEFORE_ANYBODY_NOTICES)
def test_no_more_inodes(disk: Disk, builds: dict[str, Path], phase: str) -> None:
    """In the middle it is gone back from; before the start it is a refusal."""
    site, before = disk.site, Before.of(disk.site)
    with visitors(site) as load:
        running = begin(site, builds["2"], "before", phase, **BUILDS)
        disk.take_inodes(1)
        ended, events = go_on(site, running)
        disk.take_inodes(20)  # for what SQLite makes beside a database
        refused = site.mcc("deploy", "--stage", "prod")
    assert ended.code == 1, ended
    assert FULL_DISK.search(str(events))
    assert refused.code == 2, refused
    assert re.search(rf"no inodes: \d+ are needed on the disk of {site.base}, \d+ are free", refused.stderr)
    assert (load.failed, load.versions) == ([], {"1"})
    disk.make_room()
    before.assert_back()


@both(("slots", "start"), of=BEFORE_ANYBODY_NOTICES)
def test_read_only_from_some_moment_on(disk: Disk, builds: dict[str, Path], phase: str) -> None:
    """Nothing can be undone then, and it is said so; when it can be written again, recover undoes it."""
    site, before = disk.site, Before.of(disk.site)
    with visitors(site) as load:
        running = begin(site, builds["2"], "before", phase, **BUILDS)
        disk.close()
        ended, events = go_on(site, running)
        refused = site.mcc("deploy", "--stage", "prod")
        disk.open()
    assert ended.code == (1 if phase == "place" else 3), ended  # nothing was placed by then
    assert "Read-only file system" in failure(events)
    assert phase == "place" or "Read-only file system" in str(events[-1]["todo"])
    assert refused.code in (2, 3), refused
    assert "ead-only file system" in refused.stderr
    assert (load.failed, load.versions) == ([], {"1"})
    recovered = recover(site)
    assert recovered.code == 0, recovered
    before.assert_back()
