"""YAML files: what they mean, and that nothing in them can do harm."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcc.errors import ConfigError
from mcc.host.yaml import MAX_BYTES, parse, read, scalar


def said(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, "f.yml")
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("12:30", "12:30"),
        ("2026-02-27", "2026-02-27"),
        ("yes", "yes"),
        ("NO", "NO"),
        ("1_000", "1_000"),
        ("0755", 755),
        ("0o17", 15),
        ("0x1F", 31),
        ("-3", -3),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("True", True),
        ("false", False),
        ("~", None),
        ("", None),
        ("1" * 41, "1" * 41),
        ("<<", "<<"),
    ],
)
def test_a_word_without_quotes_means_what_yaml_1_2_says(written: str, meant: object) -> None:
    assert scalar(written) == meant
    assert type(scalar(written)) is type(meant)


def test_quoted_and_block_scalars_are_always_text() -> None:
    data = parse("a: '12'\nb: \"true\"\nc: |\n  1\n  2\n", "f").data
    assert data == {"a": "12", "b": "true", "c": "1\n2\n"}


def test_every_value_knows_its_line_and_its_letters() -> None:
    document = parse("# note\na:\n  b: 5807e12\n  c:\n    - x\n    -\n      d: 1.10\n", "f")
    assert document.lines[("a",)] == 2
    assert document.lines[("a", "c", 1, "d")] == 7
    assert document.texts[("a", "b")] == "5807e12"
    assert document.texts[("a", "c", 1, "d")] == "1.10"


def test_aliases_and_merge_keys_give_copies_and_the_nearer_value_wins() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  <<: [*a, *b]\n  z: 3\nd: *a\n"
    data = parse(text, "f").data
    assert data["c"] == {"x": 1, "y": 1, "z": 3}
    assert data["d"] == {"x": 1, "y": 1}
    assert data["d"] is not data["a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f.yml: is empty (see docs/configuration.md)"),
        ("# only a comment\n", "f.yml: is empty (see docs/configuration.md)"),
        ("~\n", "f.yml: is empty (see docs/configuration.md)"),
        ("- a\n", 'f.yml:1: holds a list (allowed: lines of "key: value")'),
        ("\nword\n", 'f.yml:2: holds text (allowed: lines of "key: value")'),
        ("a:\n\t- b\n", "f.yml:2: is not YAML: there is a tab where only spaces may stand (indent with spaces)"),
        (
            "a: b: c\n",
            "f.yml:1: is not YAML: there is a second ': ', or a line that is indented wrongly "
            "(put the value in quotes)",
        ),
        ("a: [1,\nb: 2\n", "f.yml:1: is not YAML: the list that is opened here with [ is not closed"),
        ("b: 1\na: 'x\n", "f.yml:2: is not YAML: a quote that is opened here is never closed"),
        ("a: @x\n", "f.yml:1: is not YAML: a value cannot begin with @ (put the value in quotes)"),
        (
            "a: {{BASE}}/x\n",
            "f.yml:1: is not YAML: the line does not fit those above it "
            '(a value with {{...}} needs quotes: "{{REMOTE_BASE}}/backups")',
        ),
        ("a: \x07\n", "f.yml:1: holds the control character U+0007 (remove it)"),
        ("a: 1\n---\nb: 2\n", "f.yml:2: holds more than one document (remove ---)"),
        (
            "a: *b\n",
            "f.yml:1: a: found *b, but there is no &b above (a value that begins with * needs quotes)",
        ),
        ("a: &a [*a]\n", "f.yml:1: a[1]: found *a inside of what it stands for"),
        (
            "a: !!python/object/apply:os.system [id]\n",
            "f.yml:1: a: found the tag !!python/object/apply:os.system: tags are not allowed "
            "(text in quotes needs none)",
        ),
        ("a: !x 1\n", "f.yml:1: a: found the tag !x: tags are not allowed (text in quotes needs none)"),
        ("a:\n  b: 1\n  b: 2\n", "f.yml:3: a.b: stands here and on line 2 (keep one of them)"),
        ("<<: 3\n", "f.yml:1: <<: found no mapping to merge (allowed: <<: *name)"),
        ("[" * 5000, "f.yml:1: is nested more than 40 levels deep"),
        ("a: [" + "1," * 20_001 + "]\n", "f.yml:1: holds more than 20,000 values"),
    ],
)
def test_a_file_that_cannot_be_taken_gets_one_exact_message(text: str, message: str) -> None:
    assert said(text) == [message]


def test_problems_that_do_not_stop_the_reading_are_all_said_at_once() -> None:
    assert len(said("a: 1\na: 2\nb: !t x\nc: *no\n")) == 3


def test_aliases_that_unfold_to_a_billion_values_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    (message,) = said("\n".join(lines))
    assert "too many aliases" in message


def test_mappings_merged_over_thousands_of_levels_are_refused() -> None:
    lines = ["a0: &a0 {x: 1}", *(f"a{n}: &a{n} {{<<: *a{n - 1}}}" for n in range(1, 3000))]
    (message,) = said("\n".join(lines))
    assert "merges too many mappings" in message


def unreadable(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read(path)
    return str(caught.value)


def test_what_is_no_readable_text_file_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "latin.yml").write_bytes(b"a: 1\nb: \xe4\n")
    (tmp_path / "big.yml").write_bytes(b"#" * (MAX_BYTES + 1))
    (tmp_path / "folder.yml").mkdir()
    (tmp_path / "dangling.yml").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.yml")
    assert unreadable(tmp_path / "latin.yml") == "latin.yml:2: is not UTF-8 (save the file as UTF-8)"
    assert unreadable(tmp_path / "big.yml") == "big.yml: is larger than 256 KiB"
    assert unreadable(tmp_path / "folder.yml") == "folder.yml: is a folder (a YAML file is needed)"
    assert unreadable(tmp_path / "pipe.yml") == "pipe.yml: is not a regular file (a YAML file is needed)"
    assert "cannot be read: No such file" in unreadable(tmp_path / "dangling.yml")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_read_permission_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "secret.yml").write_text("a: 1\n")
    (tmp_path / "secret.yml").chmod(0)
    assert "cannot be read: Permission denied" in unreadable(tmp_path / "secret.yml")


def test_a_byte_order_mark_is_not_part_of_the_first_key(tmp_path: Path) -> None:
    (tmp_path / "f.yml").write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert read(tmp_path / "f.yml").data == {"a": 1, "b": 2}


ODD = st.text(alphabet=st.sampled_from("ab:- \n\t'\"[]{}#&*!|>%@`?,.<~0\\\x85\u2028é"), max_size=60)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), ODD))
def test_no_text_ever_raises_anything_but_a_config_error(text: str) -> None:
    try:
        document = parse(text, "f.yml")
    except ConfigError as error:
        assert error.problems  # noqa: PT017 - either end is fine
    else:
        assert isinstance(document.data, dict)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(st.characters(codec="ascii"), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcXYZ", min_size=1), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text("abcXYZ", min_size=1), VALUES, min_size=1, max_size=4))
def test_json_is_read_as_it_is(data: dict[str, object]) -> None:
    assert parse(json.dumps(data), "f").data == data
