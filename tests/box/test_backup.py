"""Backups on a real server: cron runs the site's own mcc as the deploy user, the services run as www-data and write."""

from __future__ import annotations

import json
import time

from box.harness import DEPLOY_USER
from box.notes import DOMAINS, Notes, Outputs


def own(notes: Notes, *words: str, check: bool = True) -> str:
    """The site's own mcc, without output folder, as the deploy user."""
    command = [f"{notes.base}/.mcc/bin/mcc", *words, "--site", notes.base]
    return notes.box.exec(command, DEPLOY_USER, check=check).stdout


def sets(notes: Notes) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(own(notes, "backup", "--list", "--format", "json"))
    return found


def test_cron_makes_verified_backups_and_the_service_goes_on_writing(live: Notes, outputs: Outputs) -> None:
    """No file beside a database changes hands: the service could not write it any more."""
    done = live.deploy(outputs(), BACKUP_ENABLED="true", BACKUP_SCHEDULE='"* * * * *"')
    assert done.code == 0, done
    assert "backup --site" in live.box.crontab()
    assert [live.post("before", domain) for domain in DOMAINS] == [201, 201]
    live.box.exec(["rm", "-rf", live.brought])
    deadline = time.monotonic() + 150
    while not [one for one in sets(live) if str(one["set"]).startswith("daily/")]:
        assert time.monotonic() < deadline, live.box.exec(["cat", f"{live.base}/logs/backup.log"], check=False).output
        time.sleep(1)
    daily = next(one for one in sets(live) if str(one["set"]).startswith("daily/"))
    assert daily["good"]
    assert {one["name"] for one in daily["databases"]} == set(DOMAINS)  # type: ignore[attr-defined]
    assert "good" in own(live, "backup", "--verify", "newest")
    assert live.box.exec(["stat", "-c", "%U %a", str(daily["folder"])]).stdout.split() == [DEPLOY_USER, "700"]
    files = live.box.exec(["find", f"{live.base}/domains", "-name", "data.db*", "-printf", "%u "]).stdout
    assert DEPLOY_USER not in files.split(), files
    assert [live.post("after", domain) for domain in DOMAINS] == [201, 201]
    assert live.status()["backup"]["late"] is False


def test_a_deploy_keeps_copies_of_what_its_migrations_change(live: Notes, outputs: Outputs) -> None:
    """They bring the databases back after the deploy went wrong, by the command that it names."""
    assert [live.post("kept", domain) for domain in DOMAINS] == [201, 201]
    failed = live.deploy(outputs("v2", "answers-500"), SMOKE_TIMEOUT="3", START_TIMEOUT="6")
    assert failed.code == 1, failed
    line = next(line for line in failed.stdout.splitlines() if "mcc restore --site" in line)
    words = line[line.index("mcc restore") :].split()
    assert "005_pinned" in live.migrations(DOMAINS[0])
    live.box.exec([f"{live.base}/.mcc/bin/mcc", *words[1:]], DEPLOY_USER)
    for domain in DOMAINS:
        assert "005_pinned" not in live.migrations(domain)
        assert live.post("after", domain) == 201
