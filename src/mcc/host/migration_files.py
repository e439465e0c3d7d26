"""Reading a folder of migrations, and the files beside it."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path

from mcc.core.migrating import files as migrations
from mcc.core.sql.words import Dialect
from mcc.host.ports import Files
from mcc.model.migration import Migration, Role


def read_migrations(
    files: Files, folder: Path, shown_as: str | None = None, dialect: Dialect = "sqlite"
) -> tuple[Migration, ...]:
    """All migrations of a folder, in order. What is wrong with one hangs on it: see ``core.migrations.refuse``.

    ``shown_as`` is the folder's name in messages. Raises OSError if there is no such folder: that is another
    thing than one without files, of which nothing would run.
    """
    if files.kind(folder) != "folder":
        raise FileNotFoundError(errno.ENOENT, "no folder of migrations", str(folder))
    kinds = {
        name: files.kind(folder / name) for name in files.names(folder) if name.lower().endswith(migrations.SUFFIX)
    }
    contents = {name: files.read(folder / name) for name, kind in kinds.items() if kind == "file"}
    links = [name for name, kind in kinds.items() if kind == "link"]
    return migrations.read(contents, str(folder) if shown_as is None else shown_as, dialect, links)


@dataclass(frozen=True, slots=True)
class Sources:
    """The files of SQL that a release brings: the folder of its migrations, what starts a new database, what
    is run always; and whose SQL it is."""

    migrations: Path
    schema: Path | None = None
    always: Path | None = None
    dialect: Dialect = "sqlite"


def read_sources(files: Files, sources: Sources, within: Path | None = None) -> tuple[Migration, ...]:
    """All of them, in the order in which they run. Names in messages are relative to ``within``.

    Raises OSError for a file that is not there.
    """

    def shown(path: Path) -> str:
        return str(path.relative_to(within) if within else path)

    def one(path: Path | None, role: Role) -> tuple[Migration, ...]:
        return (migrations.read_one(files.read(path), shown(path), role, sources.dialect),) if path else ()

    folder = sources.migrations
    between = read_migrations(files, folder, shown(folder), sources.dialect)
    return (*one(sources.schema, "schema"), *between, *one(sources.always, "always"))
