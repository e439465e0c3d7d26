"""The process that runs a project's own Python.

``read FOLDER`` answers on standard output what the code says of itself; ``do`` and ``undo``, with the key of a
hook and the paths of its :class:`mcc.model.hooks.HookCall`, run one function and answer in a file. Whatever
the code prints goes to standard error.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from mcc.core.hooks import CANNOT_ANSWER, FILE, Registry
from mcc.errors import StepError
from mcc.host.hooks.context import Context
from mcc.host.hooks.programs import say, write_durably
from mcc.host.hooks.shown import shown
from mcc.model.problem import Problem

_NAME = "__mcc_deploy__"
"""The code's name as a module: a folder ``mcc_deploy`` beside it can be imported by its own."""


def main(words: list[str]) -> int:
    """Read, do or undo; 0 if it went well."""
    signal.signal(signal.SIGTERM, _end_all)
    os.environ.pop("PYTHONPATH", None)  # where mcc is found is nothing for what the code starts
    if words[0] == "read":
        answer = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        json.dump(_read(Path(words[1])), answer)
        answer.close()
        return 0
    os.dup2(2, 1)
    kind, key, *paths = words
    return _run(kind == "undo", key, *map(Path, paths))


def _end_all(_number: int, _frame: FrameType | None) -> None:
    """Time is over, or somebody pressed Ctrl-C: what the code started ends with it, whatever it thinks of SIGTERM."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


class _Wrong(StepError):
    """The code is there, but is not what it has to be."""


def _load(folder: Path) -> Registry:
    """Run the file in ``folder``. Raises whatever it raises."""
    sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location(_NAME, folder / FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[_NAME] = module
    spec.loader.exec_module(module)
    found = {id(value): value for value in vars(module).values() if isinstance(value, Registry)}
    if len(found) != 1:
        what = "has no App" if not found else f"has {len(found)} Apps"
        raise _Wrong(f"{FILE} imports mcc and {what}: app = App() makes the one that it needs")
    return next(iter(found.values()))


# ---- read


def _read(folder: Path) -> dict[str, Any]:
    before = frozenset(sys.modules)  # such as Debian's sitecustomize, which every Python there begins with
    try:
        registry = _load(folder)
    except _Wrong as wrong:
        return {"problems": [asdict(Problem(FILE, 0, "", str(wrong)))]}
    except BaseException as error:
        return {"problems": [asdict(_as_problem(error, folder))]}
    problems = registry.problems(folder) or (*_missing(registry, folder), *_left_behind(registry, folder))
    if problems:
        return {"problems": [asdict(problem) for problem in problems]}
    hooks = registry.hooks(folder)
    return {
        "problems": [],
        "hooks": [asdict(hook) for hook in hooks],
        "files": _files(registry, folder),
        "warnings": _warnings(folder, before) if any(hook.undo for hook in hooks) else [],
    }


def _as_problem(error: BaseException, folder: Path) -> Problem:
    what = shown(error, folder)
    ended = isinstance(error, SystemExit)
    message = f"it ended itself while it was read ({what.message})" if ended else what.message
    way_out = 'put what deploys behind if __name__ == "__main__":' if ended else what.help
    if isinstance(error, ModuleNotFoundError):
        way_out = "mcc's own Python reads this file; what needs the application's packages is for context.run"
    line = f"the line: {what.source}" if what.source else ""
    return Problem(what.file, what.line, "", message, "; ".join(filter(None, (line, way_out))))


def _missing(registry: Registry, folder: Path) -> tuple[Problem, ...]:
    return tuple(
        Problem(FILE, 0, "", f"files: there is no {name} beside it", "copy it into the output when building")
        for name in registry.files or () if not (folder / name).exists()
    )  # fmt: skip


def _left_behind(registry: Registry, folder: Path) -> tuple[Problem, ...]:
    """What was imported from the output and would not be there when a hook runs."""
    kept = [folder / name for name in _files(registry, folder)]
    loaded = {Path(file) for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))}
    here = sorted(path for path in loaded if path.is_relative_to(folder) and not path.is_relative_to(folder / ".venv"))
    return tuple(
        Problem(
            FILE, 0, "", f"it imports {path.relative_to(folder)}, which is not kept with it",
            "name all that it needs: App(files=[...]); or run code of the release by context.run",
        )
        for path in here if not any(path.is_relative_to(each) for each in kept)
    )  # fmt: skip


def _files(registry: Registry, folder: Path) -> list[str]:
    if registry.files is not None:
        return list(dict.fromkeys((FILE, *registry.files)))
    usual = [path.name for path in sorted(folder.glob("mcc_deploy_*.py")) if path.is_file()]
    return [FILE, *usual, *(["mcc_deploy"] if (folder / "mcc_deploy").is_dir() else [])]


def _warnings(folder: Path, before: frozenset[str]) -> list[str]:
    """Recovery runs an undo with the site's own mcc, which has what mcc needs and no more."""
    names = _foreign(folder, before)
    if not names:
        return []
    return [
        f"{FILE} imports {', '.join(names)}: after a crash its undos run with the site's own mcc, which does not have "
        "that; import it in the functions that need it, or run them in the release's environment"
    ]


def _foreign(folder: Path, before: frozenset[str]) -> list[str]:
    """Top-level modules that came after ``before``, and are neither Python's, nor mcc's, nor the project's own."""
    tops = {name.partition(".")[0] for name in sys.modules} - before - set(sys.stdlib_module_names)
    names = sorted(name for name in tops if _is_from_outside(name, folder))
    if not names:
        return []
    from mcc.host.toolbox import library

    ours = library()
    return [name for name in names if name not in ours]


def _is_from_outside(name: str, folder: Path) -> bool:
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    return name != "mcc" and not name.startswith("_") and file is not None and not Path(file).is_relative_to(folder)


# ---- do, undo


def _run(undo: bool, key: str, code: Path, context: Path, result: Path, answer: Path) -> int:
    try:
        facts = _call(undo, key, code, Context.read(context, result, key))
    except BaseException as error:
        what = shown(error, code)
        said = {"place": what.place if what.line else "", "message": what.message, "help": what.help, "log": what.log}
        return _answer(answer, {"error": said}) or 1
    return _answer(answer, {"facts": facts})


def _answer(path: Path, data: Mapping[str, Any]) -> int:
    """Tell how it went; a disk that takes no file is said on the last line of what is printed."""
    try:
        write_durably(path, data)
    except OSError as error:
        say(f"its answer cannot be written: {error.strerror}: {path}")
        return CANNOT_ANSWER
    return 0


def _call(undo: bool, key: str, code: Path, context: Context) -> Mapping[str, Any]:
    function = _load(code).function(key, undo)
    if function is None:
        raise _Wrong(f"the kept code has no {'undo of ' if undo else ''}{key}")
    facts = _facts(function, function(context))
    if facts and not undo:
        context.remember(**facts)
    return facts


def _facts(function: Callable[..., Any], returned: object) -> Mapping[str, Any]:
    if returned is None:
        return {}
    if not isinstance(returned, dict):
        name = getattr(function, "__name__", "it")
        raise _Wrong(f"{name} gave back {returned!r}; a hook gives back nothing, or a dict of facts")
    facts: Mapping[str, Any] = json.loads(json.dumps(returned, default=str))
    return facts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
