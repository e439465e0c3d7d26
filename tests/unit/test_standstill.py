"""Services and cron jobs that stand still, and everything as it was afterwards."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from fakes.host import FakeWorld
from fakes.services import Unit
from mcc.core.cron.crontab import job_lines, with_block
from mcc.core.layout import Site
from mcc.core.standstill import lines_elsewhere, lines_that_stay
from mcc.errors import ServiceFailed, StepError
from mcc.model.conf import Conf, CronJob, Ownership, Server, Services
from mcc.model.service import ServiceState
from mcc.operations.stopping import look_at_services, start_steps, stop_steps
from mcc.steps.offline import ResumeCron, StopServices, SuspendCron
from mcc.steps.putting_back import stop_all
from mcc.steps.waiting import Health

BASE = Path("/srv/site")
SITE = Site(BASE)
ASIDE = SITE.kept("a-run") / "crontab"
CONF = Conf(
    Path("conf-prod.yml"),
    Server(BASE),
    ownership=Ownership("none"),
    services=Services(names=("app.service",), workers=("worker.service",)),
    cron=(CronJob("0 2 * * *", "backup.sh", "backup.log", "MCC-BACKUP"),),
)
JOBS = job_lines(CONF.cron, SITE)
FOREIGN = b"MAILTO=x@example.com\n5 4 * * * /usr/bin/true\n"
OLD_SCRIPT = b"# MCC-BACKUP\n0 2 * * * cd /srv/site/scripts && ./backup.sh >> /srv/site/logs/backup.log 2>&1\n"


@pytest.fixture
def world() -> FakeWorld:
    world = FakeWorld(services=("app.service", "worker.service"))
    world.plant({f"{BASE}/current-api": "api/vrs-1", f"{BASE}/api/vrs-1/main.py": b"x"})
    world.start()
    return world


def suspend() -> SuspendCron:
    return SuspendCron(BASE, lines_that_stay(CONF, SITE), lines_elsewhere(CONF, SITE), ASIDE)


def resume() -> ResumeCron:
    return ResumeCron(BASE, lines_that_stay(CONF, SITE), lines_elsewhere(CONF, SITE), ASIDE)


CRONTABS = {
    "a block": with_block(FOREIGN, BASE, JOBS),
    "a block in the middle": with_block(FOREIGN, BASE, JOBS) + b"1 1 * * * /bin/x\n",
    "lines of an older script": FOREIGN + OLD_SCRIPT + OLD_SCRIPT + b"# mine\n",
    "nothing of ours": FOREIGN,
    "nothing": b"",
    "another site's block": with_block(FOREIGN, Path("/srv/other"), JOBS),
}


@pytest.mark.parametrize("before", CRONTABS.values(), ids=CRONTABS)
def test_meanwhile_no_job_of_the_site_is_left_but_a_dead_run_is_recovered_after_a_reboot(
    world: FakeWorld, before: bytes
) -> None:
    world.cron.text = before
    host, step = world.host(), suspend()
    step.do(host, step.look(host))
    ours = world.cron.text.replace(with_block(b"", Path("/srv/other"), JOBS), b"")
    assert b"backup.sh" not in ours
    assert b"MCC-BACKUP" not in ours
    assert world.cron.text.count(b"@reboot /srv/site/.mcc/bin/mcc recover") == 1
    for line in before.splitlines():
        assert line in world.cron.text or line in OLD_SCRIPT + "\n".join(JOBS).encode() or b" mcc /srv/site" in line


@pytest.mark.parametrize("before", CRONTABS.values(), ids=CRONTABS)
@pytest.mark.parametrize("way", ["resumed", "undone", "resumed, then both undone"])
def test_the_crontab_comes_back_byte_for_byte(world: FakeWorld, before: bytes, way: str) -> None:
    world.cron.text = before
    host, first, second = world.host(), suspend(), resume()
    seen = first.look(host)
    first.do(host, seen)
    if way != "undone":
        seen_then = second.look(host)
        second.do(host, seen_then)
        assert world.cron.text == before
    if way == "resumed, then both undone":
        second.undo(host, seen_then)
        assert b"backup.sh" not in world.cron.text.replace(with_block(b"", Path("/srv/other"), JOBS), b"")
    if way != "resumed":
        first.undo(host, seen)
        first.undo(host, seen)
    assert world.cron.text == before


def test_what_somebody_else_writes_meanwhile_stays(world: FakeWorld) -> None:
    world.cron.text = before = with_block(FOREIGN, BASE, JOBS)
    host, first, second = world.host(), suspend(), resume()
    first.do(host, first.look(host))
    world.cron.text += b"2 2 * * * /bin/new\n"
    second.do(host, second.look(host))
    assert world.cron.text == before + b"2 2 * * * /bin/new\n"


def test_without_what_was_put_aside_nothing_is_guessed(world: FakeWorld) -> None:
    with pytest.raises(StepError, match="crontab is gone: the site's cron jobs cannot be put back"):
        resume().do(world.host(), {"before": b""})


def test_services_are_stopped_and_on_the_way_back_those_that_ran_run_again(world: FakeWorld) -> None:
    world.units.units["worker.service"].up = False
    host = world.host()
    step = StopServices(("app.service", "worker.service"), Health(), 5)
    seen = step.look(host)
    step.do(host, seen)
    assert set(world.serving().values()) == {""}
    for _ in range(2):
        step.undo(host, seen)
        assert world.serving() == {"app.service": "api/vrs-1", "worker.service": ""}


def test_services_that_were_not_stopped_yet_are_left_alone_by_the_way_back(world: FakeWorld) -> None:
    host = world.host()
    step = StopServices(("app.service", "worker.service"), Health(), 5)
    step.undo(host, step.look(host))
    assert len(world.units.units["app.service"].starts) == 1


def test_a_service_that_does_not_stop_fails_the_step(world: FakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(world.host().services), "stop", lambda self, name: None)
    host = world.host()
    step = StopServices(("app.service",), Health(), 5)
    with pytest.raises(ServiceFailed, match=r"app\.service is still active 30 s after it was stopped"):
        step.do(host, step.look(host))


def test_what_may_not_be_stopped_is_restarted_and_said_with_the_line_to_add(world: FakeWorld) -> None:
    world.units.may_stop = False
    world.units.units["worker.service"].up = False
    still = look_at_services(CONF, SITE, world.host(), "a-run")
    assert (still.stopped, still.kept_up) == ((), ("app.service",))
    assert "app.service may not be stopped and is restarted afterwards" in still.warnings[0]
    assert "/bin/systemctl stop app.service" in still.warnings[0]
    titles = [step.title for step in (*stop_steps(still), *start_steps(still))]
    assert "app.service cannot be stopped" in titles
    assert "start app.service" in titles


def test_a_site_without_services_and_cron_needs_nothing(world: FakeWorld) -> None:
    world.cron.installed = False
    bare = Conf(Path("conf-dev.yml"), Server(BASE), services=Services(manager="none", names=("app.service",)))
    still = look_at_services(bare, SITE, world.host(), "a-run")
    assert not (*stop_steps(still), *start_steps(still))
    assert still.warnings == ()


def test_a_service_that_its_socket_would_start_again_is_restarted_afterwards(world: FakeWorld) -> None:
    world.units.units["app.socket"] = Unit("app.socket", up=True)
    world.units.units["app.service"].triggers = ("app.socket",)
    still = look_at_services(CONF, SITE, world.host(), "a-run")
    assert (still.stopped, still.kept_up) == (("worker.service",), ("app.service",))
    assert still.warnings[0].startswith("app.service would be started again by its socket or timer")


def test_a_unit_that_did_its_work_is_at_rest_and_need_not_be_stopped(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    resting = ServiceState("app.service", True, True, "at rest", "1", resting=True)
    monkeypatch.setattr(type(world.host().services), "state", lambda self, name: resting)
    host = world.host()
    assert look_at_services(CONF, SITE, host, "a-run").stopped == ()
    step = StopServices(("app.service",), Health(), 5)
    seen = step.look(host)
    step.do(host, seen)
    step.undo(host, seen)
    assert len(world.units.units["app.service"].starts) == 1


class DiesAgainAndAgain:
    """A service manager whose one service waits for its next try."""

    def __init__(self) -> None:
        self.stopped: list[str] = []

    def state(self, name: str) -> ServiceState:
        return ServiceState(name, True, False, "activating (auto-restart)", failed=True, starting=True)

    def stop(self, name: str) -> None:
        self.stopped.append(name)


def test_a_service_that_waits_for_its_next_try_does_not_write_while_databases_are_put_back() -> None:
    services = DiesAgainAndAgain()
    stop_all(dataclasses.replace(FakeWorld().host(), services=services), ["app.service"])  # type: ignore[arg-type]
    assert services.stopped == ["app.service"]
