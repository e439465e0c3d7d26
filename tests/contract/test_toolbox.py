"""The site's own mcc: a copy that runs by itself and knows which one it is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mcc.core.layout import Site
from mcc.host import toolbox
from mcc.host.commands import RealCommands
from mcc.host.files import RealFiles
from mcc.host.toolbox import Tool

INSTALL_ELSEWHERE = """
import sys; from pathlib import Path
from mcc.core.layout import Site; from mcc.host import toolbox
from mcc.host.commands import RealCommands; from mcc.host.files import RealFiles
here, other = map(Site, map(Path, sys.argv[1:]))
toolbox.install(other, toolbox.tool_for(other), RealFiles(), RealCommands())
print(toolbox.tool_for(here).version)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, Tool]:
    site = Site(tmp_path_factory.mktemp("site"))
    tool = toolbox.tool_for(site)
    toolbox.install(site, tool, RealFiles(), RealCommands())
    return site, tool


def run(site: Site, *words: str) -> str:
    """The site's mcc without anything that the machine has of it, by the words of its start file."""
    start = site.tool_command.read_text().replace('-m mcc "$@"', '"$@"')
    done = subprocess.run(["sh", "-c", start, "sh", *words], env={}, cwd="/", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_runs_by_itself(installed: tuple[Site, Tool]) -> None:
    site, tool = installed
    assert os.readlink(site.tool_command) == f"../tool/{tool.version}/mcc"
    assert run(site, "-m", "mcc", "--version").startswith("mcc ")
    assert run(site, "-c", "import mcc; print(mcc.__file__)").startswith(str(site.tools))


def test_the_copy_knows_that_it_is_the_one_that_was_copied(installed: tuple[Site, Tool], tmp_path: Path) -> None:
    """Or it would take its own journal for another's; and it can give another site the same copy."""
    site, tool = installed
    other = Site(tmp_path)
    assert run(site, "-c", INSTALL_ELSEWHERE, str(site.base), str(other.base)) == tool.version
    assert run(other, "-c", INSTALL_ELSEWHERE, str(other.base), str(site.base)) == tool.version
    assert run(other, "-m", "mcc", "--version") == run(site, "-m", "mcc", "--version")
