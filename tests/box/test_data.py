"""Databases on a real server: services run as www-data and write all the time, the deploy user copies and restores."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable

import pytest

from box.harness import DEPLOY_USER, Box, BoxError
from box.notes import DOMAINS, Notes, Outputs

OFFLINE = {"MIGRATE_OFFLINE": "true"}


def may_stop(notes: Notes) -> None:
    """The sudo rules of the example, and the right to stop both units."""
    lines = [f"stenvala ALL=(root) NOPASSWD: /bin/systemctl stop {unit}" for unit in notes.units]
    notes.box.sudoers([*notes.rules(), *lines])


def let_in_over_ssh(box: Box) -> None:
    """The deploy user gets a key that opens this very machine to him."""
    script = (
        "mkdir -p -m 700 .ssh && ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519"
        " && cat .ssh/id_ed25519.pub >> .ssh/authorized_keys && chmod 600 .ssh/authorized_keys"
        " && ssh-keyscan localhost >> .ssh/known_hosts"
    )
    box.exec(script, DEPLOY_USER)


def texts(notes: Notes, domain: str) -> list[str]:
    return [note["text"] for note in json.loads(notes.get("/api/notes", domain).body)["notes"]]


def owners(notes: Notes) -> set[str]:
    """Whom SQLite's files belong to."""
    names = notes.box.exec(["find", f"{notes.base}/domains", "-name", "data.db*"]).stdout.split()
    return {notes.box.exec(["stat", "-c", "%U:%G", name], check=False).stdout.strip() for name in names} - {""}


def test_migrating_offline_needs_the_right_to_stop_and_a_failure_leaves_code_and_databases_as_they_were(
    live: Notes, outputs: Outputs
) -> None:
    """Exit code 2 with the line for sudoers; with it, a release that answers 500 is undone with its migration."""
    crontab, before = live.box.crontab(), live.link("current-api")
    refused = live.deploy(outputs("v2", "answers-500"), **OFFLINE, SMOKE_TIMEOUT="3", START_TIMEOUT="6")
    assert refused.code == 2, refused
    assert (
        "NOPASSWD: /bin/systemctl stop notes-prod-api.service, /bin/systemctl stop notes-prod-worker" in refused.output
    )
    may_stop(live)
    assert live.post("before") == 201
    failed = live.deploy()
    assert failed.code == 1, failed
    assert "databases: as before" in failed.stdout
    assert (live.link("current-api"), live.box.crontab()) == (before, crontab)
    for domain in DOMAINS:
        live.wait_for_version("1")
        assert "005_pinned" not in live.migrations(domain)
        assert live.post("after", domain) == 201
    assert "before" in texts(live, DOMAINS[0])
    assert [live.box.state(unit) for unit in live.units] == ["active", "active"]
    assert owners(live) == {"www-data:stenvala"} or owners(live) <= {"www-data:stenvala", "www-data:www-data"}


def test_migrating_offline_brings_code_and_databases_together(live: Notes, outputs: Outputs) -> None:
    may_stop(live)
    crontab = live.box.crontab()
    done = live.deploy(outputs("v2"), **OFFLINE)
    assert done.code == 0, done
    assert [live.version(domain) for domain in DOMAINS] == ["2", "2"]
    assert [live.migrations(domain)[-1] for domain in DOMAINS] == ["005_pinned"] * 2
    assert [live.post("later", domain) for domain in DOMAINS] == [201, 201]
    assert live.box.crontab() == crontab


def test_a_reboot_in_the_middle_is_recovered_by_the_line_that_stays_in_the_crontab(
    live: Notes, outputs: Outputs
) -> None:
    """The site's other jobs are out of the crontab by then; afterwards everything is as before."""
    may_stop(live)
    crontab, box = live.box.crontab(), live.box
    assert live.post("before") == 201
    database = f"{live.base}/domains/{DOMAINS[1]}/data.db"
    holder = box.spawn(["sqlite3", "-cmd", ".timeout 20000", "-cmd", "BEGIN IMMEDIATE", database, ".shell sleep 300"])
    deploy = live.start_deploy(outputs("v2"), **OFFLINE)
    wait_for(lambda: box.state(live.units[0]) != "active" and "count_notes" not in box.crontab())
    assert "mcc recover" in box.crontab()
    assert holder.process.poll() is None
    box.reboot()
    for running in (deploy, holder):
        running.wait()
    wait_for(lambda: box.crontab() == crontab)
    live.wait_until_at_rest()
    live.wait_for_version("1")
    for domain in DOMAINS:
        assert "005_pinned" not in live.migrations(domain)
        assert live.post("after", domain) == 201
    assert "before" in texts(live, DOMAINS[0])
    assert [box.state(unit) for unit in live.units] == ["active", "active"]


