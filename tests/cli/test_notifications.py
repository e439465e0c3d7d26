"""People are told how a run ended, by the real mcc: after its last word, whatever became of its process."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from cli.ground import Ground, Running, contents, wait_for
from postboxes import Postbox, web_hook

FAILS = "INSERT INTO nowhere VALUES (1)"
TOKEN = "T0k3nOfTheChat"


@pytest.fixture
def box(live: Ground) -> Iterator[Postbox]:
    """A web hook that the conf of ``live`` names, by a variable that only the server has."""
    with web_hook() as box:
        live.variables["HOOK"] = f"json://127.0.0.1:{box.port}/{TOKEN}"
        live.conf('NOTIFY: "{{env:HOOK}}"')
        yield box


@contextmanager
def in_a_migration(ground: Ground) -> Iterator[Running]:
    """A deploy in the middle: its migration waits for a writer."""
    ground.migration("001_notes")
    with closing(sqlite3.connect(ground.site / "data.db")) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with ground.start() as running:
            wait_for(lambda: ground.is_at("migrate"))
            yield running


def secret_of(ground: Ground) -> list[str]:
    """Files of the site that hold the token, but for the conf's own."""
    found = [path for path in (ground.site / ".mcc").rglob("*") if path.is_file() and "tool" not in path.parts]
    return [str(path) for path in found if TOKEN.encode() in path.read_bytes()]


@pytest.mark.slow
def test_a_deploy_that_fails_is_told_in_two_facts_with_the_error(live: Ground, box: Postbox) -> None:
    live.migration("001_fails", FAILS)
    done = live.deploy("--format", "jsonl")
    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[-1])["event"] == "run_ended"
    assert done.stderr == ""
    (message,) = box.messages
    assert message["title"].endswith(": deploy prod failed")
    text = message["message"]
    assert f"where:     {live.site} on " in text
    assert "what:      build #7 from main @ c0ffee00, vrs-" in text
    assert "code:      as before (vrs-" in text
    assert "databases: as before" in text
    assert "001_fails.sql:1: no such table: nowhere" in text
    assert TOKEN not in text + done.stdout
    assert secret_of(live) == []


@pytest.mark.slow
def test_success_is_told_if_it_is_wanted_and_a_rollback_by_the_conf_of_what_is_live_then(
    live: Ground, box: Postbox
) -> None:
    live.good()
    assert box.messages == []
    live.conf("NOTIFY_ON: success")
    live.good()
    assert live.run("rollback", "--stage", "prod").returncode == 0
    done, back = box.messages
    assert ": deploy prod is done: vrs-" in done["title"]
    assert ": rollback prod is done: vrs-" in back["title"]
    assert (done["type"], back["type"]) == ("success", "warning")


@pytest.mark.slow
def test_one_that_cannot_be_told_is_a_warning_and_changes_no_exit_code(live: Ground) -> None:
    with web_hook(status=500) as bad:
        live.conf(f"NOTIFY: [json://127.0.0.1:{bad.port}/{TOKEN}]", "NOTIFY_ON: [success, failure]")
        done = live.good()
        assert done.stderr.startswith("warning: nobody was told: NOTIFY[1] (json): ")
        assert TOKEN not in done.stderr + done.stdout


@pytest.mark.slow
def test_a_runner_that_is_killed_is_told_by_its_guardian(live: Ground, box: Postbox) -> None:
    before = contents(live.site, skip=(".mcc", "data.db", "backups"))
    with in_a_migration(live) as running:
        os.kill(running.runner, signal.SIGKILL)
        assert running.end().returncode == 1
    assert contents(live.site, skip=(".mcc", "data.db", "backups")).keys() - before.keys() <= {"data.db-journal"}
    (message,) = box.messages
    assert message["title"].endswith(": deploy prod died, and was undone")
    assert "died of SIGKILL" in message["message"]


@pytest.mark.slow
def test_a_dead_run_is_told_by_who_recovers_it_also_if_it_was_the_first_with_such_a_conf(
    live: Ground, box: Postbox
) -> None:
    """The conf of what is live names nobody: the dead run has kept whom it would have told."""
    with in_a_migration(live) as running:
        for pid in running.all:
            os.kill(pid, signal.SIGKILL)
        running.end()
    assert box.messages == []
    del live.variables["HOOK"]
    recovered = live.run("recover", "--site", str(live.site))
    assert recovered.returncode == 0, recovered.stderr
    (message,) = box.messages
    assert message["title"].endswith(": deploy prod died, and was undone")
    assert "recovered by hand" in message["message"]
    assert secret_of(live) == []
