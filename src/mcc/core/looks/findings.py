"""What a look at a project, an output folder or a server has found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["error", "warning", "ok"]
"""``error``: the next deploy would fail; ``warning``: it would not, but somebody should know; ``ok``: fine."""

_RANK: Mapping[Level, int] = {"error": 0, "warning": 1, "ok": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    ``code`` is a word of small letters and hyphens that programs may compare (``certificate-expires``);
    the part before the first dot, where there is one, is the group that it is shown under
    (``nginx.root``). ``where`` names a file with its line, a unit, a domain; it may be empty.
    ``help`` is the way out; every finding that is no ``ok`` has one.
    """

    code: str
    level: Level
    where: str
    message: str
    help: str = ""

    @property
    def group(self) -> str:
        """What it is about: ``nginx`` of ``nginx.root``."""
        return self.code.partition(".")[0]

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.message}" + (f" ({self.help})" if self.help else "")


def ok(code: str, message: str, where: str = "") -> Finding:
    """Looked at, and fine."""
    return Finding(code, "ok", where, message)


def error(code: str, where: str, message: str, help: str) -> Finding:
    """The next deploy would fail for this."""
    return Finding(code, "error", where, message, help)


def warning(code: str, where: str, message: str, help: str) -> Finding:
    """A deploy would not fail for this, but somebody should know."""
    return Finding(code, "warning", where, message, help)


def worst(findings: Iterable[Finding]) -> Level:
    """The level of the whole; ``ok`` where there is none."""
    return min((finding.level for finding in findings), key=_RANK.__getitem__, default="ok")


def green(findings: Iterable[Finding]) -> bool:
    """Whether nothing would stop a deploy: warnings are allowed."""
    return worst(findings) != "error"


def count(findings: Iterable[Finding], level: Level) -> int:
    """How many there are of a level."""
    return sum(finding.level == level for finding in findings)


def in_groups(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """By what they are about, in the order in which the groups came; the worst of a group first."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.group, []).append(finding)
    return {name: sorted(each, key=lambda finding: _RANK[finding.level]) for name, each in groups.items()}


def as_data(finding: Finding) -> dict[str, Any]:
    """As JSON values."""
    return {
        "code": finding.code,
        "level": finding.level,
        "where": finding.where,
        "message": finding.message,
        "help": finding.help,
    }
