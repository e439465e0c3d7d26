"""Migrations on a real server: by the deploy user, under services of another user that write in WAL mode."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from box.harness import DEPLOY_USER, Running, until
from box.notes import DOMAINS, KEEPS_OPEN, Notes, Outputs, authors, guardian, leave_wal, reach, rest, runner

FIRST, SECOND = DOMAINS
OFFLINE = {"MIGRATE_OFFLINE": "true"}
# Long on a database with a note that asks for it, and nothing on others: neither on the copy that is
# tried first nor on the first domain. What it inserts does not fit into memory and is in the -wal by then.
SLOW = """\
CREATE TABLE {word} (id INTEGER PRIMARY KEY, text TEXT);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
INSERT INTO {word} (text) SELECT hex(randomblob(80)) FROM n WHERE EXISTS (SELECT 1 FROM notes WHERE text = 'slow');
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900000000)
DELETE FROM {word} WHERE EXISTS (SELECT 1 FROM notes WHERE text = 'slow') AND (SELECT count(*) FROM n) = 0;
"""

@pytest.fixture
def site(shared_live: Notes) -> Iterator[Notes]:
    """One site for all tests; each adds migrations to those that were before."""
    yield shared_live
    shared_live.box.sudoers(shared_live.rules())


@dataclass(frozen=True, slots=True)
class Pending:
    """An output that was brought, and its one migration that the site has not had."""

    site: Notes
    name: str

    def had_by(self) -> list[str]:
        return [domain for domain in DOMAINS if self.name in self.site.migrations(domain)]


def bring(site: Notes, outputs: Outputs, word: str, sql: str, **conf: str) -> Pending:
    """Bring version 1 with one more migration, which sorts behind all that the site has had."""
    at = site.bring(outputs(), conf=conf)
    last = max(name for domain in DOMAINS for name in site.migrations(domain))
    name = f"{int(last[:3]) + 1:03}_{word}"
    site.box.write(f"{at}/shared/db/scripts/migrations/{name}.sql", sql, DEPLOY_USER)
    return Pending(site, name)


@contextmanager
def slowed(site: Notes) -> Iterator[None]:
    """The second domain has the note that makes a migration long."""
    site.sql(f"domains/{SECOND}/data.db", "INSERT INTO notes (text) VALUES ('slow')")
    try:
        yield
    finally:
        site.sql(f"domains/{SECOND}/data.db", "DELETE FROM notes WHERE text = 'slow'")


def in_the_middle(site: Notes, running: Running) -> None:
    """Return when a migration of the second domain has written to its files and is not committed."""
    reach(running, "migrate")
    until(lambda: site.wal(SECOND) > 4_000_000, "pages in the -wal")


def serves_and_writes(site: Notes) -> None:
    """Visitors can write, and so can the service user alone; nothing belongs to somebody else."""
    for domain in DOMAINS:
        assert site.post("after", domain) == 201
        written = site.write_as_service(domain, "by www-data alone")
        assert written.ok, written
        assert site.sql(f"domains/{domain}/data.db", "PRAGMA integrity_check") == ["ok"]
    assert site.owners() <= {"www-data:stenvala", "www-data:www-data"}  # the latter are side files of the test's own


def count(site: Notes, domain: str, text: str) -> int:
    return int(site.sql(f"domains/{domain}/data.db", f"SELECT count(*) FROM notes WHERE text LIKE '{text}'")[0])


def test_no_note_is_lost_while_a_deploy_migrates(site: Notes, outputs: Outputs) -> None:
    """Each that a visitor was told is kept is there, and the service writes databases and side files afterwards."""
    pending = bring(site, outputs, "tags", "ALTER TABLE notes ADD COLUMN tags TEXT NOT NULL DEFAULT '';\n")
    with authors(site) as kept:
        until(lambda: all(kept.values()), "a first note in each domain")
        done = site.deploy()
        assert done.code == 0, done
        before = {domain: len(texts) for domain, texts in kept.items()}
        until(lambda: all(len(kept[domain]) > before[domain] for domain in DOMAINS), "notes after the deploy")
    assert pending.had_by() == list(DOMAINS)
    for domain in DOMAINS:
        assert count(site, domain, "note % for %") == len(kept[domain])
    serves_and_writes(site)


def test_migrate_by_itself_holds_nobody_up(site: Notes, outputs: Outputs) -> None:
    """Status and apply as the deploy user, without a restart: every note that is written meanwhile is accepted."""
    pending = bring(site, outputs, "stars", "CREATE TABLE stars (note INTEGER PRIMARY KEY, count INTEGER);\n")
    starts = site.starts()
    asked = json.loads(site.mcc("migrate", "--stage", "prod", "--status", "--format", "json").stdout)
    assert [each["pending"] for each in asked["databases"]] == [[pending.name]] * 2
    assert pending.had_by() == []
    with authors(site) as kept:
        until(lambda: all(kept.values()), "a first note in each domain")
        applied = site.mcc("migrate", "--stage", "prod", "--apply")
    assert applied.code == 0, applied
    assert pending.had_by() == list(DOMAINS)
    answered = site.mcc("migrate", "--stage", "prod", "--status")
    assert (answered.code, pending.name in answered.stdout.split("pending")[-1]) == (0, False), answered
    assert site.starts() == starts
    serves_and_writes(site)


@pytest.mark.parametrize("dead", ["deploy", "deploy and guardian"])
def test_killed_in_the_middle_of_a_migration(site: Notes, outputs: Outputs, dead: str) -> None:
    """kill -9 with pages in the -wal: the database is as before, and its owner writes, also before recovery."""
    word = f"killed_{len(dead)}"
    pending = bring(site, outputs, word, SLOW.format(word=word))
    with slowed(site):
        running = site.start_deploy_brought("--format", "jsonl")
        in_the_middle(site, running)
        victims = [runner(site.box), *([guardian(site.box)] if "guardian" in dead else [])]
        if "guardian" in dead:  # else the worker, which has the group, would be the first to tidy up
            site.box.exec(["systemctl", "stop", *site.units])
        site.box.exec(["kill", "-9", *reversed(victims)])
        rest(running)
        if "guardian" in dead:
            written = site.write_as_service(SECOND, "beside what the dead left")
            assert written.ok, written
            site.box.exec(["systemctl", "start", *site.units])
            site.wait_for_version("1")
        assert pending.had_by() == [FIRST]
        serves_and_writes(site)
        if "guardian" in dead:
            assert len(site.status()["dead_runs"]) == 1
            recovered = site.mcc("recover", "--site", site.base)
            assert recovered.code == 0, recovered
    assert site.status()["dead_runs"] == []
    assert site.version() == "1"
    again = site.deploy()
    assert again.code == 0, again
    assert pending.had_by() == list(DOMAINS)
    serves_and_writes(site)


def test_what_a_killed_service_left_in_the_wal_is_kept(site: Notes, outputs: Outputs) -> None:
    """The service died with notes that are in the -wal alone: migrated, they are there, and it writes again."""
    leave_wal(site)
    pending = bring(site, outputs, "colours", "ALTER TABLE notes ADD COLUMN colour TEXT NOT NULL DEFAULT '';\n")
    done = site.deploy()
    assert done.code == 0, done
    site.wait_for_version("1")
    assert pending.had_by() == list(DOMAINS)
    assert [count(site, domain, "only in the wal") for domain in DOMAINS] == [1, 1]
    serves_and_writes(site)


@pytest.mark.parametrize(("made_by", "group"), [("mcc", "stenvala"), ("others", "www-data")])
def test_a_service_without_the_deploy_users_group_holds_its_database_open(
    site: Notes, outputs: Outputs, made_by: str, group: str
) -> None:
    """Folders of mcc's make its side files the group's; in others they are handed over first; it writes on."""
    modes = site.box.exec(f"stat -c %A {site.base}/domains/*").stdout.split()
    assert all(mode[6] == "s" for mode in modes)
    with folders_of(made_by, site), services_without_the_group(site, KEEPS_OPEN):
        assert f"www-data:{group}" in side_files(site)
        pending = bring(site, outputs, "alone", f"CREATE TABLE by_{made_by} (id INTEGER PRIMARY KEY);\n")
        applied = site.mcc("migrate", "--stage", "prod", "--apply")
        assert applied.code == 0, applied
        assert pending.had_by() == list(DOMAINS)
        serves_and_writes(site)


def test_a_busy_service_without_the_deploy_users_group_is_waited_for(site: Notes, outputs: Outputs) -> None:
    """Side files that are not the deploy user's to write come and go with each request."""
    with folders_of("others", site), services_without_the_group(site), authors(site) as kept:
        until(lambda: all(kept.values()), "a first note in each domain")
        for word in ("one", "two", "three"):
            pending = bring(site, outputs, word, f"CREATE TABLE busy_{word} (id INTEGER PRIMARY KEY);\n")
            applied = site.mcc("migrate", "--stage", "prod", "--apply")
            assert applied.code == 0, applied
            assert pending.had_by() == list(DOMAINS)


