"""Stages that are operations, as a person runs them: planned, done, refused, killed; by the real mcc on a real disk."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import copy_site
from cli.ground import CONFIG, Ground, contents, is_one_message, wait_for

STAGES = """\
  reset-dev: {parameters: {conf: conf-prod.yml}}
  maintenance-on: {parameters: {conf: conf-prod.yml}}
  maintenance-off: {parameters: {conf: conf-prod.yml}}
  db-backup: {parameters: {conf: conf-prod.yml}}
  pause: {parameters: {conf: conf-prod.yml, operation: maintenance-on}}
"""


def prepared(folder: Path) -> Ground:
    """An output with stages for all operations, and a migration of its database."""
    ground = Ground(folder)
    ground.write("config.yml", CONFIG + STAGES)
    ground.conf("STABLE_FOR: 0")
    ground.migration("001_notes")
    return ground


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A live site with a database and files of its users; nobody changes it."""
    ground = prepared(tmp_path_factory.mktemp("made") / "ground")
    ground.good()
    (ground.site / "data").mkdir()
    (ground.site / "data" / "upload.txt").write_text("of a user")
    fill(ground, "before")
    return ground


@pytest.fixture
def ground(made: Ground, tmp_path: Path) -> Ground:
    """The same as a site of one's own."""
    ground = prepared(tmp_path / "ground")
    copy_site(made.site, ground.site)
    return ground


def fill(ground: Ground, text: str) -> None:
    with closing(sqlite3.connect(ground.site / "data.db", isolation_level=None)) as connection:
        connection.execute("INSERT INTO notes (text) VALUES (?)", (text,))


def texts(ground: Ground) -> list[str]:
    with closing(sqlite3.connect(ground.site / "data.db")) as connection:
        return [row[0] for row in connection.execute("SELECT text FROM notes")]


def said(ground: Ground, *words: str, code: int = 0) -> str:
    done = ground.run(*words)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def state(ground: Ground) -> Any:
    return json.loads(said(ground, "maintenance", "status", "--site", str(ground.site), "--format", "json"))[
        "maintenance"
    ]


@pytest.mark.slow
def test_maintenance_is_planned_switched_told_and_kept_over_a_deploy(tmp_path: Path) -> None:
    ground = prepared(tmp_path / "ground")
    ground.good()
    switch, page = ground.site / "maintenance/on", ground.site / "maintenance/page.html"
    site = ("--site", str(ground.site))
    before = ground.traces()
    plan = said(ground, "deploy", "--stage", "maintenance-on", "--plan")
    assert "plan of maintenance-on --stage maintenance-on" in plan
    assert ground.traces() == before
    said(ground, "deploy", "--stage", "pause")
    assert (switch.is_file(), "We will be back soon" in page.read_text()) == (True, True)
    assert state(ground)["since"]
    assert "in maintenance, since" in said(ground, "status", *site)
    ground.release("two")
    assert "is in maintenance (since" in said(ground, "deploy", "--stage", "prod")
    assert (switch.is_file(), ground.page()) == (True, "<h1>two</h1>\n")
    said(ground, "maintenance", "off", *site)
    assert (switch.exists(), state(ground)) == (False, None)
    switch.touch()
    assert "in maintenance, switched on by hand" in said(ground, "maintenance", "status", *site)


def test_a_reset_wipes_and_deploys(ground: Ground) -> None:
    before = contents(ground.site)
    plan = said(ground, "deploy", "--stage", "reset-dev", "--plan")
    assert "domains/, data/, data.db aside" in plan
    assert contents(ground.site) == before
    ground.migration("002_more", "CREATE TABLE more (text)")
    ground.release("two")
    done = said(ground, "deploy", "--stage", "reset-dev")
    assert "is live" in done
    assert (texts(ground), ground.page()) == ([], "<h1>two</h1>\n")
    assert list((ground.site / "data").iterdir()) == []
    (kept,) = (ground.site / "backups/before").iterdir()
    said(ground, "restore", "--stage", "prod", "--from", f"before/{kept.name}")
    assert texts(ground) == ["before"]


def test_a_reset_that_fails_gives_all_back(ground: Ground) -> None:
    before = contents(ground.site, skip=(".mcc", "backups"))
    ground.migration("002_bad", "CREATE TABLE notes (text)")
    assert "already exists" in said(ground, "deploy", "--stage", "reset-dev", code=1)
    assert contents(ground.site, skip=(".mcc", "backups")) == before
    assert not list((ground.site / ".mcc/aside").iterdir())


@pytest.mark.slow
def test_a_reset_that_is_killed_with_its_guardian_gives_all_back_to_the_next_command(ground: Ground) -> None:
    before = contents(ground.site, skip=(".mcc", "backups"))
    ground.migration("002_slow", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n")
    with ground.start("--stage", "reset-dev") as running:
        wait_for(lambda: ground.is_at("migrate"))
        assert not (ground.site / "data/upload.txt").exists()
        for pid in running.all:
            os.kill(pid, signal.SIGKILL)
        running.end()
    said(ground, "recover", "--site", str(ground.site))
    assert contents(ground.site, skip=(".mcc", "backups")) == before
    assert texts(ground) == ["before"]


def test_what_nobody_knows_is_refused_with_what_is_like_it(made: Ground) -> None:
    before = contents(made.site)
    for words, says in (
        (("reset-dev", "--param", "keep_build=3"), r"reset knows no parameter keep_build.*did you mean keep_builds"),
        (("maintenance-on", "--param", "from=x"), r"maintenance-on knows no parameter from.*it takes: conf"),
        (("db-backup", "--param", "databases=data.bd"), "knows no database 'data.bd'"),
        (("prod", "--param", "operation=rest"), "did you mean reset"),
    ):
        done = made.run("deploy", "--stage", *words)
        assert done.returncode == 2
        assert is_one_message(done.stderr)
        assert re.search(says, done.stderr, re.DOTALL), done.stderr
    assert contents(made.site) == before


def test_maintenance_of_what_is_no_site_is_refused(made: Ground, tmp_path: Path) -> None:
    assert "which site?" in said(made, "maintenance", "on", code=2)
    assert "nothing is live" in said(made, "maintenance", "on", "--site", str(tmp_path / "none"), code=2)
    wrong = said(made, "maintenance", "status", "--stage", "prod", "--plan", code=2)
    assert "--plan does not go with maintenance status" in wrong
