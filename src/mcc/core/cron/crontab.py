"""The text of a crontab: one block a site, every other line kept byte for byte.

::

    MAILTO=ops@example.com                        somebody else's, never touched
    # BEGIN mcc /home/stenvala/live/myapp-prod
    # MCC-BACKUP
    0 2 * * * cd /home/… && ./backup.sh >> /home/…/logs/backup.log 2>&1
    # END mcc /home/stenvala/live/myapp-prod

A crontab has no encoding and belongs to many, so all of this is bytes in and bytes out. What
stands between the two comments is mcc's and is written anew each time. A BEGIN or END without its
partner is dropped, and the lines around it count as somebody else's.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mcc.core.cron.lines import marker_of, names_site, without_marker
from mcc.core.cron.lines import parts as parts
from mcc.core.layout import Site
from mcc.model.conf import CronJob

FLOCK = "/usr/bin/flock"
SKIPPED = 197
"""The exit code of a run that was skipped: one that scripts hardly use."""

_EDGE = re.compile(rb"# (BEGIN|END) mcc (/.*)")
_UNSAFE = re.compile(r"[^\w@%+=:,./-]")


def problem_with_job(job: CronJob) -> str | None:
    """What is wrong with the names of a job (its schedule aside); None if they are good."""
    for what, value in (("script", job.script), ("log", job.log)):
        if not value.isprintable() or not value or "\\" in value:
            return f"{what} {value!r} must be a file name of printable characters, without backslashes"
        if value.startswith("/") or ".." in value.split("/"):
            return f"{what} {value!r} must stay inside its folder: no leading / and no .."
    if any(not value.isprintable() or "\\" in value for _, value in job.environment):
        return "a variable's value must be one line of printable characters, without backslashes"
    if not job.marker.isprintable() or not job.marker.strip():
        return f"marker {job.marker!r} must be one line of printable characters"
    if _EDGE.match(_bytes(f"# {job.marker.strip()}")):
        return f"marker {job.marker!r} must not look like the lines that mcc puts around its jobs"
    return None


def job_lines(jobs: Sequence[CronJob], site: Site) -> tuple[str, ...]:
    """Two lines a job: ``# MARKER``, then the schedule and the command; or the job's own line."""
    lines: list[str] = []
    for job in jobs:
        lines += [f"# {job.marker}"] if job.marker else []
        lines.append(job.line or f"{job.schedule} {_command(job, site)}")
    return tuple(lines)


def unquoted_commands(jobs: Sequence[CronJob], site: Site) -> tuple[str, ...]:
    """The commands as a script writes them that never quotes: what :func:`with_block` replaces."""
    return tuple(
        f"cd {site.scripts} && ./{job.script} >> {site.logs}/{job.log} 2>&1" for job in jobs if not job.line
    )


def _command(job: CronJob, site: Site) -> str:
    folder, script, log = _word(str(site.scripts)), _word(f"./{job.script}"), _word(f"{site.logs}/{job.log}")
    variables = "".join(f"{name}={_word(value)} " for name, value in job.environment)
    lock = "" if job.overlap else f"{FLOCK} -n -E {SKIPPED} {_word(str(_lock(job, site)))} "
    command = f"cd {folder} && {variables}{lock}{script} >> {log} 2>&1{'' if job.overlap else _note(job, log)}"
    # Cron cuts a command at a bare % and takes the backslash away from an escaped one: crontab(5).
    return command.replace("%", "\\%")


def _lock(job: CronJob, site: Site) -> Path:
    """The file that a job holds while it runs; each marker has its own."""
    plain = re.sub(r"[^\w.-]", "-", job.marker)[:80]
    other = "" if plain == job.marker else f"-{hashlib.sha256(job.marker.encode()).hexdigest()[:8]}"
    return site.own / f"cron.{plain}{other}.lock"


def _note(job: CronJob, log: str) -> str:
    """What comes behind a job's command: a line in its log for a run that was skipped; its exit code stays."""
    words = shlex.quote(f"{job.marker}: skipped, the run before has not ended")
    line = f"""echo "$(/bin/date '+%F %T')" {words} >> {log}"""
    return f" || {{ code=$?; [ $code -ne {SKIPPED} ] || {line}; exit $code; }}"


