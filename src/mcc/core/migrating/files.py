"""Migration files: which there are, in which order, and what cannot run.

Files run in the order of their names, as the specification's ``sorted(glob("*.sql"))`` has it. What
is wrong with a file hangs on its :class:`Migration` and matters only while the file is pending: one
that ran years ago, by whatever means, is never complained about.

A file with nothing but comments is allowed and recorded: a migration that was emptied on purpose.
A file with nothing at all is refused: it is what a failed copy leaves, and once recorded it would
not run again when it has its content.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from mcc.core.migrating.directives import read_directives
from mcc.core.sql import postgres as postgres_sql
from mcc.core.sql.cut import Split, first_word, split
from mcc.core.sql.words import Dialect
from mcc.errors import ConfigError
from mcc.model.migration import Migration, Role, Statement
from mcc.model.problem import Problem

SUFFIX = ".sql"
_NUMBER = re.compile(r"\d+", re.ASCII)
_INTO = re.compile(r"\bINTO\b", re.IGNORECASE)
_TRANSACTION = "mcc opens and ends transactions itself; take the line out"
_REFUSED = {
    **dict.fromkeys(("BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"), _TRANSACTION),
    **dict.fromkeys(("ATTACH", "DETACH"), "a migration works on the database that it is run for"),
}
_ALONE = "it cannot run in a transaction: put it into a file of its own, with -- mcc: no-transaction at the top"


def read(
    files: Mapping[str, bytes], folder: str = "", dialect: Dialect = "sqlite", links: Collection[str] = ()
) -> tuple[Migration, ...]:
    """The migrations in a folder's files, in the order in which they run.

    ``folder`` is only for messages, ``dialect`` says how the text is cut into statements. ``links`` are names
    of symbolic links: a release may lack what they lead to. Names that do not end in ``.sql`` or begin with
    a dot are left out. Nothing is raised: see :func:`refuse`.
    """
    there = (*files, *links)
    names = sorted(name for name in there if name.lower().endswith(SUFFIX) and not name.startswith("."))
    before = f"{folder}/" if folder else ""
    migrations = [
        _parse(name, files[name], before + name, dialect) if name in files else _link(name, before + name)
        for name in names
    ]
    wrong = _problems_with_names(names, before)
    return tuple(
        replace(migration, problems=(*wrong[migration.name], *migration.problems))
        if wrong[migration.name]
        else migration
        for migration in migrations
    )


def pending(migrations: Sequence[Migration], applied: Iterable[str]) -> tuple[Migration, ...]:
    """Those that a database has not had yet, in order."""
    there = applied if isinstance(applied, (set, frozenset)) else set(applied)
    return tuple(migration for migration in migrations if migration.name not in there)


def refuse(migrations: Iterable[Migration]) -> None:
    """Raise ConfigError with all that is wrong with these files, each once."""
    problems = dict.fromkeys(problem for migration in migrations for problem in migration.problems)
    if problems:
        raise ConfigError(tuple(problems))


def read_one(data: bytes, file: str, role: Role, dialect: Dialect = "sqlite") -> Migration:
    """A file that is no migration of the folder: SCHEMA_SQL, ALWAYS_SQL."""
    return _parse(file.rsplit("/", 1)[-1], data, file, dialect, role)


def _parse(name: str, data: bytes, file: str, dialect: Dialect, role: Role = "migration") -> Migration:
    stem = name[: -len(SUFFIX)]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"the byte 0x{data[error.start]:02x} is not UTF-8"
        problem = Problem(file, line, "", found, "save the file as UTF-8")
        return Migration(stem, file, (), (problem,), *_hashes(data), role=role)  # its phase is not known
    parts = split(text) if dialect == "sqlite" else postgres_sql.split(text)
    first = parts.statements[0].line if parts.statements else None
    says = read_directives(text, file, role, first)
    problems = (*says.problems, *_problems_with_text(file, text, parts, says.transaction, dialect))
    checksum, others = _hashes(data)
    return Migration(
        stem, file, parts.statements, problems, checksum, others,
        phase=says.phase, transaction=says.transaction, role=role, includes=says.includes,
    )  # fmt: skip


def _link(name: str, file: str) -> Migration:
    problem = Problem(file, 0, "", "is a symbolic link, and is not followed", "put the file itself in its place")
    return Migration(name[: -len(SUFFIX)], file, (), (problem,))


def _hashes(data: bytes) -> tuple[str, tuple[str, ...]]:
    """The checksum, which another editor or git's line ends do not change, and plain hashes of other tools."""
    text = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    others = (hashlib.new(kind, data, usedforsecurity=False).hexdigest() for kind in ("sha256", "sha1", "md5"))
    return hashlib.sha256(text).hexdigest(), tuple(others)


