"""A service may lay a thousand folders into each other: an error of that folder, and no traceback."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mcc.host.files import RealFiles


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    top = tmp_path / "deep"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    yield top
    subprocess.run(["rm", "-rf", *tmp_path.iterdir()], check=True)


@pytest.mark.parametrize(
    "call",
    [
        lambda files, top: list(files.walk(top)),
        lambda files, top: files.copy_tree(top, top.with_name("copy")),
        lambda files, top: files.remove_tree(top),
    ],
    ids=["walk", "copy_tree", "remove_tree"],
)
def test_folders_that_lie_too_deep_are_an_error_of_the_folder(
    deep: Path, call: Callable[[RealFiles, Path], object]
) -> None:
    """By how many calls or descriptors a process may have at once; Python 3.13 removes trees without calls in calls."""
    before = len(os.listdir("/proc/self/fd"))
    said = ""
    try:
        call(RealFiles(), deep)
    except OSError as error:
        said = str(error)
    assert str(deep) in said or os.strerror(errno.EMFILE) in said or not deep.exists()
    assert len(os.listdir("/proc/self/fd")) == before
