"""docs/moving-from-a-script.md, done as it stands there, to the project in tests/moving on a site of its script."""

from __future__ import annotations

import re
import shutil
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.ground import Done, Ground, is_one_message, wait_for

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "tests/moving"
PAGE = (ROOT / "docs/moving-from-a-script.md").read_text()
CRONTAB = """\
#!/bin/sh
case "$1" in
  -l) cat "$HOME/crontab" 2>/dev/null || { echo "no crontab for me" >&2; exit 1; } ;;
  -r) rm -f "$HOME/crontab" ;;
  *) cat >"$HOME/crontab.new" && mv "$HOME/crontab.new" "$HOME/crontab" ;;
esac
"""
FOREIGN = "5 4 * * * /usr/bin/true\n"
# A site without root and systemd.
HERE = "OWNERSHIP: none\nSERVICE_MANAGER: none\nSMOKE_URLS: []\n"


def block(language: str) -> str:
    """The page's block of that language."""
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.S)
    return str(text)


@pytest.fixture
def project(tmp_path: Path) -> Ground:
    """The project as it is, with a crontab and a site of its own."""
    ground = Ground(tmp_path)
    shutil.rmtree(ground.output)
    shutil.copytree(PROJECT, ground.output, ignore=shutil.ignore_patterns("__pycache__"))
    conf = ground.output / "mcc/conf-prod.yml"
    conf.write_text(conf.read_text().replace("/home/stenvala/live/shop-prod", str(ground.site)) + HERE)
    (tmp_path / "bin/crontab").write_text(CRONTAB)
    (tmp_path / "bin/crontab").chmod(0o755)
    (tmp_path / "home/crontab").write_text(FOREIGN)
    ground.site.mkdir()
    (ground.site / ".env").write_text(f"SHOP_DATA={ground.site}/data\n")
    return ground


def by_script(project: Ground, file: str = "mcc_deploy.py") -> None:
    """Two of its deploys in one second run into each other."""
    wait_for(lambda: not (project.site / "versions" / f"{datetime.now(UTC):vrs-%Y-%m-%dT%H%M%S}").exists())
    done = project.run("--stage", "prod", program=(sys.executable, file))
    assert done.returncode == 0, done.stdout + done.stderr


def move(project: Ground) -> None:
    """Steps 2 and 3 of the page."""
    conf = project.output / "mcc/conf-prod.yml"
    conf.write_text(conf.read_text() + block("yaml"))
    (project.output / "mcc_deploy.py").rename(project.output / "deploy_by_script.py")
    project.write("mcc_deploy.py", block("python"))


def changes(project: Ground, schema: str) -> list[str]:
    with closing(sqlite3.connect(project.site / "data" / f"{schema}.db")) as database:
        return [name for (name,) in database.execute("SELECT name FROM changes ORDER BY name")]


def jobs(project: Ground) -> list[str]:
    text = (project.folder / "home/crontab").read_text()
    assert text.startswith(FOREIGN)
    return [line for line in text.splitlines() if "report.sh" in line]


def good(done: Done) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_project_moves_as_the_page_says(project: Ground) -> None:
    later = (project.output / "db/changes/002_price.sql").rename(project.folder / "later.sql")
    by_script(project)
    by_script(project)
    assert len(jobs(project)) == 2
    assert changes(project, "shop_archive") == ["001_orders.sql"]
    old = project.link("current-api")

    # 1. what stands in the way
    before = project.traces()
    asked = project.deploy("--plan")
    assert asked.returncode == 2
    assert is_one_message(asked.stderr)
    (quoted,) = re.findall(r"```text\n(.*?)```", PAGE, flags=re.S)
    assert all(line.strip() in asked.stderr for line in quoted.splitlines()), asked.stderr
    assert project.traces() == before

    # 2. and 3. the conf and the hook; 4. look, then deploy
    move(project)
    later.rename(project.output / "db/changes/002_price.sql")
    plan = good(project.deploy("--plan"))
    assert "set_up_databases, before cut-over (mcc_deploy.py:" in plan
    done = good(project.deploy())
    assert "applied 002_price.sql" in done
    for schema in ("shop", "shop_archive"):
        assert changes(project, schema) == ["001_orders.sql", "002_price.sql"]
    assert len(jobs(project)) == 1
    now = project.link("current-api")
    assert now != old
    assert project.link("current-ui") == f"{now}/ui"
    assert (project.site / str(now) / "db/setup_db.py").exists()
    assert (project.site / ".venv").is_symlink()

    # a set-up that fails leaves the site as it was
    project.write("db/changes/003_bad.sql", "this is no SQL")
    failed = project.deploy()
    assert failed.returncode == 1
    said = r"FAILED +mcc_deploy.py:\d+: set_up_databases: python db/setup_db.py update shop ended with exit code 1"
    assert re.search(said, failed.stdout)
    assert project.link("current-api") == now
    assert changes(project, "shop") == ["001_orders.sql", "002_price.sql"]

    # the script still works, and mcc after it
    (project.output / "db/changes/003_bad.sql").unlink()
    by_script(project, "deploy_by_script.py")
    good(project.deploy())
    assert len(jobs(project)) == 1
    assert project.journals() == []


def test_on_a_new_site_databases_are_created(project: Ground) -> None:
    move(project)
    good(project.run("--stage", "prod", program=(sys.executable, "mcc_deploy.py")))
    assert changes(project, "shop") == ["001_orders.sql", "002_price.sql"]
    assert len(jobs(project)) == 1
