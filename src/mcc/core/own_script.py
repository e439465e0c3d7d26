"""A deploy script of a project's own: what of it mcc does by itself, and what it does not. Nothing is run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from mcc.core.stages import operation

# What a function speaks of -> what mcc has for it. The first that fits counts.
_DONE_BY_MCC = (
    (r"^def clone_", "clone"),
    (r"\bcrontab\b", "cron jobs: CRON_JOBS"),
    (r"\bsystemctl\b", "services: SERVICE_NAME, SERVICES"),
    (r"copytree", "copies of the components: COMPONENTS"),
    (r"\balembic\b|\bsqlite3\b|\bpsql\b|migrations", "migrations"),
    (r"\bchown\b|\bchmod\b", "owners: OWNERSHIP"),
    (r"\buv\b.{0,20}\bsync\b|\bvenv\b", "the environment"),
    (r"symlink_to|os\.symlink|\bln\b", "links"),
    (
        r"(?=.*(?:smoke|health|check|status|alive)).*(?:requests\.get|urlopen|httpx|\bcurl\b)",
        "smoke tests: HEALTH_PATH, SMOKE_URLS",
    ),
    (r"rmtree", "retention: keep_builds"),
    (r"copy2|shutil\.copy", "copies of the components: COMPONENTS"),
    (r"safe_load|config\.yml|conf-", "reading config.yml and the conf"),
)
_RUNS = frozenset({"run", "check_call", "check_output", "call", "Popen", "system", "execute"})
# Speaks to somebody else, and may be a message rather than a smoke test.
_CALLS_OUT = r"\brequests\.|\burlopen\b|\bhttpx\b|\bsmtplib\b"
# The order of the steps itself, which is mcc's.
_FLOW = frozenset({"main", "deploy"})


@dataclass(frozen=True, slots=True)
class Part:
    """A function of the script, or a stage that it handles. ``by_mcc``: what does it there; empty: a hook is needed."""

    name: str
    line: int
    kind: str
    by_mcc: str


def parts_of(text: str) -> tuple[Part, ...]:
    """Functions that do something, and stages that are no deploys, in the order of the file. Raises SyntaxError."""
    tree = ast.parse(text)
    found = [*_functions(tree, text), *_stages(tree)]
    return tuple(sorted(found, key=lambda part: part.line))


def _functions(tree: ast.Module, text: str) -> Iterator[Part]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name not in _FLOW | _RUNS:
            source = ast.get_source_segment(text, node) or ""
            by_mcc = _by_mcc(source)
            if by_mcc or _does_something(node) or re.search(_CALLS_OUT, source):
                yield Part(node.name, node.lineno, "function", by_mcc)


def _by_mcc(source: str) -> str:
    return next((what for pattern, what in _DONE_BY_MCC if re.search(pattern, source, re.DOTALL)), "")


def _does_something(node: ast.FunctionDef) -> bool:
    """Whether it runs a program, or something of the project's."""
    calls = (each for each in ast.walk(node) if isinstance(each, ast.Call))
    return any(_name(call.func) in _RUNS for call in calls)


def _stages(tree: ast.Module) -> Iterator[Part]:
    """``if stage == "…"``: what the script treats apart."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and _name(node.left) == "stage" and isinstance(node.ops[0], ast.Eq):
            value = node.comparators[0]
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield Part(value.value, node.lineno, "stage", operation(value.value, {}) or "")


def _name(value: ast.expr) -> str:
    return value.attr if isinstance(value, ast.Attribute) else value.id if isinstance(value, ast.Name) else ""
