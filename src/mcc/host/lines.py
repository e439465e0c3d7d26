"""Files of lines that are only ever added to: journals, the ledger."""

from __future__ import annotations

from pathlib import Path

from mcc.host.ports import Files


def append_line(files: Files, path: Path, line: bytes, mode: int) -> None:
    """Add a line (with its end), on disk when this returns. Raises OSError.

    A power cut may have left a part of a line at the end. It never counted, and must not become
    the beginning of this one: it goes, in one rename.
    """
    if _is_whole(files, path):
        files.append(path, line, mode)
    else:
        text = files.read(path)
        files.write(path, text[: text.rfind(b"\n") + 1] + line, mode)


def _is_whole(files: Files, path: Path) -> bool:
    if files.kind(path) != "file":
        return True
    size = files.size(path)
    return size == 0 or files.read(path, 1, size - 1) == b"\n"
