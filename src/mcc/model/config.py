"""``config.yml``: the stages of a project, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Stage:
    """One child of ``deploy:``.

    ``allow_branches`` and ``auto_branches`` are regular expressions that must match a
    whole branch name; ``None`` where the file says nothing, ``"-"`` for never.
    """

    name: str
    allow_branches: str | None = None
    auto_branches: str | None = None
    link: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file; foreign top-level keys are not in it. ``warnings`` are for the reader."""

    path: Path
    stages: tuple[Stage, ...]
    warnings: tuple[str, ...] = ()

    def stage(self, name: str) -> Stage | None:
        """The stage of that name, or None."""
        return next((stage for stage in self.stages if stage.name == name), None)
