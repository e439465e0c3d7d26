"""The rules of the house that no import linter can see."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "mcc"
ROOMS = (
    "model", "core", "steps", "engine", "runs", "deploy", "operations", "provision", "init", "check", "cli",
)  # fmt: skip
OUTSIDE_HOST = [path for room in ROOMS for path in sorted((SOURCE / room).rglob("*.py"))]

# What only host/ may touch: the disk, the clock, the environment, other processes.
FORBIDDEN_CALLS = {
    "open", "read_text", "read_bytes", "write_text", "write_bytes", "mkdir", "rmdir", "unlink", "rename", "touch",
    "symlink_to", "hardlink_to", "readlink", "is_file", "is_dir", "is_symlink", "iterdir", "glob", "rglob", "stat",
    "lstat", "chmod", "getenv", "monotonic", "perf_counter", "time", "utcnow", "sleep", "fork", "kill", "system",
}  # fmt: skip
# Methods of our own ports that bear the same names.
OURS = {"files", "_files", "clock", "_clock", "host"}


def _calls(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "environ":
            yield node.lineno, "environ"
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        if isinstance(function, ast.Name) and function.id == "open":
            yield node.lineno, "open"
        if isinstance(function, ast.Attribute) and function.attr in FORBIDDEN_CALLS and not _is_ours(function.value):
            yield node.lineno, function.attr


def _is_ours(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id.startswith("Real")
    name = value.attr if isinstance(value, ast.Attribute) else getattr(value, "id", "")
    return name in OURS


@pytest.mark.parametrize("path", OUTSIDE_HOST, ids=lambda path: str(path.relative_to(SOURCE)))
def test_only_host_touches_the_machine(path: Path) -> None:
    """Disk, clock, environment and processes are reached through host/ alone."""
    found = [f"{path.name}:{line}: {name}" for line, name in _calls(ast.parse(path.read_text()))]
    assert found == []


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_state_at_module_level(path: Path) -> None:
    """Nothing is changed at module level: no ``global``, anywhere."""
    assert not any(isinstance(node, ast.Global) for node in ast.walk(ast.parse(path.read_text())))
