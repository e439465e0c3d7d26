"""What the machine around a blue/green deploy may do to it: no request fails, and the site is as before."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from box.faults import (
    BUILDS,
    Before,
    another_uv,
    begin,
    clock,
    deploy,
    expired_certificate,
    failure,
    go_on,
    recover,
    visitors,
    without_sudo,
)
from box.harness import DEPLOY_USER
from box.notes import reach, rest
from box.slotted import CONF, UNITS, Site
from box.whole import settle

NEVER_READY = "import time\ntime.sleep(3600)\n"
KILLED_HALF_WAY = """#!/bin/bash
[ "$1" = sync ] || exec /usr/local/bin/uv.real "$@"
/usr/local/bin/uv.real "$@" &
until [ -n "$(ls "$UV_PROJECT_ENVIRONMENT"/lib/python*/site-packages 2>/dev/null)" ]; do sleep 0.01; done
kill -9 $!
wait $!
"""
EXPIRED = """
server {
    listen 443 ssl;
    server_name expired.box.test;
    ssl_certificate /etc/ssl/certs/expired.crt;
    ssl_certificate_key /etc/ssl/private/expired.key;
    return 200;
}
"""


@pytest.fixture(scope="module")
def site(slots_site: Site) -> Site:
    return slots_site


@pytest.fixture(scope="module")
def before(site: Site) -> Before:
    """The site as each test has to leave it."""
    return Before.of(site)


@pytest.fixture(scope="module")
def two(slot_builds: dict[str, Path]) -> Path:
    return slot_builds["2"]


def test_sudo_denied_before_the_start(site: Site, before: Before, two: Path) -> None:
    with visitors(site) as load:
        running = begin(site, two, "before", "start")
        with without_sudo(site):
            ended, events = go_on(site, running)
    assert ended.code == 1, ended
    assert "restart notes-prod-api@b.service" in str(events)
    assert load.versions == {"1"}
    before.assert_back()


def test_sudo_denied_when_the_new_slot_has_to_stop(site: Site, before: Before, two: Path) -> None:
    """The slot cannot be stopped: stuck, while the old one serves; with the right again recover stops it."""
    with visitors(site) as load:
        running = begin(site, two, "before", "cut-over")
        with without_sudo(site):
            ended, events = go_on(site, running, fails=True)
            assert site.status()["dead_runs"] != []
    assert ended.code == 3, ended
    assert "stop notes-prod-api@b.service" in str(events[-1]["todo"])
    assert load.versions == {"1"}
    assert recover(site).code == 0
    before.assert_back()


def test_a_release_that_never_becomes_ready(site: Site, before: Before, two: Path) -> None:
    site.bring(two, conf={**CONF, "START_TIMEOUT": "2"})
    never_ready(site)
    with visitors(site) as load:
        failed = site.deploy()
    assert failed.code == 1, failed
    assert "after 2 s" in failed.stdout
    assert load.versions == {"1"}
    before.assert_back()


def test_a_service_that_is_killed_while_it_starts(site: Site, before: Before, two: Path) -> None:
    site.bring(two, conf=CONF)
    never_ready(site)
    with visitors(site) as load:
        running = site.start_deploy_brought("--format", "jsonl")
        reach(running, "start", "start ")
        while running.process.poll() is None:
            site.box.exec(["systemctl", "kill", "-s", "KILL", UNITS[1]], check=False)
            time.sleep(0.1)
        ended, events = rest(running)
    assert ended.code == 1, ended
    assert "notes-prod-api@b.service did not come up" in failure(events)
    assert load.versions == {"1"}
    before.assert_back()


def never_ready(site: Site) -> None:
    """What was brought loads for ever."""
    text = site.box.read(f"{site.brought}/api/main.py").replace("from __future__ import annotations\n", "")
    site.box.write(f"{site.brought}/api/main.py", NEVER_READY + text, DEPLOY_USER)


def test_an_unknown_name_and_an_expired_certificate_in_the_smoke_test(site: Site, before: Before, two: Path) -> None:
    expired_certificate(site.box, "expired.box.test")
    site.box.nginx_site(EXPIRED, "expired")
    urls = "[https://expired.box.test/, https://unknown.box.test/]"
    with visitors(site):
        failed = deploy(site, two, SMOKE_URLS=urls, SMOKE_TIMEOUT="1")
    assert failed.code == 1, failed
    assert "https://expired.box.test/: the certificate of expired.box.test has expired" in failed.stdout
    assert "https://unknown.box.test/: the name of unknown.box.test is not known" in failed.stdout
    before.assert_back()


def test_uv_that_is_missing_is_a_refusal(site: Site, before: Before, two: Path) -> None:
    with visitors(site), another_uv(site, ""):
        refused = deploy(site, two)
    assert refused.code == 2, refused
    assert "uv is not installed" in refused.stderr
    before.assert_back()


def test_uv_that_is_killed_half_way(site: Site, before: Before, two: Path) -> None:
    with visitors(site), another_uv(site, KILLED_HALF_WAY):
        failed = deploy(site, two, **BUILDS)
    assert failed.code == 1, failed
    assert "uv sync --frozen ended with exit code 137" in failed.stdout
    before.assert_back()


def test_a_cache_of_uv_that_cannot_be_written(site: Site, before: Before, two: Path) -> None:
    """In the middle it is gone back from; before the start it is a refusal."""
    with visitors(site):
        running = begin(site, two, "before", "venv", **BUILDS)
        site.box.exec("mount -t tmpfs -o mode=555 cache /var/cache/uv")
        ended, events = go_on(site, running)
        refused = deploy(site, two, **BUILDS)
        site.box.exec("umount /var/cache/uv")
    assert ended.code == 1, ended
    assert failure(events) == "uv sync --frozen ended with exit code 2"
    assert refused.code == 2, refused
    assert "nothing was started: uv python find ended with exit code 2" in refused.stderr
    assert all("/var/cache/uv" in said for said in (refused.stderr, str(events)))
    before.assert_back()


def test_a_clock_that_goes_back(site: Site, slot_builds: dict[str, Path]) -> None:
    """A day back before a deploy, another one in the middle of the next: what is newer stays newer."""
    settle(site)
    live = [site.status()["live"]]
    with clock(site.box) as set_back, visitors(site):
        set_back(1)
        done = deploy(site, slot_builds["2"])
        assert done.code == 0, done
        live.append(site.status()["live"])
        running = begin(site, slot_builds["1"], "before", "cut-over")
        set_back(2)
        ended, _ = go_on(site, running)
        assert ended.code == 0, ended
        live.append(site.status()["live"])
        names = [each["name"] for each in live]
        back = site.mcc("rollback", "--stage", "prod", "--to", names[0])
        assert back.code == 0, back
    assert names == sorted(set(names))
    assert live[1]["at"] < live[0]["at"], "the clock did go back"
    site.drained()
    assert (site.version(), site.status()["dead_runs"]) == ("1", [])
