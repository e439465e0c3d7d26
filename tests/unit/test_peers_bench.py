"""What the benchmark beside other tools makes and judges, apart from its machines."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """``bench`` is no package: its programs stand alone."""
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in ("peers", "_common")]:
        del sys.modules[name]


def state(files: dict[str, str], **releases: int) -> dict[str, Any]:
    return {"target": "x", "files": files, "releases": releases}


def test_releases_differ_in_a_part_of_their_files_which_get_new_names(tmp_path: Path) -> None:
    from peers.tree import RELEASES, make_trees

    trees = make_trees(tmp_path, files=200, size=20_000)
    assert [tree.number for tree in trees] == [*range(1, RELEASES + 1)]
    for one, two in itertools.pairwise(trees):
        new = two.files.keys() - one.files.keys()
        assert 2 <= len(new) < 40
        assert len(two.files) == len(one.files) == 200
    assert all((tree.folder / "ui" / name).is_file() for tree in trees for name in tree.files)


def test_a_file_that_did_not_change_keeps_its_time(tmp_path: Path) -> None:
    from peers.tree import make_trees

    one, two, *_ = make_trees(tmp_path, files=100, size=10_000)
    same = [name for name in one.files if name in two.files and name != "index.html"]
    assert same
    times = [{tree.folder.joinpath("ui", name).stat().st_mtime for tree in (one, two)} for name in same]
    assert all(len(each) == 1 for each in times)


def test_a_page_names_the_script_of_its_own_release(tmp_path: Path) -> None:
    from peers.probe import named
    from peers.tree import make_trees

    one, two, *_ = make_trees(tmp_path, files=20, size=2_000)
    scripts = [named((tree.folder / "ui/index.html").read_text()) for tree in (one, two)]
    assert scripts[0] in one.files
    assert scripts[1] in two.files
    assert scripts[0] not in two.files


def test_a_release_is_whole_if_all_its_files_are_there_whatever_lies_beside_them(tmp_path: Path) -> None:
    from peers.kills import served
    from peers.tree import make_trees

    trees = make_trees(tmp_path, files=20, size=2_000)
    second = trees[1].files
    assert served(state({**second, "REVISION": "x"}, a=21, b=20), trees).release == 2
    part = dict(list(second.items())[1:])
    assert served(state(part, a=19, b=20), trees).release == 0
    assert served(state(part, a=19, b=20), trees).unfinished == 1
    assert served(state({**second, "index.html": "another"}), trees).release == 0
    assert not served(state({}), trees).there


def kill(after: int = 2, next_code: int = 0, following: int = 4, back: int = 2) -> Any:
    from peers.kills import Kill, Served

    return Kill("desk", 0.5, 1, Served(after), next_code, Served(following), Served(back))


@pytest.mark.parametrize(
    ("what", "broken"),
    [
        ({}, ""),
        ({"after": 3}, ""),
        ({"after": 0}, "whole"),
        ({"after": 1}, "whole"),
        ({"next_code": 1}, "goes_on"),
        ({"following": 3}, "goes_on"),
        ({"back": 0}, "comes_back"),
        ({"back": 3}, ""),
    ],
)
def test_what_a_kill_loses(what: dict[str, int], broken: str) -> None:
    """Half a release, a next deploy that fails or publishes the aborted one, a rollback to half a release."""
    found = kill(**what)
    assert [name for name in ("whole", "goes_on", "comes_back") if not getattr(found, name)] == [broken][: bool(broken)]
    assert found.loses_nothing is (not broken)


def found(name: str, seconds: list[float], **more: Any) -> Any:
    from peers.peer import Peer
    from peers.table import Found

    checks = more.pop("checks", True)
    return Found(Peer(name, name, (), (), checks=checks), seconds=seconds, cpu=seconds, **more)


def test_the_floor_and_who_loses_something_are_not_ranked() -> None:
    from peers.load import Seen
    from peers.table import verdict

    all_found = [
        found("floor", [0.5], checks=False), found("mcc", [2.0]), found("slow", [3.0]),
        found("leaky", [1.0], seen=Seen(requests={"failed pages": 1})), found("torn", [1.0], kills=[kill(back=0)]),
        found("absent", [], absent="no network"),
    ]  # fmt: skip
    line, _ = verdict(all_found, "mcc").splitlines()
    assert line.endswith("mcc 2.00 s, slow 3.00 s; mcc is to be the first: reached")
    assert verdict(all_found, "slow").endswith("MISSED")


def test_who_loses_files_of_open_pages_is_ranked_in_the_first_line_alone() -> None:
    from peers.load import Seen
    from peers.table import verdict

    fast = found("fast", [1.0], seen=Seen(requests={"failed files": 1}), deploys_seen=1)
    first, second = verdict([fast, found("mcc", [2.0], deploys_seen=1)], "mcc").splitlines()
    assert "fast 1.00 s, mcc 2.00 s" in first
    assert first.endswith("MISSED")
    assert "fast" not in second.partition(":")[2]
    assert second.endswith("reached")


def test_ratios_are_medians_over_rounds() -> None:
    from peers.table import ratio

    assert ratio(found("a", [1.0, 8.0, 6.0]), found("b", [2.0, 4.0, 2.0])) == 2.0


def test_a_tool_that_is_not_there_is_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    from peers.table import show

    base = found("mcc", [2.0])
    show([base, found("absent", [], absent="no network")], base)
    assert "not run: no network" in capsys.readouterr().out


def test_counts_of_several_deploys_are_added_up() -> None:
    from peers.load import Seen

    seen = Seen()
    seen.add({"pages": 10, "failed pages": 1, "longest": 0.2}, {"pages": 3, "failed files": 2})
    seen.add({"pages": 5, "longest": 0.1}, {"pages": 4, "failed pages": 1})
    assert (seen.opens["pages"], seen.requests["pages"], seen.longest) == (15, 7, 0.2)
    assert (seen.lost, seen.outdated) == (2, 2)


def test_opens_count_what_is_missing_and_for_how_long(tmp_path: Path) -> None:
    from peers.probe import Opens

    (tmp_path / "one").mkdir()
    (tmp_path / "one/index.html").write_text('<script src="/app.js"></script>')
    (tmp_path / "one/app.js").write_text("")
    link = tmp_path / "current"
    opens = Opens(link)
    opens.once()
    opens.once()
    assert opens.longest > 0
    link.symlink_to("one")
    opens.once()
    (tmp_path / "one/app.js").unlink()
    opens.once()
    assert opens.count == {"pages": 4, "failed pages": 2, "files": 2, "failed files": 1}


def test_a_link_that_is_made_anew_is_seen(tmp_path: Path) -> None:
    from peers.probe import links

    (tmp_path / "current").symlink_to("one")
    before = links([tmp_path, tmp_path / "missing"])
    (tmp_path / "new").symlink_to("two")
    assert links([tmp_path]) != before
    (tmp_path / "new").rename(tmp_path / "current")
    assert links([tmp_path]) != before


def test_the_state_of_a_site_counts_hidden_releases_too(tmp_path: Path) -> None:
    from peers.probe import state

    for name in ("one", ".part"):
        (tmp_path / "releases" / name).mkdir(parents=True)
        (tmp_path / "releases" / name / "file").write_text(name)
    (tmp_path / "current").symlink_to("releases/one")
    told = state(tmp_path / "current", tmp_path / "releases")
    assert told["target"] == "releases/one"
    assert told["releases"] == {"one": 1, ".part": 1}
    assert list(told["files"]) == ["file"]  # type: ignore[call-overload]


def test_every_tool_has_its_scripts_on_the_desk() -> None:
    from peers import ansible, capistrano, fabric, mcc, pyinfra, rsync

    peers = [rsync.PEER, mcc.PEER, fabric.PEER, pyinfra.PEER, pyinfra.CAREFUL, capistrano.PEER, ansible.PEER]
    desk = ROOT / "bench/peers/desk"
    for peer in peers:
        for word in (*peer.deploy, *peer.rollback):
            if word.endswith((".sh", ".py", ".yml")):
                assert (desk / peer.folder / word).resolve().is_file(), (peer.name, word)
    assert len({peer.folder for peer in peers}) == len(peers)
    assert mcc.PEER.deploying("/t/1") == ["sh", "deploy.sh", "/t/1"]
