"""Kill every kind of run at each of its effects, on a machine in memory, and look what recovery makes of it.

Each run dies before, in the middle of and behind everything that it changes, once by ``kill -9`` and once by a power
cut, and a new process recovers it. Then that recovery dies too: at each of its own effects where the table says
``all``, at a seeded part of them elsewhere (``--again``), a fifth of the times by a power cut as well. Whatever is
neither exactly as before nor exactly as after an undisturbed run is counted as mixed; what is gone, or waits for a
person, as lost.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from engine.every_run import KINDS
from fakes.kills import Deaths, Ready, Tally, counted

_PART = 25
"""Effects that one process takes at a time."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some effects of one kind of run."""

    name: str
    first: int
    last: int
    again: int | None


def main() -> int:
    asked = options()
    names = [name for name in KINDS if asked.only in name]
    if not names:
        print(f"there is no run {asked.only!r}; there are: {', '.join(KINDS)}", file=sys.stderr)
        return 2
    started = time.monotonic()
    effects = {name: ready(name).effects for name in names}
    found = {name: Tally() for name in names}
    show_head()
    with ProcessPoolExecutor(asked.jobs) as pool:
        parts = list(_parts(effects, asked.again))
        for part, tally in zip(parts, pool.map(killed, parts), strict=True):
            found[part.name].add(tally)
            if part.last == effects[part.name]:
                all_of_them = KINDS[part.name].whole or asked.again is None
                show(part.name, part.last, found[part.name], "all" if all_of_them else "")
    total = _total(found)
    show("**all**", sum(effects.values()), total, "")
    minutes = (time.monotonic() - started) / 60
    print(f"\n{asked.jobs} {'process' if asked.jobs == 1 else 'processes'}, {minutes:.1f} minutes")
    for name, tally in found.items():
        for problem in tally.problems[:3]:
            print(f"{name}: {problem}")
    return 1 if total.mixed or total.lost else 0


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (default: %(default)s)")
    parser.add_argument("--only", default="", metavar="TEXT", help="runs with that in their name")
    parser.add_argument(
        "--again",
        type=_again,
        default=1,
        metavar="N",
        help="kills of each recovery that is not killed at all of its effects, or all (default: %(default)s)",
    )
    return parser.parse_args()


def _again(text: str) -> int | None:
    return None if text == "all" else int(text)


def ready(name: str) -> Ready:
    if name not in _READY:
        _READY[name] = KINDS[name].ready()
    return _READY[name]


_READY: dict[str, Ready] = {}
"""A process makes each machine once."""


def _parts(effects: dict[str, int], again: int | None) -> Iterator[Part]:
    for name, count in effects.items():
        each = None if KINDS[name].whole else again
        for first in range(1, count + 1, _PART):
            yield Part(name, first, min(first + _PART - 1, count), each)


def killed(part: Part) -> Tally:
    return counted(ready(part.name), range(part.first, part.last + 1), Deaths(part.again, True, part.name))


def show_head() -> None:
    """Of a table for a page."""
    print("| run | effects | kills | kills of recoveries | power cuts | mixed | lost |")
    print("|---|--:|--:|--:|--:|--:|--:|", flush=True)


def show(name: str, effects: int, tally: Tally, words: str) -> None:
    """One line a run, as soon as it is through."""
    numbers: Sequence[object] = (
        effects, tally.kills, f"{tally.again} {words}".rstrip(), tally.cuts, tally.mixed, tally.lost,
    )  # fmt: skip
    print(f"| {name} | {' | '.join(map(str, numbers))} |", flush=True)


def _total(found: dict[str, Tally]) -> Tally:
    total = Tally()
    for tally in found.values():
        total.add(tally)
    return total


if __name__ == "__main__":
    sys.exit(main())
