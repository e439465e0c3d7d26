"""A site that the specification's own script has deployed to several times: taken over, gone back, given back."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import urllib3

from box.harness import DEPLOY_USER, Boxes
from box.notes import Notes, Outputs, guardian, reach, rest, runner
from box.scripted import allow, by_hand, opening, run_script, with_script

QUICK = {"STABLE_FOR": "0.5"}
OPENED = ("current-api/api/main.py", "current-ui/index.html", ".venv/pyvenv.cfg", ".venv/bin/uvicorn")
FOREIGN = "MAILTO=me\n# a % of mine\n\n*/5 * * * *   cd /srv && ./count_notes.sh  # not ours\n"


@contextmanager
def visitors(site: Notes) -> Iterator[list[tuple[float, str, int]]]:
    """Somebody asks for the front page and for the API without a pause: what did not answer 200, and when."""
    failed: list[tuple[float, str, int]] = []
    stop = threading.Event()

    def visit(path: str) -> None:
        while not stop.is_set():
            began = time.time()
            try:
                status = site.get(path).status
            except urllib3.exceptions.HTTPError:
                status = 0
            if status != 200:
                failed.append((began, path, status))

    threads = [threading.Thread(target=visit, args=(path,)) for path in ("/", "/api/version")]
    for thread in threads:
        thread.start()
    try:
        yield failed
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def outside_restart(failed: list[tuple[float, str, int]], events: list[dict[str, object]]) -> list[object]:
    """The failures that no restart explains: of the front page all, of the API those at other times."""
    at = {(str(event["event"]), str(event.get("title", ""))[:7]): float(str(event["at"])) for event in events}
    began, ended = at[("step_started", "restart")], at[("step_done", "restart")]
    return [each for each in failed if each[1] == "/" or not began - 0.5 <= each[0] <= ended + 0.5]


def events_of(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def scripts(outputs: Outputs, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Outputs of the versions 1 and 2 with the script in them."""
    folder = tmp_path_factory.mktemp("scripts")
    return {"1": with_script(outputs(), folder / "1"), "2": with_script(outputs("v2"), folder / "2")}


@pytest.fixture(scope="module")
def site(module_boxes: Boxes, scripts: dict[str, Path]) -> Notes:
    """The script has deployed version 1, twice; its cache of uv lies beside, for hard links."""
    notes = Notes(module_boxes(own_uv_cache=True)).set_up()
    allow(notes)
    by_hand(notes)
    notes.box.exec(["crontab", "-"], DEPLOY_USER, stdin=FOREIGN)
    for _ in range(2):
        done = run_script(notes, scripts["1"], SERVICES="[notes-prod-api.service]")
        assert done.code == 0, done
    notes.box.exec(["systemctl", "restart", notes.units[1]])
    notes.wait_for_version("1")
    return notes


def without_bytecode(tree: dict[str, str]) -> dict[str, str]:
    return {name: facts for name, facts in tree.items() if "__pycache__" not in name}


def test_the_site_is_as_scripts_leave_them(site: Notes) -> None:
    """A real environment, linked to uv's cache and given to the service user; bytecode of that user; doubled jobs."""
    find = ["find", f"{site.base}/.venv", "-type", "f", "-links", "+1", "-user", "www-data"]
    assert site.box.exec(find).stdout
    assert site.box.exec(
        ["find", f"{site.base}/.venv", f"{site.base}/api", "-name", "*.pyc", "-user", "www-data"]
    ).stdout
    assert site.box.exec(["test", "-d", f"{site.base}/.venv", "-a", "!", "-L", f"{site.base}/.venv"]).ok
    assert site.box.crontab().count("./count_notes.sh >> ") == 2
    assert site.link("current-api").startswith(f"{site.base}/api/vrs-")


