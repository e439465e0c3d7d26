"""Waiting for a site, freezing it, marking releases bad: as a person calls it, and what status and releases say."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from cli.ground import LIMIT, MCC, Ground, is_one_message
from mcc.errors import SiteLocked
from mcc.host.lock import SiteLock
from mcc.host.turn import Turn

pytestmark = pytest.mark.slow
HOLDER = {"what": "backup", "run": "r", "user": "ann", "build": "", "since": "2026-11-24T04:50:12+00:00"}
OPERATIONS = ("maintenance-on", "db-backup", "db-restore", "reset")
TIDY = """\
from mcc import App

app = App()


@app.stage("tidy")
def tidy(context):
    pass


if __name__ == "__main__":
    app()
"""


class Held:
    """Somebody else's run holds the site, until it lets go."""

    def __init__(self, ground: Ground) -> None:
        self._lock: SiteLock | None = SiteLock.take(ground.site / ".mcc/lock", {**HOLDER, "pid": os.getpid()})

    def release(self) -> None:
        if self._lock:
            self._lock.release()
        self._lock = None


@contextlib.contextmanager
def held(ground: Ground) -> Iterator[Held]:
    lock = Held(ground)
    try:
        yield lock
    finally:
        lock.release()


@contextlib.contextmanager
def begun(ground: Ground, *words: str, stdin: str = "") -> Iterator[subprocess.Popen[str]]:
    """A command that has said what it waits for."""
    process = subprocess.Popen(
        [*MCC, *words], cwd=ground.output, env=ground.environment, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(stdin)
        process.stdin.close()
        process.stdin = None
        said = process.stderr.readline()
        assert said.startswith("waiting for ")
        assert "the site is held by backup of ann since 2026-11-24 04:50:12 UTC (" in said
        assert f"process {os.getpid()})" in said
        yield process
    finally:
        process.kill()
        process.communicate(timeout=LIMIT)


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=LIMIT)
    return process.returncode, out, err


def names(ground: Ground) -> list[str]:
    return [line["name"] for line in ground.ledger() if line["event"] == "live"]


def test_a_deploy_waits_for_the_site_and_then_reads_all_anew(live: Ground) -> None:
    with held(live) as lock, begun(live, "deploy", "--stage", "prod", "--wait", "60") as process:
        live.release("three")
        live.conf("BACKUP_ENABLED: false")
        lock.release()
        code, out, err = end(process)
    assert (code, err) == (0, ""), out
    assert live.page() == "<h1>three</h1>\n"
    assert "BACKUP_ENABLED" in (live.site / f".mcc/conf/{names(live)[-1]}.yml").read_text()


def test_without_a_wait_and_when_it_is_over_the_site_is_held(live: Ground) -> None:
    with held(live):
        at_once = live.deploy()
        later = live.deploy("--wait", "1")
    assert (at_once.returncode, later.returncode) == (4, 4)
    assert "the site is held by backup of ann" in at_once.stderr
    *_, last = (line for line in later.stderr.splitlines() if "held" in line)  # what it said before, the time allowing
    assert last.startswith("mcc: the site is held by backup of ann")
    assert last.endswith("; waited 1 s")
    assert len(names(live)) == 1


@pytest.mark.parametrize("words", [("deploy", "--stage", "prod"), ("rollback", "--to", "")])
def test_ctrl_c_ends_the_wait_and_nothing_was_started(live: Ground, words: tuple[str, ...]) -> None:
    live.good()
    live.release("three")
    live.good()
    if words[0] == "rollback":
        words = ("rollback", "--site", str(live.site), "--to", names(live)[1])
    before = live.traces()
    with held(live), begun(live, *words, "--wait", "60") as process:
        os.kill(process.pid, signal.SIGINT)
        code, _, err = end(process)
    assert (code, is_one_message(err)) == (4, True)
    assert "interrupted while it waited, nothing was started: the site is held by backup of ann" in err
    assert live.traces() == before


@pytest.mark.parametrize("wait", ["-1", "1.5"])
def test_a_wait_is_a_whole_number_of_seconds(first: Ground, wait: str) -> None:
    done = first.deploy("--wait", wait)
    assert done.returncode == 2
    assert "--wait" in done.stderr
    assert "Traceback" not in done.stderr


