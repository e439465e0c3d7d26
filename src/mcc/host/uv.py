"""uv: makes Python environments from a lock file."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from mcc.errors import CommandFailed
from mcc.host.ports import Commands, Completed, Interpreter

_ASK = (
    "import json,platform,sys,sysconfig;"
    "print(json.dumps([sys.implementation.name+' '+platform.python_version(),sysconfig.get_platform()]))"
)
_SYNC_LIMIT = 1800.0

# Hard links from uv's cache would let a chown of one environment change the cache and every other
# environment; a copy is its own. VIRTUAL_ENV of the caller must not decide anything.
_VARIABLES = {"UV_LINK_MODE": "copy", "UV_NO_PROGRESS": "1", "VIRTUAL_ENV": ""}


class RealUv:
    """The ``uv`` command. ``program`` is its path; ``early`` may know a project's interpreter already."""

    def __init__(
        self, commands: Commands, program: str, early: Callable[[Path], Interpreter | None] | None = None
    ) -> None:
        self._commands = commands
        self._program = program
        self._early = early

    def interpreter(self, project: Path) -> Interpreter:
        known = self._early(project) if self._early else None
        return known or self._ask(project)

    def _ask(self, project: Path) -> Interpreter:
        found = self._commands.run(
            (self._program, "python", "find", "--system", "--project", str(project)),
            cwd=project, env=_VARIABLES, timeout=120,
        )  # fmt: skip
        if not found.ok:
            raise _no_python(project, found)
        path = found.stdout.decode().strip().splitlines()[-1]
        asked = self._commands.run((path, "-I", "-c", _ASK), timeout=60)
        if not asked.ok:
            raise CommandFailed(f"{path} does not run", log=asked.tail())
        version, platform = json.loads(asked.stdout)
        return Interpreter(path, version, platform)

    def sync(
        self,
        project: Path,
        environment: Path,
        arguments: Sequence[str],
        local_packages: Sequence[str],
        on_line: Callable[[str], None],
    ) -> None:
        refresh = [word for name in local_packages for word in ("--refresh-package", name)]
        words = (
            self._program, "sync", "--frozen", "--no-editable", "--compile-bytecode",
            "--project", str(project), "--python", self.interpreter(project).path, *refresh, *arguments,
        )  # fmt: skip
        variables = {**_VARIABLES, "UV_PROJECT_ENVIRONMENT": str(environment)}
        done = self._commands.run(words, cwd=project, env=variables, timeout=_SYNC_LIMIT, on_line=on_line)
        if not done.ok:
            raise CommandFailed(f"uv sync --frozen ended with exit code {done.code}", log=done.tail())


def _no_python(project: Path, found: Completed) -> CommandFailed:
    if "interpreter" in found.output:
        help = "install one that requires-python allows, or name it in UV_PYTHON"
        return CommandFailed(f"uv finds no Python for {project / 'pyproject.toml'}", log=found.tail(), help=help)
    # A cache or a configuration that it cannot use: its own words say which.
    return CommandFailed(f"uv python find ended with exit code {found.code}", log=found.tail())
