"""What databases have had and will get, as text or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mcc.core.migrating.state import some
from mcc.core.migrating.work import groups, to_run
from mcc.deploy.databases import PlannedDatabase, PlannedDatabases
from mcc.deploy.migrate import command
from mcc.deploy.request import Request
from mcc.errors import ConfigError
from mcc.model.migration import Migration

_NAMED = 8


def show_status(request: Request, planned: PlannedDatabases, format: str) -> None:
    """What each database has had and what is pending, what stands in the way, what to know."""
    mask = request.masker
    if format == "json":
        print(json.dumps(mask.mask_data(_status(request, planned)), indent=2, ensure_ascii=False))
        return
    files = [each for each in planned.migrations if each.role == "migration"]
    print(f"{planned.folder}: {len(files)} file{'' if len(files) == 1 else 's'}\n")
    for line in _lines(planned):
        print(mask.mask(line))
    for text in planned.warnings(request.conf.database.offline):
        print(mask.mask(f"\nwarning: {text}"))
    for problem in _problems(request, planned):
        print(mask.mask(f"\nin the way: {problem}"))


def show_plan(request: Request, planned: PlannedDatabases, late: Iterable[str], format: str) -> None:
    """The SQL that would run, by database; those that would get the same stand together."""
    mask = request.masker
    if format == "json":
        print(json.dumps(mask.mask_data(_plan(request, planned)), indent=2, ensure_ascii=False))
        planned.refuse(command(request), late)
        return
    for names, each in _alike(planned.databases):
        for line in _sql(planned, names, each):
            print(mask.mask(line))
    for text in planned.warnings(request.conf.database.offline):
        print(mask.mask(f"-- warning: {text}"))
    planned.refuse(command(request), late)
    print("-- nothing was changed")


def _lines(planned: PlannedDatabases) -> Iterator[str]:
    for names, each in _alike(planned.databases):
        standing = each.standing
        yield f"{some(names, len(planned.databases))}"
        yield f"  {_had(each)}, {len(standing.pending) or 'nothing'} pending{_named(standing.pending)}"
        if standing.changed:
            yield f"  changed since{_named(standing.changed)}"
        if standing.late and not standing.bare:
            yield f"  late{_named(standing.late)}"
        if each.found.invalid:
            yield f"  indexes that are not valid: {', '.join(each.found.invalid)}"


def _had(each: PlannedDatabase) -> str:
    if not each.found.exists:
        return "not there yet"
    if each.standing.bare:
        return "no record of what it has had"
    return f"{len(each.found.applied)} applied"


def _named(migrations: Iterable[Migration]) -> str:
    names = [each.name for each in migrations]
    if not names:
        return ""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f": {', '.join(names[:_NAMED])}{more}"


def _alike(databases: Iterable[PlannedDatabase]) -> Iterator[tuple[list[str], PlannedDatabase]]:
    found: dict[tuple[bool, int, tuple[str, ...]], tuple[list[str], PlannedDatabase]] = {}
    for each in databases:
        like = (each.found.exists, id(each.standing), each.found.invalid)
        found.setdefault(like, ([], each))[0].append(each.target.name)
    yield from found.values()


def _sql(planned: PlannedDatabases, names: list[str], each: PlannedDatabase) -> Iterator[str]:
    todo = to_run(planned.migrations, each.found, planned.how)
    where = some(names, len(planned.databases))
    yield f"-- {where}: {many_files(todo)}\n"
    for group in groups(todo):
        alone = not group[0].transaction
        yield "-- each statement by itself, without a transaction" if alone else "BEGIN;"
        for migration in group:
            after = ", behind the cut-over of a deploy" if migration.phase == "after" and not each.found.new else ""
            yield f"-- {migration.file}{after}"
            yield from (statement.sql for statement in migration.statements)
        yield "" if alone else "COMMIT;\n"


def many_files(files: Iterable[Migration]) -> str:
    count = len(list(files))
    return f"{count} file{'' if count == 1 else 's'}" if count else "nothing to run"


def _problems(request: Request, planned: PlannedDatabases) -> tuple[str, ...]:
    try:
        planned.refuse(command(request))
    except ConfigError as error:
        return tuple(map(str, error.problems))
    return ()


def _status(request: Request, planned: PlannedDatabases) -> Mapping[str, Any]:
    return {
        **_head(request, planned),
        "files": [
            {"name": each.name, "phase": each.phase, "transaction": each.transaction, "checksum": each.checksum}
            for each in planned.migrations
            if each.role == "migration"
        ],
        "databases": [_database(each) for each in planned.databases],
    }


def _plan(request: Request, planned: PlannedDatabases) -> Mapping[str, Any]:
    return {
        **_head(request, planned),
        "databases": [
            {
                "name": each.target.name,
                "files": [_file(file) for file in to_run(planned.migrations, each.found, planned.how)],
            }
            for each in planned.databases
        ],
    }


def _head(request: Request, planned: PlannedDatabases) -> Mapping[str, Any]:
    return {
        "stage": request.stage.name,
        "site": str(request.site.base),
        "folder": planned.folder,
        "problems": list(_problems(request, planned)),
        "warnings": list(planned.warnings(request.conf.database.offline)),
    }


def _database(each: PlannedDatabase) -> Mapping[str, Any]:
    standing = each.standing
    return {
        "name": each.target.name,
        "exists": each.found.exists,
        "recorded": not standing.bare,
        "applied": list(each.found.names),
        "pending": [file.name for file in standing.pending],
        "changed": [file.name for file in standing.changed],
        "late": [file.name for file in standing.late],
        "gone": list(standing.gone),
        "invalid_indexes": list(each.found.invalid),
    }


def _file(file: Migration) -> Mapping[str, Any]:
    return {
        "file": file.file,
        "phase": file.phase,
        "transaction": file.transaction,
        "statements": [{"line": each.line, "sql": each.sql} for each in file.statements],
    }
