"""A disk without room: found before the start, or gone back from in the middle."""

from __future__ import annotations

import re
from pathlib import Path

from box.harness import DEPLOY_USER, Boxes
from box.notes import Notes, Outputs, reach, rest


def test_no_room_for_the_release_is_a_refusal(boxes: Boxes, live_layer: Path, outputs: Outputs) -> None:
    """Exit code 2 with what is needed and what is there; nothing is changed."""
    live = Notes(boxes(above=[live_layer], disk="60m"))
    live.wait_for_version("1")
    before, crontab = live.facts(".mcc/lock"), live.box.crontab()
    refused = live.deploy(outputs("v2"))
    assert refused.code == 2, refused
    assert re.search(rf"no room: the release needs \d+ MB on the disk of {live.base}, \d+ MB are free", refused.stderr)
    assert (live.facts(".mcc/lock"), live.box.crontab(), live.version()) == (before, crontab, "1")


def test_a_disk_that_fills_up_in_the_middle_is_gone_back_from(boxes: Boxes, live_layer: Path, outputs: Outputs) -> None:
    """Somebody takes all that is left while an environment is built; the old release is live, and nothing stays."""
    live = Notes(boxes(above=[live_layer], disk="90m"))
    live.wait_for_version("1")
    before, crontab = live.facts(".mcc/"), live.box.crontab()
    running = live.start_deploy(outputs("v2"), "--format", "jsonl", UV_SYNC_ARGS="['--no-default-groups']")
    reach(running, "venv")
    live.box.exec("dd if=/dev/zero of=filler bs=64k || true", DEPLOY_USER)
    ended, events = rest(running)
    print(ended, *events, sep="\n")
    assert ended.code == 1, ended
    assert "No space left on device" in str(events)
    assert events[-1]["code"].startswith("as before")
    live.box.exec(["rm", "filler"], DEPLOY_USER)
    assert (live.facts(".mcc/"), live.box.crontab(), live.version()) == (before, crontab, "1")
    again = live.deploy(outputs("v2"))
    assert again.code == 0, again
    assert live.version() == "2"
