"""Nothing follows a symbolic link that another user made, also not one that is planted at the very moment."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mcc.host import way
from mcc.host.files import RealFiles
from mcc.steps.log_tail import log_gains, log_sizes

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="links of another user need root")
STRANGER = 33
FILES = RealFiles()

Act = Callable[[Path], object]


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """``victim/`` with things that nobody may touch, ``logs/`` that a stranger may write, ``own/``."""
    for name in ("victim/deep", "logs/sub", "own"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "victim/file").write_text("secret")
    (tmp_path / "own/source").write_text("of ours")
    os.chown(tmp_path / "logs", STRANGER, STRANGER)
    return tmp_path


def plant(path: Path, target: Path) -> None:
    """A link of the stranger's."""
    path.symlink_to(target)
    os.lchown(path, STRANGER, STRANGER)


def content(victim: Path) -> dict[str, tuple[object, ...]]:
    """All that a change would show in."""
    found = [victim, *victim.rglob("*")]
    return {str(path): (path.lstat().st_mode, path.read_bytes() if path.is_file() else b"") for path in found}


def acts(below: str) -> dict[str, Act]:
    """Whatever can be asked for, of a name below a folder that is a link."""
    return {
        "kind": lambda top: FILES.kind(top / below / "file"),
        "read": lambda top: FILES.read(top / below / "file"),
        "size": lambda top: FILES.size(top / below / "file"),
        "names": lambda top: FILES.names(top / below / "deep"),
        "walk": lambda top: list(FILES.walk(top / below / "deep")),
        "make_folder": lambda top: FILES.make_folder(top / below / "new/below"),
        "copy_tree": lambda top: FILES.copy_tree(top / "own", top / below / "deep"),
        "copy_tree of it": lambda top: FILES.copy_tree(top / below / "deep", top / "own"),
        "copy_file": lambda top: FILES.copy_file(top / "own/source", top / below / "file"),
        "copy_file of it": lambda top: FILES.copy_file(top / below / "file", top / "own/copy"),
        "write": lambda top: FILES.write(top / below / "file", b"x"),
        "append": lambda top: FILES.append(top / below / "file", b"x"),
        "link": lambda top: FILES.link(top / below / "file", "x"),
        "hard_link": lambda top: FILES.hard_link(top / "own/source", top / below / "other"),
        "hard_link of it": lambda top: FILES.hard_link(top / below / "file", top / "own/other"),
        "rename": lambda top: FILES.rename(top / "own/source", top / below / "file"),
        "rename of it": lambda top: FILES.rename(top / below / "file", top / "own/file"),
        "exchange": lambda top: FILES.exchange(top / below / "file", top / "own/source"),
        "chmod": lambda top: FILES.chmod(top / below / "file", 0o777),
        "remove": lambda top: FILES.remove(top / below / "file"),
        "remove_tree": lambda top: FILES.remove_tree(top / below / "deep"),
        "sync": lambda top: FILES.sync(top / below / "deep"),
    }


