"""A site on PostgreSQL, on Debian's own server: its password is in ``.env`` alone, its schema has a hyphen."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from box.harness import DEPLOY_HOME, DEPLOY_USER, SITES, Box, Boxes, Result, until

BASE, OUTPUT = f"{SITES}/shop", f"{DEPLOY_HOME}/output"
PASSWORD = "correct-horse-battery"
CONFIG = 'deploy:\n  prod:\n    allow_branches: ".*"\n    auto_branches: "-"\n'
CONF = f"""\
REMOTE_BASE: {BASE}
OWNERSHIP: none
SERVICE_MANAGER: none
SMOKE_URLS: []
DATABASE: postgresql
DB_HOST: 127.0.0.1
DB_NAME: shop
DB_USER: shop_owner
DATABASE_SCHEMA: client-one
"""
MIGRATIONS = {
    "001_orders": "CREATE TABLE orders (id serial PRIMARY KEY, what text NOT NULL);\n"
    "INSERT INTO orders (what) VALUES ('first');\n",
    "002_by_what": "-- mcc: no-transaction\nCREATE INDEX CONCURRENTLY orders_by_what ON orders (what);\n",
}
ROLE = f"CREATE ROLE shop_owner LOGIN PASSWORD '{PASSWORD}';\nCREATE DATABASE shop OWNER shop_owner;\n"
# Stands before the real program in the PATH, and writes down the words that it is called with.
LISTENER = '#!/bin/sh\necho "$0 $*" >>/var/log/words\nexec "/usr/bin/${0##*/}" "$@"\n'


@dataclass(frozen=True, slots=True)
class Shop:
    """The site in its box, and how its first deploy ended."""

    box: Box
    first: Result

    def mcc(self, *words: str, **options: Any) -> Result:
        return self.box.exec(["mcc", *words], DEPLOY_USER, cwd=OUTPUT, check=False, **options)

    def own(self, *words: str) -> Result:
        """The site's own mcc, in an environment like cron's."""
        command = ["env", "-i", "PATH=/usr/bin:/bin", f"{BASE}/.mcc/bin/mcc", *words, "--site", BASE]
        return self.box.exec(command, DEPLOY_USER, check=False)

    def sql(self, query: str) -> list[str]:
        return ask(self.box, query)

    def orders(self) -> list[str]:
        return self.sql('SELECT what FROM "client-one".orders ORDER BY id')

    def had(self) -> list[str]:
        return self.sql('SELECT name FROM "client-one".migrations ORDER BY name')

    def migration(self, name: str, text: str) -> None:
        """One more file; an empty text takes it away."""
        path = f"{OUTPUT}/migrations/{name}.sql"
        self.box.write(path, text, DEPLOY_USER) if text else self.box.exec(["rm", path])

    def knows_password(self) -> list[str]:
        """The files of the box that hold the password: mode and path."""
        places = ["/home", "/tmp", "/var/tmp", "/var/log", "/var/backups", "/run", "/etc", "/root"]
        words = ["grep", "-rlF", "-D", "skip", "--binary-files=text", PASSWORD, *places]
        found = self.box.exec(words, check=False).stdout.split()
        return [self.box.exec(["stat", "-c", "%a %n", path]).stdout.strip() for path in found]


def ask(box: Box, query: str, database: str = "shop") -> list[str]:
    """What PostgreSQL's superuser gets; the query is in no argument list."""
    return box.exec(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", database], "postgres", stdin=query).stdout.splitlines()


@pytest.fixture(scope="module")
def shop(module_boxes: Boxes, postgres_driver: Path) -> Shop:
    box = module_boxes(above=[postgres_driver])
    ask(box, ROLE, "postgres")
    for program in ("pg_dump", "pg_restore", "psql"):
        box.write(f"/usr/local/bin/{program}", LISTENER, mode=0o755)
    box.exec("install -m 666 /dev/null /var/log/words")
    texts = {"api/main.py": "", "config.yml": CONFIG, "conf.yml": CONF}
    texts |= {f"migrations/{name}.sql": text for name, text in MIGRATIONS.items()}
    for name, text in texts.items():
        box.write(f"{OUTPUT}/{name}", text, DEPLOY_USER)
    box.write(f"{BASE}/.env", f"DB_PASSWORD={PASSWORD}\n", DEPLOY_USER, 0o600)
    deployed = box.exec(["mcc", "deploy", "--stage", "prod"], DEPLOY_USER, cwd=OUTPUT, check=False)
    return Shop(box, deployed)


def test_a_deploy_migrates_the_schema(shop: Shop) -> None:
    """As the database's owner over TCP, with an index that holds no writer up."""
    assert shop.first.code == 0, shop.first
    assert (shop.had(), shop.orders()) == (list(MIGRATIONS), ["first"])
    index = "SELECT indisvalid FROM pg_index WHERE indexrelid = '\"client-one\".orders_by_what'::regclass"
    assert shop.sql(index) == ["t"]
    owner = "SELECT tableowner FROM pg_tables WHERE schemaname = 'client-one'"
    assert set(shop.sql(owner)) == {"shop_owner"}


def test_check_finds_the_server_and_how_many_connections_it_has_left(shop: Shop) -> None:
    """By the password in .env; neither the screen nor anything that is run shows it."""
    checked = shop.mcc("check", "--stage", "prod")
    assert checked.code == 0, checked
    assert re.search(r"^postgres +ok +PostgreSQL 15\.\d+: \d+ of 97 connections are free$", checked.stdout, re.M), (
        checked
    )
    assert PASSWORD not in checked.output


def test_a_failing_deploy_leaves_the_schema_as_it_was(shop: Shop) -> None:
    """Also what the same transaction had done before, in another file."""
    links = shop.box.exec(["readlink", f"{BASE}/current-api"]).stdout
    shop.migration("003_prices", "ALTER TABLE orders ADD price numeric;\n")
    shop.migration("004_broken", "UPDATE orders SET price = 1;\nINSERT INTO nowhere VALUES (1);\n")
    failed = shop.mcc("deploy", "--stage", "prod")
    shop.migration("003_prices", "")
    shop.migration("004_broken", "")
    assert failed.code == 1, failed
    assert '004_broken.sql:2: relation "nowhere" does not exist' in failed.stdout
    assert "databases: as before" in failed.stdout
    assert shop.had() == list(MIGRATIONS)
    columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'orders' AND column_name = 'price'"
    assert shop.sql(columns) == ["0"]
    assert shop.box.exec(["readlink", f"{BASE}/current-api"]).stdout == links


def test_a_backup_is_restored_by_the_sites_own_mcc(shop: Shop) -> None:
    """With the driver that it took along; rows, numbers that are handed out next, and index are those of the copy."""
    made = shop.own("backup")
    assert made.code == 0, made
    assert shop.own("backup", "--verify", "newest").code == 0
    before = shop.orders()
    shop.sql('INSERT INTO "client-one".orders (what) VALUES (\'since\'); DROP INDEX "client-one".orders_by_what')
    restored = shop.own("restore")
    assert restored.code == 0, restored
    assert shop.orders() == before
    following = "INSERT INTO \"client-one\".orders (what) VALUES ('next') RETURNING id"
    assert shop.sql(following) == [str(len(before) + 1)]
    assert len(shop.sql("SELECT 1 FROM pg_indexes WHERE indexname = 'orders_by_what'")) == 1


def test_a_killed_migration_is_taken_back_by_recovery(shop: Shop) -> None:
    """Both processes are killed; the run's password file is the deploy user's alone, and gone after the recovery."""
    before = shop.orders()
    shop.migration("005_slow", "DELETE FROM orders;\nSELECT pg_sleep(60);\n")
    running = shop.box.spawn(["mcc", "deploy", "--stage", "prod"], DEPLOY_USER, cwd=OUTPUT)
    sleeping = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND usename = 'shop_owner'"
    until(lambda: shop.sql(sleeping) != [], "the migration to sleep")
    pids = shop.box.exec(["pgrep", "-u", DEPLOY_USER, "-f", "mcc deploy"]).stdout.split()
    shop.box.exec(["kill", "-9", *pids])
    running.wait()
    left = shop.knows_password()
    assert f"600 {BASE}/.env" in left
    assert len(left) > 1
    assert all(line.startswith("600 ") for line in left), left
    recovered = shop.mcc("recover", "--site", BASE)
    assert recovered.code == 0, recovered
    until(lambda: shop.sql(sleeping) == [], "the server to end what nobody waits for")
    shop.migration("005_slow", "")
    assert (shop.orders(), "005_slow" in shop.had()) == (before, False)
    assert shop.knows_password() == [f"600 {BASE}/.env"]


def test_the_password_is_in_no_argument_and_no_file_but_its_own(shop: Shop) -> None:
    """After a deploy, a backup and a restore."""
    assert [shop.own(word).code for word in ("backup", "restore")] == [0, 0]
    words = shop.box.read("/var/log/words")
    assert {"pg_dump", "pg_restore", "psql"} <= {line.split()[0].rpartition("/")[2] for line in words.splitlines()}
    assert PASSWORD not in words
    assert shop.knows_password() == [f"600 {BASE}/.env"]
