"""Backups on a real server: made by cron while services of another user write, restored, cloned and handed over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from box.harness import DEPLOY_HOME, DEPLOY_USER, until
from box.layers import CHECKOUT
from box.notes import DOMAINS, Notes, Outputs, authors, leave_wal, rules_of

FIRST = DOMAINS[0]
HOSTS = ("app-dev.box.test", "client-dev.box.test")
ELSEWHERE = f"{DEPLOY_HOME}/elsewhere"


@dataclass(frozen=True, slots=True)
class BackedUp:
    """A site, its crontab when cron had made the first set, and how many notes were kept before and by then."""

    notes: Notes
    crontab: str
    before: dict[str, int]
    after: dict[str, int]

    @property
    def set(self) -> str:
        """The set that cron has made."""
        return sorted(self.notes.box.exec(["ls", f"{self.notes.base}/backups/daily"]).stdout.split())[0]

    def mcc(self, *words: str) -> Any:
        """The site's own mcc, without output folder, as the deploy user."""
        command = [f"{self.notes.base}/.mcc/bin/mcc", *words, "--site", self.notes.base]
        return self.notes.box.exec(command, DEPLOY_USER, check=False)


@pytest.fixture(scope="module")
def site(shared_live: Notes, outputs: Outputs) -> BackedUp:
    """Deployed with a backup each minute; cron is let do one, while visitors write."""
    notes = shared_live
    done = notes.deploy(outputs(), BACKUP_SCHEDULE="'* * * * *'")
    assert done.code == 0, done
    crontab = notes.box.crontab()
    with authors(notes) as kept:
        until(lambda: all(kept.values()), "a first note in each domain")
        before = {domain: len(texts) for domain, texts in kept.items()}
        until(lambda: notes.box.exists(f"{notes.base}/backups/daily"), "a set of cron's", timeout=90)
        until(lambda: notes.box.exec(["ls", f"{notes.base}/backups/daily"]).stdout != "", "a whole set")
        # the rest of the file works with this set, and without another that comes in between
        notes.box.exec("crontab -l | grep -v ' backup ' | crontab -", DEPLOY_USER)
        until(lambda: not notes.status()["held_by"], "the end of the backup")
    return BackedUp(notes, crontab, before, {domain: len(texts) for domain, texts in kept.items()})


@pytest.fixture
def hot(site: BackedUp) -> Iterator[Notes]:
    """Its services are down, and killed with notes that are in the -wal alone."""
    leave_wal(site.notes)
    yield site.notes
    site.notes.box.exec(["systemctl", "start", *site.notes.units])
    site.notes.wait_for_version("1")


def test_the_real_cron_makes_a_set_while_the_service_writes(site: BackedUp) -> None:
    """The line runs the site's own mcc; the set is one moment of each database, for the deploy user alone."""
    base = site.notes.base
    line = f"* * * * * {base}/.mcc/bin/mcc backup --site {base} --format plain >> {base}/logs/backup.log 2>&1"
    assert site.crontab.splitlines().count(line) == 1, site.crontab
    folder = f"{base}/backups/daily/{site.set}"
    for domain in DOMAINS:
        copy = f"gunzip -c {folder}/{domain}.db.gz > /tmp/copy.db && sqlite3 /tmp/copy.db"
        sql = "PRAGMA integrity_check; SELECT count(*) FROM notes WHERE text LIKE 'note % for %'"
        checked, count = site.notes.box.exec(f'{copy} "{sql}"').stdout.split()
        assert checked == "ok"
        assert site.before[domain] <= int(count) <= site.after[domain]
    modes = site.notes.box.exec(["find", folder, "-printf", "%y %m %u:%g\n"]).stdout.splitlines()
    assert set(modes) == {"d 700 stenvala:stenvala", "f 600 stenvala:stenvala"}
    assert site.notes.owners() == {"www-data:stenvala"}


def test_what_there_is_and_whether_it_is_good(site: BackedUp) -> None:
    """List, verify and status agree; one that is too old is a warning and exit code 1."""
    listed = json.loads(site.mcc("backup", "--list", "--format", "json").stdout)
    assert {each["set"] for each in listed} == {f"{shelf}/{site.set}" for shelf in ("daily", "weekly")}
    assert all(each["good"] for each in listed)
    assert [each["name"] for each in listed[0]["databases"]] == list(DOMAINS)
    verified = site.mcc("backup", "--verify", "all")
    assert verified.code == 0, verified
    status = site.mcc("status")
    assert status.code == 0, status
    assert "backup    the last good one is" in status.stdout
    age = """cp -a backups saved && sed -i -E 's/"at": "[0-9]+/"at": "2025/' backups/*/*/manifest.json"""
    site.notes.box.exec(age, DEPLOY_USER, cwd=site.notes.base)
    late = site.mcc("status")
    site.notes.box.exec("rm -r backups && mv saved backups", DEPLOY_USER, cwd=site.notes.base)
    assert late.code == 1, late
    assert "there should be a newer backup by now" in late.stdout


def test_a_restore_under_a_running_service_keeps_the_file(site: BackedUp) -> None:
    """Without the right to stop it: content back, inode, owner and mode as they were, and the service writes on."""
    notes, database = site.notes, f"domains/{FIRST}/data.db"
    facts = ["stat", "-c", "%i %a %U:%G", f"{notes.base}/{database}"]
    before = notes.box.exec(facts).stdout
    assert notes.post("since the backup") == 201
    restored = site.mcc("restore", "--from", f"daily/{site.set}", "--database", FIRST)
    assert restored.code == 0, restored
    assert notes.box.exec(facts).stdout == before
    notes.wait_for_version("1")
    assert "since the backup" not in notes.texts()
    assert notes.post("after the restore") == 201
    beats = "SELECT at FROM heartbeats"
    last = notes.sql(database, beats)
    until(lambda: notes.sql(database, beats) != last, "another heartbeat")
    assert notes.write_as_service(FIRST, "by www-data alone").ok
    assert notes.sql(database, "PRAGMA integrity_check") == ["ok"]


