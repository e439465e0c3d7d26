"""What every ``Commands`` does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from fakes.commands import Call
from fakes.host import FakeWorld
from mcc.errors import CommandFailed
from mcc.host.commands import RealCommands
from mcc.host.ports import Commands

SCRIPT = """#!/bin/sh
case "$1" in
  greet) echo "hello $2"; echo "and you" ;;
  fail) echo "it broke"; exit 7 ;;
  where) pwd ;;
  env) echo "$GREETING" ;;
  input) cat ;;
  hang) exec sleep 60 ;;
esac
"""


@dataclass(frozen=True)
class Case:
    """``tool`` is the path of a program that does what SCRIPT does."""

    commands: Commands
    tool: str
    folder: Path


def tool(call: Call) -> tuple[int, str]:
    """SCRIPT for the fake."""
    does: dict[str, Callable[[], tuple[int, str]]] = {
        "greet": lambda: (0, f"hello {call.words[2]}\nand you\n"),
        "fail": lambda: (7, "it broke\n"),
        "where": lambda: (0, f"{call.cwd}\n"),
        "env": lambda: (0, dict(call.env)["GREETING"] + "\n"),
        "input": lambda: (0, (call.stdin or b"").decode()),
    }
    return does[call.words[1]]()


@pytest.fixture(params=["fake", "real"])
def case(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    if request.param == "real":
        script = tmp_path / "bin" / "tool"
        script.parent.mkdir()
        script.write_text(SCRIPT)
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
        return Case(RealCommands(), str(script), tmp_path)
    world = FakeWorld()
    world.plant({"/home/deploy": None})
    world.commands.programs["tool"] = "/usr/bin/tool"
    world.commands.does["tool"] = tool
    return Case(world.host().commands, "/usr/bin/tool", Path("/home/deploy"))


def test_a_program_is_found_by_name_and_by_path(case: Case) -> None:
    assert case.commands.find("tool") == case.tool
    assert case.commands.find(case.tool) == case.tool
    assert case.commands.find("no-such-program-anywhere") is None


def test_what_a_program_says_and_its_exit_code(case: Case) -> None:
    done = case.commands.run(("tool", "greet", "you"))
    assert (done.words, done.code, done.ok) == (("tool", "greet", "you"), 0, True)
    assert done.output == "hello you\nand you\n"
    assert done.stdout == b"hello you\nand you\n"
    assert done.tail(1) == ("and you",)


def test_any_exit_code_is_an_answer(case: Case) -> None:
    done = case.commands.run((case.tool, "fail"))
    assert (done.code, done.ok, done.output) == (7, False, "it broke\n")


def test_words_are_words_whatever_is_in_them(case: Case) -> None:
    """No shell reads them."""
    said = "'; $(touch x) `id` * \" \\ ä€"
    assert case.commands.run((case.tool, "greet", said)).output.splitlines()[0] == f"hello {said}"


def test_folder_variables_and_input(case: Case) -> None:
    run = case.commands.run
    assert run((case.tool, "where"), cwd=case.folder).output == f"{case.folder}\n"
    assert run((case.tool, "env"), env={"GREETING": "good day"}).output == "good day\n"
    assert run((case.tool, "input"), stdin=b"one\ntwo\n").stdout == b"one\ntwo\n"


def test_lines_are_handed_on_as_they_come(case: Case) -> None:
    lines: list[str] = []
    case.commands.run((case.tool, "greet", "you"), on_line=lines.append)
    assert lines == ["hello you", "and you"]


@pytest.mark.parametrize("program", ["no-such-program-anywhere", "/no/such/program"])
def test_a_program_that_is_missing(case: Case, program: str) -> None:
    with pytest.raises(CommandFailed, match="cannot be started"):
        case.commands.run((program, "x"))


def test_a_folder_that_is_missing(case: Case) -> None:
    with pytest.raises(CommandFailed, match="cannot be started"):
        case.commands.run((case.tool, "where"), cwd=case.folder / "missing")


def test_a_program_that_does_not_end_in_time(case: Case, request: pytest.FixtureRequest) -> None:
    if isinstance(case.commands, RealCommands):
        with pytest.raises(CommandFailed, match=r"did not end within 0\.2 s"):
            case.commands.run((case.tool, "hang"), timeout=0.2)
        return
    world = FakeWorld()
    world.commands.programs["tool"] = case.tool
    world.commands.hangs.add("tool")
    with pytest.raises(CommandFailed, match=r"did not end within 0\.2 s"):
        world.host().commands.run((case.tool, "hang"), timeout=0.2)
    assert world.time.passed == 0.2


def test_a_detached_program_that_is_missing(case: Case) -> None:
    with pytest.raises(CommandFailed, match="/nowhere/tool cannot be started"):
        case.commands.detach(["/nowhere/tool"])


def test_a_detached_program_has_a_session_of_its_own_and_holds_no_lock(tmp_path: Path) -> None:
    """What it inherits would keep the site held, or an ssh connection open, until it ends."""
    said, lock = tmp_path / "said", os.open(tmp_path, os.O_RDONLY)
    script = "ps -o sid= -p $$; ls -l /proc/$$/fd; echo mark=$MARK"
    try:
        commands = RealCommands((lock,), {"MARK": "of the run"})
        commands.detach(["sh", "-c", f"{{ {script}; }} >{said}.part 2>&1; mv {said}.part {said}"])
        until(said.exists)
    finally:
        os.close(lock)
    text = said.read_text()
    assert int(text.split()[0]) != os.getsid(0)
    assert "mark=\n" in text
    assert f"{tmp_path}\n" not in text


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
