"""What every ``Files`` does, in memory and on disk."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from fakes.host import FakeWorld
from fakes.tree import Other
from mcc.host.files import RealFiles
from mcc.host.ports import Entry, Files, Tally
from mcc.host.sqlite.place import Place, make

ODD_NAMES = ["with blank", "zwölf-ä€😀", "two\nlines", "-dash", 'it\'s "quoted"', "$HOME;`*?", "ö" * 120, "n" * 255]


@dataclass(frozen=True)
class Case:
    """A file system to try, and an empty folder in it."""

    files: Files
    top: Path
    world: FakeWorld | None = None

    def tree(self) -> dict[str, tuple[object, ...]]:
        """All below the folder: kind, mode, contents or target."""
        return {entry.path: self._what(entry) for entry in self.files.walk(self.top)}

    def _what(self, entry: Entry) -> tuple[object, ...]:
        path = self.top / entry.path
        if entry.kind == "file":
            return ("file", entry.mode, self.files.read(path))
        return (entry.kind, entry.target) if entry.kind == "link" else (entry.kind, entry.mode)

    def socket(self, path: Path) -> None:
        if self.world is not None:
            folder, name, _ = self.world.tree.find(str(path), self.world.disk.who, False)
            self.world.tree.change((folder, name, Other(0o755, ("deploy", "deploy"), 0)))
            return
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))


@pytest.fixture(params=["fake", "real"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    if request.param == "real":
        return Case(RealFiles(), tmp_path)
    world = FakeWorld()
    world.plant({"/home/deploy/top": None})
    return Case(world.host().files, Path("/home/deploy/top"), world)


def raises(number: int) -> AbstractContextManager[object]:
    """An OSError with that number, of the subclass that Python has for it."""
    return pytest.raises(type(OSError(number, "")), check=lambda error: error.errno == number)


class TestKind:
    def test_names_what_is_there(self, case: Case) -> None:
        """Every kind of thing is told by its own name, a link as a link."""
        files, top = case.files, case.top
        files.write(top / "file", b"")
        files.make_folder(top / "folder")
        files.link(top / "link", "folder")
        files.link(top / "dangling", "nowhere")
        case.socket(top / "socket")
        kinds = {name: files.kind(top / name) for name in [*files.names(top), "missing"]}
        assert kinds == {
            "file": "file", "folder": "folder", "link": "link", "dangling": "link", "socket": "other",
            "missing": "absent",
        }  # fmt: skip

    def test_below_a_file_or_a_missing_folder_is_absent(self, case: Case) -> None:
        case.files.write(case.top / "file", b"")
        assert case.files.kind(case.top / "file" / "x") == "absent"
        assert case.files.kind(case.top / "no" / "x" / "y") == "absent"

    def test_links_in_the_middle_are_followed(self, case: Case) -> None:
        """Relative and absolute ones, through several, and upwards."""
        files, top = case.files, case.top
        files.make_folder(top / "a" / "b")
        files.write(top / "a" / "b" / "file", b"x")
        files.link(top / "absolute", str(top / "a"))
        files.link(top / "relative", "a/b")
        files.link(top / "a" / "up", "../relative")
        files.link(top / "slashed", "a/b/")
        files.link(top / "dotted", "./a/./b/../b")
        for way in ("absolute/b", "relative", "a/up", "absolute/up", "slashed", "dotted"):
            assert files.kind(top / way / "file") == "file", way

    def test_a_circle_of_links_is_an_error(self, case: Case) -> None:
        case.files.link(case.top / "a", "b")
        case.files.link(case.top / "b", "a")
        assert case.files.kind(case.top / "a") == "link"
        with raises(errno.ELOOP):
            case.files.kind(case.top / "a" / "x")

    def test_forty_links_in_a_row_are_followed_and_no_more(self, case: Case) -> None:
        """As path_resolution(7) has it."""
        case.files.make_folder(case.top / "0")
        for number in range(1, 42):
            case.files.link(case.top / str(number), str(number - 1))
        assert case.files.names(case.top / "40") == []
        with raises(errno.ELOOP):
            case.files.names(case.top / "41")

    def test_the_root_is_a_folder(self, case: Case) -> None:
        assert case.files.kind(Path("/")) == "folder"


class TestReadLink:
    def test_gives_the_text_of_the_link(self, case: Case) -> None:
        """Letter by letter, whether it leads anywhere or not."""
        for number, target in enumerate(["api/vrs-1", "/abs/x", "../up", "with blank\nline", "nowhere"]):
            case.files.link(case.top / str(number), target)
            assert case.files.read_link(case.top / str(number)) == target

    def test_of_what_is_no_link(self, case: Case) -> None:
        case.files.write(case.top / "file", b"")
        for name, number in (("file", errno.EINVAL), (".", errno.EINVAL), ("missing", errno.ENOENT)):
            with raises(number):
                case.files.read_link(case.top / name)


class TestRead:
    def test_whole_and_in_part(self, case: Case) -> None:
        files, path = case.files, case.top / "file"
        files.write(path, b"0123456789")
        assert files.read(path) == b"0123456789"
        assert files.read(path, 3) == b"012"
        assert files.read(path, 3, 5) == b"567"
        assert files.read(path, offset=8) == b"89"
        assert files.read(path, 5, 99) == b""
        assert files.read(path, 0) == b""

    @pytest.mark.parametrize(
        ("name", "number"),
        [("missing", errno.ENOENT), ("folder", errno.EISDIR), ("file/x", errno.ENOTDIR), ("no/x", errno.ENOENT)],
    )
    def test_of_what_cannot_be_read(self, case: Case, name: str, number: int) -> None:
        case.files.make_folder(case.top / "folder")
        case.files.write(case.top / "file", b"")
        with raises(number):
            case.files.read(case.top / name)

    def test_through_a_link_to_a_file(self, case: Case) -> None:
        case.files.write(case.top / "file", b"x")
        case.files.link(case.top / "link", "file")
        assert case.files.read(case.top / "link") == b"x"

    def test_of_a_dangling_link(self, case: Case) -> None:
        case.files.link(case.top / "link", "nowhere")
        with raises(errno.ENOENT):
            case.files.read(case.top / "link")


class TestSize:
    def test_of_files_and_links(self, case: Case) -> None:
        """Bytes of the contents; for a link those of its text."""
        case.files.write(case.top / "file", b"x" * 1234)
        case.files.link(case.top / "link", "zwölf")
        assert case.files.size(case.top / "file") == 1234
        assert case.files.size(case.top / "link") == len("zwölf".encode())

    def test_of_what_is_missing(self, case: Case) -> None:
        with raises(errno.ENOENT):
            case.files.size(case.top / "missing")


class TestNames:
    def test_are_sorted_and_hide_nothing(self, case: Case) -> None:
        for name in ("b", "a", ".hidden", "B", "ä"):
            case.files.write(case.top / name, b"")
        assert case.files.names(case.top) == [".hidden", "B", "a", "b", "ä"]

    def test_of_a_folder_that_is_missing(self, case: Case) -> None:
        assert case.files.names(case.top / "missing") == []
        assert case.files.names(case.top / "missing" / "deeper") == []

    def test_of_a_file(self, case: Case) -> None:
        case.files.write(case.top / "file", b"")
        with raises(errno.ENOTDIR):
            case.files.names(case.top / "file")

    def test_below_a_file_there_is_no_folder(self, case: Case) -> None:
        case.files.write(case.top / "file", b"")
        with raises(errno.ENOTDIR):
            case.files.names(case.top / "file" / "x")

    def test_through_a_link(self, case: Case) -> None:
        case.files.write(_in(case, "folder") / "x", b"")
        case.files.link(case.top / "link", "folder")
        case.files.link(case.top / "dangling", "nowhere")
        assert case.files.names(case.top / "link") == ["x"]
        assert case.files.names(case.top / "dangling") == []


class TestWalk:
    def test_parents_first_and_names_in_order(self, case: Case) -> None:
        files, top = case.files, case.top
        for name in ("b/y", "b/x", "a", "c/d/e"):
            files.make_folder((top / name).parent)
            files.write(top / name, b"12")
        assert [entry.path for entry in files.walk(top)] == ["a", "b", "b/x", "b/y", "c", "c/d", "c/d/e"]

    def test_what_an_entry_says(self, case: Case) -> None:
        files, top = case.files, case.top
        files.write(top / "file", b"123", 0o640)
        files.make_folder(top / "folder", 0o750)
        files.link(top / "link", "folder")
        found = {entry.path: entry for entry in files.walk(top)}
        assert (found["file"].kind, found["file"].size, found["file"].mode) == ("file", 3, 0o640)
        assert (found["folder"].kind, found["folder"].mode) == ("folder", 0o750)
        link = found["link"]
        assert (link.kind, link.target, link.size, link.mode) == ("link", "folder", 6, 0o777)
        assert all(entry.mtime_ns > 10**18 for entry in found.values())

    def test_links_are_not_entered(self, case: Case) -> None:
        case.files.write(_in(case, "folder") / "x", b"")
        case.files.link(case.top / "link", "folder")
        assert [entry.path for entry in case.files.walk(case.top)] == ["folder", "folder/x", "link"]

    def test_names_to_skip_are_left_out_at_any_depth(self, case: Case) -> None:
        for name in ("__pycache__/x", "a/__pycache__/y", "a/z"):
            case.files.make_folder((case.top / name).parent)
            case.files.write(case.top / name, b"")
        assert [entry.path for entry in case.files.walk(case.top, ("__pycache__",))] == ["a", "a/z"]

    def test_of_what_is_no_folder(self, case: Case) -> None:
        case.files.write(case.top / "file", b"")
        for name, number in (("missing", errno.ENOENT), ("file", errno.ENOTDIR)):
            with raises(number):
                list(case.files.walk(case.top / name))

    def test_a_file_written_anew_has_a_later_time(self, case: Case) -> None:
        """Or the same, where the clock of the file system is coarse."""
        times = []
        for data in (b"1", b"2"):
            case.files.write(case.top / "file", data)
            times += [entry.mtime_ns for entry in case.files.walk(case.top)]
        assert times[0] <= times[1]


class TestSpace:
    def test_of_what_is_there_and_of_what_would_be_made(self, case: Case) -> None:
        case.files.write(case.top / "file", b"")
        for name in (".", "no/such/folder", "file"):
            space = case.files.space(case.top / name)
            assert space.bytes > 0
            assert space.inodes > 0


class TestMayWrite:
    def test_a_folder_of_ones_own(self, case: Case) -> None:
        assert case.files.may_write(case.top)

    def test_a_file_of_ones_own_that_nobody_can_run(self, case: Case) -> None:
        case.files.write(case.top / "file", b"", 0o600)
        assert case.files.may_write(case.top / "file")

    def test_nothing_can_be_written_where_nothing_is(self, case: Case) -> None:
        assert not case.files.may_write(case.top / "missing")


class TestMakeFolder:
    def test_with_those_above_it(self, case: Case) -> None:
        case.files.make_folder(case.top / "a" / "b" / "c", 0o750)
        assert case.tree() == {
            "a": ("folder", 0o750), "a/b": ("folder", 0o750), "a/b/c": ("folder", 0o750),
        }  # fmt: skip

    def test_the_mode_is_what_was_asked_for_whatever_the_umask(self, case: Case) -> None:
        before = os.umask(0o077)
        try:
            case.files.make_folder(case.top / "open", 0o2775)
        finally:
            os.umask(before)
        assert case.tree() == {"open": ("folder", 0o2775)}

    def test_one_that_exists_is_left_as_it_is(self, case: Case) -> None:
        case.files.make_folder(case.top / "a", 0o700)
        case.files.write(case.top / "a" / "x", b"x")
        case.files.make_folder(case.top / "a", 0o755)
        assert case.tree() == {"a": ("folder", 0o700), "a/x": ("file", 0o644, b"x")}

    def test_a_link_to_a_folder_is_a_folder(self, case: Case) -> None:
        case.files.make_folder(case.top / "a")
        case.files.link(case.top / "link", "a")
        case.files.make_folder(case.top / "link")
        case.files.make_folder(case.top / "link" / "b")
        assert case.files.kind(case.top / "link") == "link"
        assert case.files.kind(case.top / "a" / "b") == "folder"

    @pytest.mark.parametrize("name", ["file", "file/x", "dangling"])
    def test_where_something_else_is(self, case: Case, name: str) -> None:
        case.files.write(case.top / "file", b"x")
        case.files.link(case.top / "dangling", "nowhere")
        before = case.tree()
        with raises(errno.ENOTDIR):
            case.files.make_folder(case.top / name)
        assert case.tree() == before


class TestCopyTree:
    def test_copies_all_and_counts(self, case: Case) -> None:
        files, top = case.files, case.top
        files.write(_in(case, "from/deep") / "b", b"bb", 0o755)
        files.write(top / "from" / "a", b"a", 0o644)
        files.link(top / "from" / "link", "deep/b")
        files.link(top / "from" / "dangling", "/no/where")
        files.make_folder(top / "from" / "empty")
        assert files.copy_tree(top / "from", top / "to") == Tally(2, 3)
        source = {path[5:]: what for path, what in case.tree().items() if path.startswith("from/")}
        copied = {path[3:]: what for path, what in case.tree().items() if path.startswith("to/")}
        assert copied == source
        assert files.kind(top / "to") == "folder"

    def test_modes_are_kept_but_never_too_narrow_to_be_read(self, case: Case) -> None:
        files, top = case.files, case.top
        files.make_folder(top / "from" / "closed", 0o700)
        files.write(top / "from" / "closed" / "secret", b"", 0o600)
        files.write(top / "from" / "tool", b"", 0o775)
        files.copy_tree(top / "from", top / "to")
        tree = case.tree()
        assert tree["to/closed"] == ("folder", 0o755)
        assert tree["to/closed/secret"] == ("file", 0o644, b"")
        assert tree["to/tool"] == ("file", 0o775, b"")

    def test_names_to_skip_are_left_out_at_any_depth(self, case: Case) -> None:
        for name in ("from/.venv/x", "from/a/.venv/y", "from/a/z"):
            case.files.make_folder((case.top / name).parent)
            case.files.write(case.top / name, b"1")
        assert case.files.copy_tree(case.top / "from", case.top / "to", (".venv",)) == Tally(1, 1)
        assert [entry.path for entry in case.files.walk(case.top / "to")] == ["a", "a/z"]

    def test_into_a_folder_that_holds_other_things(self, case: Case) -> None:
        """They stay; the same names are replaced."""
        case.files.write(_in(case, "from/sub") / "same", b"new", 0o755)
        case.files.write(_in(case, "to/sub") / "same", b"old, and longer", 0o600)
        case.files.write(case.top / "to" / "other", b"stays")
        assert case.files.copy_tree(case.top / "from", case.top / "to") == Tally(1, 3)
        assert case.files.read(case.top / "to" / "other") == b"stays"
        assert case.tree()["to/sub/same"] == ("file", 0o755, b"new")

    @pytest.mark.parametrize("source", ["file", "folder", "link"])
    def test_nothing_is_written_through_a_link_that_is_in_the_way(self, case: Case, source: str) -> None:
        """The link is replaced; what it leads to is left alone."""
        files, top = case.files, case.top
        files.write(_in(case, "outside") / "kept", b"kept")
        files.make_folder(top / "from")
        if source == "file":
            files.write(top / "from" / "name", b"new")
            files.link(_in(case, "to") / "name", str(top / "outside" / "kept"))
        elif source == "folder":
            files.write(_in(case, "from/name") / "kept", b"new")
            files.link(_in(case, "to") / "name", str(top / "outside"))
        else:
            files.link(top / "from" / "name", "elsewhere")
            files.link(_in(case, "to") / "name", str(top / "outside"))
        files.copy_tree(top / "from", top / "to")
        assert files.kind(top / "to" / "name") == source
        assert files.read(top / "outside" / "kept") == b"kept"
        assert files.names(top / "outside") == ["kept"]

    def test_another_name_of_a_file_that_is_replaced_keeps_its_contents(self, case: Case) -> None:
        files, top = case.files, case.top
        files.write(_in(case, "from") / "x", b"new")
        files.write(_in(case, "to") / "x", b"old")
        files.hard_link(top / "to" / "x", top / "backup")
        files.copy_tree(top / "from", top / "to")
        assert files.read(top / "to" / "x") == b"new"
        assert files.read(top / "backup") == b"old"

    def test_a_copy_is_a_file_of_its_own(self, case: Case) -> None:
        files, top = case.files, case.top
        files.write(_in(case, "from") / "x", b"1")
        files.copy_tree(top / "from", top / "to")
        files.append(top / "to" / "x", b"2")
        assert files.read(top / "from" / "x") == b"1"

    @pytest.mark.parametrize(("source", "there"), [("file", "folder"), ("folder", "file"), ("link", "folder")])
    def test_a_folder_is_never_exchanged_for_something_else(self, case: Case, source: str, there: str) -> None:
        for base, kind in (("from", source), ("to", there)):
            path = _in(case, base) / "name"
            if kind == "folder":
                case.files.make_folder(path)
            elif kind == "file":
                case.files.write(path, b"x")
            else:
                case.files.link(path, "elsewhere")
        with pytest.raises(OSError, match="name") as caught:
            case.files.copy_tree(case.top / "from", case.top / "to")
        assert caught.value.errno in (errno.EISDIR, errno.ENOTDIR, errno.EEXIST)
        assert case.files.kind(case.top / "to" / "name") == there

    def test_sockets_are_left_out(self, case: Case) -> None:
        case.files.make_folder(case.top / "from")
        case.socket(case.top / "from" / "s")
        assert case.files.copy_tree(case.top / "from", case.top / "to") == Tally(0, 0)
        assert case.files.names(case.top / "to") == []

    @pytest.mark.parametrize(("name", "number"), [("missing", errno.ENOENT), ("file", errno.ENOTDIR)])
    def test_from_what_is_no_folder(self, case: Case, name: str, number: int) -> None:
        case.files.write(case.top / "file", b"")
        with raises(number):
            case.files.copy_tree(case.top / name, case.top / "to")

    def test_into_a_place_that_is_missing(self, case: Case) -> None:
        case.files.make_folder(case.top / "from")
        with raises(errno.ENOENT):
            case.files.copy_tree(case.top / "from", case.top / "no" / "to")

    def test_onto_a_file(self, case: Case) -> None:
        case.files.make_folder(case.top / "from")
        case.files.write(case.top / "to", b"x")
        with raises(errno.EEXIST):
            case.files.copy_tree(case.top / "from", case.top / "to")
        assert case.files.read(case.top / "to") == b"x"

    def test_through_links_at_both_ends(self, case: Case) -> None:
        """A site's base, or an output folder, may be reached by a link."""
        case.files.write(_in(case, "a") / "x", b"1")
        case.files.make_folder(case.top / "b")
        case.files.link(case.top / "from", "a")
        case.files.link(case.top / "to", "b")
        assert case.files.copy_tree(case.top / "from", case.top / "to") == Tally(1, 1)
        assert case.files.read(case.top / "b" / "x") == b"1"


