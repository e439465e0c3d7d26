"""What visitors notice of blue/green deploys, rollbacks and broken releases: failed requests, and how long they wait.

In a booted Debian (tests/box; root), with the units and the nginx site of ``mcc provision``. 27 visitors come all
the time. In the first half the idle slot is started and stopped as often as it is in the second, and nobody is led
there (the control); in the second half there are deploys and rollbacks, and each fifth ships a broken release.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import _common as common
from _slots import builds, door, must, server
from _visitors import Answers, Crowd, Visit, Visitor, Visits, answers, crowd

from box.harness import DEPLOY_USER, until
from box.slotted import CONF, UNITS, Site

# Many who come seldom: where few came often, each late answer would make the next ones late, too.
VISITORS = (
    *[Visitor("new", 7.0)] * 8, *[Visitor("kept", 23.0)] * 8, *[Visitor("post", 15.0)] * 8,
    *[Visitor("slow", 1.0)] * 2, Visitor("stream"),
)  # fmt: skip
LIMIT = 50.0  # milliseconds that p99.9 may be above the control
BROKEN = ("does not start", "never answers", "its page is missing", "answers 500", "dies after a second")
BROKEN_CONF = {"START_TIMEOUT": "6", "SMOKE_TIMEOUT": "3", "STABLE_FOR": "2"}  # one of them dies after a second
CONTROL, LOAD = "the idle slot starts and stops", "deploys and rollbacks"


@dataclass(frozen=True, slots=True)
class Half:
    """What was seen in one half. ``done``: how often each thing was done; ``spans``: what went on from when to when."""

    seen: list[Visits]
    done: dict[str, int]
    spans: list[tuple[float, float, str]]
    began: float

    @property
    def visits(self) -> list[Visit]:
        return [visit for each in self.seen for visit in each.all]

    def of(self, kind: str) -> list[Visit]:
        return [visit for visit in self.visits if visit.kind == kind]

    def words(self, visit: Visit) -> str:
        """When it was, what it was, and what went on meanwhile."""
        end = visit.due + visit.took
        meanwhile = [what for begin, over, what in self.spans if begin <= end and visit.due <= over]
        at, took = visit.due - self.began, visit.took * 1000
        text = f"{at:7.2f} s  {visit.kind:6} {took:6.0f} ms  during: {', '.join(meanwhile) or 'nothing'}"
        return f"{text}  {visit.wrong}" if visit.wrong else text


class Operator:
    """What is done to the site, one thing after the other."""

    def __init__(self, site: Site, made: dict[str, Path]) -> None:
        self._site, self._made = site, made
        self._version, self._broken, self._before = "1", 0, ""

    def works(self, deploys: int) -> Iterator[tuple[str, Callable[[], None]]]:
        """Of five, one ships a broken release, two deploy, one goes back at once, one when the old slot is gone."""
        for number in range(deploys):
            kind = number % 5
            if kind == 0:
                name = BROKEN[self._broken % len(BROKEN)]
                self._broken += 1
                yield f"deploy of a release that is broken: {name}", lambda name=name: self.break_(name)  # type: ignore[misc]
            elif kind in (1, 3):
                yield "deploy", self.deploy
            else:
                drains = kind == 2
                words = "rollback while the old slot drains" if drains else "rollback when the old slot is gone"
                yield words, lambda drains=drains: self.back(drains)  # type: ignore[misc]

    def deploy(self) -> None:
        self._version = "2" if self._version == "1" else "1"
        self._before = self._site.link("current-api").removeprefix("api/")
        must(self._site.deploy(self._made[self._version], **CONF))

    def break_(self, name: str) -> None:
        must(self._site.deploy(self._made[name], **{**CONF, **BROKEN_CONF}), code=1)

    def back(self, drains: bool) -> None:
        if not drains:
            self._site.drained()
        must(self._site.back("--to", self._before))

    def start_and_stop(self) -> None:
        """The idle slot comes up with the live release, answers, and goes: no visitor is led there."""
        site = self._site
        live = site.live()
        idle = next(unit for unit in UNITS if unit != live)
        slot, own = idle[-9], live[-9]
        link, socket = f"{site.base}/slots/{slot}", f"{site.base}/run/{slot}.sock"
        site.box.exec(["cp", "-P", f"{site.base}/slots/{own}", link], DEPLOY_USER)
        site.box.exec(["systemctl", "restart", idle])
        ask = ["curl", "-sf", "--unix-socket", socket, "http://localhost/api/public/health/health"]
        until(lambda: site.box.exec(ask, check=False).ok, f"an answer of {idle}")
        site.box.exec(["systemctl", "stop", idle])
        site.box.exec(["rm", link], DEPLOY_USER)


def half(site: Site, works: Sequence[tuple[str, Callable[[], None]]], requests: int) -> Half:
    """Do it all, spread over so many requests."""
    done: dict[str, int] = {}
    spans: list[tuple[float, float, str]] = []
    began = time.monotonic()
    with crowd(VISITORS, door(site)) as visitors:
        for number, (words, work) in enumerate(works):
            visitors.wait_for(requests * number // len(works))
            begin = time.monotonic()
            work()
            spans.append((begin, time.monotonic(), words))
            done[words] = done.get(words, 0) + 1
            _progress(number + 1, len(works), visitors)
        visitors.wait_for(requests)
        seen = visitors.go_home()
    return Half(seen, done, spans, began)


def _progress(done: int, of: int, visitors: Crowd) -> None:
    if sys.stderr.isatty() or done == of:
        print(f"\r{done} of {of}, {visitors.count()} requests", end="\n" if done == of else "", file=sys.stderr)


def measure(site: Site, made: dict[str, Path], deploys: int, requests: int) -> dict[str, Half]:
    operator = Operator(site, made)
    control = half(site, [("start and stop", operator.start_and_stop)] * deploys, requests)
    load = half(site, list(operator.works(deploys)), requests)
    site.drained()
    return {CONTROL: control, LOAD: load}


# ---- what is shown


def show(found: dict[str, Half], slowest: int) -> None:
    for name, each in found.items():
        print(f"{name}: {'; '.join(f'{count} x {words}' for words, count in each.done.items())}")
        cut = sum(seen.cut for seen in each.seen)
        versions = ", ".join(sorted(set().union(*(seen.versions for seen in each.seen))))
        print(f"{time_of(each):.0f} s; the stream was cut and begun again {cut} times; answers of version {versions}\n")
    head = ["", "requests", "failed", "p50 ms", "p99 ms", "p99.9 ms", "longest ms"]
    common.table(head, [_row(name, answers(each.visits)) for name, each in found.items()])
    print(f"{LOAD}, by what was asked:\n")
    common.table(head, [_row(kind, answers(found[LOAD].of(kind))) for kind in _kinds()])
    for name, each in found.items():
        _show_visits(f"{name}: failed", each, answers(each.visits).failed)
        late = sorted((visit for visit in each.visits if not visit.wrong), key=lambda visit: -visit.took)
        _show_visits(f"{name}: slowest", each, late[:slowest])


def _kinds() -> list[str]:
    return list(dict.fromkeys(visitor.kind for visitor in VISITORS))


def time_of(each: Half) -> float:
    return max(visit.due + visit.took for visit in each.visits) - each.began


def _row(name: str, of: Answers) -> list[str]:
    times = (f"{seconds * 1000:.1f}" for seconds in (of.p50, of.p99, of.p999, of.longest))
    return [name, str(of.requests), str(len(of.failed)), *times]


def _show_visits(title: str, half: Half, visits: Sequence[Visit]) -> None:
    if visits:
        print(f"{title}:")
        print("\n".join(half.words(visit) for visit in visits[:50]), end="\n\n")


def verdicts(found: dict[str, Half]) -> None:
    control, load = (answers(found[name].visits) for name in (CONTROL, LOAD))
    common.verdict("failed requests over deploys and rollbacks", len(load.failed), 0, "")
    common.verdict("p99.9 above the control", (load.p999 - control.p999) * 1000, LIMIT, "ms")


def _data(found: dict[str, Half]) -> str:
    sides = {}
    for name, each in found.items():
        of = answers(each.visits)
        failed = [each.words(visit) for visit in of.failed]
        sides[name] = {**dataclasses.asdict(of), "failed": failed, "done": each.done, "seconds": time_of(each)}
    return json.dumps({"what": common.machine(), "sides": sides}, indent=2)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    add = parser.add_argument
    add("--deploys", type=int, default=50, metavar="N", help="deploys and rollbacks (default: %(default)s)")
    add("--requests", type=int, default=0, metavar="N", help="at least, in each half (default: 2000 for each deploy)")
    add("--slowest", type=int, default=0, metavar="N", help="show the slowest requests too")
    add("--json", action="store_true", help="the numbers as JSON instead of tables")
    return parser.parse_args()


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="mcc-bench-") as folder:
        made = builds(Path(folder))
        site = server(made, **CONF)
        try:
            found = measure(site, made, options.deploys, options.requests or 2000 * options.deploys)
        finally:
            site.box.down()
    if options.json:
        print(_data(found))
        return
    print(f"{len(VISITORS)} visitors, {common.machine()}; {options.deploys} deploys and rollbacks\n")
    show(found, options.slowest)
    verdicts(found)


if __name__ == "__main__":
    main()