def _word(text: str) -> str:
    """A word for the shell, quoted only where it must be."""
    return shlex.quote(text) if _UNSAFE.search(text) else text


def with_block(text: bytes, site: Path, lines: Sequence[bytes | str], replaces: Sequence[bytes | str] = ()) -> bytes:
    """The crontab with this block for the site; without lines, with no block.

    A block that is there is replaced where it stands, a new one comes last. Outside of all blocks go
    the lines that an older script left, each with the marker comment of that job right before it:
    those that run a command of ``lines`` or of ``replaces``, and those that have the marker of a job
    (in the line before, or behind the command) and name the site. What begins with # in ``replaces``
    is such a marker.
    """
    wanted = [_bytes(line) for line in lines]
    if any(b"\n" in line or _EDGE.match(line) for line in wanted) or "\n" in str(site):
        raise ValueError("a line of a block is one line, and not an edge of a block")
    block = _block(site, wanted)
    return _exchanged(_without_doubles(_pieces(text, site), _doubles(wanted, replaces, site)), block)


def with_plain_lines(text: bytes, site: Path, lines: Sequence[bytes | str]) -> bytes:
    """The crontab with these lines where the site's block stands, and without the block: what a script goes on with."""
    return _exchanged(_pieces(text, site), b"".join(_bytes(line) + b"\n" for line in lines))


def without_block(text: bytes, site: Path) -> bytes:
    """The crontab without the site's block."""
    return with_block(text, site, ())


def block_of(text: bytes, site: Path) -> bytes | None:
    """The site's block with its first and last line; None if there is none."""
    return next((piece.data for piece in _pieces(text, site) if piece.kind == "ours"), None)


def restore(current: bytes, before: bytes, site: Path, replaces: Sequence[bytes | str] = ()) -> bytes:
    """What the crontab should be when :func:`with_block` is taken back.

    If nobody else wrote to it since, exactly ``before``. Otherwise others' changes stay, and only
    the site's block and the lines that were removed for it are as they were.
    """
    lines = _inside(block_of(current, site))
    if with_block(before, site, lines, replaces) == current:
        return before
    restored = _exchanged(_pieces(current, site), block_of(before, site) or b"")
    return _put_back(restored, before, site, _doubles(lines, replaces, site))


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """A line, or a whole block. "stray" is an edge of ours without its partner."""

    kind: Literal["line", "ours", "other", "stray"]
    data: bytes