class TestCopyFiles:
    def test_to_the_same_places_with_their_folders(self, case: Case) -> None:
        files, top = case.files, case.top
        files.write(_in(case, "from/a/b") / "x", b"1", 0o640)
        files.write(top / "from" / "y", b"22", 0o664)
        files.write(top / "from" / "z", b"not asked for")
        files.make_folder(top / "to")
        assert files.copy_files(top / "from", top / "to", ["a/b/x", "y"]) == Tally(2, 3)
        assert {path: what for path, what in case.tree().items() if path.startswith("to/")} == {
            "to/a": ("folder", 0o755), "to/a/b": ("folder", 0o755),
            "to/a/b/x": ("file", 0o644, b"1"), "to/y": ("file", 0o664, b"22"),
        }  # fmt: skip

    @pytest.mark.parametrize("there", ["file", "link", "folder"])
    def test_what_is_there_stays_as_it_is(self, case: Case, there: str) -> None:
        """Nothing is written through a link either."""
        files, top = case.files, case.top
        files.write(_in(case, "from") / "x", b"old")
        files.write(_in(case, "to") / "other", b"stays")
        if there == "file":
            files.write(top / "to" / "x", b"new")
        elif there == "link":
            files.link(top / "to" / "x", "other")
        else:
            files.make_folder(top / "to" / "x")
        before = case.tree()
        assert files.copy_files(top / "from", top / "to", ["x"]) == Tally(0, 0)
        assert case.tree() == before

    def test_a_file_that_is_gone_is_passed_over_and_leaves_no_folder(self, case: Case) -> None:
        case.files.make_folder(case.top / "from")
        case.files.make_folder(case.top / "to")
        assert case.files.copy_files(case.top / "from", case.top / "to", ["a/x"]) == Tally(0, 0)
        assert case.files.names(case.top / "to") == []

    @pytest.mark.parametrize(("kind", "number"), [("link", errno.ELOOP), ("folder", errno.EISDIR)])
    def test_only_files_are_copied(self, case: Case, kind: str, number: int) -> None:
        """A link in the folder of a service's user leads anywhere."""
        case.files.write(case.top / "secret", b"secret")
        if kind == "link":
            case.files.link(_in(case, "from") / "x", str(case.top / "secret"))
        else:
            case.files.make_folder(_in(case, "from") / "x")
        with raises(number):
            case.files.copy_files(case.top / "from", case.top / "to", ["x"])


