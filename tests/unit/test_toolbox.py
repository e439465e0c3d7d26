"""The site's own mcc is whole: what is installed beside mcc, and what it needs, is in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mcc.core.layout import Site
from mcc.host import toolbox
from mcc.host.commands import RealCommands
from mcc.host.files import RealFiles


@pytest.mark.slow
def test_the_driver_of_postgresql_and_what_sends_messages_work_from_the_sites_own_library(tmp_path: Path) -> None:
    """Without the environment that mcc came from: cron and recovery run it."""
    pytest.importorskip("psycopg")
    pytest.importorskip("apprise")
    site = Site(tmp_path / "site")
    tool = toolbox.tool_for(site)
    toolbox.install(site, tool, RealFiles(), RealCommands())
    library = site.tool(tool.version) / "lib"
    ask = "import psycopg; print(psycopg.pq.__impl__, psycopg.pq.version() > 0, psycopg.__file__)"
    python = str(getattr(sys, "_base_executable", None) or sys.executable)
    done = subprocess.run(
        [python, "-s", "-P", "-c", ask], env={"PYTHONPATH": str(library)}, capture_output=True, text=True
    )
    assert done.stdout.split() == ["binary", "True", str(library / "psycopg" / "__init__.py")], done.stderr
    sent = subprocess.run(
        [python, "-s", "-P", "-m", "mcc.host.notify.child"], env={"PYTHONPATH": str(library)},
        input='{"address": "json://127.0.0.1:9/", "title": "", "text": "x", "weight": "failure"}',
        capture_output=True, text=True,
    )  # fmt: skip
    assert (sent.returncode, "JSON" in sent.stdout) == (1, True), sent.stderr  # nobody listens there


@pytest.mark.slow
def test_the_sites_own_mcc_stays_the_version_that_it_is(tmp_path: Path) -> None:
    """Run by cron it builds no other one, and it can keep itself on another site."""
    site, other = Site(tmp_path / "site"), Site(tmp_path / "other")
    tool = toolbox.tool_for(site)
    toolbox.install(site, tool, RealFiles(), RealCommands())
    ask = (
        "import sys; from pathlib import Path; from mcc.core.layout import Site; from mcc.host import toolbox;"
        "from mcc.host.commands import RealCommands; from mcc.host.files import RealFiles;"
        "other = Site(Path(sys.argv[1])); tool = toolbox.tool_for(other);"
        "toolbox.install(other, tool, RealFiles(), RealCommands()); print(tool.version)"
    )
    python = str(getattr(sys, "_base_executable", None) or sys.executable)
    library = site.tool(tool.version) / "lib"
    done = subprocess.run(
        [python, "-s", "-P", "-c", ask, str(other.base)], env={"PYTHONPATH": str(library)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.split() == [tool.version], done.stderr
    shown = subprocess.run([str(other.tool_command), "--version"], capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
