"""The Python environment of a release."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from mcc.errors import CommandFailed, StepError
from mcc.host.environments import is_whole, seal
from mcc.host.ports import Host
from mcc.model.plan import MAY_HOLD_SECRETS, Facts, Seen


@dataclass(frozen=True, slots=True)
class BuildEnvironment:
    """Build an environment where it stays, or use one again.

    With ``reuse`` it is only looked at: it may be the live one, and is never built in place or
    taken away. ``project`` holds ``pyproject.toml`` and ``uv.lock``; ``made_from`` goes into the marker.
    """

    stays_while_stuck: ClassVar[bool] = True
    project: Path
    environment: Path
    arguments: tuple[str, ...] = field(metadata={MAY_HOLD_SECRETS: True})
    local_packages: tuple[str, ...]
    made_from: tuple[tuple[str, str], ...]
    reuse: bool = False

    def look(self, host: Host) -> Seen:
        return {
            "absent": host.files.kind(self.environment) == "absent",
            "first": host.files.kind(self.environment.parent) == "absent",
        }

    def do(self, host: Host, seen: Seen) -> Facts | None:
        if self.reuse:
            if not is_whole(host.files, self.environment):
                raise StepError(f"{self.environment} is being changed by someone", help="deploy again")
            host.listener.say(f"unchanged since it was built: {self.environment.name}")
            return {"environment": "used again"}
        if not seen["absent"]:
            raise StepError(f"{self.environment} is there already", help="deploy again: the next name is free")
        host.files.make_folder(self.environment.parent)
        host.uv.sync(self.project, self.environment, self.arguments, self.local_packages, _without_list(host))
        host.files.remove(self.environment / ".lock")  # uv's, and everybody could write it
        seal(host.files, self.environment, dict(self.made_from))
        return {"environment": "built"}

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        if self.reuse or not seen["absent"]:
            return None
        host.files.remove_tree(self.environment)
        parent = self.environment.parent
        if seen["first"] and host.files.kind(parent) == "folder" and not host.files.names(parent):
            host.files.remove_tree(parent)
        return None


def _without_list(host: Host) -> Callable[[str], None]:
    """uv's sentences; its list of packages stands in uv.lock already."""

    def say(line: str) -> None:
        if line.strip() and not line.startswith((" +", " -", " ~")):
            host.listener.say(line)

    return say


@dataclass(frozen=True, slots=True)
class CompileRelease:
    """Byte-compile a release, so that no service writes ``__pycache__`` into it."""

    python: Path
    folders: tuple[Path, ...]

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        words = (str(self.python), "-I", "-m", "compileall", "-q", *map(str, self.folders))
        done = host.commands.run(words, timeout=600)
        if not done.ok:
            # A file that does not compile may never be imported: the start will tell.
            host.listener.warn("some files do not compile: " + " / ".join(done.tail(3)))
        for folder in self.folders:
            host.files.sync(folder)  # bytecode that a power cut tore is an import that fails
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None  # it goes with the release


@dataclass(frozen=True, slots=True)
class ProbeModule:
    """Import one module of the release with its environment, before anyone depends on it."""

    python: Path
    release: Path
    module: str

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        ask = "import importlib,sys; sys.path.insert(0, ''); importlib.import_module(sys.argv[1])"
        words = (str(self.python), "-B", "-c", ask, self.module)
        # The site's own mcc runs with its library in PYTHONPATH, which must not fill a gap here.
        done = host.commands.run(words, cwd=self.release, env={"PYTHONPATH": ""}, timeout=60)
        if not done.ok:
            raise CommandFailed(f"the release cannot import {self.module}", log=done.tail())
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None