class TestCopyFile:
    def test_contents_and_mode(self, case: Case) -> None:
        case.files.write(case.top / "a", b"data", 0o750)
        case.files.copy_file(case.top / "a", case.top / "b")
        case.files.copy_file(case.top / "a", case.top / "c", 0o600)
        assert case.tree() == {
            "a": ("file", 0o750, b"data"), "b": ("file", 0o750, b"data"), "c": ("file", 0o600, b"data"),
        }  # fmt: skip

    def test_what_is_there_is_replaced_not_changed(self, case: Case) -> None:
        """Another name for the old file keeps the old contents; a link is replaced by the file."""
        files, top = case.files, case.top
        files.write(top / "new", b"new")
        files.write(top / "old", b"old")
        files.hard_link(top / "old", top / "backup")
        files.link(top / "link", "backup")
        files.copy_file(top / "new", top / "old")
        files.copy_file(top / "new", top / "link")
        assert files.read(top / "backup") == b"old"
        assert files.read(top / "old") == b"new"
        assert files.kind(top / "link") == "file"

    def test_the_source_may_be_a_link(self, case: Case) -> None:
        case.files.write(case.top / "a", b"data", 0o640)
        case.files.link(case.top / "link", "a")
        case.files.copy_file(case.top / "link", case.top / "b")
        assert case.tree()["b"] == ("file", 0o640, b"data")

    @pytest.mark.parametrize(
        ("source", "target", "number"),
        [
            ("missing", "b", errno.ENOENT),
            ("folder", "b", errno.EISDIR),
            ("a", "folder", errno.EISDIR),
            ("a", "no/b", errno.ENOENT),
            ("a", "a/b", errno.ENOTDIR),
        ],
    )
    def test_a_failure_leaves_everything_as_it_was(self, case: Case, source: str, target: str, number: int) -> None:
        case.files.write(case.top / "a", b"data")
        case.files.make_folder(case.top / "folder")
        before = case.tree()
        with raises(number):
            case.files.copy_file(case.top / source, case.top / target)
        assert case.tree() == before


