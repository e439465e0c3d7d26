"""What alembic's files say without running them; what cannot be told is not guessed at."""

from __future__ import annotations

import pytest

from mcc.core.migrating.alembic_versions import Versions, moved_words, read_versions, revisions_in, script_location


def file(revision: str, below: object, **more: object) -> bytes:
    lines = [f"revision: str = {revision!r}", f"down_revision = {below!r}"]
    return "\n".join([*lines, *(f"{name} = {value!r}" for name, value in more.items())]).encode()


def versions(**files: bytes) -> Versions:
    found = read_versions({f"{name}.py": data for name, data in files.items()})
    assert found is not None
    return found


def test_a_chain_has_one_head_and_what_is_above_the_database_is_pending() -> None:
    chain = versions(a=file("a", None), b=file("b", "a"), c=file("c", ("b",)))
    assert chain.heads == ("c",)
    assert chain.pending([]) == ("a", "b", "c")
    assert chain.pending(["b"]) == ("c",)
    assert chain.pending(["c"]) == ()


def test_two_branches_have_two_heads_until_they_are_joined() -> None:
    two = {"a": file("a", None), "b": file("b", "a"), "c": file("c", "a")}
    assert versions(**two).heads == ("b", "c")
    joined = versions(**two, d=file("d", ["b", "c"]))
    assert joined.heads == ("d",)
    assert joined.pending(["b"]) == ("c", "d")


def test_a_branch_that_is_needed_by_another_stays_a_head() -> None:
    """As ``alembic heads`` has it: depends_on joins nothing; but what is needed was applied."""
    found = versions(a=file("a", None), b=file("b", None), c=file("c", "b", depends_on="a"))
    assert found.heads == ("a", "c")
    assert found.pending(["c"]) == ()


def test_a_revision_that_is_not_among_the_files_is_unknown() -> None:
    assert versions(a=file("a", None)).unknown(["a", "z"]) == ("z",)


@pytest.mark.parametrize(
    "data",
    [b"revision = 'a' + 'b'\ndown_revision = None", b"down_revision = None", b"def (", b"\xff", file("a", "elsewhere"),
     file("a", None, depends_on="some_label"), b"revision = 'a'\ndown_revision = 7"],
)  # fmt: skip
def test_what_is_written_in_another_way_is_alembics_to_say(data: bytes) -> None:
    assert read_versions({"a.py": data}) is None


def test_no_file_at_all_says_nothing() -> None:
    assert read_versions({}) is None
    assert read_versions({"__init__.py": b"", "README": b"x"}) is None


@pytest.mark.parametrize(
    ("ini", "pyproject", "location"),
    [
        (b"[alembic]\nscript_location = %(here)s/migrations\n", None, "%(here)s/migrations"),
        (b"[alembic]\nscript_location = alembic\nprepend_sys_path = .\n", b"", "alembic"),
        (b"[alembic]\n# nothing\n", b"[tool.alembic]\nscript_location = 'db'\n", "db"),
        (None, b"[tool.alembic]\nscript_location = 'db'\n", "db"),
        (b"[alembic]\nscript_location = package:folder\n", None, None),
        (b"[alembic]\nscript_location = a\nversion_locations = a/versions b/versions\n", None, None),
        (b"no ini at all", b"no toml = at all = all", None),
        (None, b"[tool]\nalembic = 3\n", None),
        (b"[other]\nx = 1\n", None, None),
    ],
)
def test_where_the_scripts_are(ini: bytes | None, pyproject: bytes | None, location: str | None) -> None:
    assert script_location(ini, pyproject) == location


def test_revisions_are_read_among_what_env_py_prints() -> None:
    said = b"INFO  [alembic.runtime] Context impl\nae10 (head)\n0001_first\nrev.2 (head) (mergepoint)\n\nhello there\n"
    assert revisions_in(said) == ("ae10", "0001_first", "rev.2")


def test_where_databases_are_is_said_for_those_that_moved() -> None:
    before, after = {"a": ["1"], "b": [], "c": ["1"]}, {"a": ["1"], "b": ["2"], "c": ["2", "3"]}
    assert moved_words(before, after, "ahead") == "b at 2 (was at none), c at 2+3 (was at 1), ahead"
    assert moved_words(after, after, "ahead") == "as before"
    many = {f"t{number}": ["9"] for number in range(8)}
    assert moved_words({}, many, "forward").endswith(" and 3 more, forward")
