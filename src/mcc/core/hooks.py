"""Where a project's own Python may stand, and how it is written down: what ``App`` of ``from mcc import App`` keeps.

Nothing is raised while ``mcc_deploy.py`` is read: what is wrong is noted with its line, and said at once.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Generic, TypeVar

from mcc.core.nearest import did_you_mean
from mcc.model.hooks import Hook, When
from mcc.model.problem import Problem

FILE = "mcc_deploy.py"
"""The file that a project's own steps and stages stand in."""

BEFORE_COMMIT = ("place", "venv", "probe", "back-up", "migrate", "own", "cut-over", "start", "smoke")
BEHIND_COMMIT = ("record", "after", "prune")
STEPS = (*BEFORE_COMMIT, *BEHIND_COMMIT)
"""The steps that a hook may stand before or after, in the order of a deploy."""

HOOK_TIMEOUT = 600.0
STAGE_TIMEOUT = 3600.0
CANNOT_ANSWER = 74
"""How the process of a hook ends that could not write down how it went: EX_IOERR of sysexits.h."""

_IMPORTS = re.compile(rb"^\s*(from|import)\s+mcc\b", re.MULTILINE)
_DECORATED = 2  # frames up: the line of the project that calls before(), after() or stage()

F = TypeVar("F", bound=Callable[..., Any])


def uses_mcc(source: bytes) -> bool:
    """Whether a ``mcc_deploy.py`` imports mcc; one that does not is a script of the project's own. Nothing is run."""
    try:
        nodes = _nodes(source)
    except (SyntaxError, ValueError):
        return _IMPORTS.search(source) is not None
    return any(_imports_mcc(node) for node in nodes)


def says_hooks(source: bytes) -> bool:
    """Whether a ``mcc_deploy.py`` that uses mcc may say hooks; if not, nobody has to run it to know that.

    It may if it names a decorator, or imports what may do so for it. One that is no Python may: who runs it says why.
    """
    try:
        nodes = _nodes(source)
    except (SyntaxError, ValueError):
        return True
    imports = (node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom))
    named = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return bool(named & {"before", "after", "stage"}) or not all(map(_is_plain, imports))


def _nodes(source: bytes) -> list[ast.AST]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the project's own text; whoever runs it hears of it
        return list(ast.walk(ast.parse(source)))


def _is_plain(node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom) and node.level == 0 and node.module in ("mcc", "__future__")