class TestWrite:
    def test_makes_a_file_with_its_mode_whatever_the_umask(self, case: Case) -> None:
        before = os.umask(0o077)
        try:
            case.files.write(case.top / "file", b"data", 0o664)
        finally:
            os.umask(before)
        assert case.tree() == {"file": ("file", 0o664, b"data")}

    def test_replaces_contents_and_mode(self, case: Case) -> None:
        case.files.write(case.top / "file", b"a long text", 0o600)
        case.files.write(case.top / "file", b"", 0o644)
        assert case.tree() == {"file": ("file", 0o644, b"")}

    def test_what_is_there_is_replaced_not_changed(self, case: Case) -> None:
        files, top = case.files, case.top
        files.write(top / "file", b"old")
        files.hard_link(top / "file", top / "backup")
        files.link(top / "link", "backup")
        files.write(top / "file", b"new")
        files.write(top / "link", b"new")
        assert files.read(top / "backup") == b"old"
        assert (files.kind(top / "link"), files.read(top / "link")) == ("file", b"new")

    @pytest.mark.parametrize("name", ODD_NAMES)
    def test_any_name_will_do(self, case: Case, name: str) -> None:
        """Blanks, quotes, line breaks, other alphabets, and names as long as they may be."""
        files, top = case.files, case.top
        files.make_folder(top / name)
        files.write(top / name / name, name.encode())
        files.link(top / name / ("l" + name[:80]), name)
        files.copy_tree(top / name, top / "copy")
        files.copy_file(top / name / name, top / "copy" / name)
        files.append(top / "copy" / name, b"!")
        assert files.read(top / "copy" / name) == name.encode() + b"!"
        assert files.read_link(top / "copy" / ("l" + name[:80])) == name
        files.rename(top / "copy" / name, top / "copy" / name[::-1])
        files.remove_tree(top / name)
        assert files.names(top) == ["copy"]

    def test_a_name_that_is_too_long(self, case: Case) -> None:
        with raises(errno.ENAMETOOLONG):
            case.files.write(case.top / ("n" * 256), b"")
        assert case.tree() == {}

    @pytest.mark.parametrize(
        ("name", "number"),
        [("folder", errno.EISDIR), ("no/x", errno.ENOENT), ("file/x", errno.ENOTDIR)],
    )
    def test_a_failure_leaves_everything_as_it_was(self, case: Case, name: str, number: int) -> None:
        case.files.make_folder(case.top / "folder")
        case.files.write(case.top / "file", b"x")
        before = case.tree()
        with raises(number):
            case.files.write(case.top / name, b"data")
        assert case.tree() == before


