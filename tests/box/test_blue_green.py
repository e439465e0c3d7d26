"""Blue/green on a real server: under load no request fails, whatever is deployed, gone back to or broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from box.slotted import CONF, UNITS, Load, Site
from fakes.deaths import FULL


@pytest.fixture(scope="module")
def site(slots_site: Site) -> Site:
    """Version 1 is live in slot a, as after a reboot; root ran the script of provision once, and no more."""
    return slots_site


def test_the_first_deploy_starts_one_slot(site: Site) -> None:
    assert (site.up(), site.slots()) == ([UNITS[0]], ["a"])
    assert site.link("run/current-api.sock") == "a.sock"


def test_check_looks_at_both_slots_and_asks_the_live_one(site: Site) -> None:
    seen = site.mcc("check", "--stage", "prod", "--format", "json")
    found = {(each["code"], each["level"]) for each in json.loads(seen.stdout)["findings"]}
    assert ("http.health-answers", "ok") in found, seen
    assert not [code for code, level in found if level != "ok" and code.startswith(("units.", "sudo.", "http."))], seen


def test_under_load_no_request_fails_over_cut_overs_ways_back_and_broken_releases(
    site: Site, slot_builds: dict[str, Path]
) -> None:
    with Load(site).going_on() as load:
        second = site.deploy(slot_builds["2"], **CONF)
        assert second.code == 0, second
        for number in range(40 if FULL else 4):  # each while the other slot drains
            back = site.back(*(["--to", site.newest()] if number % 2 else []))
            assert back.code == 0, back
        for broken in ("does-not-start", "answers-500")[: 2 if FULL else 1]:
            done = site.deploy(slot_builds[broken], **CONF)
            assert done.code == 1, done
        site.drained()
        assert site.deploy(slot_builds["2"], **CONF).code == 0
    assert load.failed == []
    assert {kind for kind, count in load.answers.items() if count} >= {"new", "kept", "post", "slow"}
    assert load.versions == {"1", "2"}
    assert load.cut, "a stream ends with the slot that it came from"
    site.drained()


def test_after_a_reboot_the_live_slot_is_up_alone_whichever_it_is(site: Site, slot_builds: dict[str, Path]) -> None:
    """The first reboot comes while the old slot drains, so that both have a link."""
    seen = set()
    for version in ("1", "2"):
        assert site.deploy(slot_builds[version], **CONF).code == 0
        if version == "2":
            site.drained()
        live = site.live()
        site.box.reboot()
        site.wait_for_version(version)
        site.drained()
        assert site.live() == live
        seen.add(live)
    assert seen == set(UNITS)
