"""What may be removed, for every history that a site can have."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from mcc.core import ledger as ledgers
from mcc.core.ledger import Ledger
from mcc.core.retention import environments_to_remove, live_since, releases_to_remove, untouchable
from mcc.model.release import Release

START = datetime(2026, 2, 27, 12, 0, 0, tzinfo=UTC)
NAMES = [f"vrs-2026-02-27T12{number:02d}00" for number in range(8)]
ENVIRONMENTS = ["e0", "e1", "e2", "e3"]

Happened = tuple[str, str, int]
"""What, to which release, and in which environment it is."""

EVENTS: st.SearchStrategy[list[Happened]] = st.lists(
    st.tuples(
        st.sampled_from(["live", "live", "live", "failed", "pruned", "bad"]), st.sampled_from(NAMES), st.integers(0, 3)
    ),
    max_size=14,
)


def release(name: str, at: datetime, environment: int = 0) -> Release:
    return Release(name, "live", at.isoformat(timespec="seconds"), "run", environment=ENVIRONMENTS[environment])


def lines(events: list[Happened], times: list[datetime] | None = None) -> list[bytes]:
    """The ledger's lines, a minute between two; nobody prunes or brings back what no run of mcc would."""
    text: list[bytes] = []
    for number, (what, name, environment) in enumerate(events):
        known = ledgers.read(b"".join(text)).get(name)
        one = release(name, times[number] if times else START + timedelta(minutes=number), environment)
        if what == "live" and (known is None or known.state in ("good", "live")):
            text.append(ledgers.live_line(one))
        elif what == "failed" and known is None:
            text.append(ledgers.failed_line(one, "it did not start"))
        elif what == "pruned" and known and known.state in ("good", "bad"):
            text.append(ledgers.pruned_line([name], one.at, "run"))
        elif what == "bad" and known and known.state == "good":
            text.append(ledgers.bad_line(name, "it was slow", "me", one.at, "run"))
    return text


def ledger_of(events: list[Happened]) -> Ledger:
    return ledgers.read(b"".join(lines(events)))


WENT_BACK: list[Happened] = [("live", NAMES[at], 0) for at in (0, 1, 2, 1)]
A_FAILURE_BETWEEN: list[Happened] = [("live", NAMES[0], 0), ("failed", NAMES[1], 0), ("live", NAMES[2], 0)]

IN_USE = st.sets(st.sampled_from(NAMES), max_size=3)


@example(events=WENT_BACK, keep=1, in_use=set())
@given(events=EVENTS, keep=st.integers(1, 5), in_use=IN_USE)
def test_what_visitors_have_or_may_get_back_is_never_removed(
    events: list[Happened], keep: int, in_use: set[str]
) -> None:
    """The live release, where a rollback goes, what was live before, what may be in use, and the newest good ones."""
    ledger = ledger_of(events)
    removed = {one.name for one in releases_to_remove(ledger, keep, in_use)}
    standing = [one for one in ledger.standing() if one.state != "bad"]
    assert not removed & in_use
    assert not removed & {one.name for one in standing[-max(keep, 2) :]}
    if ledger.live:
        assert ledger.live.name not in removed
        fallback = ledger.before(ledger.live.name)
        assert fallback is None or fallback.name not in removed
    assert removed <= {one.name for one in ledger.standing()}


@given(events=EVENTS, keep=st.integers(1, 5), in_use=IN_USE)
def test_all_other_good_releases_beyond_the_count_are_removed(
    events: list[Happened], keep: int, in_use: set[str]
) -> None:
    ledger = ledger_of(events)
    good = [one.name for one in ledger.standing() if one.state != "bad"]
    removed = {one.name for one in releases_to_remove(ledger, keep, in_use)}
    assert {*good[: -max(1, keep)]} - untouchable(ledger, in_use) == removed & {*good}


