"""What a statement does to tables, columns and indexes that are there already."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from mcc.core.sql.words import Dialect, Reader, words

Kind: TypeAlias = Literal[
    "add column",
    "add constraint",
    "alter attribute",
    "attach partition",
    "cluster",
    "create index",
    "create table",
    "create view",
    "delete",
    "detach partition",
    "drop column",
    "drop database",
    "drop schema",
    "drop table",
    "drop type",
    "drop view",
    "lock",
    "refresh",
    "reindex",
    "rename column",
    "rename schema",
    "rename table",
    "rename value",
    "rewrite",
    "row security",
    "set not null",
    "set schema",
    "truncate",
    "type",
    "update",
    "vacuum full",
    "validate",
]


CONSTRAINTS = (("check",), ("foreign", "key"), ("unique",), ("primary", "key"), ("exclude",))


@dataclass(frozen=True, slots=True)
class Action:
    """``table``: what it is done to; ``name``: the column, constraint, index or new name; ``rest``: what follows.

    ``line`` counts from 0, the one that the statement begins on.
    """

    kind: Kind
    table: str
    name: str
    rest: Reader
    line: int


def actions(sql: str, dialect: Dialect) -> tuple[Action, ...]:
    """In order; none for a statement that does nothing of the kind."""
    reader = Reader(words(sql, dialect))
    for keywords, read in _READERS:
        if reader.take(*keywords):
            return tuple(read(reader))
    return ()


def _create(reader: Reader) -> Iterator[Action]:
    line = reader.line
    reader.take("or", "replace")
    reader.take_any("global", "local", "temp", "temporary", "unlogged", "recursive", "virtual", "foreign")
    unique = reader.take("unique")
    if reader.take("index"):
        yield _create_index(reader, unique, line)
        return
    is_view = reader.take("view") or reader.take("materialized", "view")
    if is_view or reader.take("table"):
        reader.take("if", "not", "exists")
        yield Action("create view" if is_view else "create table", reader.name(), "", reader, line)


def _create_index(reader: Reader, unique: bool, line: int) -> Action:
    concurrently = reader.take("concurrently")
    reader.take("if", "not", "exists")
    name = "" if reader.take("on") else reader.name()
    if name:
        reader.take("on")
    reader.take("only")
    marks = [*(["unique"] if unique else []), *(["concurrently"] if concurrently else [])]
    return Action("create index", reader.name(), " ".join([*marks, name]), reader, line)


_DROPPED: dict[tuple[str, ...], Kind] = {
    ("table",): "drop table",
    ("foreign", "table"): "drop table",
    ("view",): "drop view",
    ("materialized", "view"): "drop view",
    ("schema",): "drop schema",
    ("database",): "drop database",
    ("type",): "drop type",
    ("domain",): "drop type",
}


def _drop(reader: Reader) -> Iterator[Action]:
    line = reader.line
    kind = next((kind for keywords, kind in _DROPPED.items() if reader.take(*keywords)), None)
    if kind is None:
        return
    reader.take("if", "exists")
    for name in reader.names():
        yield Action(kind, name, "", reader, line)


def _alter_table(reader: Reader) -> Iterator[Action]:
    reader.take("if", "exists")
    reader.take("only")
    table = reader.name()
    reader.take("*")
    for part in reader.parts():
        yield from _alteration(table, part)


def _alteration(table: str, part: Reader) -> Iterator[Action]:
    line = part.line
    for keywords, read in _ALTERATIONS:
        if part.take(*keywords):
            found = read(part)
            if found is not None:
                kind, name = found
                yield Action(kind, table, name, part, line)
            return


def _add(part: Reader) -> tuple[Kind, str] | None:
    if part.take("constraint"):
        return "add constraint", part.name()
    if any(Reader(part.rest).take(*keywords) for keywords in CONSTRAINTS):
        return "add constraint", ""
    part.take("column")
    part.take("if", "not", "exists")
    return "add column", part.name()


def _drop_part(part: Reader) -> tuple[Kind, str] | None:
    if part.take("constraint"):
        return None
    part.take("column")
    part.take("if", "exists")
    return "drop column", part.name()


def _alter_column(part: Reader) -> tuple[Kind, str] | None:
    if part.take("constraint"):
        return None
    part.take("column")
    name = part.name()
    if part.take("set", "not", "null"):
        return "set not null", name
    if part.take("set", "data", "type") or part.take("type"):
        return "type", name
    return None


def _rename(part: Reader) -> tuple[Kind, str] | None:
    if part.take("constraint"):
        return None
    if part.take("to"):
        return "rename table", part.name()
    part.take("column")
    return "rename column", part.name()


def _row_security(part: Reader) -> tuple[Kind, str] | None:
    return ("row security", "") if part.has("row", "level", "security") else None


_ALTERATIONS: tuple[tuple[tuple[str, ...], Callable[[Reader], tuple[Kind, str] | None]], ...] = (
    (("add",), _add),
    (("drop",), _drop_part),
    (("alter",), _alter_column),
    (("rename",), _rename),
    (("validate", "constraint"), lambda part: ("validate", part.name())),
    (("attach", "partition"), lambda part: ("attach partition", part.name())),
    (("detach", "partition"), lambda part: ("detach partition", part.name())),
    (("set", "schema"), lambda part: ("set schema", part.name())),
    (("set", "tablespace"), lambda _: ("rewrite", "SET TABLESPACE")),
    (("set", "access", "method"), lambda _: ("rewrite", "SET ACCESS METHOD")),
    (("set", "logged"), lambda _: ("rewrite", "SET LOGGED")),
    (("set", "unlogged"), lambda _: ("rewrite", "SET UNLOGGED")),
    (("enable",), _row_security),
    (("force",), _row_security),
)


def _alter_view(reader: Reader) -> Iterator[Action]:
    line = reader.line
    reader.take("if", "exists")
    view = reader.name()
    if reader.take("rename", "to"):
        yield Action("rename table", view, reader.name(), reader, line)
    elif reader.take("rename"):
        reader.take("column")
        yield Action("rename column", view, reader.name(), reader, line)
    elif reader.take("set", "schema"):
        yield Action("set schema", view, reader.name(), reader, line)


def _alter_schema(reader: Reader) -> Iterator[Action]:
    line, name = reader.line, reader.name()
    if reader.take("rename", "to"):
        yield Action("rename schema", name, reader.name(), reader, line)


def _alter_type(reader: Reader) -> Iterator[Action]:
    line, name = reader.line, reader.name()
    if reader.take("rename", "value") or reader.take("rename", "attribute") or reader.take("rename", "to"):
        yield Action("rename value", name, "", reader, line)
    for part in reader.parts():
        if part.take("alter", "attribute") or part.take("drop", "attribute"):
            yield Action("alter attribute", name, part.name(), part, line)


def _alter_domain(reader: Reader) -> Iterator[Action]:
    line, name = reader.line, reader.name()
    if reader.take("add"):
        constraint = reader.name() if reader.take("constraint") else ""
        yield Action("add constraint", name, constraint, reader, line)


def _delete(reader: Reader) -> Iterator[Action]:
    line = reader.line
    reader.take("only")
    table = reader.name()
    if not reader.has("where"):
        yield Action("delete", table, "", reader, line)


def _update(reader: Reader) -> Iterator[Action]:
    line = reader.line
    if reader.take("or"):
        reader.name()
    reader.take("only")
    table = reader.name()
    if not reader.has("where"):
        yield Action("update", table, "", reader, line)


def _truncate(reader: Reader) -> Iterator[Action]:
    line = reader.line
    reader.take_any("table", "only")
    for table in reader.names():
        yield Action("truncate", table, "", reader, line)


def _vacuum(reader: Reader) -> Iterator[Action]:
    line = reader.line
    if not any(word.text == "full" and word.kind == "word" for word in reader.rest):
        return
    reader.rest = tuple(word for word in reader.rest if word.depth == 0 and word.text not in ("(", ")"))
    reader.take_any("full", "freeze", "verbose", "analyze")
    yield Action("vacuum full", reader.name(), "", reader, line)


def _lock(reader: Reader) -> Iterator[Action]:
    line = reader.line
    reader.take_any("table", "only")
    for table in reader.names():
        yield Action("lock", table, "", reader, line)


def _of_one(kind: Kind) -> Callable[[Reader], Iterator[Action]]:
    def read(reader: Reader) -> Iterator[Action]:
        line = reader.line
        name = "concurrently" if reader.has("concurrently") else ""
        reader.take_any("verbose", "concurrently", "table", "index", "schema", "database", "system")
        reader.take_any("concurrently")
        yield Action(kind, reader.name(), name, reader, line)

    return read


_READERS: tuple[tuple[tuple[str, ...], Callable[[Reader], Iterator[Action]]], ...] = (
    (("create",), _create),
    (("drop",), _drop),
    (("alter", "table"), _alter_table),
    (("alter", "foreign", "table"), _alter_table),
    (("alter", "view"), _alter_view),
    (("alter", "materialized", "view"), _alter_view),
    (("alter", "schema"), _alter_schema),
    (("alter", "type"), _alter_type),
    (("alter", "domain"), _alter_domain),
    (("delete", "from"), _delete),
    (("update",), _update),
    (("truncate",), _truncate),
    (("vacuum",), _vacuum),
    (("cluster",), _of_one("cluster")),
    (("lock",), _lock),
    (("reindex",), _of_one("reindex")),
    (("refresh", "materialized", "view"), _of_one("refresh")),
)
