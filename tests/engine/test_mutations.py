"""The kills must be able to find something: each mistake here is made in the engine, and they have to see it.

What is not disturbed goes well with every one of them; only a death shows it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.every_run import KINDS
from fakes.files import FakeFiles
from fakes.kills import Deaths, Ready, counted
from fakes.tree import File, Link
from mcc.engine import journal_file
from mcc.engine.codec import Keeper
from mcc.engine.journal_file import JournalFile
from mcc.engine.run import Engine, Outcome
from mcc.host.ports import Files
from mcc.model.plan import Facts, Plan, PlannedStep, Seen
from mcc.runs import recover

Mistake = Callable[[pytest.MonkeyPatch], None]


def effect_before_journal(patch: pytest.MonkeyPatch) -> None:
    """What was there is written down behind the effect."""
    written: dict[int, Seen] = {}
    begin, done = JournalFile.begin, JournalFile.done

    def both(self: JournalFile, index: int, facts: Facts) -> None:
        begin(self, index, written[index])
        done(self, index, facts)

    patch.setattr(JournalFile, "begin", lambda self, index, seen: written.update({index: seen}))
    patch.setattr(JournalFile, "done", both)


def journal_without_fsync(patch: pytest.MonkeyPatch) -> None:
    """Lines of the journal are written, and reach the disk whenever the kernel likes."""

    def unsynced(files: Files, path: Path, line: bytes, mode: int) -> None:
        assert isinstance(files, FakeFiles)
        known = files.kind(path) == "file"
        node = files.node(path) if known else None
        safe = node.safe if isinstance(node, File) else b""
        files.append(path, line, mode)
        written = files.node(path)
        assert isinstance(written, File)
        written.safe = safe

    patch.setattr(journal_file, "append_line", unsynced)


def contents_behind_their_line(patch: pytest.MonkeyPatch) -> None:
    """The journal names a file of what was there before that is on disk."""
    put = Keeper._put

    def begin(self: JournalFile, index: int, seen: Seen) -> None:
        with pytest.MonkeyPatch.context() as only_names:
            only_names.setattr(Keeper, "_put", lambda _, name, value: _named(name, value))
            self._add({"begin": index, "seen": self._keeper.put_away(index, seen)})
        for key, value in seen.items():
            if isinstance(value, bytes):
                put(self._keeper, _named(f"{index}-{key.replace(' ', '_')}", value)["$kept"], value)

    patch.setattr(JournalFile, "begin", begin)


def _named(name: str, value: Any) -> Any:
    return {"$kept": name} if isinstance(value, bytes) else value


def look_after_do(patch: pytest.MonkeyPatch) -> None:
    """What the journal says was there before is what is there afterwards."""
    take = Engine._take

    def late(self: Engine, index: int, planned: PlannedStep, begun: dict[int, Seen]) -> None:
        take(self, index, planned, begun)
        begun[index] = planned.step.look(self._host)
        self._journal.begin(index, begun[index])

    patch.setattr(Engine, "_take", late)


def commit_at_the_beginning(patch: pytest.MonkeyPatch) -> None:
    """The run counts as committed although nothing has been switched."""
    run, commit = Engine.run, JournalFile.commit

    def early(self: Engine, plan: Plan) -> Outcome:
        commit(self._journal)
        return run(self, plan)

    patch.setattr(Engine, "run", early)


def commit_left_out(patch: pytest.MonkeyPatch) -> None:
    """What stands behind the commit begins, and nobody could know."""
    patch.setattr(JournalFile, "commit", lambda self: None)


def undo_oldest_first(patch: pytest.MonkeyPatch) -> None:
    """The services are restarted before the links are old again."""

    def undo(self: Engine, plan: Plan, begun: Mapping[int, Seen], error: Any = None) -> Outcome:
        for index in sorted(begun):
            self._undo_one(index, plan.steps[index], begun[index])
        return Outcome("failed", error, self._facts)

    patch.setattr(Engine, "undo", undo)


def undone_before_it_is(patch: pytest.MonkeyPatch) -> None:
    """An undo is crossed off before it has been done."""
    real = Engine._undo_one

    def one(self: Engine, index: int, planned: PlannedStep, seen: Seen) -> None:
        self._journal.undone(index)
        real(self, index, planned, seen)

    patch.setattr(Engine, "_undo_one", one)


def link_by_unlink_and_symlink(patch: pytest.MonkeyPatch) -> None:
    """As scripts do it: for a moment there is no link."""

    def link(self: FakeFiles, path: Path, target: str) -> None:
        self.remove(path)
        folder, name, _ = self.tree.find(str(path), self.who, False)
        self._tick("symlink", path)
        self.tree.change((folder, name, Link(target, self._owner_in(folder), self._now())))
        self._tick("symlink: made", path)
        self.tree.settle(folder)

    patch.setattr(FakeFiles, "link", link)


def rename_without_fsync(patch: pytest.MonkeyPatch) -> None:
    """Names that were given are not synced."""

    def link(self: FakeFiles, path: Path, target: str) -> None:
        folder, name, _ = self.tree.find(str(path), self.who, False)
        self._tick("link", path)
        self.tree.change((folder, name, Link(target, self._owner_in(folder), self._now())))

    patch.setattr(FakeFiles, "link", link)


def journal_gone_before_what_it_keeps(patch: pytest.MonkeyPatch) -> None:
    """Nobody would look for the kept files any more, which may hold secrets."""

    def remove(self: JournalFile) -> None:
        self._files.remove(self.path)
        self._files.remove_tree(self.keep_in)

    patch.setattr(JournalFile, "remove", remove)


def recovery_without_sync(patch: pytest.MonkeyPatch) -> None:
    """What the dead run did last is passed by, and a power cut takes it back."""
    patch.setattr(recover, "_make_last", lambda files, site: None)


RESTART, SLOTS = "deploy: second", "deploy, two slots: second"
MISTAKES: Mapping[str, tuple[Mistake, tuple[str, ...]]] = {
    "effect before journal": (effect_before_journal, (RESTART, SLOTS)),
    "journal without fsync": (journal_without_fsync, (RESTART, SLOTS)),
    "contents behind their line": (contents_behind_their_line, (RESTART,)),
    "look after do": (look_after_do, (RESTART, SLOTS)),
    "commit at the beginning": (commit_at_the_beginning, (RESTART,)),
    "commit left out": (commit_left_out, (SLOTS,)),
    "undo oldest first": (undo_oldest_first, (RESTART, SLOTS)),
    "undone before it is": (undone_before_it_is, (RESTART,)),
    "link by unlink and symlink": (link_by_unlink_and_symlink, (RESTART, SLOTS)),
    "rename without fsync": (rename_without_fsync, (RESTART, SLOTS)),
    "journal gone before what it keeps": (journal_gone_before_what_it_keeps, (RESTART,)),
    "recovery without sync": (recovery_without_sync, ("leave: without exchange",)),
}
"""Each with the kinds of run whose deaths show it."""


@functools.cache
def ready(name: str) -> Ready:
    """Made without any mistake."""
    return KINDS[name].ready()


def found(name: str, again: int | None = 1) -> str:
    """The first problem that the kills of a kind of run see, from its end on; empty if they see none."""
    one = ready(name)
    done = one.scene.fork()  # a mistake may have effects of its own
    one.act(done)
    for at in range(done.world.process.ticks, 0, -1):
        tally = counted(one, range(at, at + 1), Deaths(again, True, name))
        if tally.problems:
            return tally.problems[0]
    return ""


@pytest.mark.parametrize(("mistake", "name"), [(each, name) for each in MISTAKES for name in MISTAKES[each][1]])
def test_the_kills_see_it(mistake: str, name: str) -> None:
    ready(name)
    with pytest.MonkeyPatch.context() as patch:
        MISTAKES[mistake][0](patch)
        # Only a power cut in a recovery shows that one, right behind a death between a change and its fsync(2).
        assert found(name, None if mistake == "recovery without sync" else 1) != ""
