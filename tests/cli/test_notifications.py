"""People are told how a run ended, by the real mcc: after its last word, whatever became of its process."""

from __future__ import annotations

import json
import os
import re
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


@pytest.mark.slow
def test_a_late_backup_and_a_dead_run_are_told_once_a_day(live: Ground, box: Postbox) -> None:
    crontab = live.folder / "bin/crontab"
    crontab.write_text('#!/bin/sh\n[ "$1" = -l ] && exec cat "$0.kept"\ncat > "$0.kept"\n')
    crontab.chmod(0o755)
    (live.folder / "bin/crontab.kept").write_text("")
    live.conf("BACKUP_ENABLED: true", "BACKUP_SCHEDULE: '0 2 * * *'", "DATABASE: none")
    live.good()
    assert f"/mcc notify --site {live.site} >>" in (live.folder / "bin/crontab.kept").read_text()
    asked = ("notify", "--site", str(live.site))
    assert live.run(*asked).stdout == ""
    ledger = live.site / ".mcc/releases.jsonl"
    ledger.write_text(re.sub(r'"at": ?"2\d{3}-', '"at":"2001-', ledger.read_text()))
    (live.site / ".mcc/journal").mkdir(exist_ok=True)
    (live.site / ".mcc/journal/2026-01-01T000000-dead.jsonl").write_text("{}\n")
    first, second = live.run(*asked), live.run(*asked)
    assert (first.returncode, second.stdout, second.stderr) == (0, "", "")
    assert [line.partition("  told: ")[2] for line in first.stdout.splitlines()] == [
        message["title"] for message in box.messages
    ]
    late, dead = box.messages
    assert late["title"].endswith(": the backup is late")
    assert "last good: there is none" in late["message"]
    assert dead["title"].endswith(": a dead run waits to be recovered")
    assert "2026-01-01T000000-dead" in dead["message"]
    assert live.run(*asked, "--test").stdout == "sent to 1 address\n"
    assert box.messages[-1]["title"].endswith(": a test message")


@pytest.mark.slow
def test_a_test_message_needs_somebody_and_says_who_did_not_get_it(live: Ground) -> None:
    none = live.run("notify", "--stage", "prod", "--test")
    assert none.returncode == 2
    assert "NOTIFY names nobody" in none.stderr
    with web_hook(status=500) as bad:
        live.conf(f"NOTIFY: json://127.0.0.1:{bad.port}/{TOKEN}")
        failed = live.run("notify", "--stage", "prod", "--test")
    assert failed.returncode == 1
    assert "mcc: not everybody has got the test message" in failed.stderr
    assert TOKEN not in failed.stderr
