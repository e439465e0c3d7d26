"""Maintenance behind nginx, and a reset under services that run as www-data, on a real server."""

from __future__ import annotations

import dataclasses
import json
import signal
from pathlib import Path

from box.harness import CERTIFICATE, DEPLOY_USER, until
from box.notes import DOMAINS, HEALTH, Notes, Outputs, guardian, reach, rest, runner
from mcc.host.settings import read_conf
from mcc.provision.nginx.site import nginx_files

RESET = "deploy:\n  reset-dev:\n    parameters: {conf: conf-prod.yml}\n"


def serve_as_provisioned(notes: Notes, output: Path) -> None:
    """nginx's site as mcc provision writes it, with the box's certificate."""
    conf = read_conf(output, "conf-prod.yml")
    certificate, key = CERTIFICATE
    web = dataclasses.replace(conf.web, tls="files", certificate=certificate, key=key)
    conf = dataclasses.replace(conf, web=web)
    *others, site = nginx_files(conf, {})
    for file in others:
        notes.box.write(str(file.path), file.text)
    notes.box.nginx_site(site.text, notes.name)
    notes.box.exec(["systemctl", "restart", "nginx"])  # behind a reload, old workers answer for a moment


def shown(notes: Notes, path: str = "/") -> tuple[int, str | None, bool]:
    """Status, Retry-After, and whether it is the page."""
    page = notes.get(path)
    return page.status, page.headers.get("Retry-After"), "We will be back soon" in page.text


RESTING = (503, "120", True)


def test_maintenance_shows_a_page_until_it_is_ended_and_for_the_time_of_an_offline_migration(
    live: Notes, outputs: Outputs
) -> None:
    box, site = live.box, ("--site", live.base)
    own = f"{live.base}/.mcc/bin/mcc"
    unseen = box.exec([own, "maintenance", "on", *site], DEPLOY_USER)
    assert "answers 200, not 503: the web server does not look for the switch" in unseen.output
    serve_as_provisioned(live, outputs())
    assert [shown(live), shown(live, "/api/notes"), live.post("shut out")] == [RESTING, RESTING, 503]
    assert live.get("/").headers["Cache-Control"] == "no-store"
    assert live.get(HEALTH).status == 200
    assert live.status()["maintenance"]["by"] == DEPLOY_USER

    kept = live.deploy(outputs())
    assert kept.code == 0, kept
    assert "is in maintenance" in kept.output
    assert shown(live) == RESTING
    again = box.exec([own, "maintenance", "on", *site], DEPLOY_USER)
    assert "in maintenance already" in again.output
    assert "does not look" not in again.output
    box.exec([own, "maintenance", "off", *site], DEPLOY_USER)
    assert (shown(live)[0], live.version(), live.post("let in")) == (200, "1", 201)

    box.sudoers([*live.rules(), *live.stop_rules()])
    database = f"{live.base}/domains/{DOMAINS[0]}/data.db"
    holder = box.spawn(["sqlite3", "-cmd", ".timeout 20000", "-cmd", "BEGIN IMMEDIATE", database, ".shell sleep 300"])
    offline = live.start_deploy(outputs("v2"), MIGRATE_OFFLINE="true")
    until(lambda: box.state(live.units[0]) != "active", "the service to stop")
    assert shown(live) == RESTING
    holder.signal(signal.SIGKILL)
    holder.wait()
    done = offline.wait()
    assert done.code == 0, done
    assert (shown(live)[0], live.version(), live.texts()[0]) == (200, "2", "let in")
    assert live.status()["maintenance"] is None


def not_of_a_layer_below(notes: Notes) -> None:
    """Folders that a box has from the layers below it cannot be renamed (EXDEV of overlayfs): make them anew."""
    again = f"cd {notes.base} && cp -a domains anew && rm -r domains && mv anew domains"
    notes.box.exec(f"systemctl stop {' '.join(notes.units)} && {again} && systemctl start {' '.join(notes.units)}")
    notes.wait_for_version("1")


def test_a_reset_that_is_killed_gives_all_back_and_one_that_is_not_wipes(live: Notes, outputs: Outputs) -> None:
    """kill -9 of both processes when the data is gone: the next command brings back data, owners, code and jobs."""
    box = live.box
    box.sudoers([*live.rules(), *live.stop_rules()])
    not_of_a_layer_below(live)
    assert [live.post("of a user", domain) for domain in DOMAINS] == [201, 201]
    upload = f"{live.base}/domains/{DOMAINS[0]}/upload.txt"
    box.write(upload, "of a user", "www-data", 0o600)
    live.bring(outputs("v2"), conf={"STAGE": "dev"})
    box.write(f"{live.brought}/config.yml", RESET, DEPLOY_USER)
    before, crontab = live.facts(".mcc/"), box.crontab()

    words = ["mcc", "deploy", "--stage", "reset-dev", "--format", "jsonl"]
    running = box.spawn(words, DEPLOY_USER, cwd=live.brought)
    reach(running, "migrate", "2 databases")
    box.exec(["kill", "-9", guardian(box), runner(box)])
    run = rest(running)[1][0]["run"]
    assert live.status()["dead_runs"] == [run]
    assert not box.exists(upload)
    assert not box.exists(f"{live.base}/domains/{DOMAINS[0]}/data.db") or live.migrations(DOMAINS[0])
    recovered = live.mcc("recover", "--site", live.base)
    assert recovered.code == 0, recovered
    live.wait_for_version("1")
    assert (live.facts(".mcc/"), box.crontab()) == (before, crontab)
    assert [live.texts(domain)[0] for domain in DOMAINS] == ["of a user"] * 2
    assert box.exec(["cat", upload], "www-data").stdout == "of a user"
    assert [live.post("after", domain) for domain in DOMAINS] == [201, 201]

    done = live.mcc("deploy", "--stage", "reset-dev")
    assert done.code == 0, done
    live.wait_for_version("2")
    assert [live.texts(domain) for domain in DOMAINS] == [["Welcome; this note came with the database."]] * 2
    assert [live.post("new", domain) for domain in DOMAINS] == [201, 201]
    assert not box.exists(upload)
    assert not box.exec(["ls", "-A", f"{live.base}/.mcc/aside"]).stdout
    assert box.crontab() == crontab
    before_reset = json.loads(live.mcc("backup", "--stage", "reset-dev", "--list", "--format", "json").stdout)
    assert {each["kind"] for each in before_reset} >= {"before-reset"}
