"""Programs of the fake machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fakes.clock import Time
from fakes.files import FakeFiles
from fakes.process import Process
from mcc.errors import CommandFailed
from mcc.host.ports import Completed


@dataclass(frozen=True, slots=True)
class Call:
    """One command as it was asked for."""

    words: tuple[str, ...]
    cwd: Path | None = None
    env: tuple[tuple[str, str], ...] = ()
    stdin: bytes | None = None


@dataclass(slots=True)
class CommandsState:
    """``programs``: where each is. ``does``: what one does, by its bare name; else it succeeds in silence.

    ``hangs``: bare names of programs that never end. ``detached``: those that outlive whoever started them.
    """

    programs: dict[str, str] = field(default_factory=lambda: {"uv": "/usr/bin/uv"})
    does: dict[str, Callable[[Call], tuple[int, str]]] = field(default_factory=dict)
    hangs: set[str] = field(default_factory=set)
    calls: list[Call] = field(default_factory=list)
    detached: list[tuple[str, ...]] = field(default_factory=list)


class FakeCommands:
    """The port ``Commands``. A program is there if it is listed, or a file of the fake disk."""

    def __init__(self, state: CommandsState, files: FakeFiles, time: Time, process: Process) -> None:
        self._state = state
        self._time = time
        self._files = files
        self._process = process

    def find(self, name: str) -> str | None:
        if name in self._state.programs.values():
            return name
        return self._state.programs.get(name)

    def run(
        self,
        words: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 600.0,
        stdin: bytes | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> Completed:
        call = Call(tuple(words), cwd, tuple(sorted((env or {}).items())), stdin)
        self._process.tick("run", " ".join(words), _failure)
        self._check(call)
        self._state.calls.append(call)
        name = Path(call.words[0]).name
        if name in self._state.hangs:
            self._time.pass_by(timeout)
            raise CommandFailed(f"{' '.join(words)} did not end within {timeout:g} s")
        code, output = self._state.does.get(name, _succeed)(call)
        for line in output.splitlines():
            if on_line is not None:
                on_line(line)
        self._process.tick("run: ended", " ".join(words), _failure)
        return Completed(call.words, code, output, output.encode())

    def detach(self, words: Sequence[str]) -> None:
        self._process.tick("detach", " ".join(words), _failure)
        self._check(Call(tuple(words)))
        self._state.detached.append(tuple(words))

    def _check(self, call: Call) -> None:
        program = call.words[0]
        if self.find(program) is None and not self._on_disk(program):
            raise CommandFailed(f"{program} cannot be started: No such file or directory")
        if call.cwd is not None and self._files.kind(call.cwd) not in ("folder", "link"):
            raise CommandFailed(f"{program} cannot be started: No such file or directory")

    def _on_disk(self, program: str) -> bool:
        if not program.startswith("/"):
            return False
        if any(program == path for path in self._state.programs.values()):
            return True
        try:
            # a link that leads out of the fake disk (to the interpreter) is a program too
            return self._files.kind(Path(program)) in ("file", "link")
        except OSError:
            return False


def _succeed(call: Call) -> tuple[int, str]:
    return 0, ""


def _failure(what: str, path: str) -> Exception:
    return CommandFailed(f"{path} ended with exit code 1")
