"""What each branch of a repository would trigger, and where an older script would have judged otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from mcc.core.branches import NEVER, allows, starts_by_itself
from mcc.core.looks.findings import Finding, warning
from mcc.model.config import Config, Stage

Cell = Literal["auto", "allowed", "-"]
"""``auto``: a push deploys it; ``allowed``: a person may; ``-``: neither."""

# Branches that many projects have or will have: patterns are tried on them too.
_USUAL = ("main-old", "not-main", "feature/main", "dev-2", "my-dev", "release/1.0")


@dataclass(frozen=True, slots=True)
class BranchTable:
    """One row a branch, one cell a stage."""

    stages: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


def branch_table(config: Config, branches: Sequence[str]) -> BranchTable:
    """What each branch would trigger."""
    rows = ((branch, tuple(_cell(stage, branch) for stage in config.stages)) for branch in branches)
    return BranchTable(tuple(stage.name for stage in config.stages), tuple(rows))


def _cell(stage: Stage, branch: str) -> Cell:
    if starts_by_itself(stage, branch):
        return "auto"
    return "allowed" if allows(stage.allow_branches, branch) else "-"


def judge(config: Config, branches: Sequence[str]) -> Iterator[Finding]:
    """Patterns that mean something else than they did, or nothing."""
    for stage in config.stages:
        where = f"{config.path.name}:{stage.line}" if stage.line else config.path.name
        for key in ("allow_branches", "auto_branches"):
            pattern = getattr(stage, key)
            if pattern is not None and pattern != NEVER:
                yield from _older(where, stage, key, pattern, branches)
        yield from _nobody(where, stage, branches)
        yield from _vain(where, stage, branches)


def _older(where: str, stage: Stage, key: str, pattern: str, branches: Sequence[str]) -> Iterator[Finding]:
    """Branches that a pattern allowed where it had to match the beginning, or any part, of the name only."""
    known = [branch for branch in branches if _differs(pattern, branch)]
    usual = [branch for branch in _USUAL if _differs(pattern, branch)]
    if known or usual:
        shown = ", ".join((known or usual)[:5])
        message = f'{stage.name}: {key} "{pattern}" must match the whole name, so {shown} is not meant any more'
        help = f'"{_wider(pattern)}" takes them; "^(?:{pattern.strip("^$")})$" says that they are not meant'
        yield warning("branches.whole-name", where, message, help)


def _differs(pattern: str, branch: str) -> bool:
    return re.search(pattern, branch) is not None and not allows(pattern, branch)


def _wider(pattern: str) -> str:
    """A pattern that matches whole names wherever this one matches a part."""
    before, after = ("" if pattern.startswith("^") else ".*"), ("" if pattern.endswith("$") else ".*")
    return f"^{before}(?:{pattern.strip('^$')}){after}$"


def _nobody(where: str, stage: Stage, branches: Sequence[str]) -> Iterator[Finding]:
    if (
        stage.allow_branches not in (None, NEVER)
        and branches
        and not any(allows(stage.allow_branches, b) for b in branches)
    ):
        message = f'{stage.name}: no branch of this repository matches allow_branches "{stage.allow_branches}"'
        yield warning("branches.nobody", where, message, "correct the pattern, or make the branch")


def _vain(where: str, stage: Stage, branches: Sequence[str]) -> Iterator[Finding]:
    """Branches that start the stage by ``auto_branches`` and are stopped by ``allow_branches``."""
    if stage.auto_branches is None:
        return
    stopped = [b for b in branches if allows(stage.auto_branches, b) and not allows(stage.allow_branches, b)]
    if stopped:
        message = f"{stage.name}: auto_branches takes {', '.join(stopped[:5])}, which allow_branches refuses"
        yield warning(
            "branches.in-vain", where, message, "let allow_branches take them too, or auto_branches leave them out"
        )
