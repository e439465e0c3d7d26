"""An error in a project's own Python, as its author sees it: their file, their line, nothing of mcc's."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path

from mcc.core.hooks import FILE
from mcc.errors import MccError

_FRAMES = 6


@dataclass(frozen=True, slots=True)
class Shown:
    """``line`` 0: nothing of the project's was under way. ``log``: its lines, the last one where it happened."""

    file: str
    line: int
    source: str
    message: str
    help: str = ""
    log: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


def shown(error: BaseException, folder: Path) -> Shown:
    """The error as a line of the code that lies in ``folder``."""
    if isinstance(error, SyntaxError) and _inside(error.filename, folder):
        source = (error.text or "").strip()
        return Shown(_below(str(error.filename), folder), error.lineno or 0, source, f"{_kind(error)}: {error.msg}")
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _inside(frame.filename, folder)]
    help, log = (error.help, error.log) if isinstance(error, MccError) else ("", ())
    if not frames:
        return Shown(FILE, 0, "", _words(error), help, log)
    last, lines = frames[-1], [_line(frame, folder) for frame in frames[-_FRAMES:]]
    return Shown(_below(last.filename, folder), last.lineno or 0, last.line or "", _words(error), help, (*lines, *log))


def _words(error: BaseException) -> str:
    if isinstance(error, MccError):
        return error.message
    text = str(error)
    return f"{_kind(error)}: {text}" if text else _kind(error)


def _kind(error: BaseException) -> str:
    return type(error).__name__


def _line(frame: traceback.FrameSummary, folder: Path) -> str:
    return f"{_below(frame.filename, folder)}:{frame.lineno}, in {frame.name}: {frame.line or ''}".rstrip(": ")


def _inside(file: str | None, folder: Path) -> bool:
    return file is not None and Path(file).is_relative_to(folder)


def _below(file: str, folder: Path) -> str:
    return str(Path(file).relative_to(folder))
