"""What the ledger says of the order of releases, and of a site that was given back."""

from __future__ import annotations

from mcc.core import ledger as ledgers
from mcc.core.retention import strangers_to_remove
from mcc.model.release import Release

A, B, C, D = (f"vrs-2026-02-27T1{number}0000" for number in range(4))


def release(name: str, origin: str = "") -> Release:
    return Release(name, "live", "2026-02-27T10:00:00+00:00", "run", origin=origin)


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
