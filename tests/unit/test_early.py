"""The interpreter that is asked for early is the one that would be found later."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcc.errors import CommandFailed
from mcc.host.commands import RealCommands
from mcc.host.early import EarlyInterpreter, ask_early
from mcc.host.uv import RealUv

GOOD = """#!/bin/sh
echo asked >>"$(dirname "$0")/asked"
command -v python3
"""
NONE = "error: No interpreter found for Python >=3.99 in managed installations or search path"


def make_uv(folder: Path, text: str) -> RealUv:
    program = folder / "uv"
    program.write_text(text)
    program.chmod(0o755)
    return RealUv(RealCommands(), str(program))


def make_project(folder: Path) -> Path:
    folder.mkdir()
    for name in ("pyproject.toml", "uv.lock"):
        (folder / name).write_text("")
    return folder


def test_the_early_answer_is_uvs_and_uv_is_asked_once(tmp_path: Path) -> None:
    uv, project = make_uv(tmp_path, GOOD), make_project(tmp_path / "output")
    later = RealUv(RealCommands(), str(tmp_path / "uv"), EarlyInterpreter(uv, project))
    first = later.interpreter(project)
    assert first == later.interpreter(project)
    assert first.path.endswith("python3")
    assert (tmp_path / "asked").read_text() == "asked\n"


def test_another_project_is_asked_for_anew(tmp_path: Path) -> None:
    uv, project = make_uv(tmp_path, GOOD), make_project(tmp_path / "output")
    early = EarlyInterpreter(uv, project)
    assert early(tmp_path) is None
    assert RealUv(RealCommands(), str(tmp_path / "uv"), early).interpreter(tmp_path) == uv.interpreter(tmp_path)


def test_what_went_wrong_is_raised_where_the_answer_is_wanted(tmp_path: Path) -> None:
    uv, project = make_uv(tmp_path, f"#!/bin/sh\necho '{NONE}' >&2\nexit 2\n"), make_project(tmp_path / "output")
    early = EarlyInterpreter(uv, project)
    for _ in range(2):
        with pytest.raises(CommandFailed, match="uv finds no Python"):
            early(project)


def test_a_cache_that_uv_cannot_write_is_no_python_that_is_missing(tmp_path: Path) -> None:
    uv = make_uv(tmp_path, "#!/bin/sh\necho 'error: Could not acquire lock: Permission denied' >&2\nexit 2\n")
    with pytest.raises(CommandFailed) as caught:
        uv.interpreter(make_project(tmp_path / "output"))
    assert (caught.value.message, caught.value.help) == ("uv python find ended with exit code 2", "")
    assert caught.value.log == ("error: Could not acquire lock: Permission denied",)


@pytest.mark.parametrize("missing", ["pyproject.toml", "uv.lock"])
def test_nothing_is_asked_for_an_output_without_an_environment(
    tmp_path: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_uv(tmp_path, GOOD)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    project = make_project(tmp_path / "output")
    (project / missing).unlink()
    assert ask_early(project) is None
    assert not (tmp_path / "asked").exists()


def test_nothing_is_asked_without_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ask_early(make_project(tmp_path / "output")) is None
