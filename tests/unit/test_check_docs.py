"""The page on ``mcc check`` and its code say the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from mcc.check.server import LOOKS
from mcc.host.senses import Trust

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "mcc"
PAGE = (ROOT / "docs" / "check.md").read_text("utf-8")
FILES = [
    *sorted((SOURCE / "check").glob("*.py")),
    *(SOURCE / "core/looks" / f"{name}.py" for name in ("sudo_list", "nginx", "unit", "branch_table")),
    SOURCE / "core/cron/look.py",
    SOURCE / "deploy" / "checks.py",
]
GROUPS = {*LOOKS, "config", "branches", "hooks", "output"}
CODE = re.compile(rf"(?:{'|'.join(sorted(GROUPS))})\.[a-z-]+")


def codes(path: Path, of_ok: bool) -> Iterator[str]:
    """Codes in a file; ``of_ok``: those of what is fine, else all."""
    for node in ast.walk(ast.parse(path.read_text())):
        if of_ok and isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ok":
            yield str(getattr(node.args[0], "value", ""))
        elif (
            not of_ok and isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value)
        ):
            yield node.value


def test_every_finding_is_on_the_page_and_no_other() -> None:
    known = {code for path in FILES for code in codes(path, False)} - {"config.yml", "nginx.conf"}
    fine = {code for path in FILES for code in codes(path, True)}
    trust = {f"certificates.{word}" for word in get_args(Trust)} - {"certificates.good"}
    rows = re.findall(r"^\| `([a-z-]+\.[a-z-]+)` \| (error|warning|both) \|", PAGE, re.M)
    assert len(known) > 80
    assert {code for code, _ in rows} == (known - fine) | trust
    assert [code for code, _ in rows] == sorted(code for code, _ in rows)


def test_levels_on_the_page_are_those_of_the_code() -> None:
    """Where both are possible the page says so."""
    levels: dict[str, set[str]] = {}
    words = {
        "error": "error",
        "problems": "error",
        "_coded": "error",
        "warning": "warning",
        "_said": "warning",
        "_broader": "warning",
    }
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name, code = getattr(node.func, "id", ""), str(node.args[0].value)
                if CODE.fullmatch(code) and name in words:
                    levels.setdefault(code, set()).add(words[name])
                elif CODE.fullmatch(code) and name == "level":
                    levels[code] = {"error", "warning"}
    levels["nginx.domain"].add("warning")  # where the domain answers all the same
    rows = dict(re.findall(r"^\| `([a-z-]+\.[a-z-]+)` \| (error|warning|both) \|", PAGE, re.M))
    wrong = {
        code: (rows[code], found)
        for code, found in levels.items()
        if rows[code] != ("both" if len(found) == 2 else found.pop())
    }
    assert wrong == {}