def _imports_mcc(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.level == 0 and (node.module or "").partition(".")[0] == "mcc"
    return isinstance(node, ast.Import) and any(alias.name.partition(".")[0] == "mcc" for alias in node.names)


class Registered(Generic[F]):
    """A function of the project's, as it was decorated: it can still be called."""

    def __init__(self, function: F, undo: Callable[..., Any] | None = None) -> None:
        self.function = function
        self.undo_function = undo
        self.__doc__ = function.__doc__
        self.__name__ = getattr(function, "__name__", "a hook")

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.function(*arguments, **named)

    def undo(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorator for what takes it back."""
        self.undo_function = function
        return function


class Registry:
    """The hooks of one ``mcc_deploy.py``, in the order in which they were written.

    ``files``: names of files and folders beside it that its hooks need. Without them those are kept that begin
    with ``mcc_deploy``: ``mcc_deploy_*.py`` and the folder ``mcc_deploy/``.
    """

    def __init__(self, *, files: Sequence[str] | None = None) -> None:
        self._file, self._line = _caller(_DECORATED)
        self._files = files
        self._found: list[tuple[Hook, Registered[Any]]] = []
        self._problems: list[tuple[str, int, str, str]] = []

    def before(
        self, step: str, *, undo: Callable[..., Any] | None = None, timeout: float = HOOK_TIMEOUT
    ) -> Callable[[F], Registered[F]]:
        """Run the function before a step. ``timeout`` is in seconds; its ``undo`` runs if the deploy fails later."""
        return self._decorator("before", step, undo, timeout)

    def after(
        self, step: str, *, undo: Callable[..., Any] | None = None, timeout: float = HOOK_TIMEOUT
    ) -> Callable[[F], Registered[F]]:
        """Run the function after a step; the rest is as for :meth:`before`."""
        return self._decorator("after", step, undo, timeout)

    def stage(
        self, name: str, *, undo: Callable[..., Any] | None = None, timeout: float = STAGE_TIMEOUT
    ) -> Callable[[F], Registered[F]]:
        """The function is what a stage of config.yml does, instead of a deploy."""
        return self._decorator("stage", name, undo, timeout)

    @property
    def files(self) -> tuple[str, ...] | None:
        """What ``App(files=[...])`` names; None if it names nothing."""
        return None if self._files is None else tuple(map(str, self._files))

    def hooks(self, folder: Path) -> tuple[Hook, ...]:
        """All hooks; files are named as they are below ``folder``."""
        return tuple(_named(hook, registered, folder) for hook, registered in self._found)

    def function(self, key: str, undo: bool) -> Callable[..., Any] | None:
        """The function of a hook, or its undo."""
        for hook, registered in self._found:
            if hook.key == key:
                return registered.undo_function if undo else registered.function
        return None

    def problems(self, folder: Path) -> tuple[Problem, ...]:
        """All that is wrong with what was written."""
        found = [*self._problems, *self._undo_problems(), *self._file_problems()]
        return tuple(Problem(_below(folder, file), line, "", *words) for file, line, *words in found)

    def _decorator(
        self, when: When, at: str, undo: Callable[..., Any] | None, timeout: float
    ) -> Callable[[F], Registered[F]]:
        file, line = _caller(_DECORATED + 1)

        def register(function: F) -> Registered[F]:
            registered = function if isinstance(function, Registered) else Registered(function, undo)
            hook = Hook(when, str(at), registered.__name__, file, line, timeout)
            self._check(hook, registered.function)
            self._found.append((hook, registered))
            return registered

        return register

    def _check(self, hook: Hook, function: Callable[..., Any]) -> None:
        if hook.when == "stage":
            self._check_stage(hook)
        elif hook.at not in STEPS:
            hints = (did_you_mean(hook.at, STEPS), f"steps: {', '.join(STEPS)}")
            self._wrong(hook, f"there is no step {hook.at!r}", "; ".join(filter(None, hints)))
        if any(hook.key == other.key for other, _ in self._found) and hook.when != "stage":
            self._wrong(hook, f"two functions {hook.name} stand {hook.when} {hook.at}", "give one another name")
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            self._wrong(hook, f"{hook.name} is no plain function", "def, without async and without yield")
        if not _is_time(hook.timeout):
            self._wrong(hook, f"timeout: found {hook.timeout!r}", "allowed: seconds, more than 0")

    def _check_stage(self, hook: Hook) -> None:
        for other, _ in self._found:
            if (other.when, other.at) == ("stage", hook.at):
                what = f"{hook.name} and {other.name} (line {other.line}) are both the stage {hook.at!r}"
                self._wrong(hook, what, "one function a stage")

    def _wrong(self, hook: Hook, message: str, help: str) -> None:
        self._problems.append((hook.file, hook.line, message, help))

    def _undo_problems(self) -> list[tuple[str, int, str, str]]:
        """Only now is it known who has one: it may have been given behind the function."""
        return [
            (hook.file, hook.line, f"{hook.name} has an undo, and stands behind the commit, where nothing is undone",
             f"steps before it: {', '.join(BEFORE_COMMIT)}")
            for hook, registered in self._found
            if registered.undo_function is not None and hook.when != "stage" and hook.at in BEHIND_COMMIT
        ]  # fmt: skip

    def _file_problems(self) -> list[tuple[str, int, str, str]]:
        if isinstance(self._files, str):
            return [(self._file, self._line, f"files: found {self._files!r}", "allowed: a list of names")]
        wrong = [name for name in self.files or () if not _is_inside(name)]
        return [
            (self._file, self._line, f"files: found {name!r}", f"allowed: names beside {FILE}, without ..")
            for name in wrong
        ]


def _named(hook: Hook, registered: Registered[Any], folder: Path) -> Hook:
    undo = registered.undo_function is not None
    return Hook(hook.when, hook.at, hook.name, _below(folder, hook.file), hook.line, float(hook.timeout), undo)


def _below(folder: Path, file: str) -> str:
    path = Path(file)
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else file


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def _caller(depth: int) -> tuple[str, int]:
    """File and line of the project's code: a decorator stands where it is called."""
    frame = sys._getframe(depth)
    return frame.f_code.co_filename, frame.f_lineno