@dataclass(frozen=True, slots=True)
class _Doubles:
    """Commands whose lines are replaced, and the markers that may stand before or behind them."""

    commands: frozenset[bytes]
    markers: frozenset[bytes]
    site: Path

    def takes(self, command: bytes, marked: bool) -> bool:
        """Whether a foreign line is a job of ours; ``marked``: a marker of ours stands right before it."""
        bare, marker = without_marker(command)
        known = marker is not None and marker in self.markers
        if command in self.commands or (known and bare in self.commands):
            return True
        return (marked or known) and names_site(command, self.site)


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def _split(text: bytes) -> list[bytes]:
    """Lines with their ends. bytes.splitlines would also cut at a carriage return."""
    lines = [line + b"\n" for line in text.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _edge(line: bytes) -> tuple[bytes, bytes] | None:
    """``(b"BEGIN" or b"END", site)`` if a line is the edge of a block."""
    match = _EDGE.fullmatch(line.rstrip())
    return (match[1], match[2]) if match else None


def _pieces(text: bytes, site: Path) -> Iterator[_Piece]:
    """The text in pieces; joined without the strays they give it again."""
    lines, own = _split(text), _bytes(str(site)).rstrip()
    at = 0
    while at < len(lines):
        edge = _edge(lines[at])
        end = _end(lines, at, edge[1]) if edge and edge[0] == b"BEGIN" else None
        if edge and end is not None:
            yield _Piece("ours" if edge[1] == own else "other", b"".join(lines[at : end + 1]))
            at = end
        else:
            yield _Piece("stray" if edge and edge[1] == own else "line", lines[at])
        at += 1


def _end(lines: Sequence[bytes], begin: int, site: bytes) -> int | None:
    """Where a block ends; None if another edge comes first, or none at all."""
    for at in range(begin + 1, len(lines)):
        edge = _edge(lines[at])
        if edge:
            return at if edge == (b"END", site) else None
    return None


def _block(site: Path, lines: Iterable[bytes]) -> bytes:
    inner = b"".join(line + b"\n" for line in lines)
    name = _bytes(str(site))
    return b"# BEGIN mcc " + name + b"\n" + inner + b"# END mcc " + name + b"\n" if inner else b""


def _inside(block: bytes | None) -> list[bytes]:
    return [line.removesuffix(b"\n") for line in _split(block)[1:-1]] if block else []


def _joined(text: bytes, block: bytes) -> bytes:
    """A block after a text whose last line may lack its end."""
    return text + (b"\n" if block and text and not text.endswith(b"\n") else b"") + block


def _doubles(lines: Sequence[bytes], replaces: Sequence[bytes | str], site: Path) -> _Doubles:
    others = [_bytes(command) for command in replaces]
    jobs = [job[1] for job in map(parts, lines) if job] + [each for each in others if not each.startswith(b"#")]
    markers = {marker for line in [*lines, *others] if (marker := marker_of(line))}
    behind = {marker for job in jobs if (marker := without_marker(job)[1])}
    return _Doubles(frozenset({*jobs, *(without_marker(job)[0] for job in jobs)}), frozenset(markers | behind), site)


def _without_doubles(pieces: Iterable[_Piece], doubles: _Doubles) -> Iterator[_Piece]:
    """The pieces that stay: no strays, no doubles, no marker that stood right before a double."""
    held: _Piece | None = None
    for piece in pieces:
        job = parts(piece.data) if piece.kind == "line" else None
        double = job is not None and doubles.takes(job[1], held is not None)
        if held is not None and not double:
            yield held
        held = None
        if piece.kind == "line" and marker_of(piece.data) in doubles.markers:
            held = piece
        elif not double and piece.kind != "stray":
            yield piece
    if held is not None:
        yield held


def _exchanged(pieces: Iterable[_Piece], block: bytes) -> bytes:
    """The text with the site's first block exchanged for another or for none, and no strays."""
    texts: list[bytes] = []
    placed = False
    for piece in pieces:
        if piece.kind == "ours":
            texts.append(b"" if placed else block)
            placed = True
        elif piece.kind != "stray":
            texts.append(piece.data)
    text = b"".join(texts)
    return text if placed else _joined(text, block)


def _put_back(text: bytes, before: bytes, site: Path, doubles: _Doubles) -> bytes:
    """Put lines back that were removed from ``before``, each behind the line that it stood behind."""
    pieces = [piece for piece in _pieces(before, site) if piece.kind != "stray"]
    kept = set(_without_doubles(pieces, doubles))
    there = Counter(piece.data.rstrip() for piece in _pieces(text, site) if piece.kind == "line")
    lines = _split(text)
    anchor: bytes | None = None
    for piece in pieces:
        name = piece.data.rstrip()
        if piece not in kept and there[name]:
            there[name] -= 1
        elif piece not in kept:
            _insert(lines, anchor, piece.data)
        anchor = _split(piece.data)[-1].rstrip()
    return b"".join(lines)


def _insert(lines: list[bytes], anchor: bytes | None, line: bytes) -> None:
    """Put a line behind the last one like ``anchor``: first without an anchor, else at the end."""
    found = [at for at, other in enumerate(lines) if other.rstrip() == anchor]
    at = 0 if anchor is None else found[-1] + 1 if found else len(lines)
    if at and not lines[at - 1].endswith(b"\n"):
        lines[at - 1] += b"\n"
    lines.insert(at, line if line.endswith(b"\n") else line + b"\n")