def test_a_first_deploy_that_fails_or_dies_gives_the_scripts_site_back(site: Notes, outputs: Outputs) -> None:
    """All but bytecode, which its services write: the real environment, links as they were written, the crontab."""
    before, crontab = without_bytecode(site.facts(".mcc")), site.box.crontab()
    with opening(site, *OPENED) as opened:
        failed = site.deploy(outputs("v2", "does-not-start"), **QUICK)
        assert failed.code == 1, failed
        assert (without_bytecode(site.facts(".mcc")), site.box.crontab()) == (before, crontab)
        running = site.start_deploy(outputs("v2"), "--format", "jsonl", **QUICK)
        reach(running, "cut-over", "restart ")
        assert site.link(".venv").startswith("venvs/")
        site.box.exec(["kill", "-9", guardian(site.box), runner(site.box)])
        rest(running)
        recovered = site.mcc("recover", "--site", site.base)
        assert recovered.code == 0, recovered
    assert (opened.failures, opened.failed) == (0, [])
    assert "as before (what a script made is live)" in failed.stdout
    assert (without_bytecode(site.facts(".mcc")), site.box.crontab()) == (before, crontab)
    site.wait_for_version("1")
    assert "not by mcc: the next deploy adopts what is there" in site.mcc("status", "--stage", "prod").stdout


def test_the_first_deploy_takes_it_over_and_nobody_notices(site: Notes, outputs: Outputs) -> None:
    """No open fails, and no request but those of the restart."""
    environment, release = site.box.tree(f"{site.base}/.venv"), site.link("current-api").rpartition("/")[2]
    with opening(site, *OPENED) as opened, visitors(site) as failed:
        done = site.deploy(outputs("v2"), "--format", "jsonl", **QUICK)
    assert done.code == 0, done
    assert (opened.failures, opened.failed) == (0, [])
    assert opened.opens > 1_000
    assert outside_restart(failed, events_of(done.stdout)) == []
    site.wait_for_version("2")
    adopted, live = releases(site)[-2:]
    assert (adopted["name"], adopted["state"], adopted["origin"]) == (release, "good", "adopted")
    assert (live["state"], adopted["no_way_back"]) == ("live", "")
    kept = site.box.tree(f"{site.base}/venvs/{adopted['environment']}")
    assert without_bytecode(kept) == without_bytecode(environment)
    assert site.link(".venv") == f"venvs/{live['environment']}"
    assert site.box.crontab().startswith(FOREIGN)
    assert site.box.crontab().count("./count_notes.sh >> ") == 1
    assert site.status()["changes"] == []


def test_it_goes_back_to_the_adopted_release(site: Notes) -> None:
    adopted = releases(site)[-2]
    site.post("written by version 2")
    with opening(site, *OPENED) as opened, visitors(site) as failed:
        done = site.mcc("rollback", "--site", site.base, "--format", "jsonl", at="/")
    assert done.code == 0, done
    assert (opened.failures, opened.failed) == (0, [])
    events = events_of(done.stdout)
    assert outside_restart(failed, events) == []
    site.wait_for_version("1")
    assert site.link(".venv") == f"venvs/{adopted['environment']}"
    assert events[-1]["code"] == f"{adopted['name']} is live"
    assert str(events[-1]["databases"]).startswith(f"1 migration ahead of {adopted['name']}: ")
    assert "mcc restore --site" in str(events[-1]["todo"])
    assert site.texts()[0] == "written by version 2"
    assert site.box.crontab().count("./count_notes.sh >> ") == 1
    assert site.status()["changes"] == []
    assert releases(site)[-1]["back_from"]


def test_and_forward_again_by_name(site: Notes) -> None:
    newer = str(releases(site)[-1]["back_from"])
    plan = site.mcc("rollback", "--stage", "prod", "--to", newer, "--plan")
    assert f"current-api -> api/{newer}" in plan.stdout
    assert "nothing was changed" in plan.stdout
    done = site.mcc("rollback", "--stage", "prod", "--to", newer)
    assert done.code == 0, done
    site.wait_for_version("2")
    refused = site.mcc("rollback", "--stage", "prod", "--to", newer)
    assert refused.code == 2
    assert "it is live" in refused.stderr


