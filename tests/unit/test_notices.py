"""What people are told of a run, of a late backup, of a dead run; and when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mcc.core.conf.notify import notify_address
from mcc.core.conf.unfit import Unfit
from mcc.core.cron.notify_line import notify_lines
from mcc.core.layout import Site
from mcc.core.notices import Place, dead_notice, late_notice, run_notice
from mcc.errors import Stuck
from mcc.model.conf import Notify

SITE = Site(Path("/srv/live/shop prod"))
PLACE = Place(SITE, "server1", "deploy")


def events(
    action: str = "deploy", result: str = "done", *between: dict[str, Any], **ended: Any
) -> list[dict[str, Any]]:
    release = "vrs-2" if action in ("deploy", "rollback") else ""
    start = {"event": "run_started", "action": action, "stage": "prod", "release": release, "build": "build #7"}
    end = {"event": "run_ended", "result": result, "release": release, "code": "as before", "databases": "as before"}
    return [start, *between, {**end, "error": "", "todo": [], **ended}]


CUT_OVER = {"event": "step_done", "phase": "cut-over", "title": "current-ui -> ui/vrs-2"}
FAILED = {
    "event": "step_failed",
    "title": "restart shop",
    "error": "shop ended\nat once",
    "help": "look",
    "log": ["s3"],
}
DIED = {"event": "recovery_started", "direction": "back", "reason": "it died"}


@pytest.mark.parametrize(
    ("told", "kinds", "how"),
    [
        (events(), {"success"}, "deploy prod is done: vrs-2 is live"),
        (events("deploy", "failed", FAILED), {"failure"}, "deploy prod failed"),
        (
            events("deploy", "failed", CUT_OVER, FAILED),
            {"failure", "rollback"},
            "deploy prod failed, and was rolled back",
        ),
        (events("restore", "failed", CUT_OVER, FAILED), {"failure"}, "restore prod failed"),
        (events("deploy", "stuck", FAILED), {"stuck"}, "deploy prod is stuck: a person is needed"),
        (events("rollback"), {"rollback", "success"}, "rollback prod is done: vrs-2 is live"),
        (events("rollback", "failed", CUT_OVER, FAILED), {"failure"}, "rollback prod failed"),
        (events("backup", "failed", FAILED), {"failure"}, "backup prod failed"),
        (events("deploy", "failed", DIED), {"failure"}, "deploy prod died, and was undone"),
        (events("deploy", "done", DIED), {"failure", "success"}, "deploy prod died, and was finished"),
        (events("rehearse", "stuck", FAILED), {"stuck"}, "rehearse prod is stuck: a person is needed"),
    ],
)  # fmt: skip
def test_each_end_of_a_run_has_its_kinds_and_words(told: list[dict[str, Any]], kinds: set[str], how: str) -> None:
    notice = run_notice(PLACE, "r1", told)
    assert notice is not None
    assert (notice.kinds, notice.title) == (kinds, f"mcc: shop prod on server1: {how}")
    assert notice.text.startswith(f"{how}.\n")


@pytest.mark.parametrize("result", ["done", "failed"])
def test_a_rehearsal_is_told_to_nobody_but_who_asked_for_it(result: str) -> None:
    assert run_notice(PLACE, "r1", events("rehearse", result)) is None


def test_a_run_without_a_last_word_is_not_told() -> None:
    assert run_notice(PLACE, "r1", events()[:1]) is None


def test_the_text_says_what_where_the_two_facts_the_error_and_the_way_out() -> None:
    told = events("deploy", "failed", CUT_OVER, FAILED, databases="1 migration ahead", todo=["mcc restore --site x"])
    notice = run_notice(PLACE, "r1", told)
    assert notice is not None
    assert notice.text == (
        "deploy prod failed, and was rolled back.\n"
        "\n"
        "where:     /srv/live/shop prod on server1, by deploy\n"
        "what:      build #7, vrs-2\n"
        "code:      as before\n"
        "databases: 1 migration ahead\n"
        "step:      restart shop\n"
        "error:     shop ended\n"
        "           at once\n"
        "record:    /srv/live/shop prod/.mcc/runs/r1.jsonl\n"
        "way out:   look\n"
        "to do:     mcc restore --site x\n"
    )
    assert notice.weight == "failure"


def test_lines_of_logs_are_not_sent_away() -> None:
    """They may hold what no one has said is a secret."""
    notice = run_notice(PLACE, "r1", events("deploy", "failed", {**FAILED, "log": ["s3cr3t"]}))
    assert notice is not None
    assert "s3cr3t" not in notice.text


def test_a_run_that_cannot_be_recovered_is_told_with_the_way_out_although_it_has_no_last_word() -> None:
    notice = run_notice(PLACE, "r1", events()[:1], Stuck("the journal cannot be read", help="look at it"))
    assert notice is not None
    assert notice.kinds == {"stuck"}
    assert "problem:   the journal cannot be read\nway out:   look at it\n" in notice.text
    assert notice.text.endswith("then:      mcc recover --site '/srv/live/shop prod'\n")


def test_a_title_is_one_line_that_is_not_too_long() -> None:
    title = Place(SITE, "server1", "deploy").title("x\r\nBcc: everybody " + "y" * 500)
    assert "\n" not in title
    assert "\r" not in title
    assert len(title) == 180


def test_a_late_backup_says_since_when_and_how_to_make_one() -> None:
    notice = late_notice(PLACE, {"last_good": "2026-11-20T02:00:00", "age_seconds": 90000, "schedule": "0 2 * * *"})
    assert notice.kinds == {"late-backup"}
    assert "last good: 2026-11-20T02:00:00, 25 hours ago\n" in notice.text
    assert "way out:   mcc backup --site '/srv/live/shop prod'\n" in notice.text
    assert "there is none" in late_notice(PLACE, {"last_good": None, "age_seconds": None, "schedule": "x"}).text


def test_a_dead_run_says_how_to_recover_it() -> None:
    notice = dead_notice(PLACE, ["r1"])
    assert notice.kinds == {"stuck"}
    assert "mcc recover --site '/srv/live/shop prod'" in notice.text


@pytest.mark.parametrize(
    "address", ["mail:ops@example.com", "json://127.0.0.1:8000/x", "slack://a/b/c", "mailtos://a:b@example.com?to=c"]
)
def test_addresses_that_are_taken(address: str) -> None:
    assert notify_address(address) == address


@pytest.mark.parametrize(
    "value", ["ops@example.com", "mail:-x@a", "mail:a b@c", "json://", "json:// x", "json://a\nb", 7]
)
def test_what_is_no_address_is_refused_without_saying_it(value: object) -> None:
    with pytest.raises(Unfit) as error:
        notify_address(value)
    assert "json://a" not in error.value.message


def test_the_crontab_looks_once_an_hour_if_somebody_is_told() -> None:
    _, line = notify_lines(Notify(("mail:a@b",)), SITE)
    minute, rest = line.split(" ", 1)
    assert 0 <= int(minute) < 60
    assert rest == (
        "* * * * '/srv/live/shop prod/.mcc/bin/mcc' notify --site '/srv/live/shop prod' "
        ">> '/srv/live/shop prod/logs/mcc-notify.log' 2>&1"
    )
    assert notify_lines(Notify(), SITE) == ()