@contextmanager
def folders_of(made_by: str, site: Notes) -> Iterator[None]:
    """The specification's script makes them without a set-gid bit."""
    if made_by == "others":
        site.box.exec(f"chmod g-s {site.base}/domains/*")
    try:
        yield
    finally:
        site.box.exec(f"chmod g+s {site.base}/domains/*")


def side_files(site: Notes) -> set[str]:
    """Whom they belong to."""
    return set(site.box.exec(f"stat -c %U:%G {site.base}/domains/*/data.db-*").stdout.split())


@contextmanager
def services_without_the_group(site: Notes, worker: str = "") -> Iterator[None]:
    """Units of ``User=`` alone; ``worker`` is what the worker does instead of its own work."""
    work = f"{site.base}/{site.link('current-api')}/worker/main.py"
    text, drop_ins = site.box.read(work), [f"/etc/systemd/system/{unit}.d/group.conf" for unit in site.units]
    for drop_in in drop_ins:
        site.box.write(drop_in, "[Service]\nGroup=www-data\n")
    start_anew(site, work, worker or text)
    try:
        yield
    finally:
        site.box.exec(["rm", *drop_ins])
        start_anew(site, work, text)


def start_anew(site: Notes, work: str, text: str) -> None:
    """Both at a stand first, so that no side file outlives them; the worker with this text."""
    site.box.exec(["tee", work], stdin=text)
    site.box.exec(f"systemctl daemon-reload; systemctl stop {' '.join(site.units)}")
    site.box.exec(["systemctl", "start", site.units[1]])
    if text == KEEPS_OPEN:
        until(lambda: all(site.wal(domain) for domain in DOMAINS), "a -wal in each domain")
    site.box.exec(["systemctl", "start", site.units[0]])
    site.wait_for_version("1")


