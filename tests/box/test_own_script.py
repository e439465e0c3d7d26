"""A project's own ``mcc_deploy.py`` of a few lines, which stands on mcc: ``uv run mcc_deploy.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from box.harness import DEPLOY_HOME, DEPLOY_USER, Boxes
from box.layers import build_wheel
from box.notes import Notes, Outputs

WORDS = ["uv", "run", "mcc_deploy.py"]


@pytest.mark.network
def test_it_does_what_the_command_does(boxes: Boxes, live_layer: Path, outputs: Outputs, tmp_path: Path) -> None:
    """From a wheel in a folder, as long as no index has it; the application's lock and environment stay without it."""
    # A cache of its own: uv would take an older wheel of the same version from one that others fill.
    live = Notes(boxes(above=[live_layer], own_uv_cache=True))
    build_wheel(tmp_path)
    live.box.push(tmp_path, f"{DEPLOY_HOME}/dist")
    live.box.exec(["rm", "-rf", "/opt/mcc", "/usr/local/bin/mcc"])
    at, links = live.bring(outputs("v2")), {"UV_FIND_LINKS": f"{DEPLOY_HOME}/dist"}
    live.box.exec([*WORDS, "--help"], DEPLOY_USER, cwd=at, env=links, net=True)
    live.wait_for_version("1")
    lock, environment = live.box.read(f"{at}/uv.lock"), live.link(".venv")

    done = live.box.exec([*WORDS, "--stage", "prod"], DEPLOY_USER, cwd=at, env=links, check=False)
    assert done.code == 0, done
    assert "is live; databases: 1 migration forward" in done.stdout
    live.wait_for_version("2")
    assert live.link(".venv") == environment
    assert live.box.read(f"{at}/uv.lock") == lock
    assert not live.box.exists(f"{at}/.venv")
    refused = live.box.exec([*WORDS, "--stage", "absent"], DEPLOY_USER, cwd=at, env=links, check=False)
    assert refused.code == 2, refused
    assert live.status()["live"]["name"] in live.link("current-api")
