"""What the machine around a deploy with a restart may do to it: the old release serves on, or again."""

from __future__ import annotations

import pytest

from box.faults import Before, begin, failure, go_on, recover, visitors, without_sudo
from box.harness import DEPLOY_USER
from box.notes import Notes, Outputs
from fakes.deaths import FULL


@pytest.fixture(scope="module")
def before(shared_live: Notes) -> Before:
    """The site as each test has to leave it."""
    return Before.of(shared_live)


def test_sudo_denied_in_the_middle(shared_live: Notes, before: Before, outputs: Outputs) -> None:
    """Nobody notices, and the right that is missing is named; owners are put right when it is there again."""
    site, starts = shared_live, shared_live.starts()
    with visitors(site) as load:
        running = begin(site, outputs("v2"), "before", "own")
        with without_sudo(site):
            ended, events = go_on(site, running)
    assert ended.code == 3, ended
    assert f"sudo does not let {DEPLOY_USER} run: chown -R www-data:{DEPLOY_USER} {site.base}/api" in failure(events)
    assert "NOPASSWD: /bin/chown -R" in str(events[-1]["todo"])
    assert recover(site).code == 0
    assert (load.failed, load.versions, site.starts()) == ([], {"1"}, starts)
    before.assert_back()


@pytest.mark.skipif(not FULL, reason="of the long suites: in slots the right to stop is gone")
def test_sudo_denied_on_the_way_back(shared_live: Notes, before: Before, outputs: Outputs) -> None:
    """The old code cannot be started again: stuck, with the line to add; then recover does it."""
    site = shared_live
    with visitors(site) as load:
        running = begin(site, outputs("v2"), "after", "start")
        with without_sudo(site):
            ended, events = go_on(site, running, fails=True)
            asked = site.version()
    assert ended.code == 3, ended
    assert "NOPASSWD: /bin/systemctl restart" in str(events[-1]["todo"])
    assert load.versions <= {"1", "2"}
    assert asked == "2", "who asks is answered all the time"
    assert recover(site).code == 0
    before.assert_back()


def test_a_unit_that_is_missing(shared_live: Notes, before: Before, outputs: Outputs) -> None:
    """In the middle it is gone back from; before the start it is a refusal."""
    site = shared_live
    place = f"/etc/systemd/system/{site.units[1]}"
    with visitors(site) as load:
        running = begin(site, outputs("v2"), "before", "cut-over")
        site.box.exec(f"mv {place} /root/ && systemctl daemon-reload")
        ended, events = go_on(site, running)
        refused = site.mcc("deploy", "--stage", "prod")
        site.box.exec(f"mv /root/{site.units[1]} {place} && systemctl daemon-reload")
    assert ended.code == 1, ended
    assert site.units[1] in failure(events)
    assert refused.code == 2, refused
    assert f"the service {site.units[1]} is not known: systemd knows no unit of that name" in refused.stderr
    assert load.versions <= {"1", "2"}
    before.assert_back()


@pytest.mark.skipif(not FULL, reason="of the long suites: with slots always")
def test_a_name_that_is_not_known_in_the_smoke_test(shared_live: Notes, before: Before, outputs: Outputs) -> None:
    site, hosts = shared_live, shared_live.box.read("/etc/hosts")
    with visitors(site) as load:
        running = begin(site, outputs("v2"), "before", "smoke", SMOKE_TIMEOUT="1")
        site.box.write("/etc/hosts", "127.0.0.1 localhost\n")
        ended, events = go_on(site, running)
        site.box.write("/etc/hosts", hosts)
    assert ended.code == 1, ended
    assert "the name of app.box.test is not known" in str(events)
    assert load.versions <= {"1", "2"}
    before.assert_back()