class TestAppend:
    def test_makes_the_file_with_its_mode_and_then_adds(self, case: Case) -> None:
        case.files.append(case.top / "file", b"1\n")
        case.files.append(case.top / "file", b"2\n", 0o644)
        assert case.tree() == {"file": ("file", 0o600, b"1\n2\n")}

    def test_the_mode_is_what_was_asked_for_whatever_the_umask(self, case: Case) -> None:
        before = os.umask(0o077)
        try:
            case.files.append(case.top / "file", b"1\n", 0o644)
        finally:
            os.umask(before)
        assert case.tree() == {"file": ("file", 0o644, b"1\n")}

    def test_changes_the_file_itself(self, case: Case) -> None:
        """All its names see what was added."""
        case.files.append(case.top / "file", b"1")
        case.files.hard_link(case.top / "file", case.top / "other")
        case.files.append(case.top / "file", b"2")
        assert case.files.read(case.top / "other") == b"12"

    def test_nothing_to_add_makes_an_empty_file(self, case: Case) -> None:
        case.files.append(case.top / "file", b"")
        assert case.tree() == {"file": ("file", 0o600, b"")}

    @pytest.mark.parametrize(
        ("name", "number"),
        [("folder", errno.EISDIR), ("no/x", errno.ENOENT), ("file/x", errno.ENOTDIR)],
    )
    def test_to_what_is_no_file(self, case: Case, name: str, number: int) -> None:
        case.files.make_folder(case.top / "folder")
        case.files.write(case.top / "file", b"x")
        before = case.tree()
        with raises(number):
            case.files.append(case.top / name, b"data")
        assert case.tree() == before


