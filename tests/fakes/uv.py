"""uv on the fake machine: an environment is a folder with a few files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fakes.files import FakeFiles
from fakes.process import Process
from mcc.errors import CommandFailed
from mcc.host.ports import Interpreter

PYTHON = Interpreter("/usr/bin/python3.12", "cpython 3.12.3", "linux-x86_64")


@dataclass(slots=True)
class UvState:
    """``broken``: how uv fails, in its own words. ``syncs``: environments that were made."""

    interpreter: Interpreter = PYTHON
    broken: str = ""
    syncs: list[Path] = field(default_factory=list)


class FakeUv:
    """The port ``Uv``; the packages are told by a hash of the lock file."""

    def __init__(self, state: UvState, files: FakeFiles, process: Process) -> None:
        self._state = state
        self._files = files
        self._process = process

    def interpreter(self, project: Path) -> Interpreter:
        if self._files.kind(project / "pyproject.toml") != "file":
            raise CommandFailed(f"uv finds no Python for {project / 'pyproject.toml'}")
        return self._state.interpreter

    def sync(
        self,
        project: Path,
        environment: Path,
        arguments: Sequence[str],
        local_packages: Sequence[str],
        on_line: Callable[[str], None],
    ) -> None:
        """Killed anywhere it leaves part of an environment, and nothing of it is synced."""
        self._process.breathe()
        python = self.interpreter(project).path
        self._process.tick("uv.sync", str(environment), _failure)
        if self._files.kind(project / "uv.lock") != "file":
            raise CommandFailed("uv sync --frozen ended with exit code 2", log=("Unable to find lockfile",))
        lock = hashlib.sha256(self._files.read(project / "uv.lock")).hexdigest()[:12]
        self._files.make_folder(environment / "bin")
        self._files.link(environment / "bin" / "python", python)
        on_line(f"Using {self._state.interpreter.version}")
        if self._state.broken:
            raise CommandFailed("uv sync --frozen ended with exit code 1", log=(self._state.broken,))
        packages = environment / "lib" / "site-packages"
        self._files.make_folder(packages)
        for name in ("app", *local_packages):
            self._files.scribble(packages / f"{name}.py", f"LOCK = '{lock}'\n".encode())
            self._process.tick("uv.sync: a package", str(packages / name), _failure)
        self._files.scribble(environment / "pyvenv.cfg", " ".join(arguments).encode())
        on_line(f"Installed {1 + len(local_packages)} packages")
        self._state.syncs.append(environment)


def _failure(what: str, path: str) -> Exception:
    return CommandFailed("uv sync --frozen ended with exit code 1", log=("no space left on device",))
