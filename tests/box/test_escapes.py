"""With provisioned rights nobody gets out: not the deploy user to root, not the service user to the deploy user."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from box import provisioned
from box.escapes import ALLOWED, CODE, ESCAPES, LINKS, SECRETS, SERVICE, Escape
from box.harness import DEPLOY_HOME, DEPLOY_USER, Result
from box.notes import DOMAINS, Notes, Outputs
from mcc.core.provisioned import marker
from mcc.model.conf import Application, Services
from mcc.provision.units.files import unit_files

LESS = """#!/bin/sh
# less(1) runs what follows a ! unless LESSSECURE forbids it.
[ "$LESSSECURE" = 1 ] || touch /root/got-out
exec cat
"""
TELLER = """#!/bin/sh
env >"$DATA_DIR/told.new"
mv "$DATA_DIR/told.new" "$DATA_DIR/told"
exec sleep infinity
"""
VICTIM = "/srv/victim"
RACER = """
import ctypes, os, sys, time

target, victim = sys.argv[1:]
link = target + ".link"
os.path.lexists(link) or os.symlink(victim, link)
exchange = ctypes.CDLL(None).renameat2
print("races", flush=True)
while True:
    exchange(-100, target.encode(), -100, link.encode(), 2)
    time.sleep(0.0005)
"""


@pytest.fixture(scope="module")
def site(acl_site: Notes) -> Notes:
    """With variables and copies that are worth something, and a folder for each who tries."""
    box = acl_site.box
    set_up_teller(acl_site)
    assert acl_site.mcc("env", "set", "API_TOKEN=the-secret", "--stage", "prod").code == 0
    assert acl_site.mcc("backup", "--stage", "prod").code == 0
    box.write("/usr/bin/less", LESS, mode=0o755)
    for user in (DEPLOY_USER, SERVICE, "nobody"):
        box.exec(["install", "-d", "-o", user, "-m", "700", f"/var/tmp/{user}"])
    return acl_site


def set_up_teller(site: Notes) -> None:
    """A worker, by the unit that provision makes, that tells its variables; and another's site with some."""
    box = site.box
    box.write("/usr/local/bin/teller", TELLER, mode=0o755)
    worker = Services(workers=("teller.service",))
    told = Application(worker_command=("/usr/local/bin/teller",))
    for file in unit_files(dataclasses.replace(provisioned.conf_of(site), services=worker, application=told), {}):
        box.write(str(file.path), f"{marker(Path(site.base))}\n{file.text}")
    box.exec(["systemctl", "daemon-reload"])
    box.write(f"{VICTIM}/.env", "STOLEN=yes\n", mode=0o600)
    box.exec(f"chmod 755 {VICTIM}; mkdir {VICTIM}/current-api; install -d -m 777 {VICTIM}/data {VICTIM}/logs /srv/open")


def tried(site: Notes, escape: Escape) -> Result:
    """What came of it, by its own end."""
    variables = {"B": site.base, "U": site.units[1], "T": f"/var/tmp/{escape.user}", "V": VICTIM}
    return site.box.exec(escape.attempt, escape.user, check=False, env=variables, cwd="/", timeout=20)


def by_root(site: Notes, words: str) -> Result:
    return site.box.exec(words, check=False, env={"B": site.base, "U": site.units[1], "V": VICTIM})


@pytest.mark.parametrize("escape", ESCAPES, ids=lambda escape: f"{escape.name} ({escape.user})")
def test_is_denied(site: Notes, escape: Escape) -> None:
    done = tried(site, escape)
    try:
        assert not (by_root(site, escape.proof).ok if escape.proof else done.ok), done
        assert not site.box.exists("/root/got-out")
    finally:
        if escape.tidy:
            assert by_root(site, escape.tidy).ok


def test_there_are_enough_of_them() -> None:
    assert len({escape.name for escape in ESCAPES}) == len(ESCAPES) >= 40