@pytest.mark.parametrize(
    ("harm", "code", "says"),
    [
        ("printf damaged | dd of={file} bs=1 seek=300 conv=notrunc", 1, "is damaged"),
        ("truncate -s -20 {file}", 2, "its manifest says"),
        ("rm {file}", 2, "is missing"),
    ],
    ids=["another byte", "cut off", "missing"],
)
def test_a_damaged_copy_is_refused(site: BackedUp, harm: str, code: int, says: str) -> None:
    """Before anything is touched: same services, same crontab, same notes."""
    notes = site.notes
    notes.box.exec(f"rm -rf {ELSEWHERE} && cp -a {notes.base}/backups/daily {ELSEWHERE}", DEPLOY_USER)
    notes.box.exec(harm.format(file=f"{ELSEWHERE}/{site.set}/{FIRST}.db.gz"), DEPLOY_USER)
    before = notes.starts(), notes.box.crontab(), notes.texts()
    refused = site.mcc("restore", "--from", f"{ELSEWHERE}/{site.set}")
    print(refused)
    assert refused.code == code, refused
    assert f"{FIRST}.db.gz" in refused.output
    assert says in refused.output
    assert (notes.starts(), notes.box.crontab(), notes.texts()) == before


def test_restic_takes_it_off_site_and_brings_it_back(site: BackedUp) -> None:
    """The example's script with Debian's restic; a set that is not good is not handed over."""
    notes, box = site.notes, site.notes.box
    script = f"{notes.base}/scripts/off-site.sh"
    box.write(script, (CHECKOUT / "examples/off-site/off-site.sh").read_text(), DEPLOY_USER, 0o755)
    settings = f"RESTIC_REPOSITORY={DEPLOY_HOME}/store\nRESTIC_PASSWORD_FILE={DEPLOY_HOME}/.restic-password\n"
    box.write(f"{notes.base}/.restic.env", settings, DEPLOY_USER, 0o600)
    box.write(f"{DEPLOY_HOME}/.restic-password", "of the store", DEPLOY_USER, 0o600)
    restic = f"set -a; . {notes.base}/.restic.env; restic -q --no-cache"
    box.exec(f"{restic} init", DEPLOY_USER)
    handed = box.exec([script], DEPLOY_USER, check=False)
    assert handed.code == 0, handed
    box.exec(f"{restic} restore latest --target {DEPLOY_HOME}/restored", DEPLOY_USER)
    assert notes.post("since the hand-over") == 201
    restored = site.mcc("restore", "--from", f"{DEPLOY_HOME}/restored{notes.base}/backups/daily/{site.set}")
    assert restored.code == 0, restored
    notes.wait_for_version("1")
    assert "since the hand-over" not in notes.texts()
    copy = f"{notes.base}/backups/daily/{site.set}/{FIRST}.db.gz"
    text = box.exec(f"cp -a {copy} saved; printf damaged | dd of={copy} bs=1 seek=300 conv=notrunc", DEPLOY_USER)
    refused = box.exec([script], DEPLOY_USER, check=False)
    box.exec(f"mv saved {copy}", DEPLOY_USER)
    assert refused.code != 0, (text, refused)
    assert len(json.loads(box.exec(f"{restic} snapshots --json", DEPLOY_USER).stdout)) == 1


def test_a_clone_does_not_touch_its_source(hot: Notes, outputs: Outputs) -> None:
    """Production's files stay as they are, also those of a crash; development's services stop and start."""
    box, dev = hot.box, Notes(hot.box, "notes-dev", 8001, HOSTS).set_up()
    box.exec(["tee", "-a", "/etc/hosts"], stdin=f"127.0.0.1 {' '.join(HOSTS)}\n")
    box.sudoers([*rules_of((hot, dev)), *dev.stop_rules()])
    hot.bring(outputs())
    first = hot.mcc("deploy", "--stage", "dev")
    assert first.code == 0, first
    before, starts = untouched(hot), dev.starts()
    assert "data.db-wal" in before
    cloned = hot.mcc("clone", "--stage", "clone-prod-to-dev")
    print(cloned)
    assert cloned.code == 0, cloned
    assert untouched(hot) == before
    dev.wait_for_version("1")
    assert all(dev.starts()[unit] != starts[unit] for unit in dev.units)
    stopped = box.sudo_log()
    assert [unit for unit in dev.units if f"COMMAND=/bin/systemctl stop {unit}" in stopped] == list(dev.units)
    for domain in HOSTS:
        assert "only in the wal" in dev.texts(domain)
        assert dev.post("of development", domain) == 201
        assert dev.write_as_service(domain, "by www-data alone").ok
    assert untouched(hot) == before


def untouched(site: Notes) -> str:
    """What is in ``domains/``: names, inodes, owners, modes, times and contents.

    Of a ``-shm`` without the last two: SQLite's readers say in it what they read.
    """
    shape = "find . -printf '%p %i %m %u:%g %s\\n'"
    times, contents = "find . -type f ! -name '*-shm' -printf '%p %T@ %C@\\n'", "sha256sum */data.db */data.db-wal"
    return site.box.exec(f"({shape}; {times}; {contents}) | sort", cwd=f"{site.base}/domains").stdout