@given(events=EVENTS, keep=st.integers(1, 5))
def test_failed_releases_push_no_good_one_out(events: list[Happened], keep: int) -> None:
    """Nor do those that were marked bad: the answer is the same without them."""
    ledger = ledger_of(events)
    others = tuple(one for one in ledger.releases if one.state not in ("failed", "bad"))
    names = {one.name for one in others}
    without = dataclasses.replace(
        ledger, releases=others, order=tuple(name for name in ledger.order if name in names)
    )  # fmt: skip
    good = {one.name for one in releases_to_remove(ledger, keep) if one.state != "bad"}
    assert {one.name for one in releases_to_remove(without, keep)} == good


@given(
    events=EVENTS, keep=st.integers(1, 5), in_use=IN_USE, irreplaceable=st.sets(st.sampled_from(NAMES)),
    spared=st.sets(st.sampled_from(ENVIRONMENTS)),
)  # fmt: skip
def test_environments_stay_for_what_is_untouchable_and_where_nobody_could_build_another(
    events: list[Happened], keep: int, in_use: set[str], irreplaceable: set[str], spared: set[str]
) -> None:
    ledger = ledger_of(events)
    removed = releases_to_remove(ledger, keep, in_use)
    present = [*ENVIRONMENTS, "of nobody"]
    gone = set(environments_to_remove(present, ledger, removed, in_use, irreplaceable, spared))
    stay = untouchable(ledger, in_use) | (irreplaceable - {one.name for one in removed})
    needed = {one.environment for one in ledger.standing() if one.name in stay}
    assert gone == {*present} - needed - spared


@example(events=A_FAILURE_BETWEEN, back=[0] * 15, since=90)
@given(
    events=EVENTS, back=st.lists(st.integers(0, 300), min_size=15, max_size=15), since=st.integers(0, 15 * 60),
)  # fmt: skip
def test_whatever_was_live_since_a_process_was_started_may_be_in_use(
    events: list[Happened], back: list[int], since: int
) -> None:
    """Each release that was live then or later is among them, also if the clock was set back in between."""
    offsets = [sum(back[: number + 1]) for number in range(len(events) + 1)]
    real = [START + timedelta(minutes=number) for number in range(len(events))]
    shown = [at - timedelta(seconds=offset) for at, offset in zip(real, offsets, strict=False)]
    ledger = ledgers.read(b"".join(lines(events, shown)))
    moment = START + timedelta(seconds=since)
    history = _history(events, real)
    ends: list[datetime | None] = [*(at for _, at in history[1:]), None][: len(history)]
    used = {name for (name, _), end in zip(history, ends, strict=True) if end is None or end > moment}
    assert live_since(ledger, moment - timedelta(seconds=offsets[-1])) >= used


def _history(events: list[Happened], real: list[datetime]) -> list[tuple[str, datetime]]:
    """Each time that a release came live."""
    found, before = [], 0
    for number in range(len(events)):
        text = lines(events[: number + 1])
        if len(text) > before and events[number][0] == "live":
            found.append((events[number][1], real[number]))
        before = len(text)
    return found


@given(events=EVENTS, since=st.integers(0, 15 * 60))
def test_what_was_over_before_it_started_is_not_in_use(events: list[Happened], since: int) -> None:
    """Otherwise nothing would ever be removed."""
    ledger, moment = ledger_of(events), START + timedelta(seconds=since)
    were = [one for one in ledger.releases if one.state != "failed"]
    over = [one.name for one, then in pairwise(were) if datetime.fromisoformat(then.at) <= moment]
    times = [one.at for one in were]
    if times == sorted(times):
        assert not live_since(ledger, moment) & {*over}


def test_a_release_that_does_not_say_when_it_came_live_may_be_in_use() -> None:
    odd = dataclasses.replace(release(NAMES[1], START), at="yesterday")
    ledger = ledgers.read(ledgers.live_line(release(NAMES[0], START)) + ledgers.live_line(odd))
    assert live_since(ledger, START + timedelta(days=1)) == {NAMES[0], NAMES[1]}
