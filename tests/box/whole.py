"""What it means that a site is whole, and the moments at which a deploy is struck."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import dataclass
from random import Random
from typing import Any

from box.harness import DEPLOY_USER, Result, Running, until
from box.notes import Notes
from box.slotted import WORKER, Site

DEPLOY = "mcc deploy --stage"
KILL = signal.SIGKILL
_STRIKE = """
first=$(pgrep -o -u {user} -f '{words}') || exit 1
echo $first
pgrep -P $first -f '{words}'
"""


def conf_of(version: str) -> dict[str, str]:
    """Two versions that differ in more than their code: the second has another environment, and a cron job."""
    job = "[{schedule: '0 5 * * *', script: count_notes.sh, log: count.log, marker: OF-VERSION-2}]"
    return {"CRON_JOBS": job, "UV_SYNC_ARGS": "['--no-default-groups']"} if version == "2" else {}


@dataclass(frozen=True, slots=True)
class Seen:
    """A site between two runs."""

    live: str
    facts: dict[str, str]
    crontab: str

    @classmethod
    def of(cls, site: Notes) -> Seen:
        return cls(site.status()["live"]["name"], site.facts(".mcc/"), site.box.crontab())


def assert_whole(site: Notes, version: str) -> Seen:
    """All speak of one release: ledger, links, environment, crontab, services, slots, and what a visitor gets."""
    site.wait_for_version(version)
    until(lambda: site.status()["held_by"] is None, "the end of what had drained a slot, which holds the site briefly")
    status = site.status()
    amiss = {key: status[key] for key in ("dead_runs", "changes", "changed_links") if status[key]}
    assert amiss == {}
    seen = Seen.of(site)
    name, facts = seen.live, seen.facts
    assert (facts["current-api"], facts["current-ui"]) == (f"l -> api/{name}", f"l -> ui/{name}")
    assert facts[f"api/{name}/.venv"] == facts[".venv"].replace("venvs/", "../../venvs/")
    assert ("OF-VERSION-2" in seen.crontab) == (version == "2")
    assert site.box.state(WORKER) == "active"
    _assert_no_leftovers(site, facts)
    if isinstance(site, Site):
        _assert_one_slot(site, name, facts)
    return seen


def _assert_one_slot(site: Site, name: str, facts: dict[str, str]) -> None:
    slot = site.link("run/current-api.sock")[0]
    assert {path: fact for path, fact in facts.items() if path.startswith("slots/")} == {
        f"slots/{slot}": f"l -> ../api/{name}"
    }
    assert site.up() == [site.live()]
    assert {path for path in facts if path.startswith("run/")} == {"run/current-api.sock", f"run/{slot}.sock"}


def _assert_no_leftovers(site: Notes, facts: dict[str, str]) -> None:
    """No folder of a release that never was, no environment of nobody, no temporary name."""
    words = [f"{site.base}/.mcc/bin/mcc", "releases", "--site", site.base, "--format", "json"]
    told = site.box.exec(words, DEPLOY_USER)
    kept = {each["name"] for each in json.loads(told.stdout) if each["state"] in ("live", "good", "bad")}
    assert {path.split("/")[1] for path in facts if path.startswith(("api/", "ui/"))} <= kept
    used = {fact.rpartition("/")[2] for path, fact in facts.items() if path.endswith("/.venv") and fact[0] == "l"}
    assert {path.split("/")[1] for path in facts if path.startswith("venvs/")} <= used
    assert not [path for path in facts if path.startswith(".") and path.split("/")[0] not in (".mcc", ".venv", ".env")]


# ---- striking


@dataclass(frozen=True, slots=True)
class Moment:
    """So many events of a run, and then some of a second more: what is done then depends on the machine."""

    events: int
    pause: float

    @classmethod
    def any(cls, random: Random, most: int = 60) -> Moment:
        return cls(random.randint(1, most), random.uniform(0.0, 0.4))

    def wait_for(self, running: Running) -> list[dict[str, Any]]:
        """What a run has said by then; a run that ends before is at its end."""
        assert running.process.stdout
        said: list[dict[str, Any]] = []
        for line in running.process.stdout:
            said.append(json.loads(line))
            if len(said) == self.events:
                time.sleep(self.pause)
                break
        return said


def strike(site: Notes, number: signal.Signals, *, guardian: bool, runner: bool, words: str = DEPLOY) -> bool:
    """Send a signal to who was started, to who deploys, or to both; False if they are gone already."""
    found = site.box.exec(_STRIKE.format(user=DEPLOY_USER, words=words), check=False).stdout.split()
    wanted = [*(found[:1] if guardian else []), *(found[1:] if runner else [])]
    return bool(wanted) and site.box.exec(["kill", f"-{number.name[3:]}", *wanted], check=False).ok


def rest_of(running: Running, said: list[dict[str, Any]]) -> tuple[Result, list[dict[str, Any]]]:
    """How a run ended, and all that it said."""
    assert running.process.stdout
    said = [*said, *map(json.loads, running.process.stdout)]
    return running.wait(120.0), said


def settle(site: Notes) -> None:
    """Return when nothing goes on any more: no drain, no restart."""
    if isinstance(site, Site):
        site.drained()
    else:
        until(lambda: all(site.box.state(unit) == "active" for unit in site.units), "both services")
