"""Owners are put right before databases are written, where a service has files open that are not ours to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.host import FakeWorld
from mcc.steps.ownership import KeepOwnership

BASE = Path("/srv/site")
DOMAINS, DATABASE = BASE / "domains", BASE / "domains/a.example/data.db"
STEP = KeepOwnership((BASE / "api", DOMAINS), "www-data", "deploy", (DATABASE,))


def ran(files: dict[str, str]) -> list[str]:
    """What the step has root do, on a site with these files beside the database, by their owners."""
    world = FakeWorld(BASE)
    world.plant({"/srv/site/api/": None, str(DATABASE): b""})
    for suffix, owner in files.items():
        world.plant({f"{DATABASE}{suffix}": b""}, owner)
    host = world.host()
    STEP.do(host, STEP.look(host))
    return [" ".join(words) for words in world.sudo.calls]


@pytest.mark.parametrize("side", ["-wal", "-shm"])
def test_side_files_of_another_user_are_handed_over(side: str) -> None:
    """By the rights that every deploy has, on the folder of the databases alone."""
    assert ran({side: "www-data"}) == [f"chown -R www-data:deploy {DOMAINS}", f"chmod -R g+rw {DOMAINS}"]


@pytest.mark.parametrize("files", [{}, {"-wal": "deploy", "-shm": "deploy"}], ids=["nothing", "ours"])
def test_nothing_is_done_where_all_can_be_written(files: dict[str, str]) -> None:
    assert ran(files) == []
