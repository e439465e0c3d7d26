"""``.env``: read as shells and as systemd read it, changed line by line, and written so that both agree."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcc.core.conf.unfit import Unfit
from mcc.core.dotenv import differences, for_systemd, variables
from mcc.core.dotenv_edit import line_for, with_variables, without_variables

NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,3}", fullmatch=True)
VALUES = st.text(st.characters(exclude_categories=["C", "Zl", "Zp", "Zs"], include_characters="\t "), max_size=20)
LINES = st.one_of(
    st.builds("{}={}".format, NAMES, st.sampled_from(["1", "a b", "'x # y'", '"a\\"b"', "", "\\ x", "a#b", "c # d"])),
    st.sampled_from(["", "# note", "; note", "export E=1", "nonsense", "  F = g ", "# a \\", 'M="one', 'two"']),
)
TEXTS = st.lists(LINES).map("\n".join) | st.lists(LINES).map(lambda lines: "".join(f"{line}\n" for line in lines))


@given(TEXTS, NAMES, VALUES)
def test_what_is_written_is_read_alike_by_both_and_nothing_else_changes(text: str, name: str, value: str) -> None:
    try:
        changed = with_variables(text, {name: value})
    except Unfit:
        return
    assert variables(changed) == {**variables(text), name: value}
    assert for_systemd(changed) == {**for_systemd(text), name: value}


@given(st.dictionaries(NAMES, VALUES, max_size=5))
def test_a_new_file_is_never_refused_and_has_no_differences(values: dict[str, str]) -> None:
    text = with_variables("", values)
    assert variables(text) == for_systemd(text) == values
    assert differences(text) == ()
    assert text.count("\n") == len(values)


@given(st.dictionaries(NAMES, VALUES, max_size=5), NAMES)
def test_taking_a_variable_out_takes_only_that(values: dict[str, str], name: str) -> None:
    assert variables(without_variables(with_variables("# note\n", values), [name])) == {
        key: value for key, value in values.items() if key != name
    }


@pytest.mark.parametrize(
    "value", ["a b", "it's", 'a "b" c', "$HOME", "`id`", "a\\b\\\\", "#x", "x # y", "größe €", "\t", " "]
)
def test_a_shell_reads_what_is_written(value: str) -> None:
    script = f"{line_for('NAME', value)}\nprintf %s \"$NAME\""
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"})
    assert done.stdout.decode() == value


def test_comments_order_and_foreign_lines_stay() -> None:
    text = "# first\nA=1\n\n; old\nB='x y' # why\nexport C=3\r\nnonsense\n"
    assert with_variables(text, {"B": "z", "D": "a b"}) == (
        '# first\nA=1\n\n; old\nB=z\nexport C=3\r\nnonsense\nD="a b"\n'
    )
    assert without_variables(text, ["A", "C"]) == "# first\n\n; old\nB='x y' # why\nnonsense\n"


def test_a_name_that_is_given_twice_is_given_once_afterwards_where_it_counted() -> None:
    assert with_variables("A=1\nB=2\nA=3", {"A": "4"}) == "B=2\nA=4"
    assert without_variables("A=1\nB=2\nA=3", ["A"]) == "B=2\n"


def test_a_value_over_several_lines_is_replaced_whole() -> None:
    text = 'A=1\nKEY="-----BEGIN\nB=2\n-----END"\nC=3\n'
    assert variables(text)["KEY"] == "-----BEGIN\nB=2\n-----END"
    assert with_variables(text, {"KEY": "x"}) == "A=1\nKEY=x\nC=3\n"
    assert without_variables(text, ["KEY"]) == "A=1\nC=3\n"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("1A", "x", "no name"),
        ("A-B", "x", "no name"),
        ("", "x", "no name"),
        ("A", "a\nb", "a line break"),
        ("A", "a\rb", "a line break"),
        ("A", "a\0b", r"the character '\\x00'"),
        ("A", "a\x1bb", "the character"),
        ("A", "a\u2028b", "the character"),
        ("A", "\udcff", "the character"),
        ("A", "x" * 40000, "longer than 32 KiB"),
    ],
)
def test_what_cannot_be_read_back_is_refused_without_the_value(name: str, value: str, reason: str) -> None:
    with pytest.raises(Unfit, match=reason) as refused:
        with_variables("", {name: value})
    assert value not in str(refused.value) or value == "x"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("A=1\nB=x # note\n", [2]),
        ("export A=1\n", [1]),
        ("# note \\\nA=1\n", [2]),
        ('A="open\nB=2\n', [1, 2]),
        ("A=1\nB='x # y'\nC=\"a\\nb\"\nD=x#y\nE=a\\ b\n", []),
    ],
)
def test_what_systemd_reads_otherwise_is_named_by_its_line(text: str, lines: list[int]) -> None:
    assert [each.line for each in differences(text)] == lines


def test_a_file_whose_quotes_are_open_is_not_changed() -> None:
    with pytest.raises(Unfit, match="a quote or a backslash"):
        with_variables('A="open\nB=2\n', {"C": "3"})


def test_export_is_a_word_before_the_name() -> None:
    assert variables("export A=1\nexport\tB=2\nreexport C=3\n") == {"A": "1", "B": "2"}