def test_operations_wait_too_by_their_command_and_by_their_stage(live: Ground) -> None:
    clone = "  clone-test:\n    parameters:\n      conf-source: conf-test.yml\n      conf-target: conf-prod.yml\n"
    config = "".join(f"  {name}:\n    parameters:\n      conf: conf-prod.yml\n" for name in OPERATIONS)
    live.write("config.yml", (live.output / "config.yml").read_text() + config + clone)
    live.migration("001_notes")
    live.write("conf-test.yml", (live.output / "conf-prod.yml").read_text().replace("/site", "/test"))
    (live.folder / "test").mkdir()
    with held(live):
        for words in (
            ("maintenance", "off", "--stage", "prod"),
            ("backup", "--stage", "prod"),
            ("restore", "--stage", "prod"),
            ("clone", "--stage", "clone-test"),
            ("migrate", "--stage", "prod", "--apply"),
            ("env", "set", "COLOUR=red", "--stage", "prod"),
            ("recover", "--site", str(live.site)),
            *(("deploy", "--stage", name) for name in ("db-backup", "db-restore", "reset", "clone-test")),
        ):
            with begun(live, *words, "--wait", "60"):
                pass
    with held(live) as lock, begun(live, "deploy", "--stage", "maintenance-on", "--wait", "60") as process:
        lock.release()
        code, out, err = end(process)
    assert (code, err) == (0, ""), out


def test_values_of_standard_input_are_read_before_the_wait(live: Ground) -> None:
    site = str(live.site)
    words = ("env", "set", "COLOUR", "--stdin", "--site", site, "--wait", "60")
    with held(live) as lock, begun(live, *words, stdin="red\n") as process:
        lock.release()
        code, out, err = end(process)
    assert (code, err) == (0, ""), out
    assert live.run("env", "list", "--show", "--site", site).stdout == "COLOUR=red\n"
    with held(live) as lock, begun(live, "env", "unset", "COLOUR", "--site", site, "--wait", "60") as process:
        lock.release()
        code, out, err = end(process)
    assert (code, err) == (0, ""), out
    assert (live.site / ".env").read_text() == ""


def test_a_site_waits_to_be_given_back(ground: Ground) -> None:
    ground.good()
    with held(ground) as lock, begun(ground, "leave", "--site", str(ground.site), "--wait", "60") as process:
        lock.release()
        code, out, err = end(process)
    assert (code, err) == (0, ""), out
    assert not (ground.site / ".mcc").exists()


def test_a_rollback_that_finds_another_release_live_after_its_wait_does_not_go_on(live: Ground) -> None:
    live.good()
    live.release("three")
    live.good()
    second = names(live)[-1]
    with held(live) as lock, begun(live, "rollback", "--site", str(live.site), "--wait", "60") as process:
        ledger = live.site / ".mcc/releases.jsonl"
        third = {**live.ledger()[-1], "name": "vrs-2099-01-01T000000", "run": "other"}
        ledger.write_text(ledger.read_text() + json.dumps(third) + "\n")
        lock.release()
        code, _, err = end(process)
    assert (code, is_one_message(err)) == (2, True)
    assert f"vrs-2099-01-01T000000 came live while this waited; {second} was to be left" in err
    assert live.link() == f"ui/{second}"


def test_what_has_waited_has_the_site_before_anybody_else(live: Ground) -> None:
    path = live.site / ".mcc/lock"
    with held(live) as lock:
        turn, said = Turn(60.0), list[str]()
        with pytest.raises(SiteLocked) as locked:
            turn.take(path, HOLDER)
        turn.wait(locked.value, lambda text: (said.append(text), lock.release())[0])
    assert len(said) == 1
    refused = live.deploy()
    assert (refused.returncode, "held by a command that has waited" in refused.stderr) == (4, True)
    mine = turn.take(path, {**HOLDER, "pid": os.getpid()})
    assert "held by backup of ann" in live.deploy().stderr
    mine.release()
    live.good()


