"""What was found, as tables in Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import _common as common

from peers.kills import Kill
from peers.load import Seen
from peers.peer import Peer


@dataclass(slots=True)
class Found:
    """All about one tool. ``seconds`` and ``cpu``: of each deploy without visitors. ``absent``: why it did not run."""

    peer: Peer
    version: str = ""
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    seen: Seen = field(default_factory=Seen)
    deploys_seen: int = 0
    kills: list[Kill] = field(default_factory=list)
    absent: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def loses_no_file(self) -> bool:
        """No page that is open misses a file either."""
        return self.loses_nothing and self.deploys_seen > 0 and self.seen.outdated == 0

    @property
    def loses_nothing(self) -> bool:
        """No page, no release and no deploy was lost."""
        return not self.absent and self.seen.lost == 0 and all(kill.loses_nothing for kill in self.kills)


def ratio(found: Found, base: Found) -> float:
    """How long it takes beside another, each round against the same round."""
    return statistics.median(one / other for one, other in zip(found.seconds, base.seconds, strict=True))


def show(all_found: Sequence[Found], base: Found) -> None:
    """Three tables and the verdict; ratios are to ``base``."""
    _show_seconds(all_found, base)
    if base.deploys_seen:
        _show_visitors(all_found)
    if base.kills:
        _show_kills(all_found)
    print(verdict(all_found, base.peer.name))


def _show_seconds(all_found: Sequence[Found], base: Found) -> None:
    head = ["a deploy", "version", "median s", "range s", "CPU s", f"times {base.peer.name}"]
    rows = [[*_who(each), *_seconds(each, base)] for each in all_found]
    common.table(head, rows)


def _seconds(found: Found, base: Found) -> list[str]:
    if found.absent:
        return [f"not run: {found.absent}", "", "", ""]
    spread = f"{min(found.seconds):.2f} to {max(found.seconds):.2f}"
    return [f"{found.median:.2f}", spread, f"{statistics.median(found.cpu):.2f}", f"{ratio(found, base):.2f}"]


def _who(found: Found) -> list[str]:
    return [found.peer.name, found.version]


def _show_visitors(all_found: Sequence[Found]) -> None:
    head = ["visitors meanwhile", "deploys", "opens", "failed", "requests", "failed", "longest ms", "old page's files"]
    common.table(head, [_visitors(each) for each in all_found if not each.absent])


def _visitors(found: Found) -> list[str]:
    seen = found.seen
    return [
        found.peer.name,
        str(found.deploys_seen),
        *(f"{int(each.get(name, 0))}" for each in (seen.opens, seen.requests) for name in ("pages", "failed pages")),
        f"{seen.longest * 1000:.0f}",
        f"{seen.outdated} failed",
    ]


def _show_kills(all_found: Sequence[Found]) -> None:
    head = ["killed", "kills", "site whole", "next deploy", "rollback whole", "unfinished stays"]
    common.table(head, [_killed(each) for each in all_found if each.kills])


def _killed(found: Found) -> list[str]:
    kills = found.kills
    good = [[kill.whole for kill in kills], [kill.goes_on for kill in kills], [kill.comes_back for kill in kills]]
    left = sum(kill.next.unfinished > 0 for kill in kills)
    return [found.peer.name, str(len(kills)), *(f"{sum(each)} of {len(kills)}" for each in good), str(left)]


def verdict(all_found: Sequence[Found], name: str) -> str:
    """Which is the fastest of those that lose nothing, floors aside; with and without files of pages that are open."""
    good = (each for each in all_found if each.peer.checks and each.loses_nothing)
    ranked = sorted(good, key=lambda each: each.median)
    return "\n".join(
        (
            _place("lost no page, no release and no deploy", ranked, name),
            _place("and no file of a page that was open", [each for each in ranked if each.loses_no_file], name),
        )
    )


def _place(what: str, ranked: Sequence[Found], name: str) -> str:
    names = ", ".join(f"{each.peer.name} {each.median:.2f} s" for each in ranked)
    word = "reached" if ranked and ranked[0].peer.name == name else "MISSED"
    return f"{what}, fastest first: {names or 'nobody'}; {name} is to be the first: {word}"


def as_data(found: Found) -> Mapping[str, object]:
    """The same for a program."""
    return {
        "name": found.peer.name, "version": found.version, "absent": found.absent, "seconds": found.seconds,
        "cpu": found.cpu,
        "opens": found.seen.opens, "requests": found.seen.requests, "longest": found.seen.longest,
        "kills": [
            {
                "side": kill.side, "moment": kill.moment, "code": kill.code, "after": kill.after.release,
                "next_code": kill.next_code, "next": kill.next.release, "back": kill.back.release,
                "unfinished": kill.after.unfinished, "unfinished_next": kill.next.unfinished,
            }
            for kill in found.kills
        ],
    }  # fmt: skip
