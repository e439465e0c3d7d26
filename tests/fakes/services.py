"""A service manager whose services run what the fake disk holds when they are started."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from fakes.clock import Time
from fakes.files import FakeFiles
from fakes.process import Process
from mcc.errors import ServiceFailed
from mcc.model.service import ServiceState

Behaviour = Literal[
    "good", "refuses to start", "ends at once", "dies", "crash loop", "answers 500", "hangs", "slow"
]  # fmt: skip
"""How a release behaves when it is started.

``refuses to start``: the restart itself fails. ``ends at once``: it succeeds, and the service is
failed. ``dies``: after a second, for good. ``crash loop``: after a second, again and again.
``slow``: answers after two seconds.
"""

BEHAVES = "BEHAVES"
"""A file of this name in a release (or in its ``api`` folder) holds the behaviour of its services."""

_LIFE = 1.0
_WARM_UP = 2.0


@dataclass(slots=True)
class Unit:
    """One service. ``release`` is what it was started with; ``starts`` all of those, oldest first.

    ``triggers`` are units that start it, such as a socket.
    """

    name: str
    enabled: bool = True
    up: bool = False
    broken_start: bool = False
    release: str = ""
    behaviour: Behaviour = "good"
    started: float = 0.0
    number: int = 0
    starts: list[str] = field(default_factory=list)
    triggers: tuple[str, ...] = ()


@dataclass(slots=True)
class ServicesState:
    """``runs`` says which release a service would run now; ``broken`` how it behaves, by a part of that text."""

    base: Path
    units: dict[str, Unit]
    runs: Callable[[FakeFiles, Path], str]
    broken: dict[str, Behaviour] = field(default_factory=dict)
    may_stop: bool = True

    def behaviour(self, files: FakeFiles, release: str, folder: str = "current-api") -> Behaviour:
        """How a release behaves: as ``broken`` says, else as its file ``BEHAVES`` says."""
        for part, behaviour in self.broken.items():
            if part in release:
                return behaviour
        if not release:
            return "refuses to start"
        for place in (self.base / folder, self.base / folder / "api"):
            if files.kind(place / BEHAVES) == "file":
                return _known(files.read(place / BEHAVES).decode().strip())
        return "good"

    def release_of(self, files: FakeFiles, unit: str) -> str:
        """What a unit would run now."""
        slot = slot_of_unit(unit)
        return slot_release(files, self.base, slot) if slot else self.runs(files, self.base)


def slot_of_unit(name: str) -> str:
    """``a`` of ``app@a.service``; empty for a unit that is none of two slots."""
    instance = name.removesuffix(".service").partition("@")[2]
    return instance if instance in ("a", "b") else ""


def slot_release(files: FakeFiles, base: Path, slot: str) -> str:
    """The release and its environment behind ``slots/a``; empty where that leads nowhere."""
    link = base / "slots" / slot
    if files.kind(link) != "link":
        return ""
    release = Path(os.path.normpath(base / "slots" / files.read_link(link)))
    if not files.names(release):
        return ""
    inner = release / ".venv"
    linked = files.kind(inner) == "link"
    environment = os.path.normpath(release / files.read_link(inner)) if linked else str(release)
    words = f"{release.relative_to(base)} {Path(environment).relative_to(base)}"
    return words if files.names(Path(environment)) else ""


def linked_release(files: FakeFiles, base: Path) -> str:
    """``<target of current-api> <target of .venv>``; empty if one of them leads nowhere."""
    words = []
    for name in ("current-api", ".venv"):
        kind = files.kind(base / name)
        if kind == "absent" and name == ".venv":
            continue
        if kind not in ("link", "folder") or not files.names(base / name):
            return ""
        words.append(files.read_link(base / name) if kind == "link" else name)
    return " ".join(words)


class FakeServices:
    """The port ``Services``. ``files`` is root's hand on the fake disk."""

    def __init__(self, state: ServicesState, files: FakeFiles, time: Time, process: Process) -> None:
        self._state = state
        self._files = files
        self._time = time
        self._process = process

    def state(self, name: str) -> ServiceState:
        unit = self._state.units.get(name)
        if unit is None:
            return ServiceState(name, known=False, active=False, words="not found")
        return unit_state(unit, self._time.passed)

    def status(self, name: str) -> tuple[str, ...]:
        state = self.state(name)
        unit = self._state.units.get(name)
        return (f"{name}: {state.words}", f"runs: {unit.release if unit else ''}")

    def may_stop(self, name: str) -> bool:
        return self._state.may_stop

    def definition(self, name: str) -> bytes | None:
        return None

    def restart(self, name: str, definition: bytes | None = None) -> None:
        self._process.breathe()
        unit = self._unit(name)
        self._process.tick("services.restart", name, _failure)
        start(unit, self._state, self._files, self._time.passed)
        self._process.tick("services.restart: restarted", name, _failure)
        if unit.broken_start:
            raise ServiceFailed(f"{name} did not start", log=self.status(name))

    def stop(self, name: str) -> None:
        self._process.breathe()
        unit = self._unit(name)
        self._process.tick("services.stop", name, _failure)
        if not self._state.may_stop:
            raise ServiceFailed(f"{name} may not be stopped")
        unit.up = unit.broken_start = False
        self._process.tick("services.stop: stopped", name, _failure)

    def _unit(self, name: str) -> Unit:
        unit = self._state.units.get(name)
        if unit is None:
            raise ServiceFailed(f"Unit {name} not found.")
        return unit