def test_what_is_allowed_works(site: Notes) -> None:
    """In this order: else it would be no wonder that nothing else does."""
    for allowed in ALLOWED:
        done = tried(site, allowed)
        assert done.ok, (allowed.name, done)
    by_root(site, "rm -rf $B/data/own* $B/domains/new.box.test")


def test_planted_links_lead_no_deploy_anywhere(site: Notes, outputs: Outputs) -> None:
    """In logs that a failed deploy shows, and in the place of a database while it is migrated."""
    box, base = site.box, site.base
    box.write(f"{DEPLOY_HOME}/secret", "the deploy user's secret\n", DEPLOY_USER, 0o600)
    other = f"{DEPLOY_HOME}/other.db"
    box.exec(["sqlite3", other, "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)"], DEPLOY_USER)
    before = box.exec(["sha256sum", other]).stdout
    database = f"{base}/domains/{DOMAINS[1]}/data.db"
    box.exec(f"ln -s {DEPLOY_HOME}/secret {base}/logs/evil.log", SERVICE)
    box.exec(f"mv {database} {database}.kept; ln -s {other} {database}", SERVICE)
    refused = site.deploy(outputs("v2"), **provisioned.CONF)
    assert refused.code in (1, 2), refused
    assert "another user" in refused.output
    box.exec(["mv", "-T", f"{database}.kept", database], SERVICE)
    failed = site.deploy(outputs("does-not-start"), **provisioned.CONF)
    assert failed.code == 1, failed
    assert "the deploy user's secret" not in failed.output
    assert box.exec(["sha256sum", other]).stdout == before
    assert site.post("as before", DOMAINS[1]) == 201


def test_who_exchanges_a_database_for_a_link_while_it_is_migrated_changes_his_own_alone(
    site: Notes, outputs: Outputs
) -> None:
    """www-data races with the deploy user; the deploy may fail, and the other database is as it was."""
    box, database = site.box, f"{site.base}/domains/{DOMAINS[1]}/data.db"
    other = f"{DEPLOY_HOME}/raced.db"
    box.exec(["sqlite3", other, "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)"], DEPLOY_USER)
    before = box.exec(["sha256sum", other]).stdout
    box.write("/opt/racer.py", RACER)
    racer = box.spawn(["python3", "/opt/racer.py", database, other], SERVICE)
    assert racer.process.stdout
    assert racer.process.stdout.readline() == "races\n"
    try:
        for _ in range(2):
            done = site.deploy(outputs("v2"), **provisioned.CONF)
            site.mcc("backup", "--stage", "prod")
    finally:
        racer.signal(9)
        racer.wait()
    box.exec(f"test -L {database} && mv -T {database}.link {database}; rm -f {database}.link", SERVICE, check=False)
    assert box.exec(["sha256sum", other]).stdout == before, done
    assert box.exec(f"ls {DEPLOY_HOME} | grep raced.db").stdout == "raced.db\n"
    again = site.deploy()
    assert again.code == 0, again
    assert [site.post("at last", domain) for domain in DOMAINS] == [201, 201]


def test_the_same_attempts_work_for_who_has_the_rights(site: Notes) -> None:
    """In a copy, as root: else what denies them would be a path that is not there, and not a right that is missing."""
    box, copy, small = site.box, "/home/copy", "/home/small"  # on the disk of the site, for hard links
    box.exec(f"cp -a {site.base} {small} && rm -rf {small}/.mcc/tool/* {small}/venvs/*/lib/python3*/site-packages/*")
    environment = {"B": copy, "U": site.units[1], "T": "/var/tmp"}
    failed = {}
    for escape in (*CODE, *SECRETS, *LINKS):
        attempt = f"rm -rf {copy}; cp -a {small} {copy}; {escape.attempt}"
        done = box.exec(attempt, check=False, env=environment, cwd="/", timeout=20)
        if not done.ok:
            failed[escape.name] = done
    box.exec(["rm", "-rf", copy, small])
    assert failed == {}
