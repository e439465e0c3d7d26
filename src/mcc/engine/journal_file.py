"""The journal of a run on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcc.core import journal
from mcc.core.layout import Site
from mcc.engine.codec import Keeper, Mask, encode
from mcc.host.lines import append_line
from mcc.host.ports import Files
from mcc.host.temporaries import sweep
from mcc.model.plan import Facts, Plan, Seen


def _as_it_is(data: Any) -> Any:
    return data


class JournalFile:
    """Every entry is on disk when its method returns; only then may its effect begin."""

    def __init__(self, files: Files, site: Site, run: str, mask: Mask = _as_it_is) -> None:
        self._files = files
        self._mask = mask
        self.path = site.journal(run)
        self.keep_in = site.kept(run)
        self._keeper = Keeper(files, self.keep_in)

    def start(self, header: Mapping[str, Any], plan: Plan) -> None:
        """Write the run's first line: who, what, and the whole plan."""
        self._files.make_folder(self.path.parent, 0o700)
        steps = [encode(step, self._mask) for step in plan.steps]
        first = {"journal": journal.SCHEMA, **header, "first_after": len(plan.before), "plan": steps}
        append_line(self._files, self.path, journal.entry(first), 0o600)

    def keep(self, files: Mapping[str, bytes]) -> None:
        """Put what the steps need beside the journal: it may hold secrets, and goes with it."""
        for name, data in files.items():
            self._files.make_folder(self.keep_in, 0o700)
            self._files.write(self.keep_in / name, data, 0o600)

    def begin(self, index: int, seen: Seen) -> None:
        """What was there, before the step changes it."""
        self._add({"begin": index, "seen": self._keeper.put_away(index, seen)})

    def done(self, index: int, facts: Facts) -> None:
        self._add({"done": index, "facts": self._mask(dict(facts))})

    def commit(self) -> None:
        """From here on the run is only finished forward."""
        self._add({"commit": True})

    def back(self) -> None:
        """From here on the run is undone, even if its commit should be found on disk."""
        self._add({"back": True})

    def undone(self, index: int) -> None:
        self._add({"undone": index})

    def end(self, result: str) -> None:
        """Nothing is left to do; the journal and what was kept may go."""
        if result == "stuck":
            self._add({"end": result})
            return
        try:
            self._add({"end": result})
        except OSError:
            self._files.remove(self.path)  # a full disk takes no line, but gives files back
        self.remove()

    def remove(self) -> None:
        """Forget the run. The kept files first: without its journal nobody would look for them."""
        self._files.remove_tree(self.keep_in)
        sweep(self._files, self.path.parent)
        self._files.remove(self.path)

    def seen(self, state: journal.RunState, index: int) -> Seen:
        """What the look of a step saw, contents included."""
        return self._keeper.take_out(state.seen[index])

    def read(self) -> journal.RunState | None:
        """The state of the run; None if it never began. Raises UnreadableJournal."""
        if self._files.kind(self.path) != "file":
            return None
        return journal.fold(self._files.read(self.path))

    def _add(self, data: Mapping[str, Any]) -> None:
        append_line(self._files, self.path, journal.entry(data), 0o600)


def unfinished(files: Files, site: Site) -> list[str]:
    """Runs whose journal is still there, oldest first."""
    return [Path(name).stem for name in files.names(site.journals) if name.endswith(".jsonl")]
