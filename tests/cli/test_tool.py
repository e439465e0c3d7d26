"""The site's own ``.mcc/bin/mcc``: it needs neither uv, nor a network, nor the output folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing

import pytest

from cli.ground import LIMIT, Done, Ground, contents, wait_for

Tool = Callable[..., Done]


def alone(ground: Ground) -> Tool:
    """The site's tool on a machine where nothing else is: as root even without a network."""
    shutil.rmtree(ground.output)
    elsewhere = ground.folder / "elsewhere"
    elsewhere.mkdir()
    # What lies where it is called from must not be taken for a part of it.
    for name in ("mcc.py", "json.py", "typer.py"):
        (elsewhere / name).write_text("raise SystemExit('imported from the present folder')\n")
    offline = [shutil.which("unshare") or "unshare", "--net"] if _may_unshare() else []

    def run(*words: str) -> Done:
        command = [*offline, str(ground.site / ".mcc/bin/mcc"), *words, "--site", str(ground.site)]
        variables = {"PATH": "/nowhere", "PYTHONPATH": str(elsewhere)}
        return subprocess.run(command, cwd=elsewhere, env=variables, capture_output=True, text=True, timeout=LIMIT)

    return run


def _may_unshare() -> bool:
    return os.geteuid() == 0 and subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode == 0


def test_it_tells_what_is_live(live: Ground) -> None:
    tool = alone(live)
    status = tool("status")
    assert (status.returncode, status.stderr) == (0, "")
    assert f"current-ui -> {live.link()}" in status.stdout
    assert json.loads(tool("status", "--format", "json").stdout)["site"] == str(live.site)
    releases = tool("releases")
    assert (releases.returncode, releases.stderr) == (0, "")
    assert releases.stdout.startswith(f"-> {live.ledger()[0]['name']}  live")


def test_it_recovers_a_run_that_died(live: Ground) -> None:
    before = contents(live.site, skip=(".mcc", "backups"))
    live.migration("001_notes")
    with closing(sqlite3.connect(live.site / "data.db")) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with live.start() as running:
            wait_for(lambda: live.is_at("back up", "migrate"))
            for pid in (running.guardian, running.runner):
                os.kill(pid, signal.SIGKILL)
            running.end()
    (live.site / "data.db").unlink()
    tool = alone(live)
    assert tool("status").returncode == 3
    done = tool("recover")
    assert (done.returncode, done.stderr) == (0, "")
    assert "code:      as before" in done.stdout
    assert contents(live.site, skip=(".mcc", "backups")) == before
    assert tool("status").returncode == 0


@pytest.mark.slow
def test_it_deploys_the_next_release_itself(live: Ground) -> None:
    tool = (str(live.site / ".mcc/bin/mcc"),)
    done = live.run("deploy", "--stage", "prod", program=tool)
    assert done.returncode == 0, done.stdout + done.stderr
    assert live.page() == "<h1>two</h1>\n"
    assert len(list((live.site / ".mcc/tool").iterdir())) == 1