def test_leave_gives_the_site_back_and_the_script_goes_on(site: Notes, scripts: dict[str, Path]) -> None:
    """No open fails; afterwards the environment is a real one, and the script deploys as it always did."""
    links = [site.link(name) for name in ("current-api", "current-ui")]
    plan = site.mcc("leave", "--site", site.base, "--plan", at="/")
    assert "crontab: plain lines in the place of mcc's block" in plan.stdout
    with opening(site, *OPENED) as opened, visitors(site) as failed:
        done = site.mcc("leave", "--site", site.base, "--format", "jsonl", at="/")
    assert done.code == 0, done
    assert (opened.failures, opened.failed) == (0, [])
    assert outside_restart(failed, events_of(done.stdout)) == []
    assert site.version() == "2"
    assert site.box.exec(["test", "-d", f"{site.base}/.venv", "-a", "!", "-L", f"{site.base}/.venv"]).ok
    named = site.box.exec(["grep", "-rl", f"{site.base}/venvs", f"{site.base}/.venv/bin"], check=False)
    assert named.stdout == ""
    assert site.box.read(f"{site.base}/.venv/bin/uvicorn").startswith(f"#!{site.base}/.venv/bin/python")
    assert [site.link(name) for name in ("current-api", "current-ui")] == links
    names = {name.partition("/")[0] for name in site.facts()}
    assert not names & {".mcc", "venvs"}
    assert [name for name in names if name.startswith(".mcc-left-")]
    crontab = site.box.crontab()
    assert crontab.startswith(FOREIGN)
    assert "mcc" not in crontab.removeprefix(FOREIGN)
    assert crontab.count("./count_notes.sh >> ") == 1

    done = run_script(site, scripts["1"], SERVICES="[notes-prod-api.service]")
    assert done.code == 0, done
    site.wait_for_version("1")
    assert site.box.crontab().count("./count_notes.sh >> ") == 2
    assert site.link("current-api") not in links


def test_mcc_the_script_mcc_and_back_again(live: Notes, outputs: Outputs, scripts: dict[str, Path]) -> None:
    """Each works after the other. What the script has changed is said; the environment that it synced into and opened
    to the service is used by nobody again, also not when its own release is gone back to."""
    allow(live)
    lines = f"{FOREIGN}{live.box.crontab()}# last\n@daily true\n"
    live.box.exec(["crontab", "-"], DEPLOY_USER, stdin=lines)
    crontab, environment, first = live.box.crontab(), live.link(".venv"), live.link("current-api")
    done = run_script(live, scripts["2"], SERVICES="[notes-prod-api.service]")
    assert done.code == 0, done
    live.wait_for_version("2")
    by_script = live.link("current-api").rpartition("/")[2]
    changes = " / ".join(live.status()["changes"])
    assert f"current-api was changed by someone else: it is {live.base}/api/{by_script}, and " in changes
    assert f"{environment} was changed since it was built: it is not used again" in changes
    assert "the crontab has jobs of this site a second time" in changes

    again = live.deploy(outputs(), **QUICK)
    assert again.code == 0, again
    assert f"{by_script} is live and not by mcc: it is adopted" in again.stdout
    live.wait_for_version("1")
    assert live.box.crontab() == crontab
    assert live.link(".venv") != environment
    assert live.post("after both") == 201

    assert live.mcc("freeze", "--site", live.base, "it loses orders").code == 0
    refused = live.mcc("deploy", "--stage", "prod")
    assert (refused.code, f"{live.base} is frozen by stenvala since" in refused.stderr) == (2, True), refused
    bad = str(live.status()["live"]["name"])
    with opening(live, *OPENED) as opened:
        back = live.mcc("rollback", "--stage", "prod", "--mark-bad", "it loses orders")
    assert back.code == 0, back
    assert (opened.failures, opened.failed) == (0, [])
    live.wait_for_version("2")
    assert {each["name"]: each["bad"] for each in releases(live) if each["state"] == "bad"} == {bad: "it loses orders"}
    assert live.mcc("rollback", "--stage", "prod", "--to", bad).code == 2
    assert live.link("current-api") == f"api/{by_script}"
    assert live.link(".venv") != environment
    as_service = ["setpriv", "--reuid=www-data", "--regid=stenvala", "--clear-groups"]
    writable = ["find", f"{live.base}/{live.link('.venv')}", "!", "-type", "l", "-writable"]
    assert live.box.exec([*as_service, *writable], cwd="/").stdout == ""
    assert live.status()["changes"] == []
    assert first.removeprefix("api/") in live.status()["can_go_back_to"]


def releases(site: Notes) -> list[dict[str, object]]:
    told = site.mcc("releases", "--site", site.base, "--format", "json", at="/")
    found: list[dict[str, object]] = json.loads(told.stdout)
    return [each for each in found if each["state"] != "failed"]
