"""Steps as data: what a journal keeps of them, and back."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any

from pydantic import TypeAdapter

from mcc.host.ports import Files
from mcc.model.plan import MAY_HOLD_SECRETS, PlannedStep, Seen, Step

Mask = Callable[[Any], Any]

Kinds = Mapping[str, type[Any]]
"""The step classes by name."""


def kinds_of(*classes: type[Any]) -> Kinds:
    """The table that a journal is read with."""
    return {cls.__name__: cls for cls in classes}


def encode(planned: PlannedStep, mask: Mask) -> dict[str, Any]:
    """A planned step as JSON values.

    Only titles, and fields that say of themselves that they may hold secrets, are masked: an undo
    needs every path as it is.
    """
    step: Any = planned.step
    kind: Any = type(step)
    values = as_json(step)
    for item in dataclasses.fields(step):
        if item.metadata.get(MAY_HOLD_SECRETS):
            values[item.name] = mask(values[item.name])
    return {
        "phase": planned.phase,
        "title": mask(planned.title),
        "optional": planned.optional,
        "kind": kind.__name__,
        "step": values,
    }


def decode(data: Mapping[str, Any], kinds: Kinds) -> PlannedStep:
    """The planned step that :func:`encode` wrote. Raises KeyError, ValueError."""
    kind: Any = kinds[data["kind"]]
    step: Step = _adapter(kind).validate_python(data["step"])
    return PlannedStep(data["phase"], data["title"], step, data["optional"])


def as_json(value: Any) -> Any:
    """A value of the model as JSON has it: what a :class:`TypeAdapter` reads back.

    The adapters write the same, but each takes milliseconds to be made, and a run meets a dozen kinds of steps while
    it holds the site. Raises TypeError for a type that nothing in a journal has so far.
    """
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, (tuple, list)):
        return [as_json(each) for each in value]
    if isinstance(value, Mapping):
        return {_key(key): as_json(each) for key, each in value.items()}
    if dataclasses.is_dataclass(value):
        return {item.name: as_json(getattr(value, item.name)) for item in dataclasses.fields(value)}
    raise TypeError(f"a journal has no words for a {type(value).__name__}")


def _key(key: object) -> str:
    if not isinstance(key, (str, PurePath)):
        raise TypeError(f"a journal has no words for a key that is a {type(key).__name__}")
    return str(key)


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    # Making one takes milliseconds, and a plan has many steps of a kind.
    return TypeAdapter(kind)


class Keeper:
    """What a look saw, as JSON: contents (bytes) go into files of their own, mode 0600.

    A crontab or a replaced file may hold secrets; a journal never does.
    """

    def __init__(self, files: Files, folder: Path) -> None:
        self._files = files
        self._folder = folder

    def put_away(self, index: int, seen: Seen) -> dict[str, Any]:
        """Write the bytes of ``seen`` aside; what is left is JSON."""
        return {key: self._put(f"{index}-{_plain(key)}", value) for key, value in seen.items()}

    def take_out(self, seen: Mapping[str, Any]) -> dict[str, Any]:
        """The contents back in their places."""
        return {key: self._take(value) for key, value in seen.items()}

    def _put(self, name: str, value: Any) -> Any:
        if not isinstance(value, bytes):
            return value
        self._files.make_folder(self._folder, 0o700)
        self._files.write(self._folder / name, value, 0o600)
        return {"$kept": name}

    def _take(self, value: Any) -> Any:
        if isinstance(value, dict) and set(value) == {"$kept"}:
            return self._files.read(self._folder / value["$kept"])
        return value


def _plain(key: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", key)