def test_offline_the_site_stands_still_and_a_kill_brings_all_of_it_back(site: Notes, outputs: Outputs) -> None:
    """With the rights of every deploy and two lines more: services and jobs rest, then everything is as it was."""
    site.box.sudoers([*(line for line in site.rules() if "systemctl status" not in line), *site.stop_rules()])
    crontab = site.box.crontab()
    pending = bring(site, outputs, "offline", SLOW.format(word="offline"), **OFFLINE)
    with slowed(site):
        running = site.start_deploy_brought("--format", "jsonl")
        in_the_middle(site, running)
        assert [site.box.state(unit) for unit in site.units] == ["inactive", "inactive"]
        assert [line for line in site.box.crontab().splitlines() if line.startswith("*")] == []
        assert "@reboot " in site.box.crontab()
        site.box.exec(["kill", "-9", runner(site.box)])
        ended, events = rest(running)
    assert ended.code == 1, ended
    assert events[-1]["databases"] == "as before"
    assert pending.had_by() == []
    assert site.box.crontab() == crontab
    site.wait_for_version("1")
    serves_and_writes(site)
    done = site.deploy()
    assert done.code == 0, done
    assert pending.had_by() == list(DOMAINS)
    assert ran_as_root(site)[-1].startswith("/bin/systemctl restart ")
    serves_and_writes(site)


def test_offline_what_a_failing_file_has_committed_is_taken_back(site: Notes, outputs: Outputs) -> None:
    """A file without a transaction, which fails in the middle in the second domain: both databases are as before."""
    site.box.sudoers([*site.rules(), *site.stop_rules()])
    sql = (
        "-- mcc: no-transaction\nCREATE TABLE half (id INTEGER PRIMARY KEY, text TEXT UNIQUE);\n"
        "INSERT INTO half (text) SELECT text FROM notes WHERE text = 'twice';\n"
    )
    pending = bring(site, outputs, "half", sql, **OFFLINE)
    site.sql(f"domains/{SECOND}/data.db", "INSERT INTO notes (text) VALUES ('twice'), ('twice')")
    failed = site.deploy()
    print(failed)
    assert failed.code == 1, failed
    assert re.search(rf"{pending.name}\.sql:3: .*UNIQUE constraint failed: half\.text", failed.stdout), failed
    assert "databases: as before" in failed.stdout
    tables = "SELECT name FROM sqlite_master WHERE name = 'half'"
    assert [site.sql(f"domains/{domain}/data.db", tables) for domain in DOMAINS] == [[], []]
    site.wait_for_version("1")
    serves_and_writes(site)


def ran_as_root(site: Notes) -> list[str]:
    """The command lines of systemctl that sudo has run since the boot."""
    return re.findall(r"USER=root ; COMMAND=(\S*systemctl .+)", site.box.sudo_log())