class TestLink:
    def test_is_made_and_then_replaced(self, case: Case) -> None:
        case.files.link(case.top / "link", "one")
        case.files.link(case.top / "link", "two")
        assert case.tree() == {"link": ("link", "two")}

    def test_the_target_of_the_old_link_is_left_alone(self, case: Case) -> None:
        """Also if it is a folder: the new link does not end up in it."""
        files, top = case.files, case.top
        files.make_folder(top / "one")
        files.make_folder(top / "two")
        files.link(top / "link", "one")
        files.link(top / "link", "two")
        assert files.names(top / "one") == []
        assert files.names(top) == ["link", "one", "two"]

    def test_replaces_a_file(self, case: Case) -> None:
        case.files.write(case.top / "name", b"x")
        case.files.link(case.top / "name", "target")
        assert case.tree() == {"name": ("link", "target")}

    @pytest.mark.parametrize(
        ("name", "number"),
        [("folder", errno.EISDIR), ("no/x", errno.ENOENT), ("file/x", errno.ENOTDIR)],
    )
    def test_a_failure_leaves_everything_as_it_was(self, case: Case, name: str, number: int) -> None:
        case.files.make_folder(case.top / "folder")
        case.files.write(case.top / "file", b"x")
        before = case.tree()
        with raises(number):
            case.files.link(case.top / name, "target")
        assert case.tree() == before

    def test_an_empty_target_is_refused(self, case: Case) -> None:
        with raises(errno.ENOENT):
            case.files.link(case.top / "link", "")
        assert case.tree() == {}


class TestHardLink:
    def test_two_names_for_one_file(self, case: Case) -> None:
        files, top = case.files, case.top
        files.write(top / "a", b"1", 0o640)
        files.hard_link(top / "a", top / "b")
        files.append(top / "b", b"2")
        files.remove(top / "a")
        assert case.tree() == {"b": ("file", 0o640, b"12")}

    def test_nothing_happens_if_the_target_is_there(self, case: Case) -> None:
        files, top = case.files, case.top
        files.write(top / "a", b"a")
        files.write(top / "b", b"b")
        files.link(top / "dangling", "nowhere")
        files.make_folder(top / "folder")
        before = case.tree()
        for name in ("b", "dangling", "folder", "a"):
            files.hard_link(top / "a", top / name)
        assert case.tree() == before

    def test_a_link_itself_gets_the_second_name(self, case: Case) -> None:
        case.files.write(case.top / "a", b"")
        case.files.link(case.top / "link", "a")
        case.files.hard_link(case.top / "link", case.top / "b")
        assert case.tree()["b"] == ("link", "a")

    @pytest.mark.parametrize(
        ("source", "target", "number"),
        [("missing", "b", errno.ENOENT), ("folder", "b", errno.EPERM), ("a", "no/b", errno.ENOENT)],
    )
    def test_what_cannot_be(self, case: Case, source: str, target: str, number: int) -> None:
        case.files.write(case.top / "a", b"")
        case.files.make_folder(case.top / "folder")
        with raises(number):
            case.files.hard_link(case.top / source, case.top / target)


