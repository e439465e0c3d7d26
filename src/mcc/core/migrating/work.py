"""Migrations beside a database: what it needs, and what stands in the way."""

from __future__ import annotations

from collections.abc import Sequence

from mcc.core.migrating.files import pending
from mcc.model.database import Found, How
from mcc.model.migration import Migration


def to_run(migrations: Sequence[Migration], found: Found, how: How) -> tuple[Migration, ...]:
    """What is run on a database now, in order: the schema of a new one, what is pending, what runs always.

    Nothing is decided about rows here: those of role ``migration`` get one, and so do the migrations
    that a schema includes, which do not run then.
    """
    schema = tuple(each for each in migrations if each.role == "schema") if found.new else ()
    included = {name for each in schema for name in each.includes}
    files = [each for each in waiting(migrations, found, how) if each.name not in included]
    always = [each for each in migrations if each.role == "always"] if files or "before" in how.phases else []
    return (*schema, *files, *always)


def waiting(migrations: Sequence[Migration], found: Found, how: How) -> tuple[Migration, ...]:
    """The migrations that a database has not had, of the phases whose time has come."""
    files = pending([each for each in migrations if each.role == "migration"], found.names)
    return tuple(each for each in files if found.new or each.phase in how.phases)


def groups(todo: Sequence[Migration]) -> tuple[tuple[Migration, ...], ...]:
    """What is one transaction each, in order; a file without a transaction is by itself."""
    found: list[list[Migration]] = []
    for migration in todo:
        if found and migration.transaction and found[-1][-1].transaction:
            found[-1].append(migration)
        else:
            found.append([migration])
    return tuple(map(tuple, found))


def still_to_run(group: Sequence[Migration], found: Found) -> tuple[Migration, ...]:
    """What of a group that was chosen before is still to be run on a database as it is now.

    Its phase does not count any more: behind the first group a new database is no longer new.
    """
    had = set(found.names)
    return tuple(
        each
        for each in group
        if each.role == "always" or (found.new if each.role == "schema" else each.name not in had)
    )


def recorded(ran: Sequence[Migration], migrations: Sequence[Migration]) -> tuple[Migration, ...]:
    """The migrations that get a row because ``ran`` has run: themselves, and those that a schema includes."""
    names = {each.name for each in ran if each.role == "migration"}
    names |= {name for each in ran if each.role == "schema" for name in each.includes}
    return tuple(each for each in migrations if each.role == "migration" and each.name in names)
