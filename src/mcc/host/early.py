"""Asking uv for the interpreter while the rest of mcc is still being loaded: each takes as long as the other."""

from __future__ import annotations

import threading
from pathlib import Path

from mcc.host.commands import RealCommands
from mcc.host.ports import Interpreter
from mcc.host.uv import RealUv


class EarlyInterpreter:
    """One question in a thread of its own. It changes nothing, so that nobody has to wait for it."""

    def __init__(self, uv: RealUv, project: Path) -> None:
        self._uv = uv
        self._project = project
        self._answer: Interpreter | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        try:
            self._answer = self._uv.interpreter(self._project)
        except Exception as error:  # for whoever wants the answer
            self._error = error

    def __call__(self, project: Path) -> Interpreter | None:
        """The answer, waited for; None if it was another project's. Raises what asking raised."""
        if project != self._project:
            return None
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._answer


def ask_early(output: Path) -> EarlyInterpreter | None:
    """Ask for an output folder that brings an environment; None for any other, and without uv."""
    output = output.resolve()
    commands = RealCommands()
    program = commands.find("uv")
    if program is None or not all((output / name).is_file() for name in ("pyproject.toml", "uv.lock")):
        return None
    return EarlyInterpreter(RealUv(commands, program), output)
