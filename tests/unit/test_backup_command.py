"""``mcc backup`` on a real site, from the command line to the files."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mcc.core.backups import from_json, to_json
from mcc.core.layout import Site
from mcc.core.ledger import live_line
from mcc.host.copies.sets import sets_of
from mcc.host.files import RealFiles
from mcc.model.release import Release
from postgres_cluster import Fresh

pytestmark = pytest.mark.slow  # each command is a process of its own, and the first one gives the site its mcc

CONFIG = """\
deploy:
  prod:
    parameters: {conf: conf-prod.yml}
  db-backup:
    parameters: {conf: conf-prod.yml}
"""
CONF = """\
REMOTE_BASE: {base}
OWNERSHIP: none
SERVICE_MANAGER: none
DOMAINS: [a.example.com, b.example.com]
BACKUP_ENABLED: true
BACKUP_SCHEDULE: "0 2 * * *"
BACKUP_PATH: {backups}
"""
RELEASE = Release("vrs-2026-02-27T150000", "live", "2026-02-27T15:00:00+00:00", "a-run", "prod")
OFF_SITE = Path(__file__).parents[2] / "examples" / "off-site" / "off-site.sh"


@dataclass(frozen=True)
class Server:
    """An output folder and a site with two databases."""

    top: Path
    backups: Path

    @property
    def site(self) -> Site:
        return Site(self.top / "site")

    def mcc(self, *words: str, code: int = 0, cwd: str = "out") -> str:
        done = subprocess.run(
            [sys.executable, "-m", "mcc", *words], cwd=self.top / cwd, capture_output=True, text=True,
            env={**os.environ, "TERM": "dumb"},
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        return done.stdout + done.stderr

    def sets(self) -> list[str]:
        return [one.label for one in sets_of(RealFiles(), self.backups, self.site.base)]

    def newest(self, shelf: str = "daily") -> Path:
        return max((self.backups / shelf).iterdir())

    def listed(self) -> Any:
        return json.loads(self.mcc("backup", "--stage", "prod", "--list", "--format", "json"))

    def go_live(self) -> None:
        """As a deploy leaves it."""
        self.site.conf("x").parent.mkdir(parents=True)
        shutil.copy(self.top / "out" / "conf-prod.yml", self.site.conf(RELEASE.name))
        self.site.ledger.write_bytes(live_line(RELEASE))


def serve(top: Path, backups: Path) -> Server:
    server = Server(top, backups)
    (top / "out").mkdir()
    (top / "out" / "config.yml").write_text(CONFIG)
    (top / "out" / "conf-prod.yml").write_text(CONF.format(base=server.site.base, backups=backups))
    for domain in ("a.example.com", "b.example.com"):
        path = server.site.database(domain)
        path.parent.mkdir(parents=True)
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript("PRAGMA journal_mode=WAL; CREATE TABLE notes (x); INSERT INTO notes VALUES (1)")
    return server


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return serve(tmp_path, tmp_path / "site" / "backups")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("needs root, for a file system of its own")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_backup_is_made_listed_and_verified(server: Server) -> None:
    server.mcc("backup", "--stage", "prod")
    (daily, weekly) = server.listed()
    assert (daily["set"].split("/")[0], weekly["set"].split("/")[0]) == ("daily", "weekly")
    assert daily["good"]
    assert [(one["name"], one["rows"], one["problem"]) for one in daily["databases"]] == [
        ("a.example.com", 1, ""), ("b.example.com", 1, ""),
    ]  # fmt: skip
    files = [Path(one["folder"]) / "a.example.com.db.gz" for one in (daily, weekly)]
    assert files[0].samefile(files[1]), "a week costs no room"
    assert server.newest().stat().st_mode & 0o777 == 0o700
    assert server.mcc("backup", "--stage", "prod", "--verify", "all").count(": good") == 4


def test_a_plan_changes_nothing(server: Server) -> None:
    before = sorted(server.top.rglob("*"))
    text = server.mcc("backup", "--stage", "prod", "--plan")
    assert "2 databases ->" in text
    assert sorted(server.top.rglob("*")) == before


def test_a_stage_can_be_a_backup(server: Server) -> None:
    server.mcc("deploy", "--stage", "db-backup")
    assert len(server.sets()) == 2
    assert '"kind": "BackUpDatabases"' in server.mcc("deploy", "--stage", "db-backup", "--plan", "--format", "jsonl")


def test_by_the_site_it_needs_no_output_folder(server: Server) -> None:
    server.go_live()
    shutil.rmtree(server.top / "out")
    server.mcc("backup", "--site", str(server.site.base), "--database", "b.example.com", cwd=".")
    manifest = from_json((server.newest() / "manifest.json").read_bytes())
    assert (manifest.release, manifest.stage) == (RELEASE.name, "prod")
    assert [copied.name for copied in manifest.databases] == ["b.example.com"]


def test_a_site_whose_conf_is_not_known_says_the_way_out(server: Server) -> None:
    assert "use --stage" in server.mcc("backup", "--site", str(server.site.base), cwd=".", code=2)
    server.go_live()
    server.site.conf(RELEASE.name).unlink()
    assert "deploy once, or use --stage" in server.mcc("backup", "--site", str(server.site.base), cwd=".", code=2)


def test_what_does_not_go_together_is_said(server: Server) -> None:
    assert "which site?" in server.mcc("backup", code=2)
    assert "cannot be asked for together" in server.mcc("backup", "--stage", "prod", "--plan", "--list", code=2)
    assert "allowed: auto, text, json" in server.mcc("backup", "--stage", "prod", "--list", "--format", "jsonl", code=2)
    assert "knows no database 'c.example.com'" in server.mcc(
        "backup", "--stage", "prod", "--database", "c.example.com", code=2
    )
    assert "there is no backup yet" in server.mcc("backup", "--stage", "prod", "--verify", "newest", code=2)


def test_a_copy_that_went_bad_is_found(server: Server) -> None:
    server.mcc("backup", "--stage", "prod")
    copy = server.newest() / "b.example.com.db.gz"
    data = bytearray(copy.read_bytes())
    data[len(data) // 2] ^= 1
    copy.write_bytes(data)
    text = server.mcc("backup", "--stage", "prod", "--verify", "newest", code=1)
    assert "a.example.com: good" in text
    assert "b.example.com: " in text
    copy.unlink()
    assert "is missing" in server.mcc("backup", "--stage", "prod", "--list")


def test_what_is_no_backup_of_ours_is_never_touched(server: Server) -> None:
    strangers = {
        "daily/2020-01-01T020000/app.db": b"an older script's",
        "daily/2020-01-02T020000/manifest.json": b'{"version": 1}',
        "weekly/notes.txt": b"by hand",
        "daily/.making-ffffffff-2020-01-01T020000/x": b"another site's",
    }
    for name, data in strangers.items():
        path = server.backups / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for _ in range(2):
        server.mcc("backup", "--stage", "prod")
    for name, data in strangers.items():
        assert (server.backups / name).read_bytes() == data


def age(server: Server, days: float) -> None:
    """All sets are so many days older."""
    for path in server.backups.glob("*/*/manifest.json"):
        manifest = json.loads(path.read_bytes())
        manifest["at"] = (datetime.fromisoformat(manifest["at"]) - timedelta(days=days)).isoformat()
        path.write_text(json.dumps(manifest))


def test_old_sets_go_after_a_success_and_after_no_failure(server: Server) -> None:
    server.mcc("backup", "--stage", "prod")
    for _ in range(8):
        age(server, 1)
        kept = server.newest()
        shutil.copytree(kept, kept.with_name(f"{kept.name}-again"))
        manifest = from_json((kept / "manifest.json").read_bytes())
        (kept.with_name(f"{kept.name}-again") / "manifest.json").write_bytes(
            to_json(manifest).replace(manifest.at.isoformat().encode(), datetime.now(UTC).isoformat().encode())
        )
    before = set(server.sets())
    server.site.database("b.example.com").write_bytes(b"no database at all, " * 100)
    server.mcc("backup", "--stage", "prod", code=1)
    assert before < set(server.sets())
    server.site.database("b.example.com").unlink()
    server.mcc("backup", "--stage", "prod")
    assert len([label for label in server.sets() if label.startswith("daily/")]) < len(before)


def test_a_backup_folder_on_another_file_system_works(tmp_path: Path, elsewhere: Path) -> None:
    server = serve(tmp_path, elsewhere)
    server.mcc("backup", "--stage", "prod")
    assert len(server.sets()) == 2
    server.mcc("backup", "--stage", "prod", "--verify", "all")


def test_a_full_disk_is_exit_code_1_with_nothing_half_done_and_nothing_removed(tmp_path: Path, elsewhere: Path) -> None:
    server = serve(tmp_path, elsewhere)
    server.mcc("backup", "--stage", "prod")
    before = sorted(path for path in elsewhere.rglob("*"))
    for domain in ("a.example.com", "b.example.com"):
        with closing(sqlite3.connect(server.site.database(domain))) as connection:
            connection.execute("INSERT INTO notes VALUES (randomblob(600000))")
            connection.commit()
    assert "the disk is full" in server.mcc("backup", "--stage", "prod", code=1)
    assert sorted(path for path in elsewhere.rglob("*")) == before
    server.mcc("backup", "--stage", "prod", "--verify", "all")


def test_status_has_exit_code_1_when_the_last_good_one_is_too_old(server: Server) -> None:
    server.go_live()
    words = ("status", "--site", str(server.site.base))
    assert "none yet, schedule 0 2 * * *" in server.mcc(*words, code=1), "nothing since February"
    server.mcc("backup", "--site", str(server.site.base))
    assert "the last good one is" in server.mcc(*words)
    age(server, 3)
    assert "3 days old" in server.mcc(*words, code=1)
    answer = json.loads(server.mcc(*words, "--format", "json", code=1))["backup"]
    assert (answer["late"], answer["schedule"]) == (True, "0 2 * * *")


def test_nothing_secret_is_in_what_a_backup_leaves(server: Server) -> None:
    with (server.top / "out" / "conf-prod.yml").open("a") as file:
        file.write("API_TOKEN: s3cr3t-value\n")
    text = server.mcc("backup", "--stage", "prod", "--format", "jsonl")
    assert "s3cr3t" not in text
    for path in [*server.site.own.glob("runs/*"), *server.backups.rglob("manifest.json")]:
        assert b"s3cr3t" not in path.read_bytes()


def test_schemas_of_postgresql_are_copied_with_a_password_that_shows_nowhere(server: Server, postgres: Fresh) -> None:
    password = "s3cr3t:pass"
    role = postgres.cluster.role(f"backup_{postgres.name}", password)
    for schema in ("tenant-one", "tenant-two"):
        postgres.run(f'CREATE SCHEMA "{schema}" AUTHORIZATION "{role}"')
        postgres.run(f'CREATE TABLE "{schema}".notes AS SELECT 1 AS x')
        postgres.run(f'ALTER TABLE "{schema}".notes OWNER TO "{role}"')
    (server.top / "out" / "conf-prod.yml").write_text(
        f"""\