class TestExchange:
    def test_a_folder_and_a_link_change_places(self, case: Case) -> None:
        """Across folders, each as it is: the link keeps its text."""
        files, top = case.files, case.top
        files.make_folder(top / "real" / "bin")
        files.make_folder(top / "kept")
        files.link(top / "kept" / "one", "kept/elsewhere")
        files.exchange(top / "real", top / "kept" / "one")
        assert files.read_link(top / "real") == "kept/elsewhere"
        assert files.names(top / "kept" / "one") == ["bin"]
        files.exchange(top / "real", top / "kept" / "one")
        assert files.names(top / "real") == ["bin"]

    @pytest.mark.parametrize(("first", "second"), [("there", "missing"), ("missing", "there"), ("no/x", "there")])
    def test_both_must_be_there(self, case: Case, first: str, second: str) -> None:
        case.files.write(case.top / "there", b"x")
        with raises(errno.ENOENT):
            case.files.exchange(case.top / first, case.top / second)
        assert case.files.names(case.top) == ["there"]


class TestRename:
    def test_files_folders_and_links(self, case: Case) -> None:
        files, top = case.files, case.top
        files.write(_in(case, "folder") / "x", b"x")
        files.write(top / "file", b"f", 0o600)
        files.link(top / "link", "folder")
        for name in ("folder", "file", "link"):
            files.rename(top / name, top / f"new {name}")
        assert case.tree() == {
            "new file": ("file", 0o600, b"f"),
            "new folder": ("folder", 0o755),
            "new folder/x": ("file", 0o644, b"x"),
            "new link": ("link", "folder"),
        }

    def test_into_another_folder(self, case: Case) -> None:
        case.files.write(_in(case, "a") / "x", b"x")
        case.files.make_folder(case.top / "b")
        case.files.rename(case.top / "a" / "x", case.top / "b" / "y")
        assert (case.files.names(case.top / "a"), case.files.names(case.top / "b")) == ([], ["y"])

    def test_a_file_replaces_a_file_and_a_link(self, case: Case) -> None:
        files, top = case.files, case.top
        files.write(top / "kept", b"kept")
        files.link(top / "link", "kept")
        for data, name in ((b"1", "kept2"), (b"2", "kept2"), (b"3", "link")):
            files.write(top / "new", data)
            files.rename(top / "new", top / name)
        assert case.tree() == {
            "kept": ("file", 0o644, b"kept"), "kept2": ("file", 0o644, b"2"), "link": ("file", 0o644, b"3"),
        }  # fmt: skip

    def test_a_folder_replaces_an_empty_folder_only(self, case: Case) -> None:
        case.files.write(_in(case, "a") / "x", b"x")
        case.files.make_folder(case.top / "empty")
        case.files.rename(case.top / "a", case.top / "empty")
        case.files.make_folder(case.top / "b")
        with raises(errno.ENOTEMPTY):
            case.files.rename(case.top / "b", case.top / "empty")
        assert case.files.names(case.top) == ["b", "empty"]

    def test_onto_itself_or_another_name_of_itself(self, case: Case) -> None:
        """Nothing happens: rename(2)."""
        case.files.write(case.top / "a", b"x")
        case.files.hard_link(case.top / "a", case.top / "b")
        before = case.tree()
        case.files.rename(case.top / "a", case.top / "a")
        case.files.rename(case.top / "a", case.top / "b")
        assert case.tree() == before

    @pytest.mark.parametrize(
        ("source", "target", "number"),
        [
            ("missing", "x", errno.ENOENT),
            ("file", "folder", errno.EISDIR),
            ("folder", "file", errno.ENOTDIR),
            ("folder", "folder/sub/new", errno.EINVAL),
            ("file", "no/x", errno.ENOENT),
            ("file/x", "y", errno.ENOTDIR),
            ("folder", "link", errno.ENOTDIR),
        ],
    )
    def test_what_cannot_be(self, case: Case, source: str, target: str, number: int) -> None:
        case.files.make_folder(case.top / "folder" / "sub")
        case.files.write(case.top / "file", b"")
        case.files.link(case.top / "link", "folder/sub")
        before = case.tree()
        with raises(number):
            case.files.rename(case.top / source, case.top / target)
        assert case.tree() == before


