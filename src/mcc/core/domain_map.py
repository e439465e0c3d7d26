"""Which database of a clone's source becomes which one of its target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from mcc.core.nearest import did_you_mean
from mcc.errors import UsageError

Pairs: TypeAlias = tuple[tuple[str, str], ...]
"""``(name in the source, name in the target)``."""


def pairs(source: Sequence[str], target: Sequence[str], table: Pairs, conf: str) -> Pairs:
    """By the table of the target's conf, else by position, in the order of the target.

    ``conf`` is the name of the file that the table belongs into. Raises UsageError for a table that
    does not fit, and for different counts without one: whose data would go where must not be guessed.
    """
    if not table:
        return _by_position(source, target, conf)
    for place, (ours, theirs) in enumerate(table):
        _known(ours, source, f"{conf}: CLONE_DOMAINS names {ours}, which the source does not have")
        _known(theirs, target, f"{conf}: CLONE_DOMAINS brings {ours} to {theirs}, which the target does not have")
        first = next((name for name, other in table[:place] if other == theirs), None)
        if first is not None:
            raise UsageError(f"{conf}: CLONE_DOMAINS brings both {first} and {ours} to {theirs}", help="choose one")
    return tuple(sorted(table, key=lambda pair: target.index(pair[1])))


def untouched(target: Sequence[str], chosen: Pairs) -> tuple[str, ...]:
    """Databases of the target that nothing is brought to."""
    reached = {theirs for _, theirs in chosen}
    return tuple(name for name in target if name not in reached)


def _by_position(source: Sequence[str], target: Sequence[str], conf: str) -> Pairs:
    if len(source) != len(target):
        message = f"the source has {_many(len(source))}, the target {_many(len(target))}: which becomes which?"
        raise UsageError(message, help=f"say it in {conf}:\n{proposal(source, target)}")
    return tuple(zip(source, target, strict=True))


def proposal(source: Sequence[str], target: Sequence[str]) -> str:
    """The table to write, as far as it can be guessed."""
    rest = [f"  # left out: {name}" for name in source[len(target) :]]
    rest += [f"  # nothing for: {name}" for name in target[len(source) :]]
    return "\n".join(["CLONE_DOMAINS:", *(f"  {a}: {b}" for a, b in zip(source, target, strict=False)), *rest])


def _known(name: str, names: Sequence[str], message: str) -> None:
    if name not in names:
        hints = [did_you_mean(name, names), f"it has: {', '.join(names) or 'none'}"]
        raise UsageError(message, help="; ".join(filter(None, hints)))


def _many(count: int) -> str:
    return f"{count} database" if count == 1 else f"{count} databases"
