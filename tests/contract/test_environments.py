"""Whether an environment is the one that was built."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mcc.host.environments import MARKER, is_whole, seal
from mcc.host.files import RealFiles

CHANGES = {
    "a package is another": lambda env: (env / "lib/app.py").write_text("x = 2\n"),
    "a file is newer": lambda env: os.utime(env / "lib/app.py", ns=(1, 1)),
    "a file is more": lambda env: (env / "lib/more.py").touch(),
    "a file is gone": lambda env: (env / "lib/app.py").unlink(),
    "a link leads elsewhere": lambda env: ((env / "python").unlink(), (env / "python").symlink_to("/bin/false")),
    "the group may write a file": lambda env: (env / "lib/app.py").chmod(0o664),
    "the group may write a folder": lambda env: (env / "lib").chmod(0o775),
    "the marker is gone": lambda env: (env / MARKER).unlink(),
    "the marker is torn": lambda env: (env / MARKER).write_text("{"),
}


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    (tmp_path / "lib").mkdir(mode=0o755)
    (tmp_path / "lib/app.py").write_text("x = 1\n")
    (tmp_path / "lib/app.py").chmod(0o644)
    (tmp_path / "python").symlink_to("/bin/true")
    seal(RealFiles(), tmp_path, {"uv.lock": "a hash"})
    return tmp_path


def test_it_is_whole_when_it_was_sealed(environment: Path) -> None:
    """Bytecode, which Python writes when it likes, changes nothing."""
    (environment / "lib/__pycache__").mkdir()
    (environment / "lib/__pycache__/app.pyc").touch()
    assert is_whole(RealFiles(), environment)


@pytest.mark.parametrize("change", CHANGES)
def test_it_is_not_when_something_was_changed(environment: Path, change: str) -> None:
    CHANGES[change](environment)
    assert not is_whole(RealFiles(), environment)
