"""A project's own Python, read and run in processes of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mcc.core.hooks import CANNOT_ANSWER, FILE, says_hooks, uses_mcc
from mcc.core.masking import Masker
from mcc.errors import CommandFailed, ConfigError, StepError
from mcc.host.ports import Commands, Completed
from mcc.model.hooks import Hook, HookCall, ProjectCode
from mcc.model.problem import Problem

_READING = 60.0
_LATE = "did not end within"

Known = dict[Path, ProjectCode | None]
"""What has been read already, by the folder."""


class RealHooks:
    """The port ``Hooks``, with the interpreter and the mcc that run now."""

    def __init__(self, commands: Commands, known: Known) -> None:
        self._commands = commands
        self._known = known

    def read(self, folder: Path) -> ProjectCode | None:
        if folder not in self._known:
            self._known[folder] = self._look(folder)
        return self._known[folder]

    def run(self, call: HookCall, undo: bool, on_line: Callable[[str], None]) -> Mapping[str, Any]:
        masker = Masker(json.loads(call.context.read_text())["secrets"])
        answer = call.result.with_suffix(".answer")
        answer.unlink(missing_ok=True)
        paths = (call.code, call.context, call.result, answer)
        words = _child("undo" if undo else "do", call.hook.key, *map(str, paths))
        try:
            done = self._commands.run(
                words, cwd=call.code, timeout=call.hook.timeout, on_line=lambda line: on_line(masker.mask(line))
            )
        except CommandFailed as error:
            raise _late(call.hook, undo, error, masker) from None
        facts: Mapping[str, Any] = masker.mask_data(_facts(call.hook, undo, answer, done, masker))
        return facts

    def _look(self, folder: Path) -> ProjectCode | None:
        file = folder / FILE
        source = file.read_bytes() if file.is_file() else b""
        if not uses_mcc(source):
            return None
        return self._read(folder) if says_hooks(source) else ProjectCode()

    def _read(self, folder: Path) -> ProjectCode:
        try:
            done = self._commands.run(_child("read", str(folder)), cwd=folder, timeout=_READING)
            data = json.loads(done.stdout)
        except CommandFailed as error:
            what = f"{_LATE} {_READING:g} s while it was read" if _LATE in error.message else error.message
            raise _cannot_be_read(what, "it has to say its hooks, and to do nothing") from None
        except ValueError:
            what = f"it ended itself while it was read (exit code {done.code})"
            raise _cannot_be_read(what, " / ".join(done.tail(3))) from None
        if data["problems"]:
            raise ConfigError([Problem(**problem) for problem in data["problems"]])
        hooks = tuple(Hook(**hook) for hook in data["hooks"])
        return ProjectCode(hooks, tuple(data["files"]), tuple(data["warnings"]))


def _child(*words: str) -> tuple[str, ...]:
    """Python without bytecode in the project's folders, without buffers, and as careful with paths as we are."""
    user = ("-s",) if sys.flags.no_user_site else ()
    return (sys.executable, *user, "-P", "-B", "-u", "-m", "mcc.host.hooks.child", *words)


def _cannot_be_read(what: str, help: str) -> ConfigError:
    return ConfigError([Problem(FILE, 0, "", what, help)])


def _what(hook: Hook, undo: bool) -> str:
    return f"{hook.place}: {'the undo of ' if undo else ''}{hook.name}"


def _late(hook: Hook, undo: bool, error: CommandFailed, masker: Masker) -> StepError:
    log = [masker.mask(line) for line in error.log]
    if _LATE not in error.message:
        return StepError(f"{_what(hook, undo)}: {error.message}", log=log)
    return StepError(
        f"{_what(hook, undo)} {_LATE} {hook.timeout:g} s and was ended, with all that it had started",
        help="timeout=SECONDS beside the name of its step gives it longer",
        log=log,
    )


def _facts(hook: Hook, undo: bool, answer: Path, done: Completed, masker: Masker) -> Mapping[str, Any]:
    said = json.loads(answer.read_text()) if answer.is_file() else {}
    if done.ok and "facts" in said:
        facts: Mapping[str, Any] = said["facts"]
        return facts
    if "error" not in said:
        log = [masker.mask(line) for line in done.tail()]
        if done.code == CANNOT_ANSWER and log:
            raise StepError(f"{_what(hook, undo)}: {log[-1]}")
        raise StepError(f"{_what(hook, undo)} ended itself with exit code {done.code}", log=log)
    error = said["error"]
    which = f"{'the undo of ' if undo else ''}{hook.name}"
    raise StepError(
        masker.mask(f"{error['place'] or hook.place}: {which}: {error['message']}"),
        help=masker.mask(error["help"]),
        log=[masker.mask(line) for line in error["log"]],
    )
