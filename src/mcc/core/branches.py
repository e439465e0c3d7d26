"""Which branches a stage takes."""

from __future__ import annotations

import re

from mcc.model.config import Config, Stage

NEVER = "-"


def allows(pattern: str | None, branch: str) -> bool:
    """Whether a pattern matches the whole branch name; no pattern allows every branch, ``-`` none."""
    if pattern is None:
        return True
    return pattern != NEVER and re.fullmatch(pattern, branch) is not None


def starts_by_itself(stage: Stage, branch: str) -> bool:
    """Whether a push to the branch deploys the stage; without ``auto_branches`` nothing does."""
    pattern = stage.auto_branches
    return pattern is not None and allows(pattern, branch) and allows(stage.allow_branches, branch)


def refusal(config: Config, stage: Stage, branch: str) -> str | None:
    """Why the stage does not take the branch, and which stages would; None if it does."""
    if allows(stage.allow_branches, branch):
        return None
    if stage.allow_branches == NEVER:
        why = f"{_pattern(stage)} allows none"
    else:
        why = f"{_pattern(stage)} must match the whole name"
    return f"stage {stage.name} does not allow branch {branch}: {why}; {_way_out(config, branch)}"


def _pattern(stage: Stage) -> str:
    return f'allow_branches "{stage.allow_branches}"'


def _way_out(config: Config, branch: str) -> str:
    others = [stage for stage in config.stages if allows(stage.allow_branches, branch)]
    if not others:
        return f"no stage of {config.path.name} allows {branch}; deploy another branch, or change allow_branches"
    named = ", ".join(f"{stage.name} ({_pattern(stage) if stage.allow_branches else 'any branch'})" for stage in others)
    return f"allowed by: {named}"
