"""What the benchmarks share: trees to deploy, interleaved rounds, and tables with ratios."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
NOTES = PROJECT / "examples" / "notes"
BIN = Path(sys.executable).parent
MCC = BIN / "mcc"
STAGE = "bench"
DOMAINS = ("app.example.com", "client.example.com")

_IN_MEMORY = {"tmpfs", "ramfs"}
_SEED = 20_000


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds: of wall clock, and of CPU by the command and all that it waited for."""

    wall: float
    cpu: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.wall + other.wall, self.cpu + other.cpu)


@dataclass(frozen=True, slots=True)
class Ran:
    """One command that has ended: what it cost, and what it printed. ``started``: seconds since the epoch."""

    cost: Cost
    code: int
    output: str
    started: float


def options(text: str, rounds: int) -> argparse.Namespace:
    """The options that every benchmark has. ``text`` is its docstring."""
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=rounds, metavar="N", help="how often (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="the numbers as JSON instead of tables")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where to work (default: temporary, on a disk)")
    return parser.parse_args()


@contextlib.contextmanager
def work_folder(asked: Path | None) -> Iterator[Path]:
    """A new folder on a real disk, removed at the end."""
    place = asked or _place_on_disk()
    place.mkdir(parents=True, exist_ok=True)
    if file_system(place) in _IN_MEMORY:
        print(f"note: {place} is in memory; files that are synced there cost nothing", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="mcc-bench-", dir=place) as folder:
        yield Path(folder)


def _place_on_disk() -> Path:
    places = [Path(tempfile.gettempdir()), Path("/var/tmp"), PROJECT.parent]
    return next((place for place in places if file_system(place) not in _IN_MEMORY), places[0])


def file_system(path: Path) -> str:
    """The kind of file system that a folder is on: the longest mount point above it (proc_mounts(5))."""
    best, kind = "", "?"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, name, *_ = line.split()
        if path.resolve().is_relative_to(point) and len(point) >= len(best):
            best, kind = point, name
    return kind


def environment() -> dict[str, str]:
    """This process's variables, with this interpreter's programs (mcc, uv) first.

    The shims of version managers (pyenv, asdf) are left out: uv would start a shell for each of them,
    and a server has none.
    """
    left_out = ("VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
    variables = {name: value for name, value in os.environ.items() if name not in left_out}
    path = [place for place in os.environ.get("PATH", os.defpath).split(":") if not place.endswith("/shims")]
    return {**variables, "PATH": ":".join([str(BIN), *path])}


def run(words: Sequence[str | Path], cwd: Path | None = None) -> Ran:
    """Run to the end. wait4(2) counts the CPU of the process and of all that it waited for."""
    with tempfile.TemporaryFile("w+") as output:
        started, clock = time.time(), time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in words], cwd=cwd, env=environment(),
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - clock
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    return Ran(Cost(wall, usage.ru_utime + usage.ru_stime), process.returncode, text, started)


def must(words: Sequence[str | Path], cwd: Path | None = None) -> Ran:
    """Run; a failure ends the benchmark, since its numbers would say nothing."""
    ran = run(words, cwd)
    if ran.code != 0:
        print(f"{' '.join(map(str, words))} ended with {ran.code}:\n{ran.output}", file=sys.stderr)
        raise SystemExit(0)
    return ran


def settle(folder: Path) -> None:
    """Write out what the last side left in the page cache, so that the next one does not pay for it."""
    must(["sync", "-f", folder])


# Trees


def make_output(output: Path, base: Path, files: int, size: int, *, copies: int = 1) -> None:
    """The sample's output, filled up with generated files to ``files`` files of ``size`` bytes together.

    One in twenty is a Python file of the api (as many as in a middling application), the rest are assets of many
    sizes. With ``copies`` the
    generated assets are there that many times. What is asked of ``base`` is a site without services.
    """
    must([sys.executable, NOTES / "mcc_build.py", "--output", output, "--branch", "main", "--build-number", "1"])
    _write_conf(output, base)
    have = [path for path in output.rglob("*") if path.is_file()]
    modules = (files - len(have)) // 20
    assets = files - len(have) - modules
    source = random.Random(_SEED)
    spent = sum(path.stat().st_size for path in have) + _modules(output / "api" / "generated", modules, source)
    first = output / "ui" / "assets" / "generated"
    _assets(first, assets, size - spent, source)
    for number in range(1, copies):
        # Names of the same files: what is read is as much, and making it is quick.
        shutil.copytree(first, first.with_name(f"generated-{number}"), copy_function=os.link)


def _write_conf(output: Path, base: Path) -> None:
    for old in output.glob("conf-*.yml"):
        old.unlink()
    (output / "config.yml").write_text(f"deploy:\n  {STAGE}:\n    parameters: {{conf: conf.yml, keep_builds: 3}}\n")
    (output / "conf.yml").write_text(
        f"REMOTE_BASE: {base}\nSERVICE_MANAGER: none\nOWNERSHIP: none\nSMOKE_URLS: []\n"
        f"DOMAINS: [{', '.join(DOMAINS)}]\n"
    )


