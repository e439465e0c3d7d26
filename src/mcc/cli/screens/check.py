"""What ``mcc check`` found, as text or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from mcc.check.check import Checked
from mcc.core.looks.branch_table import BranchTable
from mcc.core.looks.findings import Finding, as_data, count, in_groups
from mcc.core.wording import many

_MARKS = {"error": "error", "warning": "warning", "ok": "ok"}
_WIDTH = 14
_SHOWN = 3
"""Findings of one group that are fine, before the rest is counted."""


def show_check(checked: Checked, format: str) -> None:
    """Group by group, the worst first; what is fine takes one line."""
    if format == "json":
        print(json.dumps(checked.masker.mask_data(_data(checked)), indent=2, ensure_ascii=False))
        return
    print(_head(checked))
    for name, findings in in_groups(checked.findings).items():
        for line in _group(name, findings):
            print(checked.masker.mask(line))
    if checked.table is not None:
        print()
        for line in _table(checked.table):
            print(line)
    print()
    print(_end(checked))


def _head(checked: Checked) -> str:
    what = {"project": "the project", "output": "the output folder", "server": "this server for", "site": "the site"}
    stage = f", stage {checked.stage}" if checked.stage else ""
    return f"{what[checked.place]} {checked.folder}{stage}\n"


def _group(name: str, findings: Sequence[Finding]) -> Iterator[str]:
    bad = [finding for finding in findings if finding.level != "ok"]
    for finding in bad:
        yield from _bad(name, finding)
    if not bad:
        yield f"{name:<{_WIDTH}}ok       {_fine(findings)}"


def _fine(findings: Sequence[Finding]) -> str:
    texts = list(dict.fromkeys(f"{each.where}: {each.message}" if each.where else each.message for each in findings))
    more = f"; and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return "; ".join(texts[:_SHOWN]) + more


def _bad(name: str, finding: Finding) -> Iterator[str]:
    place = f"{finding.where}: " if finding.where else ""
    first, *rest = f"{place}{finding.message}".splitlines() or [""]
    yield f"{name:<{_WIDTH}}{_MARKS[finding.level]:<8} {first}"
    for line in rest:
        yield " " * (_WIDTH + 9) + line
    if finding.help:
        yield f"{'':<{_WIDTH}}{'':<8} -> {finding.help}"


def _table(table: BranchTable) -> Iterator[str]:
    """Branches by stages."""
    width = max([6, *(len(branch) for branch, _ in table.rows)])
    widths = [max(7, len(stage)) for stage in table.stages]
    yield "  ".join(["branch".ljust(width), *(s.ljust(w) for s, w in zip(table.stages, widths, strict=True))]).rstrip()
    for branch, cells in table.rows:
        yield "  ".join([branch.ljust(width), *(c.ljust(w) for c, w in zip(cells, widths, strict=True))]).rstrip()


def _end(checked: Checked) -> str:
    errors, warnings = count(checked.findings, "error"), count(checked.findings, "warning")
    facts = ", ".join(many(number, word) for number, word in ((errors, "error"), (warnings, "warning")) if number)
    if errors:
        return f"{facts}: a deploy would be stopped, or would end badly"
    return f"nothing stands in the way of a deploy{f'; {facts}' if facts else ''}"


def _data(checked: Checked) -> dict[str, Any]:
    table = checked.table
    return {
        "place": checked.place,
        "folder": str(checked.folder),
        "stage": checked.stage,
        "green": checked.green,
        "errors": count(checked.findings, "error"),
        "warnings": count(checked.findings, "warning"),
        "findings": [as_data(finding) for finding in checked.findings],
        "branches": {branch: dict(zip(table.stages, cells, strict=True)) for branch, cells in table.rows}
        if table
        else {},
    }
