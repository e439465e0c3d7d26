"""What the ledger says of the order of releases, and of a site that was given back."""

from __future__ import annotations

import dataclasses

from mcc.core import ledger as ledgers
from mcc.core.retention import releases_to_remove, strangers_to_remove
from mcc.model.release import Release

A, B, C, D = (f"vrs-2026-02-27T1{number}0000" for number in range(4))


def release(name: str, origin: str = "") -> Release:
    return Release(name, "live", "2026-02-27T10:00:00+00:00", "run", origin=origin)


def release_back(name: str, left: str) -> Release:
    return dataclasses.replace(release(name), back_from=left)


def live(name: str, origin: str = "") -> bytes:
    return ledgers.live_line(release(name, origin))


def test_the_release_before_is_the_one_that_was_made_before_whatever_was_gone_back_to() -> None:
    ledger = ledgers.read(live(A) + live(B) + live(C) + live(B))
    assert [one.name for one in ledger.standing()] == [A, C, B]
    assert ledger.order == (A, B, C)
    before = ledger.before(B)
    assert before is not None
    assert before.name == A
    assert ledger.after(A) == (B, C)


def back(name: str, left: str) -> bytes:
    return ledgers.live_line(release_back(name, left))


def name_before(text: bytes, name: str) -> str:
    found = ledgers.read(text).before(name)
    return found.name if found else ""


def test_the_way_back_is_to_what_visitors_had_before_and_not_to_what_somebody_went_back_from() -> None:
    """B turned out to be wrong, and was left; then C came."""
    text = live(A) + live(B) + back(A, B) + live(C)
    assert name_before(text, C) == A
    assert name_before(text + back(A, C) + live(D), D) == A
    assert name_before(text + back(B, C) + live(D), D) == B, "somebody has chosen it"
    assert name_before(live(A) + live(B) + live(C) + back(A, C) + live(D), D) == A, "nor to what was passed by"
    planned = ledgers.read(live(A) + live(B)).with_live(release_back(A, B)).with_live(release(C)).before(C)
    assert planned is not None
    assert planned.name == A


def test_where_that_is_gone_the_way_back_is_to_what_was_before_it() -> None:
    pruned, gone_back = ledgers.pruned_line([B], "", "run"), live(A) + live(B) + back(A, B) + live(C)
    assert name_before(live(A) + live(B) + live(C) + pruned, C) == A
    assert name_before(gone_back + ledgers.pruned_line([A], "", "run"), C) == B, "rather than nowhere"


def test_only_a_good_release_is_one_to_go_back_to() -> None:
    failed = ledgers.failed_line(release(B), "it did not start")
    text = live(A) + failed + live(C) + live(D) + ledgers.pruned_line([C], "", "run")
    ledger = ledgers.read(text)
    before = ledger.before(D)
    assert before is not None
    assert before.name == A
    assert ledger.before(A) is None
    assert ledger.before("vrs-unknown") == ledger.get(A), "what is not in the ledger came after all of it"


def test_an_adopted_release_stands_where_its_name_says() -> None:
    """It was live before the run of mcc that failed, and is written down after it."""
    text = ledgers.failed_line(release(B), "it did not start") + live(A, "adopted") + live(C)
    assert ledgers.read(text).order == (A, B, C)
    assert ledgers.read(live(B)).with_live(release(A, "adopted")).order == (A, B)


def test_nothing_is_live_once_the_site_was_given_back_until_something_is() -> None:
    text = live(A) + ledgers.left_line("2026-02-27T11:00:00+00:00", "run")
    left = ledgers.read(text)
    assert (left.live, left.left, left.get(A).state) == (None, True, "good")  # type: ignore[union-attr]
    assert not left.bad_lines
    assert not ledgers.read(text + live(B)).left


def test_folders_of_a_script_go_by_name_as_the_script_would_have_it() -> None:
    ledger = ledgers.read(live(C) + live(D))
    strangers = (f"api/{A}", f"api/{B}", f"ui/{A}", f"ui/{B}")
    assert strangers_to_remove(strangers, ledger, 3) == (f"api/{A}", f"ui/{A}")
    assert strangers_to_remove(strangers, ledger, 2) == strangers
    assert strangers_to_remove(strangers, ledger, 4) == ()


def bad(name: str, reason: str = "it loses orders") -> bytes:
    return ledgers.bad_line(name, reason, "ann", "2026-02-27T15:00:00+00:00", "run")


def test_a_bad_release_is_bad_when_another_is_live_and_is_never_the_one_before() -> None:
    marked_while_live = ledgers.read(live(A) + live(B) + bad(B))
    assert (marked_while_live.live, marked_while_live.get(B)) == (marked_while_live.get(B),) * 2
    ledger = ledgers.read(live(A) + live(B) + bad(B) + live(C))
    found, before = ledger.get(B), ledger.before(C)
    assert found is not None
    assert (found.state, found.bad) == ("bad", "it loses orders")
    assert (found.bad_by, found.bad_at) == ("ann", "2026-02-27T15:00:00+00:00")
    assert before is not None
    assert before.name == A
    assert ledgers.read(live(A) + live(B) + live(A) + bad(B)).get(B).state == "bad"  # type: ignore[union-attr]


def test_a_mark_stays_whoever_makes_the_release_live_again() -> None:
    text = live(A) + live(B) + live(A) + bad(B) + live(B)
    assert ledgers.read(text).live.bad == "it loses orders"  # type: ignore[union-attr]
    assert ledgers.read(text + live(A)).get(B).state == "bad"  # type: ignore[union-attr]
    again = ledgers.read(live(A) + bad(A) + live(B)).with_live(release(A)).with_live(release(C))
    assert again.get(A).state == "bad"  # type: ignore[union-attr]


def test_a_mark_of_an_unknown_release_and_one_on_a_pruned_one_change_no_state() -> None:
    assert ledgers.read(bad(D)).releases == ()
    pruned = ledgers.read(live(A) + live(B) + ledgers.pruned_line([A], "", "run") + bad(A))
    assert pruned.get(A).state == "pruned"  # type: ignore[union-attr]
    assert not pruned.bad_lines


def test_bad_releases_push_no_good_one_out_and_go_with_those_that_are_as_old() -> None:
    text = live(A) + live(B) + bad(B) + live(C) + live(D)
    ledger = ledgers.read(text)
    assert releases_to_remove(ledger, 3) == ()
    assert [one.name for one in releases_to_remove(ledger, 2)] == [A, B]
    assert [one.name for one in releases_to_remove(ledger, 1)] == [A, B], "C is what a rollback goes to"
    newest = ledgers.read(live(A) + live(B) + live(A) + bad(B))
    assert releases_to_remove(newest, 1) == (), "it was made after the oldest that is kept"