def test_a_frozen_site_says_who_when_and_why_and_is_free_again(live: Ground) -> None:
    site = str(live.site)
    done = live.run("freeze", "--site", site, "the", "audit", "goes on")
    assert done.returncode == 0, done.stderr
    assert f"deploys are refused until: mcc unfreeze --site {site}" in done.stdout
    before = live.traces()
    for refused in (
        live.deploy(),
        live.deploy("--plan"),
        live.run("freeze", "--stage", "prod"),
    ):
        assert (refused.returncode, is_one_message(refused.stderr)) == (2, True), refused.stderr
        assert " since 20" in refused.stderr
        assert ": the audit goes on" in refused.stderr
    assert live.traces() == before
    told = live.status()["frozen"]
    assert told.keys() == {"who", "when", "reason"}
    assert told["reason"] == "the audit goes on"
    assert (
        f"frozen    by {told['who']} since {told['when']}: the audit goes on; mcc unfreeze"
        in live.run("status", "--site", site).stdout
    )
    assert f"the site is frozen by {told['who']} since" in live.run("releases", "--site", site).stdout
    done = live.run("unfreeze", "--stage", "prod")
    assert (done.returncode, "not frozen any more; it was by" in done.stdout) == (0, True)
    assert live.status()["frozen"] is None
    assert live.run("unfreeze", "--site", site).stdout == f"{site} is not frozen\n"
    live.good()


def test_a_stage_of_the_projects_own_is_refused_on_a_frozen_site(live: Ground) -> None:
    live.write("mcc_deploy.py", TIDY)
    config = (live.output / "config.yml").read_text()
    live.write("config.yml", f"{config}  tidy:\n    parameters:\n      conf: conf-prod.yml\n")
    assert live.run("freeze", "--site", str(live.site)).returncode == 0
    for words in ((), ("--plan",)):
        refused = live.run("deploy", "--stage", "tidy", *words)
        assert (refused.returncode, "is frozen by" in refused.stderr) == (2, True), refused.stdout + refused.stderr


def test_a_bad_release_shows_and_status_says_where_a_rollback_goes(ground: Ground) -> None:
    live, site = ground, str(ground.site)
    live.good()
    live.release("two")
    live.good()
    live.release("three")
    live.good()
    one, two, three = names(live)
    told = live.status()
    assert (told["goes_back_to"], told["can_go_back_to"]) == (two, [one, two])
    done = live.run("rollback", "--site", site, "--mark-bad", "loses orders")
    assert done.returncode == 0, done.stdout + done.stderr
    told = live.status()
    assert (told["live"]["name"], told["live"]["back_from"]) == (two, three)
    assert (told["goes_back_to"], told["can_go_back_to"]) == (one, [one])
    text = live.run("status", "--site", site).stdout
    assert f"back      mcc rollback goes to {one}" in text
    assert f"bad       {three}: loses orders (by " in text
    assert f", back from {three}" in text
    rows = {row["name"]: row for row in json.loads(live.run("releases", "--site", site, "--format", "json").stdout)}
    assert [rows[name]["state"] for name in (one, two, three)] == ["good", "live", "bad"]
    assert rows[three]["bad"] == "loses orders"
    assert "loses orders" in rows[three]["no_way_back"]
    shown = live.run("releases", "--site", site).stdout
    assert f"   {three}  bad" in shown
    assert "     bad: loses orders (by " in shown
    refused = live.run("rollback", "--site", site, "--to", three)
    assert (refused.returncode, "it was marked bad by" in refused.stderr) == (2, True)


def test_past_failures_are_told_with_their_time_and_build(live: Ground) -> None:
    live.conf("SMOKE_URLS: ['http://127.0.0.1:9/']", "SMOKE_TIMEOUT: 1")
    assert live.deploy().returncode == 1
    ledger = live.site / ".mcc/releases.jsonl"
    ledger.write_text(ledger.read_text() + json.dumps({**live.ledger()[-1], "name": "vrs-2099-01-01T000000"}) + "\n")
    told = live.status()
    assert len(told["failures"]) == 2
    last = told["failures"][-1]
    assert told["last_failure"] == last
    assert (last["build"]["number"], last["build"]["commit"]) == (7, "c0ffee00")
    assert f"failed    {last['release']}, of {last['at']}: " in live.run("status", "--site", str(live.site)).stdout
    assert "(earlier ones: mcc releases)" in live.run("status", "--site", str(live.site)).stdout