def start(unit: Unit, state: ServicesState, files: FakeFiles, now: float) -> None:
    """Start a unit with what its links name now. A slot without its link is not started, and that is no failure."""
    slot = slot_of_unit(unit.name)
    if slot and files.kind(state.base / "slots" / slot) == "absent":
        unit.up = unit.broken_start = False
        return
    unit.release = state.release_of(files, unit.name)
    unit.behaviour = state.behaviour(files, unit.release, f"slots/{slot}" if slot else "current-api")
    unit.starts.append(unit.release)
    unit.number += 1
    unit.started = now
    unit.broken_start = unit.behaviour == "refuses to start"
    unit.up = not unit.broken_start


def unit_state(unit: Unit, now: float) -> ServiceState:
    """What systemd would say of a unit at a moment."""
    age = now - unit.started
    lives = int(age // _LIFE) if unit.up and unit.behaviour == "crash loop" else 0
    start_id = f"{unit.name}#{unit.number}" + (f".{lives}" if lives else "") if unit.number else ""
    failed = unit.broken_start or (unit.up and unit.behaviour == "ends at once")
    failed = failed or (unit.up and unit.behaviour == "dies" and age >= _LIFE)
    if not unit.up or failed:
        words = "failed (Result: exit-code)" if failed else "inactive (dead)"
        return ServiceState(unit.name, True, False, words, start_id, None, 0, failed, triggers=unit.triggers)
    up_for = age - lives * _LIFE
    return ServiceState(
        unit.name, True, True, "active (running)", start_id, up_for, lives, False, triggers=unit.triggers
    )  # fmt: skip


def answer_of(unit: Unit, now: float) -> tuple[int, str]:
    """What a web service answers: a status, or 0 and the reason."""
    if not unit_state(unit, now).active:
        return 0, "connection refused"
    if unit.behaviour == "answers 500":
        return 500, "Internal Server Error"
    if unit.behaviour == "hangs":
        return 0, "timed out"
    if unit.behaviour == "slow" and now - unit.started < _WARM_UP:
        return 503, "Service Unavailable"
    return 200, "OK"


def _known(word: str) -> Behaviour:
    for behaviour in get_args(Behaviour):
        if behaviour == word:
            return behaviour  # type: ignore[no-any-return]
    raise ValueError(f"{BEHAVES}: {word!r} is none of {get_args(Behaviour)}")


def _failure(what: str, path: str) -> Exception:
    return ServiceFailed(f"systemctl {path} ended with exit code 1")
