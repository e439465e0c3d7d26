"""A deploy that dies before its commit: the old release is live and served again, whatever was done by then."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import urllib3

from box.harness import until
from box.notes import DOMAINS, Notes, Outputs, guardian, reach, rest, runner

NOT_LIVE = ("place", "venv", "migrate", "own")
ALL = (*NOT_LIVE, "cut-over", "smoke")


@pytest.mark.parametrize("phase", ALL)
def test_the_guardian_puts_the_old_release_back(shared_live: Notes, outputs: Outputs, phase: str) -> None:
    """kill -9 of the deploying process, under requests: exit code 1, and before the cut-over nobody notices."""
    site = shared_live
    before, crontab, starts = site.facts(".mcc/"), site.box.crontab(), site.starts()
    running = site.start_deploy(outputs("v2"), "--format", "jsonl")
    with visitors(site) as answers:
        reach(running, phase)
        site.box.exec(["kill", "-9", runner(site.box)])
        ended, events = rest(running)
    assert ended.code == 1, ended
    assert events[-1]["event"] == "run_ended"
    assert events[-1]["error"] == "the deploying process died of SIGKILL"
    assert events[-1]["code"].startswith("as before")
    assert [site.version(domain) for domain in DOMAINS] == ["1", "1"]
    assert [site.post(f"after {phase}", domain) for domain in DOMAINS] == [201, 201]
    assert (site.facts(".mcc/"), site.box.crontab()) == (before, crontab)
    assert site.status()["dead_runs"] == []
    assert len(answers) > 5
    if phase in NOT_LIVE:
        assert set(answers) == {"1"}
        assert site.starts() == starts


def test_the_next_command_puts_the_old_release_back(shared_live: Notes, outputs: Outputs) -> None:
    """The guardian is killed too: commands that only read say so, and recover brings version 1 back."""
    site = shared_live
    before, crontab = site.facts(".mcc/"), site.box.crontab()
    running = site.start_deploy(outputs("v2"), "--format", "jsonl")
    reach(running, "smoke")
    site.box.exec(["kill", "-9", guardian(site.box), runner(site.box)])
    run = rest(running)[1][0]["run"]
    assert (site.version(), site.status()["dead_runs"]) == ("2", [run])
    left = site.facts(".mcc/lock")
    planned = site.deploy(None, "--plan")
    assert f"the run {run} has not ended" in planned.output
    assert site.facts(".mcc/lock") == left
    recovered = site.mcc("recover", "--site", site.base)
    assert recovered.code == 0, recovered
    assert "as before" in recovered.stdout
    assert [site.version(domain) for domain in DOMAINS] == ["1", "1"]
    assert (site.facts(".mcc/"), site.box.crontab()) == (before, crontab)
    assert site.status()["dead_runs"] == []


def test_after_a_reboot_cron_puts_the_old_release_back(live: Notes, outputs: Outputs) -> None:
    """The plug is pulled while the new release starts; nobody logs in, and version 1 serves again."""
    before, crontab = live.facts(".mcc/"), live.box.crontab()
    running = live.start_deploy(outputs("v2", "slow-start"), "--format", "jsonl")
    reach(running, "cut-over", "restart ")
    assert live.facts(".mcc/") != before
    live.box.reboot()
    run = rest(running)[1][0]["run"]
    until(lambda: "failed" in told(live, run), f"the end of {run}")
    live.wait_until_at_rest()
    live.wait_for_version("1")
    assert (live.facts(".mcc/"), live.box.crontab()) == (before, crontab)
    assert [live.box.state(unit) for unit in live.units] == ["active", "active"]
    assert live.status()["dead_runs"] == []
    log = live.box.read(f"{live.base}/logs/mcc-recover.log")
    assert run in log
    assert "Traceback" not in log
    again = live.deploy(outputs("v2"))
    assert again.code == 0, again
    assert live.version() == "2"


def test_the_next_deploy_with_another_mcc_lets_the_one_recover_that_began(live: Notes, outputs: Outputs) -> None:
    """An upgrade in between: the old mcc, which the site has kept, ends its run; then the new one deploys."""
    running = live.start_deploy(outputs("v2"), "--format", "jsonl")
    reach(running, "smoke")
    live.box.exec(["kill", "-9", guardian(live.box), runner(live.box)])
    run = rest(running)[1][0]["run"]
    old = live.link(".mcc/bin/mcc")
    live.box.exec("echo '# another' >>/opt/mcc/lib/python3.11/site-packages/mcc/version.py")
    deployed = live.deploy(None, "--format", "jsonl")
    assert deployed.code == 0, deployed
    print(deployed.stderr)
    assert "undone" in deployed.stderr  # in the words of the old one; the new one speaks JSON
    assert f'"{run}"' not in deployed.stdout
    assert told(live, run) == "failed"
    assert live.link(".mcc/bin/mcc") != old
    assert live.status()["dead_runs"] == []
    assert live.version() == "2"


def test_ctrl_c_goes_back_too(shared_live: Notes, outputs: Outputs) -> None:
    """As a terminal sends it, to all at once, when the links lead to the new release already."""
    site = shared_live
    before, crontab = site.facts(".mcc/"), site.box.crontab()
    running = site.start_deploy(outputs("v2"), "--format", "jsonl")
    reach(running, "smoke")
    site.box.exec(["kill", "-INT", guardian(site.box), runner(site.box)])
    ended, events = rest(running)
    assert ended.code == 1, ended
    assert "interrupted by Ctrl-C" in events[-1]["error"]
    assert site.version() == "1"
    assert (site.facts(".mcc/"), site.box.crontab()) == (before, crontab)


def told(site: Notes, run: str) -> str:
    """How a run ended, as its record says; empty while it has not."""
    lines = site.box.read(f"{site.base}/.mcc/runs/{run}.jsonl").splitlines()
    return next((event["result"] for event in map(json.loads, lines) if event["event"] == "run_ended"), "")


@contextmanager
def visitors(site: Notes) -> Iterator[list[str]]:
    """Somebody asks each domain over and over; what they get: a version, a status or an error."""
    answers: list[str] = []
    stop = threading.Event()

    def ask(domain: str) -> None:
        while not stop.is_set():
            try:
                answers.append(site.version(domain))
            except urllib3.exceptions.HTTPError as error:
                answers.append(type(error).__name__)

    threads = [threading.Thread(target=ask, args=(domain,)) for domain in site.domains]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join()
