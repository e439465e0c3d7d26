"""The table of faults in docs/reliability.md: each row names a test, and that test exists."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from unit.test_docs import DOCS, ROOT, quoted, table

HEAD = ("fault", "visitors get", "state afterwards", "exit code", "message", "test")
ROWS = table((DOCS / "reliability.md").read_text("utf-8"), *HEAD)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_fault_has_all_four_answers_and_a_test_that_exists(row: list[str]) -> None:
    assert len(row) == len(HEAD), row
    assert all(row), row
    tests = quoted(row[-1])
    assert tests, row
    for test in tests:
        file, _, name = test.partition("::")
        assert name in functions(ROOT / file), test


def test_no_test_of_a_fault_is_left_out() -> None:
    named = {test for row in ROWS for test in quoted(row[-1])}
    files = sorted((ROOT / "tests/box").glob("test_faults_*.py"))
    made = {f"tests/box/{file.name}::{name}" for file in files for name in functions(file) if name.startswith("test_")}
    assert made - named == set()


def functions(file: Path) -> set[str]:
    """The names of the functions of a file."""
    tree = ast.parse(file.read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
