"""A project's own Python as steps: its code is kept first, then each function is one step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcc.host.ports import Host
from mcc.model.hooks import HookCall
from mcc.model.plan import Facts, Seen


@dataclass(frozen=True, slots=True)
class KeepHooks:
    """Copy a project's code to where its undo finds it after a crash, and only this user can read or change it.

    It stays when the run is undone: an undo of a hook that failed is tried again, with this code. The next
    deploy removes what no release needs.
    """

    source: Path
    files: tuple[str, ...]
    target: Path

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        host.files.make_folder(self.target, 0o700)
        host.files.chmod(self.target, 0o700)
        for name in self.files:
            source, target = self.source / name, self.target / name
            host.files.make_folder(target.parent)
            if host.files.kind(source) == "folder":
                host.files.copy_tree(source, target, skip=("__pycache__",))
            else:
                host.files.copy_file(source, target)
        host.files.sync(self.target)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None  # see above


@dataclass(frozen=True, slots=True)
class RunHook:
    """Run one function of the project's; on the way back its undo, also if it was killed half-way.

    What it gives back is said, and is there for its undo.
    """

    call: HookCall

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        # From here on it may have done something. Behind the commit it may be begun a second time.
        host.files.make_folder(self.call.result.parent, 0o700)
        host.files.write(self.call.result, b"{}", 0o600)
        facts = host.hooks.run(self.call, False, host.listener.say)
        for key, value in facts.items():
            host.listener.say(f"{key}: {value}")
        return self._said(facts)

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        if host.files.kind(self.call.result) != "file":
            return None  # it never began
        if not self.call.hook.undo:
            return self._databases()
        return self._said(host.hooks.run(self.call, True, host.listener.say))

    def _said(self, facts: Mapping[str, Any]) -> Facts:
        """Under the hook's name: no fact of mcc's own is called so."""
        name = self.call.hook.name
        return {**{f"{name}.{key}": value for key, value in facts.items()}, **self._databases()}

    def _databases(self) -> Facts:
        """Of a stage that is the project's own nobody but its author knows what it does to databases."""
        return {"databases": f"as {self.call.hook.name} left them"} if self.call.hook.when == "stage" else {}


@dataclass(frozen=True, slots=True)
class ForgetHooks:
    """Remove the kept code of a run that is over."""

    folder: Path

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        host.files.remove_tree(self.folder)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None
