"""``mcc deploy --rehearse`` by the real mcc."""

from __future__ import annotations

import json
import re

import pytest

from cli.ground import Ground, contents, is_one_message


@pytest.mark.slow
def test_a_rehearsal_says_how_long_each_step_took_and_leaves_the_site_as_it_was(live: Ground) -> None:
    live.python()
    live.migration("001_notes")
    before, ledger = contents(live.site), live.ledger()
    done = live.good("--rehearse")
    assert re.search(r"^  venv      build venvs/\S+ +\d+\.\d\d s$", done.stdout, re.MULTILINE)
    assert re.search(r"^done in \d+\.\d s: as before: all that was rehearsed is undone$", done.stdout, re.MULTILINE)
    assert re.search(r"^  not rehearsed: migrate \(\d steps?\), cut-over \(", done.stdout, re.MULTILINE)
    assert contents(live.site) == before
    assert (live.ledger(), live.journals()) == (ledger, [])
    events = [json.loads(line) for line in live.good("--rehearse", "--format", "jsonl").stdout.splitlines()]
    seconds = {event["phase"]: event["seconds"] for event in events if event["event"] == "step_done"}
    assert seconds.keys() >= {"place", "venv"}
    assert events[0]["action"] == "rehearse"
    plan = live.good("--rehearse", "--plan").stdout
    assert "venv " in plan
    assert "cut-over" not in plan
    assert contents(live.site) == before


@pytest.mark.slow
def test_what_would_fail_before_the_migrations_fails_a_rehearsal(live: Ground) -> None:
    live.python()
    live.conf("PROBE: nothing_of_that_name")
    before, ledger = contents(live.site), live.ledger()
    done = live.deploy("--rehearse")
    assert done.returncode == 1
    assert "No module named 'nothing_of_that_name'" in done.stdout
    assert (contents(live.site), live.ledger(), live.journals()) == (before, ledger, [])


@pytest.mark.slow
def test_an_operation_has_no_rehearsal(live: Ground) -> None:
    live.write(
        "config.yml", (live.output / "config.yml").read_text() + "  db-backup:\n    parameters: {conf: conf-prod.yml}\n"
    )
    done = live.run("deploy", "--stage", "db-backup", "--rehearse")
    assert done.returncode == 2
    assert is_one_message(done.stderr)
    assert "--rehearse is for deploys" in done.stderr