@pytest.mark.parametrize("straight", [True, False], ids=["in-one-call", "step-by-step"])
@pytest.mark.parametrize("name", acts("logs/sub"))
def test_a_link_on_the_way_is_not_followed(
    top: Path, name: str, straight: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is asked for ends in an error that says why, and what the link leads to is as it was."""
    if not straight:
        monkeypatch.setattr(way, "without_links", lambda *_: None)
    (top / "logs/sub").rmdir()
    plant(top / "logs/sub", top / "victim")
    before = content(top / "victim"), content(top / "own")
    with pytest.raises(OSError, match="symbolic link of another user") as caught:
        acts("logs/sub")[name](top)
    assert caught.value.errno == errno.ELOOP
    assert (content(top / "victim"), content(top / "own")) == before


@pytest.mark.parametrize("name", sorted(set(acts("")) - {"kind"}))
def test_a_folder_that_becomes_a_link_between_two_looks_is_not_followed(
    top: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stranger plants it right before the folder is opened, each time that we come by."""
    before = content(top / "victim")
    (top / "logs/sub/deep").mkdir()
    (top / "logs/sub/file").write_text("bait")
    genuine = os.open

    def planting(path: str | bytes, flags: int, *rest: int, **more: int) -> int:
        if path == "sub" and not (top / "logs/sub").is_symlink():
            (top / "logs/sub").rename(top / "logs/aside")
            plant(top / "logs/sub", top / "victim")
        return genuine(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", planting)
    monkeypatch.setattr(way, "without_links", lambda *_: None)  # step by step, as on a kernel without that call
    with pytest.raises(OSError, match="symbolic link of another user"):
        acts("logs/sub")[name](top)
    monkeypatch.undo()
    assert content(top / "victim") == before


def test_a_link_at_the_end_is_not_followed(top: Path) -> None:
    """Neither to read nor to add to, to set a mode or to list; it can be replaced and removed, as itself."""
    before = content(top / "victim")
    plant(top / "logs/app.log", top / "victim/file")
    plant(top / "logs/folder", top / "victim")
    for act in (
        lambda: FILES.read(top / "logs/app.log"),
        lambda: FILES.append(top / "logs/app.log", b"x"),
        lambda: FILES.chmod(top / "logs/app.log", 0o777),
        lambda: FILES.copy_file(top / "logs/app.log", top / "own/copy"),
        lambda: FILES.names(top / "logs/folder"),
        lambda: FILES.make_folder(top / "logs/folder"),
    ):
        with pytest.raises(OSError, match="symbolic link of another user"):
            act()
    assert FILES.kind(top / "logs/app.log") == "link"
    FILES.write(top / "logs/app.log", b"ours")
    FILES.remove(top / "logs/folder")
    assert content(top / "victim") == before
    assert FILES.read(top / "logs/app.log") == b"ours"


def test_links_of_ours_are_followed(top: Path) -> None:
    """A base that is a link, ``current-api``, a log that an administrator has moved."""
    (top / "base").symlink_to("own")
    assert FILES.read(top / "base/source") == b"of ours"


def test_a_pipe_where_a_log_was_keeps_nobody_waiting(top: Path) -> None:
    os.mkfifo(top / "logs/app.log")
    for act in (lambda: FILES.read(top / "logs/app.log"), lambda: FILES.append(top / "logs/app.log", b"x")):
        with pytest.raises(OSError, match="No such device"):
            act()


@contextlib.contextmanager
def exchanging(folder: Path, target: Path) -> Iterator[None]:
    """Somebody makes a folder a link and a folder again, as fast as he can."""
    stop, aside, link = threading.Event(), folder.with_name("aside"), folder.with_name("link")
    plant(link, target)

    def work() -> None:
        while not stop.is_set():
            FILES.exchange(folder, link)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        assert not aside.exists()


@pytest.mark.parametrize("straight", [True, False], ids=["in-one-call", "step-by-step"])
@pytest.mark.parametrize("name", ["append", "write", "remove_tree", "chmod", "copy_tree", "make_folder", "rename"])
def test_who_exchanges_a_folder_for_a_link_all_the_time_gets_nothing(
    top: Path, name: str, straight: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real race: what is done is done to the folder, or not at all."""
    if not straight:
        monkeypatch.setattr(way, "without_links", lambda *_: None)
    before = content(top / "victim")
    with exchanging(top / "logs/sub", top / "victim"):
        for _ in range(200):
            with contextlib.suppress(OSError):
                acts("logs/sub")[name](top)
    assert content(top / "victim") == before


def test_logs_behind_a_strangers_link_are_passed_over(host_of_files: object, top: Path) -> None:
    """The end of a log is shown to help; where a stranger leads elsewhere there is none, and nothing fails."""
    plant(top / "logs/app.log", top / "victim/file")
    assert log_sizes(host_of_files, top / "logs") == {}  # type: ignore[arg-type]
    assert log_gains(host_of_files, top / "logs", {"app.log": 0}) == []  # type: ignore[arg-type]
    (top / "logs2").symlink_to("victim")
    os.lchown(top / "logs2", STRANGER, STRANGER)
    assert log_sizes(host_of_files, top / "logs2") == {}  # type: ignore[arg-type]
    assert log_gains(host_of_files, top / "logs2", {}) == []  # type: ignore[arg-type]


@pytest.fixture
def host_of_files() -> object:
    class Hands:
        files = FILES

    return Hands()