REMOTE_BASE: {server.site.base}
OWNERSHIP: none
SERVICE_MANAGER: none
DATABASE: postgresql
DB_HOST: 127.0.0.1
DB_PORT: {postgres.cluster.port}
DB_NAME: {postgres.name}
DB_USER: {role}
DB_PASSWORD: "{{{{env:SECRET}}}}"
DATABASE_SCHEMA: [tenant-one, tenant-two]
"""
    )
    (server.site.base / ".env").write_text(f"SECRET={password}\n")
    server.go_live()
    shown = server.mcc("backup", "--site", str(server.site.base), "--format", "jsonl", cwd=".")
    assert sorted(path.name for path in server.newest().iterdir()) == [
        "manifest.json", "tenant-one.dump", "tenant-two.dump",
    ]  # fmt: skip
    assert server.mcc("backup", "--stage", "prod", "--verify", "newest").count(": good") == 2
    assert "s3cr3t" not in shown
    for path in server.site.base.rglob("*"):
        if path.is_file() and path.name != ".env" and "tool" not in path.parts:
            assert b"s3cr3t" not in path.read_bytes(), path


@pytest.mark.skipif(
    shutil.which("restic") is None, reason="restic is not installed here (Debian: apt-get install restic)"
)
def test_restic_takes_the_sets_over_and_gives_them_back(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example's own script, with a repository on this machine; restored by mcc from where restic put it."""
    server.go_live()
    base, top = server.site.base, server.top
    server.mcc("backup", "--site", str(base))
    assert server.site.tool_command.exists()
    (base / "scripts").mkdir()
    shutil.copy(OFF_SITE, base / "scripts" / "off-site.sh")
    (top / "password").write_text("correct horse\n")
    settings = {"RESTIC_REPOSITORY": str(top / "store"), "RESTIC_PASSWORD_FILE": str(top / "password")}
    (base / ".restic.env").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    for key, value in {**settings, "HOME": str(top), "RESTIC_CACHE_DIR": str(top / "cache")}.items():
        monkeypatch.setenv(key, value)
    subprocess.run(["restic", "init", "--quiet"], check=True)
    monkeypatch.delenv("RESTIC_REPOSITORY")
    monkeypatch.delenv("RESTIC_PASSWORD_FILE")
    script = [str(base / "scripts" / "off-site.sh")]
    done = subprocess.run(script, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

    damaged = server.newest() / "a.example.com.db.gz"
    good = damaged.read_bytes()
    damaged.unlink()  # the weekly one is another name of the same file
    damaged.write_bytes(good[:-1])
    refused = subprocess.run(script, capture_output=True, text=True)
    assert refused.returncode == 1, "what is bad here is not handed over"

    monkeypatch.setenv("RESTIC_REPOSITORY", settings["RESTIC_REPOSITORY"])
    monkeypatch.setenv("RESTIC_PASSWORD_FILE", settings["RESTIC_PASSWORD_FILE"])
    target = top / "restored"
    subprocess.run(["restic", "restore", "latest", "--quiet", "--target", str(target)], check=True)
    restored = target / server.newest().relative_to("/")
    assert (restored / "a.example.com.db.gz").read_bytes() == good
    with closing(sqlite3.connect(server.site.database("a.example.com"))) as connection:
        connection.execute("DELETE FROM notes")
        connection.commit()
    server.mcc("restore", "--site", str(base), "--from", str(restored))
    with closing(sqlite3.connect(server.site.database("a.example.com"))) as connection:
        assert connection.execute("SELECT count(*) FROM notes").fetchone() == (1,)
