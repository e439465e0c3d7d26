"""Real processes, really killed: the site is as it was before, or as it is after, and mcc says which."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.ground import Done, Ground, Running, contents, is_one_message, wait_for

TABLE = "SELECT name FROM sqlite_master WHERE name = 'notes'"


@pytest.fixture
def slow(live: Ground) -> Ground:
    """The release ``one`` is live; ``two`` brings a migration, which waits while somebody writes to the database."""
    live.migration("001_notes")
    return live


@dataclass
class Waiting:
    """A deploy in the middle: its files are placed, and its migration waits for ``writer``."""

    running: Running
    writer: sqlite3.Connection

    def go_on(self) -> Done:
        self.writer.rollback()
        return self.running.end()

    def kill(self, *pids: int) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)


@contextmanager
def waiting(ground: Ground, *words: str) -> Iterator[Waiting]:
    with closing(sqlite3.connect(ground.site / "data.db")) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with ground.start(*words) as running:
            wait_for(lambda: migrates(ground))
            yield Waiting(running, writer)


def migrates(ground: Ground) -> bool:
    """Whether the run has come to the database, and so to the writer that it waits for."""
    return ground.is_at("migrate")


def code(ground: Ground) -> dict[str, tuple[str, ...]]:
    """The site without its database, which only goes forward, and the copies of it."""
    return contents(ground.site, skip=(".mcc", "data.db", "data.db-journal", "backups"))


def is_as_before(ground: Ground, before: dict[str, tuple[str, ...]]) -> bool:
    """Nothing of the release is left, no run is open, and the ledger has it as failed."""
    assert code(ground) == before
    assert ground.journals() == []
    assert ground.ledger()[-1]["event"] == "failed"
    return True


def is_after(ground: Ground) -> bool:
    """The release ``two`` is live, with its database, and no run is open."""
    assert ground.page() == "<h1>two</h1>\n"
    assert ground.ledger()[-1]["event"] == "live"
    assert ground.journals() == []
    with closing(sqlite3.connect(ground.site / "data.db")) as database:
        return database.execute(TABLE).fetchone() == ("notes",)


@pytest.mark.slow
def test_a_deploy_that_only_had_to_wait_goes_through(slow: Ground) -> None:
    with waiting(slow) as deploy:
        done = deploy.go_on()
    assert done.returncode == 0, done.stdout
    assert is_after(slow)


def test_a_killed_runner_is_undone_at_once_by_its_guardian(slow: Ground) -> None:
    before = code(slow)
    with waiting(slow) as deploy:
        deploy.kill(deploy.running.runner)
        done = deploy.running.end()
    assert done.returncode == 1
    assert re.search(r"undoing the run \S+: the deploying process died of SIGKILL", done.stdout)
    assert "code:      as before" in done.stdout
    assert done.stderr == ""
    assert is_as_before(slow, before)


@pytest.mark.slow
def test_without_its_guardian_a_runner_goes_on(slow: Ground) -> None:
    with waiting(slow) as deploy:
        runner = deploy.running.runner
        deploy.kill(deploy.running.guardian)
        assert slow.deploy().returncode == 4
        deploy.writer.rollback()
        wait_for(lambda: not Path(f"/proc/{runner}").exists())
    assert is_after(slow)


@pytest.fixture
def dead(slow: Ground) -> Ground:
    """Runner and guardian were killed in the middle of the deploy."""
    with waiting(slow) as deploy:
        deploy.kill(deploy.running.guardian, deploy.running.runner)
        deploy.running.end()
    return slow


def test_when_both_are_killed_status_says_so_with_exit_code_3(dead: Ground) -> None:
    done = dead.run("status", "--site", str(dead.site))
    assert done.returncode == 3
    assert f"did not end; the next deploy recovers it, or: mcc recover --site {dead.site}" in done.stdout
    assert dead.status()["dead_runs"] == [path.stem for path in dead.journals()]


@pytest.mark.slow
def test_a_plan_warns_of_a_dead_run_and_leaves_it_alone(dead: Ground) -> None:
    before = dead.traces()
    done = dead.deploy("--plan")
    assert done.returncode == 0
    assert re.search(r"warning +the run \S+ has not ended", done.stdout)
    assert dead.traces() == before


def test_the_next_deploy_recovers_a_dead_run_first(dead: Ground) -> None:
    done = dead.good()
    assert done.stdout.index("undoing the run") < done.stdout.index("becomes vrs-")
    assert is_after(dead)
    assert [line["event"] for line in dead.ledger()] == ["live", "failed", "live"]


def test_recover_brings_a_dead_run_to_its_end(dead: Ground, first: Ground) -> None:
    before = code(first)
    assert code(dead) != before
    done = dead.run("recover", "--site", str(dead.site))
    assert done.returncode == 0
    assert "undoing the run" in done.stdout
    assert is_as_before(dead, before)
    again = dead.run("recover", "--site", str(dead.site))
    assert (again.returncode, again.stdout) == (0, "nothing to recover\n")


@pytest.mark.slow
def test_a_journal_that_nobody_can_read_is_no_guess_but_exit_code_3(dead: Ground) -> None:
    (journal,) = dead.journals()
    journal.write_text("what is this\n" * 3)
    before = contents(dead.site, skip=())
    for words in (("recover", "--site", str(dead.site)), ("deploy", "--stage", "prod")):
        done = dead.run(*words)
        assert done.returncode == 3
        assert is_one_message(done.stderr)
        assert str(journal) in done.stderr
    now = contents(dead.site, skip=())
    assert {path for path in now if now[path] != before.get(path)} == {".mcc/lock"}


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, *(pytest.param(number, marks=pytest.mark.slow) for number in (signal.SIGINT, signal.SIGHUP))],
    ids=["SIGTERM", "SIGINT", "SIGHUP"],
)
@pytest.mark.parametrize(
    "to_all",
    [False, pytest.param(True, marks=pytest.mark.slow)],
    ids=["to-the-first-process", "to-the-group"],
)
def test_a_signal_undoes_the_deploy(slow: Ground, number: signal.Signals, to_all: bool) -> None:
    """A terminal sends it to every process of the group, a service manager to the first."""
    before = code(slow)
    with waiting(slow) as deploy:
        (os.killpg if to_all else os.kill)(deploy.running.guardian, number)
        done = deploy.running.end()
    assert done.returncode == 1, done.stdout
    name = "Ctrl-C" if number == signal.SIGINT else number.name
    assert f"interrupted by {name}" in done.stdout
    assert "code:      as before" in done.stdout
    assert done.stderr == ""
    assert is_as_before(slow, before)


def test_while_one_deploys_another_is_told_by_whom_and_since_when(slow: Ground) -> None:
    with waiting(slow) as deploy:
        before = slow.traces()
        other = slow.deploy()
        status = slow.run("status", "--site", str(slow.site))
        assert slow.traces() == before
        done = deploy.go_on()
    assert other.returncode == 4
    assert other.stdout == ""
    assert is_one_message(other.stderr)
    build = "build #7 from main @ c0ffee00"
    holder = rf"held by deploy --stage prod of \S+, {build} since [-0-9]+ [:0-9]+ UTC \(\d+ s; process"
    assert re.search(f"{holder} {deploy.running.guardian}", other.stderr)
    assert status.returncode == 0
    assert re.search(f"running .*{holder}", status.stdout)
    assert done.returncode == 0
    assert is_after(slow)


@pytest.mark.slow
def test_of_two_that_begin_together_one_deploys_and_one_ends_with_4(slow: Ground) -> None:
    with closing(sqlite3.connect(slow.site / "data.db")) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with slow.start() as one, slow.start() as two:
            wait_for(lambda: one.process.poll() is not None or two.process.poll() is not None)
            wait_for(lambda: migrates(slow))
            writer.rollback()
            done = (one.end(), two.end())
    assert sorted(each.returncode for each in done) == [0, 4]
    assert is_after(slow)
    assert len(slow.ledger()) == 2


# With an environment: a step that runs a program of its own.

PROBE = """\
import os, pathlib, time
began = pathlib.Path({began!r})
began.with_suffix(".new").write_text(str(os.getpid()))
began.with_suffix(".new").rename(began)
time.sleep(600)
"""


@pytest.fixture
def probing(live: Ground) -> Ground:
    """The release in the output is probed for as long as it likes."""
    live.python()
    live.conf("PROBE: api.slow")
    live.write("api/slow.py", PROBE.format(began=str(live.folder / "began")))
    return live


@contextmanager
def probed(ground: Ground) -> Iterator[tuple[Running, int]]:
    """A deploy that waits for its probe, and the process of that probe."""
    began = ground.folder / "began"
    with ground.start() as running:
        wait_for(began.exists)
        probe = int(began.read_text())
        try:
            yield running, probe
        finally:
            if is_there(probe):
                os.kill(probe, signal.SIGKILL)


def is_there(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_what_a_killed_runner_had_started_is_ended(probing: Ground) -> None:
    before = code(probing)
    with probed(probing) as (running, probe):
        os.kill(running.runner, signal.SIGKILL)
        done = running.end()
        assert not is_there(probe)
    assert done.returncode == 1
    assert is_as_before(probing, before)


@pytest.mark.slow
def test_a_signal_ends_the_program_that_is_waited_for(probing: Ground) -> None:
    before = code(probing)
    with probed(probing) as (running, probe):
        os.kill(running.guardian, signal.SIGTERM)
        done = running.end()
        assert not is_there(probe)
    assert done.returncode == 1
    assert is_as_before(probing, before)


@pytest.mark.slow
def test_a_program_that_outlives_its_run_holds_the_site_until_it_has_ended(probing: Ground) -> None:
    before = code(probing)
    with probed(probing) as (running, probe):
        os.kill(running.guardian, signal.SIGKILL)
        os.kill(running.runner, signal.SIGKILL)
        wait_for(lambda: running.process.poll() is not None)
        held = probing.deploy()
        assert held.returncode == 4
        assert "it is gone, but a command that it started still runs" in held.stderr
        os.kill(probe, signal.SIGKILL)
        wait_for(lambda: not is_there(probe))
        done = probing.run("recover", "--site", str(probing.site))
    assert done.returncode == 0
    assert is_as_before(probing, before)
