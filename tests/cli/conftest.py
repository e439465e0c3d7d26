"""The command line, as a person or a pipeline calls it: every test runs the real ``mcc``."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.ground import Ground


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    """An output folder with a good release; nothing has been deployed yet."""
    return Ground(tmp_path)


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A ground whose release ``one`` is live. It is for all tests: nobody changes it."""
    ground = Ground(tmp_path_factory.mktemp("first"))
    ground.good()
    return ground


@pytest.fixture
def live(first: Ground, tmp_path: Path) -> Ground:
    """A ground of one's own with a live release, and the release ``two`` in the output."""
    ground = Ground(tmp_path)
    copy_site(first.site, ground.site)
    ground.release("two")
    return ground


def copy_site(source: Path, target: Path) -> None:
    """A site as its own copy; only the library of mcc itself, which nobody changes, is shared."""
    (library,) = (source / ".mcc/tool").glob("*/lib")
    shutil.copytree(source, target, symlinks=True, ignore=_without(library))
    (target / library.relative_to(source)).symlink_to(library)


def _without(folder: Path) -> Callable[[str, list[str]], list[str]]:
    return lambda place, names: [name for name in names if Path(place) / name == folder]
