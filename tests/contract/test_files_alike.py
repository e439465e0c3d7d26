"""The fake and the real file system do the same, whatever is asked of them in whatever order."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fakes.host import FakeWorld
from mcc.host.files import RealFiles
from mcc.host.ports import Files

# Few names, so that they meet often; `l` and `m` are mostly links.
PATHS = st.sampled_from(
    ["a", "b", "l", "a/a", "a/b", "a/l", "b/a", "l/a", "l/b", "a/a/a", "a/l/b", "l/l/a", "m", "m/a", "no/a", "a/no/b"]
)  # fmt: skip
TARGETS = st.sampled_from(["a", "b", "a/b", "../a", "nowhere", "l", "../../b", "./a/../b", "{top}/a", "{top}/a/b"])
DATA = st.sampled_from([b"", b"x", b"two\nlines\n"])
# All open to their owner: root, who may do everything, must find the same as anybody.
MODES = st.sampled_from([0o744, 0o700, 0o755, 0o2755])

Step = tuple[Any, ...]
STEPS = st.one_of(
    st.tuples(st.sampled_from(["kind", "read_link", "read", "size", "names", "walk", "may_write"]), PATHS),
    st.tuples(st.just("make_folder"), PATHS, MODES),
    st.tuples(st.sampled_from(["write", "append"]), PATHS, DATA, MODES),
    st.tuples(st.just("link"), PATHS, TARGETS),
    st.tuples(st.sampled_from(["hard_link", "rename", "exchange", "copy_file", "copy_tree"]), PATHS, PATHS),
    st.tuples(st.just("chmod"), PATHS, MODES),
    st.tuples(st.sampled_from(["remove", "remove_tree", "sync"]), PATHS),
)


def ask(files: Files, top: Path, step: Step) -> object:
    """What came of one step: its result, or the number of its error."""
    name, *words = step
    two_paths = name in ("hard_link", "rename", "exchange", "copy_file", "copy_tree")
    paths = [top / word for word in words[: 2 if two_paths else 1]]
    rest = [word.replace("{top}", str(top)) if isinstance(word, str) else word for word in words[len(paths) :]]
    method: Callable[..., Any] = getattr(files, name)
    try:
        result = method(*paths, *rest)
        if name == "walk":
            return [(entry.path, entry.kind, entry.mode, entry.target) for entry in result]
    except OSError as error:
        # With both ends wrong, either may be the one that is named.
        return OSError if two_paths and not reachable(files, paths[0]) else type(error)
    if name == "size" and files.kind(paths[0]) == "folder":
        return "the size of a folder says nothing"
    return result


def reachable(files: Files, path: Path) -> bool:
    try:
        return files.kind(path) != "absent"
    except OSError:
        return False


def state(files: Files, top: Path) -> list[object]:
    return [
        (
            entry.path, entry.kind, entry.mode, entry.target.replace(str(top), "{top}"),
            files.read(top / entry.path) if entry.kind == "file" else b"",
        )
        for entry in files.walk(top)
    ]  # fmt: skip


def copies_into_itself(files: Files, top: Path, step: Step) -> bool:
    """A tree copied into itself never ends: nobody may ask for that."""
    if step[0] != "copy_tree":
        return False
    source, target = (Path(os.path.realpath(top / word)) for word in step[1:])
    return source == target or source in target.parents or target in source.parents


@settings(max_examples=150, deadline=None)
@example([("make_folder", "a", 0o755), ("link", "l", "a"), ("write", "l/b", b"x", 0o700), ("rename", "l/b", "b")])
@given(steps=st.lists(STEPS, max_size=14))
def test_every_step_has_the_same_result(steps: list[Step]) -> None:
    """Results, errors, and at the end all that is there with modes and contents."""
    world = FakeWorld(user="root" if os.geteuid() == 0 else "deploy")
    real, fake = RealFiles(), world.host().files
    whole = Path(os.path.realpath(tempfile.mkdtemp()))
    top = whole / "deep" / "enough"  # for links that lead upwards
    top.mkdir(parents=True)
    world.plant({str(top): None})
    try:
        for step in steps:
            if copies_into_itself(real, top, step) or differs_on_purpose(real, top, step):
                continue
            assert ask(fake, top, step) == ask(real, top, step), step
            assert state(fake, top) == state(real, top), step
    finally:
        shutil.rmtree(whole)


def differs_on_purpose(real: Files, top: Path, step: Step) -> bool:
    """Where the order in which a folder is copied decides how far a failing copy came."""
    if step[0] != "copy_tree":
        return False
    source, target = top / step[1], top / step[2]
    if not (source.is_dir() and target.is_dir()):
        return not source.is_dir()
    return bool(set(real.names(source)) & set(real.names(target)))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_failing_write_takes_nothing_away(number: int) -> None:
    """Wherever a write fails, the old contents or the new ones are there, and no temporary name."""
    world = FakeWorld(fail_at=number)
    world.plant({"/d/file": b"old"})
    with pytest.raises(OSError, match="Input/output"):
        world.host().files.write(Path("/d/file"), b"new")
    assert world.disk.names(Path("/d")) == ["file"]
    assert world.disk.read(Path("/d/file")) == (b"new" if number == 3 else b"old")


@pytest.mark.parametrize("number", [1, 2])
def test_a_failing_append_takes_back_what_it_added(number: int) -> None:
    """Half a line would hide the next one."""
    world = FakeWorld(fail_at=number)
    world.plant({"/d/log": b"first\n"})
    with pytest.raises(OSError, match="Input/output"):
        world.host().files.append(Path("/d/log"), b"second\n")
    assert world.disk.read(Path("/d/log")) == b"first\n"
