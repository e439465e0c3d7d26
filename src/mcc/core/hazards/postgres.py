"""What only PostgreSQL has: locks that stop readers and writers while a table is read or written anew.

Which command takes which lock: https://www.postgresql.org/docs/current/explicit-locking.html and
https://www.postgresql.org/docs/current/sql-altertable.html (notes).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from mcc.core.hazards.scene import Hazard, Scene
from mcc.core.sql.actions import CONSTRAINTS, Action, Kind
from mcc.core.sql.words import Reader, Word

_ALONE = "in a file of its own with -- mcc: no-transaction"
_QUIET = "do it when the site is quiet, or with MIGRATE_OFFLINE: true"
_COPY = "add a new column, fill it in parts, let a release use it, drop the old one in the next"
_ALL_WAIT = "readers and writers wait"
_SERIALS = frozenset({"smallserial", "serial", "bigserial", "serial2", "serial4", "serial8"})
# Worked out once for all rows, or for none: https://www.postgresql.org/docs/current/xfunc-volatility.html
_STEADY = frozenset(
    {
        *("now", "current_timestamp", "current_time", "localtime", "localtimestamp", "statement_timestamp"),
        *("transaction_timestamp", "date_trunc", "date_part", "extract", "make_date", "make_interval"),
        *("make_timestamp", "make_timestamptz", "to_date", "to_timestamp", "to_char", "current_setting"),
        *("array", "row", "cast", "coalesce", "nullif", "greatest", "least", "concat", "replace", "md5"),
        *("lower", "upper", "trim", "btrim", "encode", "decode", "abs", "round", "floor", "ceil"),
        *("json_build_object", "json_build_array", "jsonb_build_object", "jsonb_build_array"),
        *("to_json", "to_jsonb", "int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange"),
    }
)
_ENDS_DEFAULT = frozenset(
    {"not", "null", "check", "unique", "primary", "references", "constraint", "generated", "collate"}
)


def _add_column(action: Action, scene: Scene) -> Iterator[Hazard]:
    column, rest = f"{action.table}.{action.name}", action.rest
    if not scene.is_heavy(action.table):
        return
    reason = _rewrites(rest)
    if reason:
        takes = f"{column} {reason}: all of {action.table}{scene.size(action.table)} is written anew, {_ALL_WAIT}"
        yield scene.lasting(
            action.table, takes, "add it without, then set the default, then fill the old rows in parts"
        )
    if rest.has("unique") or rest.has("primary", "key"):
        yield scene.lasting(
            action.table,
            f"{column} is unique: its index is built while {_ALL_WAIT}",
            f"add the column, then CREATE UNIQUE INDEX CONCURRENTLY {_ALONE}",
        )
    if rest.has("references") or rest.has("check"):
        yield scene.lasting(
            action.table,
            f"{column} brings a constraint: all rows of {action.table}{scene.size(action.table)} are checked while "
            f"{_who_waits(rest)}",
            "add the column first, then the constraint NOT VALID, and VALIDATE CONSTRAINT in a later file",
        )


def _rewrites(rest: Reader) -> str:
    """Why the new column has another value in each row; empty if it has not."""
    if rest.rest and rest.rest[0].text in _SERIALS:
        return f"is {rest.rest[0].text}"
    if rest.has("generated"):
        return "" if rest.has("virtual") else "is generated"
    return next((f"has the default {name}()" for name in _calls(_default(rest.rest)) if name not in _STEADY), "")


def _default(rest: tuple[Word, ...]) -> list[Word]:
    at = next((at for at, word in enumerate(rest) if word.text == "default" and word.depth == 0), len(rest))
    found: list[Word] = []
    for word in rest[at + 1 :]:
        if word.depth == 0 and word.kind == "word" and word.text in _ENDS_DEFAULT and found:
            break
        found.append(word)
    return found


def _calls(expression: list[Word]) -> Iterator[str]:
    """Names of functions; ``::varchar(20)`` is none."""
    for before, word, behind in zip([None, *expression], expression, expression[1:], strict=False):
        if behind.text == "(" and word.kind in ("word", "name") and not (before and before.text == "::"):
            yield word.text


def _who_waits(rest: Reader) -> str:
    return "writers of both tables wait" if rest.has("references") or rest.has("foreign", "key") else _ALL_WAIT


def _add_constraint(action: Action, scene: Scene) -> Iterator[Hazard]:
    rest, table = action.rest, action.table + scene.size(action.table)
    kind = next((" ".join(words) for words in CONSTRAINTS if rest.has(*words)), "")
    if not scene.is_heavy(action.table) or rest.has("not", "valid") or rest.has("using", "index"):
        return
    if kind in ("check", "foreign key"):
        yield scene.lasting(
            action.table,
            f"the new {kind.upper()} constraint: all rows of {table} are checked while {_who_waits(rest)}",
            f"add it NOT VALID, and VALIDATE CONSTRAINT {_ALONE} or in the next release",
        )
    elif kind in ("unique", "primary key"):
        yield scene.lasting(
            action.table,
            f"the new {kind.upper()} constraint: its index on {table} is built while {_ALL_WAIT}",
            f"CREATE UNIQUE INDEX CONCURRENTLY {_ALONE}, then ADD CONSTRAINT … {kind.upper()} USING INDEX",
        )
    elif kind == "exclude":
        yield scene.lasting(
            action.table, f"the new EXCLUDE constraint: its index on {table} is built while {_ALL_WAIT}", _QUIET
        )


def _validate(action: Action, scene: Scene) -> Iterator[Hazard]:
    if scene.is_added_here(action.table, action.name) and scene.is_heavy(action.table):
        yield scene.lasting(
            action.table,
            f"{action.name} is validated in the transaction that adds it: the lock of ADD CONSTRAINT is held "
            f"while all rows of {action.table}{scene.size(action.table)} are checked",
            f"VALIDATE CONSTRAINT {_ALONE}, or in the next release",
        )


def _not_null(action: Action, scene: Scene) -> Iterator[Hazard]:
    column = f"{action.table}.{action.name}"
    if action.table.lower() in scene.validated:
        return
    if not scene.after:
        yield Hazard(
            f"{column} becomes NOT NULL while the live release may still leave it empty",
            "let this release always write it, and set NOT NULL in the next one",
        )
    if scene.is_heavy(action.table):
        yield scene.lasting(
            action.table,
            f"SET NOT NULL: all rows of {action.table}{scene.size(action.table)} are read while {_ALL_WAIT}",
            f"ADD CONSTRAINT … CHECK ({action.name} IS NOT NULL) NOT VALID, VALIDATE CONSTRAINT {_ALONE}, "
            "then SET NOT NULL and drop the constraint",
        )


def _type(action: Action, scene: Scene) -> Iterator[Hazard]:
    if scene.is_heavy(action.table):
        yield scene.lasting(
            action.table,
            f"another type for {action.table}.{action.name}: as a rule all of "
            f"{action.table}{scene.size(action.table)} and its indexes are written anew, {_ALL_WAIT}",
            f"{_COPY}; a varchar that only grows or becomes text is not rewritten: accept it",
        )
    if not scene.after:
        yield Hazard(
            f"{action.table}.{action.name} gets another type while the live release may still use the old one", _COPY
        )


def _create_index(action: Action, scene: Scene) -> Iterator[Hazard]:
    marks = action.name.split()
    if "concurrently" not in marks[:2] and scene.is_heavy(action.table):
        yield scene.lasting(
            action.table,
            f"the index on {action.table}{scene.size(action.table)} is built while its writers wait",
            f"CREATE {'UNIQUE ' * ('unique' in marks[:1])}INDEX CONCURRENTLY {_ALONE}",
        )


def _whole(what: str, way: str) -> Callable[[Action, Scene], Iterator[Hazard]]:
    """A command that keeps a table to itself for as long as it takes."""

    def judge(action: Action, scene: Scene) -> Iterator[Hazard]:
        if action.name != "concurrently" and (not action.table or scene.is_heavy(action.table)):
            name = f" {action.table}{scene.size(action.table)}" if action.table else ""
            yield scene.lasting(action.table, f"{what}{name}: {_ALL_WAIT} for as long as it takes", way)

    return judge


def _rewrite(action: Action, scene: Scene) -> Iterator[Hazard]:
    if scene.is_heavy(action.table):
        table = action.table + scene.size(action.table)
        yield scene.lasting(action.table, f"{action.name}: all of {table} is written anew, {_ALL_WAIT}", _QUIET)


def _lock(action: Action, _scene: Scene) -> Iterator[Hazard]:
    yield Hazard(
        f"{action.table} is locked until the end of the transaction, with all other pending files in it",
        "do without: each statement takes the lock that it needs",
    )


def _detach(action: Action, _scene: Scene) -> Iterator[Hazard]:
    if not action.rest.has("concurrently"):
        yield Hazard(
            f"the partition {action.name} leaves {action.table}: {_ALL_WAIT} until the end of the transaction",
            f"DETACH PARTITION {action.name} CONCURRENTLY {_ALONE}",
        )


def _attach(action: Action, scene: Scene) -> Iterator[Hazard]:
    if not scene.is_made(action.name) and scene.is_heavy(action.name):
        yield scene.lasting(
            action.name,
            f"the partition {action.name}{scene.size(action.name)} joins {action.table}: all its rows are read first",
            "give it a CHECK constraint that says the same, NOT VALID and then validated, before it joins",
        )


def _truncate(action: Action, scene: Scene) -> Iterator[Hazard]:
    yield Hazard(
        f"all rows of {action.table}{scene.size(action.table)} are deleted",
        "write -- mcc: accept on the line before it if that is meant",
        online=False,
    )


def _gone(what: str) -> Callable[[Action, Scene], Iterator[Hazard]]:
    def judge(action: Action, _scene: Scene) -> Iterator[Hazard]:
        yield Hazard(
            f"the {what} {action.table} is dropped with all that is in it",
            "write -- mcc: accept on the line before it if that is meant, and take a backup",
            online=False,
        )

    return judge


def _used(words: str, way: str) -> Callable[[Action, Scene], Iterator[Hazard]]:
    """Something that the live release may use under its name."""

    def judge(action: Action, scene: Scene) -> Iterator[Hazard]:
        if not scene.after:
            yield Hazard(f"{words.format(action.table)} while the live release may still use it", way)

    return judge


_NEXT = "let this release do without it, and change it in the next one"

POSTGRES: Mapping[Kind, Callable[[Action, Scene], Iterator[Hazard]]] = {
    "add column": _add_column,
    "add constraint": _add_constraint,
    "alter attribute": _used("the type {} is changed, and with it every table that has it,", _NEXT),
    "attach partition": _attach,
    "cluster": _whole("CLUSTER", "pg_repack does it online; or when the site is quiet"),
    "create index": _create_index,
    "detach partition": _detach,
    "drop database": _gone("database"),
    "drop schema": _gone("schema"),
    "drop type": _used("the type {} is dropped", _NEXT),
    "lock": _lock,
    "refresh": _whole("REFRESH MATERIALIZED VIEW", "REFRESH MATERIALIZED VIEW CONCURRENTLY"),
    "reindex": _whole("REINDEX", f"REINDEX … CONCURRENTLY {_ALONE}"),
    "rename schema": _used("the schema {} gets another name", _NEXT),
    "rename value": _used("the type {} or a part of it gets another name", _NEXT),
    "rewrite": _rewrite,
    "row security": _used("row level security is switched on for {}", "make its policies first, and try them"),
    "set not null": _not_null,
    "set schema": _used("{} moves to another schema", _NEXT),
    "truncate": _truncate,
    "type": _type,
    "vacuum full": _whole("VACUUM FULL", "plain VACUUM is enough as a rule; pg_repack does it online"),
    "validate": _validate,
}
