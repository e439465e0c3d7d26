"""Which database of a clone's source becomes which one of its target."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcc.core.domain_map import pairs, untouched
from mcc.errors import UsageError

NAMES = st.lists(st.from_regex(r"[a-z]{1,6}\.example", fullmatch=True), unique=True, max_size=6)


@given(NAMES, NAMES)
def test_equal_counts_go_by_position_and_others_are_refused_with_the_table_to_write(
    source: list[str], target: list[str]
) -> None:
    if len(source) == len(target):
        assert pairs(source, target, (), "conf-dev.yml") == tuple(zip(source, target, strict=True))
        return
    with pytest.raises(UsageError, match="which becomes which") as caught:
        pairs(source, target, (), "conf-dev.yml")
    assert "conf-dev.yml:\nCLONE_DOMAINS:" in caught.value.help
    for name in (*source, *target):
        assert name in caught.value.help


@given(st.permutations(["a", "b", "c"]), st.integers(0, 3))
def test_a_table_decides_and_what_it_does_not_name_is_left_alone(order: list[str], count: int) -> None:
    table = tuple(zip(order, ("x", "y", "z"), strict=True))[: max(1, count)]
    chosen = pairs(["a", "b", "c"], ["z", "y", "x"], table, "conf-dev.yml")
    assert set(chosen) == set(table)
    assert [theirs for _, theirs in chosen] == [name for name in ("z", "y", "x") if name in dict(table).values()]
    assert set(untouched(["z", "y", "x"], chosen)) == {"x", "y", "z"} - {theirs for _, theirs in table}


@pytest.mark.parametrize(
    ("table", "message", "help"),
    [
        ((("ap.example", "dev.example"),), "names ap.example, which the source does not have", "mean app.example"),
        ((("app.example", "dew.example"),), "dew.example, which the target does not have", "mean dev.example"),
        ((("app.example", "dev.example"), ("two.example", "dev.example")), "both app.example and two.example", ""),
    ],
)
def test_a_table_that_does_not_fit_is_refused(table: tuple[tuple[str, str], ...], message: str, help: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        pairs(["app.example", "two.example"], ["dev.example", "dev2.example"], table, "conf-dev.yml")
    assert help in caught.value.help