def wait_for(happens: Callable[[], bool], timeout: float = 60.0) -> None:
    """Return when it has happened; a question that fails meanwhile is asked again."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with contextlib.suppress(BoxError, ValueError):
            if happens():
                return
        time.sleep(0.2)
    raise AssertionError(f"it has not happened after {timeout:g} s")


@pytest.mark.parametrize("stoppable", [True, False], ids=["stopped", "restarted"])
def test_a_restore_leaves_a_database_that_the_service_can_write(live: Notes, outputs: Outputs, stoppable: bool) -> None:
    """By the site's own mcc, without output folder or installation; and it can be taken back."""
    if stoppable:
        may_stop(live)
    crontab = live.box.crontab()
    assert [live.post("kept", domain) for domain in DOMAINS] == [201, 201]
    live.bring(outputs())
    assert live.mcc("backup", "--stage", "prod").code == 0
    assert [live.post("since", domain) for domain in DOMAINS] == [201, 201]
    live.box.exec(["rm", "-rf", "/usr/local/bin/mcc", live.brought])
    own = [f"{live.base}/.mcc/bin/mcc"]
    done = live.box.exec([*own, "restore", "--site", live.base], DEPLOY_USER, check=False)
    print(done)
    assert done.code == 0, done
    assert ("may not be stopped and is restarted afterwards" in done.output) is not stoppable
    for domain in DOMAINS:
        assert "kept" in texts(live, domain)
        assert "since" not in texts(live, domain)
        assert live.post("after", domain) == 201
    assert [live.box.state(unit) for unit in live.units] == ["active", "active"]
    assert live.box.crontab() == crontab
    kept = live.box.exec(["ls", f"{live.base}/backups/before"]).stdout.split()
    live.box.exec([*own, "restore", "--site", live.base, "--from", f"before/{kept[0]}"], DEPLOY_USER)
    assert {"kept", "since"} <= set(texts(live, DOMAINS[0]))
    assert live.post("at last", DOMAINS[0]) == 201


@pytest.mark.parametrize("source", ["local", "ssh"])
def test_a_clone_while_production_is_written_to(live: Notes, outputs: Outputs, source: str) -> None:
    """Production serves on and is not changed; development has its content, and its service can write it."""
    dev = Notes(live.box, "notes-dev", 8100, ("one.box.test", "two.box.test")).set_up()
    live.box.sudoers([*live.rules(), *dev.rules()])
    first = dev.deploy(outputs(), SMOKE_URLS="[]")
    assert first.code == 0, first
    assert [live.post("of production", domain) for domain in DOMAINS] == [201, 201]
    assert dev.post("of development") == 201
    place = dev.bring(outputs(), conf={"STAGE": "dev", "SMOKE_URLS": "[]"})
    live.box.exec(["mv", f"{place}/conf-prod.yml", f"{place}/conf-dev.yml"])
    live.bring(outputs())
    live.box.exec(["cp", f"{live.brought}/conf-prod.yml", f"{place}/conf-prod.yml"])
    config = f"deploy:\n  clone-prod-to-dev:\n    allow_branches: .*\n    parameters: {{source: {source}}}\n"
    if source == "ssh":
        let_in_over_ssh(live.box)
        live.box.exec(["sed", "-i", "s/^REMOTE_HOST:.*/REMOTE_HOST: localhost/", f"{place}/conf-prod.yml"])
    live.box.write(f"{place}/config.yml", config, DEPLOY_USER)
    live.box.write(f"{place}/clone.sql", "UPDATE notes SET text = 'hidden';\n", "stenvala")
    done = dev.mcc("deploy", "--stage", "clone-prod-to-dev")
    print(done)
    assert done.code == 0, done
    assert [set(texts(dev, domain)) for domain in dev.domains] == [{"hidden"}, {"hidden"}]
    assert all("of production" in texts(live, domain) for domain in DOMAINS)
    assert dev.post("afterwards") == 201
    assert live.post("afterwards") == 201
    assert [live.box.state(unit) for unit in (*live.units, *dev.units)] == ["active"] * 4