def _problems_with_text(file: str, text: str, parts: Split, transaction: bool, dialect: Dialect) -> Iterable[Problem]:
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        yield Problem(file, line, "", "there is a NUL character, at which databases stop reading")
    if not file.endswith(SUFFIX):
        yield Problem(file, 0, "", f"only files that end in {SUFFIX} run", "rename it")
    if not text.strip():
        yield Problem(file, 0, "", "the file is empty", "if nothing is to be done, say so in a comment (-- …)")
    for statement in parts.statements:
        if dialect == "sqlite":
            yield from _problems_with_statement(file, statement, transaction)
        elif problem := postgres_sql.problem_with(file, statement, transaction):
            yield problem
    if parts.unfinished:
        yield Problem(file, parts.unfinished.line, "", f"{parts.unfinished.what}: the last statement has no end")


def _problems_with_statement(file: str, statement: Statement, transaction: bool) -> Iterable[Problem]:
    word = first_word(statement.sql)
    if word == "VACUUM" and _INTO.search(statement.sql):
        yield Problem(file, statement.line, "", "VACUUM INTO cannot stand in a migration", _REFUSED["ATTACH"])
    elif word == "VACUUM" and transaction:
        yield Problem(file, statement.line, "", "VACUUM cannot stand in a migration", _ALONE)
    elif word in _REFUSED:
        yield Problem(file, statement.line, "", f"{word} cannot stand in a migration", _REFUSED[word])
    elif statement.sql.startswith("."):
        command = statement.sql.split("\n", 1)[0].strip()
        yield Problem(
            file,
            statement.line,
            "",
            f"{command!r} is a command of the sqlite3 program, not SQL",
            "take the line out",
        )


def _problems_with_names(names: Sequence[str], before: str) -> dict[str, list[Problem]]:
    """What is wrong with each name, by itself and beside the others; keys are without the suffix."""
    wrong: dict[str, list[Problem]] = {name[: -len(SUFFIX)]: [] for name in names}
    for name in names:
        if not name.isprintable():
            found = "the name has characters in it that cannot be shown"
            wrong[name[: -len(SUFFIX)]].append(Problem(before + ascii(name), 0, "", found, "rename it"))
    for first, second, found, help in (*_alike(names), *_out_of_order(names)):
        # On both, so that it shows whichever of them is pending.
        problem = Problem(before + first, 0, "", f"stands beside {second}: {found}", help)
        for name in (first, second):
            wrong[name[: -len(SUFFIX)]].append(problem)
    return wrong


def _alike(names: Sequence[str]) -> Iterable[tuple[str, str, str, str]]:
    """Names that a person, or another file system, takes for one."""
    seen: dict[str, str] = {}
    for name in names:
        twin = seen.setdefault(name.lower(), name)
        if twin != name:
            yield twin, name, "the names differ only in capital letters", "rename one of them"


def _out_of_order(names: Sequence[str]) -> Iterable[tuple[str, str, str, str]]:
    """Neighbours of which the later name has the smaller number: ``10_b.sql`` before ``2_a.sql``."""
    numbered = [(int(match[0]), name) for name in names if (match := _NUMBER.match(name))]
    for (number, name), (after, later) in pairwise(numbered):
        if after < number:
            found = "as names they sort the other way round than as numbers"
            yield name, later, found, _same_width(name, later)


def _same_width(first: str, second: str) -> str:
    widest = max(_digits(first), _digits(second))
    shorter = min(first, second, key=_digits)
    padded = shorter[: _digits(shorter)].zfill(widest) + shorter[_digits(shorter) :]
    return (
        f"number all files with as many digits ({padded}); a file that a database has had already keeps "
        "its name, so give the new one beside it a name that sorts last"
    )


def _digits(name: str) -> int:
    match = _NUMBER.match(name)
    return len(match[0]) if match else 0
