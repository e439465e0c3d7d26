"""Sentences about many databases."""

from __future__ import annotations

import pytest

from mcc.core.wording import all_of, forward
from mcc.errors import MigrationFailed


@pytest.mark.parametrize(
    ("moved", "total", "words"),
    [
        ({}, 3, "as before"),
        ({"a": 0, "b": -1}, 2, "as before"),
        ({"a": 1}, 1, "1 migration ahead"),
        ({"a": 1, "b": 2}, 2, "2 migrations ahead"),
        ({"b": 2, "a": 1}, 3, "2 migrations ahead in a, b"),
        (dict.fromkeys("abcdef", 1), 9, "1 migration ahead in 6 of 9 databases"),
    ],
)
def test_how_far_databases_are_is_said_in_few_words(moved: dict[str, int], total: int, words: str) -> None:
    assert forward(moved, total, "ahead") == words


def test_one_database_alone_has_its_own_error() -> None:
    error = MigrationFailed("a: x", help="h", log=["l"])
    assert all_of([error], 1) is error


def test_all_that_failed_are_named_with_their_reasons() -> None:
    errors = [MigrationFailed("a: x", help="h", log=["l"]), MigrationFailed("b: y")]
    assert all_of(errors[:1], 9).message == "1 of 9 databases could not be migrated: a: x"
    assert all_of(errors[:1], 9).log == ("l",)
    assert all_of(errors, 9).log == ("a: x", "l", "b: y")
    assert all_of(errors, 9).help == "h"