def _modules(folder: Path, count: int, source: random.Random) -> int:
    size = 0
    for number in range(count):
        path = folder / f"part{number % 12}" / f"module{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"def f{n}(a, b):\n    return [a * {source.random()}, b, {n}]\n" for n in range(source.randint(5, 60))]
        path.write_text("\n".join(lines))
        size += path.stat().st_size
    return size


def _assets(folder: Path, count: int, size: int, source: random.Random) -> None:
    """Sizes spread as in real front ends: many small files, few large ones."""
    weights = [source.lognormvariate(0, 1.3) for _ in range(count)]
    for number, weight in enumerate(weights):
        path = folder / f"{number % 40:02}" / f"asset-{source.getrandbits(32):08x}.{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source.randbytes(int(size * weight / sum(weights))))


def tally(folder: Path) -> tuple[int, int]:
    """Files and bytes below a folder."""
    sizes = [path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return len(sizes), sum(sizes)


# Rounds and tables


def interleaved(sides: Mapping[str, Callable[[], Cost]], rounds: int) -> dict[str, list[Cost]]:
    """Every side once a round, each round beginning with another: what disturbs, disturbs all."""
    names = list(sides)
    found: dict[str, list[Cost]] = {name: [] for name in names}
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            found[name].append(sides[name]())
        print(f"\rround {number + 1} of {rounds} ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return found


@dataclass(frozen=True, slots=True)
class Row:
    """One side in seconds. ``more`` and ``ratio`` are medians over the rounds, each against the same round."""

    side: str
    median: float
    least: float
    most: float
    more: float
    ratio: float
    cpu: float


def summary(found: Mapping[str, Sequence[Cost]], against: str, by: str = "wall") -> dict[str, Row]:
    """How each side stands to ``against``, by ``wall`` or by ``cpu``."""
    rows = {}
    for side, costs in found.items():
        values = [getattr(cost, by) for cost in costs]
        pairs = list(zip(values, (getattr(cost, by) for cost in found[against]), strict=True))
        rows[side] = Row(
            side, statistics.median(values), min(values), max(values),
            statistics.median(value - other for value, other in pairs),
            statistics.median(value / other for value, other in pairs),
            statistics.median(cost.cpu for cost in costs),
        )  # fmt: skip
    return rows


def show_summary(rows: Mapping[str, Row], against: str, *, cpu: bool) -> None:
    """A table in milliseconds. ``cpu``: with a column for it beside the wall clock."""
    head = ["", "median ms", "range ms", f"more than {against}", "ratio", *(["CPU ms"] if cpu else [])]
    lines = []
    for row in rows.values():
        between = f"{_ms(row.least)} to {_ms(row.most)}"
        values = [_ms(row.median), between, f"{row.more * 1000:+.0f}", f"{row.ratio:.2f}"]
        lines.append([row.side, *values, *([_ms(row.cpu)] if cpu else [])])
    table(head, lines)


def show_speeds(rows: Mapping[str, Row], against: str) -> None:
    """A table in milliseconds that says how many times faster each side is."""
    head = ["", "median ms", "range ms", "CPU ms", "times faster"]
    lines = []
    for row in rows.values():
        between = f"{_ms(row.least)} to {_ms(row.most)}"
        times = "1" if row.side == against else f"{1 / row.ratio:.1f}"
        lines.append([row.side, _ms(row.median), between, _ms(row.cpu), times])
    table(head, lines)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A Markdown table with even columns: the first one to the left, the others to the right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        numbers = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
        return "| " + " | ".join([cells[0].ljust(widths[0]), *numbers]) + " |"

    print(line(head))
    print("|" + "|".join("-" * (width + 1) + (":" if place else "-") for place, width in enumerate(widths)) + "|")
    for row in rows:
        print(line(row))
    print()


def verdict(text: str, value: float, limit: float, unit: str) -> None:
    """One line on a target. A benchmark measures; it never fails."""
    word = "reached" if value <= limit else "MISSED"
    print(f"{text}: {value:.0f} {unit}, target at most {limit:g} {unit}: {word}\n")


def verdict_faster(text: str, value: float, least: float, aim: float) -> None:
    """One line on a target that is a number of times."""
    word = "MISSED" if value < least else "reached" if value >= aim else "reached, the aim is not"
    print(f"{text}: {value:.0f} times faster, target at least {least:g}, aim {aim:g}: {word}\n")


def verdict_ratio(text: str, value: float, most: float) -> None:
    """One line on a target that is a ratio."""
    print(f"{text}: {value:.2f} times, target at most {most:g}: {'reached' if value <= most else 'MISSED'}\n")


def machine() -> str:
    """What the numbers were measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    model = next(names, platform.machine())
    return f"{os.cpu_count()} x {model}, Linux {platform.release()}, Python {platform.python_version()}"


def print_json(what: str, rows: Mapping[str, Row], **more: object) -> None:
    """The same numbers for a program, in seconds."""
    sides = [dataclasses.asdict(row) for row in rows.values()]
    print(json.dumps({"what": what, "seconds": sides, **more}, indent=2))
