"""What visitors got, as numbers. The same code counts for both sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. Times are in seconds of one clock; ``reason`` is empty if it was answered well.

    ``period``: how long this visitor waits from one request to the next. ``again``: it took a
    second try over a new connection.
    """

    kind: str
    visitor: str
    period: float
    start: float
    end: float
    reason: str = ""
    again: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    """What the visitors of one site got in one window of time; all times in seconds.

    ``longest_wait``: from a request to its answer, or until the visitor gave up. ``longest_pause``:
    between two good answers to one visitor, beyond his own rest between requests; ``still_down``:
    that pause had not ended with the window. ``reasons``: how often each, and when first, counted
    from the window's begin.
    """

    asked: int
    failed: int
    failed_by_kind: Mapping[str, int]
    again: int
    longest_wait: float
    longest_pause: float
    still_down: bool
    reasons: Sequence[tuple[str, int, float]]


def figures(all_asked: Iterable[Asked], begin: float, end: float) -> Figures:
    """Count the requests that began in a window; those that waited beyond its end are in full."""
    asked = [each for each in all_asked if begin <= each.start < end]
    failed = [each for each in asked if each.reason]
    pause, still_down = _longest_pause(asked, begin, end)
    return Figures(
        asked=len(asked),
        failed=len(failed),
        failed_by_kind=Counter(each.kind for each in failed),
        again=sum(each.again for each in asked),
        longest_wait=max((each.end - each.start for each in asked), default=0.0),
        longest_pause=pause,
        still_down=still_down,
        reasons=_reasons(failed, begin),
    )


def _longest_pause(asked: Sequence[Asked], begin: float, end: float) -> tuple[float, bool]:
    longest, still_down = 0.0, False
    for visitor in {each.visitor for each in asked}:
        own = [each for each in asked if each.visitor == visitor]
        good = sorted(each.end for each in own if not each.reason and each.end < end)
        points = [begin, *good, end]
        pauses = [later - earlier - own[0].period for earlier, later in pairwise(points)]
        if max(pauses) > longest:
            longest, still_down = max(pauses), pauses[-1] == max(pauses)
    return longest, still_down


def _reasons(failed: Sequence[Asked], begin: float) -> list[tuple[str, int, float]]:
    counts = Counter((each.kind, each.reason) for each in failed)
    first = {key: min(each.start for each in failed if (each.kind, each.reason) == key) for key in counts}
    return [(f"{kind}: {reason}", count, first[kind, reason] - begin) for (kind, reason), count in counts.most_common()]
