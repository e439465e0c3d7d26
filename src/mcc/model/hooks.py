"""A project's own Python in ``mcc_deploy.py``, as mcc knows it: names and places, no code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

When = Literal["before", "after", "stage"]


@dataclass(frozen=True, slots=True)
class Hook:
    """One function: ``before`` or ``after`` the step ``at``, or what the ``stage`` of the name ``at`` does.

    ``file`` is relative to the folder of ``mcc_deploy.py``; ``timeout`` is in seconds, for the function and
    for its undo by itself.
    """

    when: When
    at: str
    name: str
    file: str
    line: int
    timeout: float
    undo: bool = False

    @property
    def key(self) -> str:
        """What it is found by when it is run: no two of a project have the same."""
        return f"{self.when} {self.at}: {self.name}"

    @property
    def place(self) -> str:
        """For the reader: ``mcc_deploy.py:12``."""
        return f"{self.file}:{self.line}"

    @property
    def title(self) -> str:
        """For the plan."""
        where = f"stage {self.at}" if self.when == "stage" else f"{self.when} {self.at}"
        return f"{self.name}, {where} ({self.place})"


@dataclass(frozen=True, slots=True)
class ProjectCode:
    """What ``mcc_deploy.py`` says of itself. ``files``: files and folders beside it that it needs, itself too."""

    hooks: tuple[Hook, ...] = ()
    files: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def stage(self, name: str) -> Hook | None:
        """The function that is the operation of a stage, if there is one."""
        return next((hook for hook in self.hooks if hook.when == "stage" and hook.at == name), None)

    @property
    def around_steps(self) -> tuple[Hook, ...]:
        """The hooks of a deploy, as they were written."""
        return tuple(hook for hook in self.hooks if hook.when != "stage")


@dataclass(frozen=True, slots=True)
class HookCall:
    """A hook to be run: its code in ``code``, what it may know in ``context``, what it leaves in ``result``.

    ``context`` holds secrets, and ``result`` may: both are files that only this user can read.
    """

    hook: Hook
    code: Path
    context: Path
    result: Path
