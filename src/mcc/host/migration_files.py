"""Reading a folder of migrations."""

from __future__ import annotations

from pathlib import Path

from mcc.core import migrations
from mcc.host.ports import Files
from mcc.model.migration import Migration


def read_migrations(files: Files, folder: Path, shown_as: str | None = None) -> tuple[Migration, ...]:
    """All migrations of a folder, in order. What is wrong with one hangs on it: see ``core.migrations.refuse``.

    ``shown_as`` is the folder's name in messages.
    """
    names = [name for name in files.names(folder) if name.lower().endswith(migrations.SUFFIX)]
    contents = {name: files.read(folder / name) for name in names if files.kind(folder / name) == "file"}
    return migrations.read(contents, str(folder) if shown_as is None else shown_as)
