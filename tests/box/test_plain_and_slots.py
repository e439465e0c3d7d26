"""From an ordinary unit to two slots and back, as docs/blue-green.md says; owners by sudo, gunicorn, an own user."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from box.harness import Boxes
from box.notes import Outputs
from box.slotted import CONF, WORKER, Load, Site
from fakes.deaths import FULL

PLAIN = {
    **CONF, "SERVICE_NAME": "notes-prod-api.service", "API_PORT": "8000",
    "OWNERSHIP": "sudo", "DIR_USER": "notes", "DIR_GROUP": "stenvala",
}  # fmt: skip
SLOTS = {**PLAIN, "SERVICE_NAME": CONF["SERVICE_NAME"], "API_PORT": "", "APP_SERVER": "gunicorn"}
SERVERS = '"gunicorn>=23",\n  "uvicorn-worker>=0.3",\n  "uvicorn>='


@pytest.fixture(scope="module")
def builds(
    outputs: Outputs, warm_uv: Callable[[Path], None], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Two versions with gunicorn in their environment."""
    folder = tmp_path_factory.mktemp("gunicorn")
    made = {name: folder / name for name in ("1", "2")}
    for name, place in made.items():
        shutil.copytree(outputs(*(["v2"] if name == "2" else [])), place, symlinks=True)
        project = place / "pyproject.toml"
        project.write_text(project.read_text().replace('"uvicorn>=', SERVERS))
    uv = Path(sys.executable).with_name("uv")
    words = [uv if uv.exists() else "uv", "lock", "-q", "--python", sys.executable]
    subprocess.run(words, cwd=made["1"], check=True)
    shutil.copy(made["1"] / "uv.lock", made["2"] / "uv.lock")
    warm_uv(made["1"])
    return made


@pytest.mark.slow
def test_a_plain_unit_becomes_two_slots_and_plain_again_and_no_visitor_is_refused(
    module_boxes: Boxes, builds: dict[str, Path]
) -> None:
    site = Site(module_boxes())
    site.first(builds["1"], **PLAIN)
    site.wait_for_version("1")
    written = site.sql("domains/app.box.test/data.db", "SELECT count(*) FROM notes")
    with Load(site, ("new", "kept", "posts", "slow")).going_on() as load:
        to_slots(site, builds["2"])
        in_slots(site, builds["1"])
        to_plain(site, builds["2"])
    assert load.failed[:3] == []
    assert load.versions == {"1", "2"}
    now = site.sql("domains/app.box.test/data.db", "SELECT count(*) FROM notes")
    assert int(now[0]) - int(written[0]) == load.answers["post"]


def to_slots(site: Site, output: Path) -> None:
    """Root and the deploy user in turns: units, a deploy beside the old unit, nginx, and the old unit goes."""
    site.bring(output, conf=SLOTS)
    site.provision("folders", "units", "sudoers")
    done = site.deploy()
    assert done.code == 0, done
    assert "notes-prod-api.service served the site so far" in done.output
    assert site.version() == "1"
    site.provision("nginx")
    site.wait_for_version("2")
    site.box.exec(["systemctl", "-q", "disable", "--now", "notes-prod-api.socket", "notes-prod-api.service"])
    assert (site.up(), site.slots()) == (["notes-prod-api@a.service"], ["a"])
    assert "gunicorn" in site.box.exec(["ps", "-u", "notes", "-o", "args"]).stdout


def in_slots(site: Site, output: Path) -> None:
    """Owners are set by sudo; forward and, once nothing drains any more, back."""
    done = site.deploy(output, **SLOTS)
    assert done.code == 0, done
    site.wait_for_version("1")
    site.drained()
    facts = site.facts()
    assert facts[f"api/{site.newest()}/api/main.py"].split()[2] == "notes:stenvala"
    if FULL:
        back = site.back()
        assert back.code == 0, back
        site.wait_for_version("2")
        site.drained()


def to_plain(site: Site, output: Path) -> None:
    """The same way back: the ordinary unit starts beside the slots, and nginx is led to it."""
    site.bring(output, conf=PLAIN)
    site.provision("units", "sudoers")
    done = site.deploy()
    assert done.code == 0, done
    assert "systemctl disable --now notes-prod-api@a.service notes-prod-api@b.service" in done.output
    site.provision("nginx")
    site.wait_for_version("2")
    site.box.exec(["systemctl", "-q", "disable", "--now", "notes-prod-api@a.service", "notes-prod-api@b.service"])
    site.box.exec(f"rm -r {site.base}/slots {site.base}/run/*.sock")
    assert [site.box.state(unit) for unit in ("notes-prod-api.service", WORKER)] == ["active", "active"]