class TestChmod:
    def test_files_folders_and_all_bits(self, case: Case) -> None:
        case.files.write(case.top / "file", b"")
        case.files.make_folder(case.top / "folder")
        case.files.chmod(case.top / "file", 0o751)
        case.files.chmod(case.top / "folder", 0o2770)
        assert case.tree() == {"file": ("file", 0o751, b""), "folder": ("folder", 0o2770)}

    def test_reaches_every_name_of_a_file(self, case: Case) -> None:
        case.files.write(case.top / "a", b"")
        case.files.hard_link(case.top / "a", case.top / "b")
        case.files.chmod(case.top / "a", 0o600)
        assert case.tree()["b"] == ("file", 0o600, b"")

    def test_of_what_is_missing(self, case: Case) -> None:
        with raises(errno.ENOENT):
            case.files.chmod(case.top / "missing", 0o644)


class TestRemove:
    def test_files_and_links_but_never_what_a_link_leads_to(self, case: Case) -> None:
        files, top = case.files, case.top
        files.write(_in(case, "folder") / "x", b"")
        files.write(top / "file", b"")
        for name, target in (("to file", "file"), ("to folder", "folder"), ("dangling", "nowhere")):
            files.link(top / name, target)
            files.remove(top / name)
        assert files.names(top) == ["file", "folder"]
        files.remove(top / "file")
        assert files.names(top) == ["folder"]

    @pytest.mark.parametrize("name", ["missing", "no/such/folder", "file/x"])
    def test_one_that_is_gone_is_fine(self, case: Case, name: str) -> None:
        case.files.write(case.top / "file", b"")
        case.files.remove(case.top / name)
        assert case.files.names(case.top) == ["file"]

    def test_a_folder_is_refused(self, case: Case) -> None:
        case.files.make_folder(case.top / "folder")
        with raises(errno.EISDIR):
            case.files.remove(case.top / "folder")

    def test_a_socket_goes(self, case: Case) -> None:
        case.socket(case.top / "s")
        case.files.remove(case.top / "s")
        assert case.files.names(case.top) == []


class TestRemoveTree:
    def test_removes_all_below_and_nothing_that_links_lead_to(self, case: Case) -> None:
        files, top = case.files, case.top
        files.write(_in(case, "kept") / "x", b"")
        files.write(_in(case, "gone/deep") / "y", b"", 0o400)
        files.link(top / "gone" / "link", "../kept")
        files.link(top / "gone" / "deep" / "abs", str(top / "kept" / "x"))
        files.make_folder(top / "gone" / "empty")
        files.remove_tree(top / "gone")
        assert [entry.path for entry in files.walk(top)] == ["kept", "kept/x"]

    @pytest.mark.parametrize("name", ["missing", "no/such", "file/x"])
    def test_one_that_is_gone_is_fine(self, case: Case, name: str) -> None:
        case.files.write(case.top / "file", b"")
        case.files.remove_tree(case.top / name)
        assert case.files.names(case.top) == ["file"]

    @pytest.mark.parametrize("name", ["file", "link", "dangling"])
    def test_what_is_no_folder_is_refused(self, case: Case, name: str) -> None:
        case.files.write(case.top / "file", b"")
        case.files.make_folder(case.top / "folder")
        case.files.link(case.top / "link", "folder")
        case.files.link(case.top / "dangling", "nowhere")
        before = case.tree()
        with raises(errno.ENOTDIR):
            case.files.remove_tree(case.top / name)
        assert case.tree() == before


class TestSync:
    def test_changes_nothing(self, case: Case) -> None:
        case.files.write(_in(case, "a/b") / "x", b"x")
        case.files.link(case.top / "a" / "dangling", "nowhere")
        before = case.tree()
        case.files.sync(case.top / "a")
        assert case.tree() == before

    @pytest.mark.parametrize(("name", "number"), [("missing", errno.ENOENT), ("file", errno.ENOTDIR)])
    def test_of_what_is_no_folder(self, case: Case, name: str, number: int) -> None:
        case.files.write(case.top / "file", b"")
        with raises(number):
            case.files.sync(case.top / name)


def test_no_temporary_name_is_left(case: Case) -> None:
    """After any number of effects that went well there are the names that were asked for, no more."""
    files, top = case.files, case.top
    for _ in range(3):
        files.write(top / "a", b"a")
        files.copy_file(top / "a", top / "b")
        files.link(top / "c", "a")
        files.append(top / "d", b"d")
    assert files.names(top) == ["a", "b", "c", "d"]


def _in(case: Case, name: str) -> Path:
    """A folder below the case's own, made with those above it."""
    case.files.make_folder(case.top / name)
    return case.top / name


def test_a_mode_is_not_given_to_what_a_strangers_link_leads_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder of a service's user a new file can be exchanged as soon as it has a name."""
    source, secret, folder = tmp_path / "source", tmp_path / "secret", tmp_path / "theirs"
    folder.mkdir()
    source.write_text("data")
    secret.write_text("secret")
    secret.chmod(0o600)
    real = os.open

    def exchanged(path: str | Path, flags: int, *more: int, **named: int) -> int:
        descriptor = real(path, flags, *more, **named)
        if flags & os.O_CREAT and Path(path).parent == folder:
            Path(path).unlink()
            Path(path).symlink_to(secret)
        return descriptor

    monkeypatch.setattr(os, "open", exchanged)
    RealFiles().copy_file(source, folder / "copy", 0o664)
    make(Place(str(folder / "data.db"), None))
    assert secret.stat().st_mode & 0o777 == 0o600
