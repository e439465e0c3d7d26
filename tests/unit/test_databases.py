"""Which databases a conf speaks of; passwords stay out of what is written down."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcc.core.databases import completed, password, targets, url_of, with_password_file
from mcc.core.layout import Site
from mcc.core.pgpass import password_in, pgpass
from mcc.host.settings import read_conf
from mcc.model.conf import Conf, Database, Server
from mcc.model.database import ALEMBIC, PostgresDatabase, SqliteDatabase, Tracking

SITE = Site(Path("/srv/site"))


def conf(database: Database, *domains: str) -> Conf:
    return Conf(Path("conf.yml"), Server(SITE.base), database=database, domains=domains)


def postgres(url: str) -> PostgresDatabase:
    (found,) = targets(conf(Database("postgresql", url=url)), SITE)
    assert isinstance(found, PostgresDatabase)
    return found


def test_an_address_with_sqlalchemys_driver_is_taken_apart() -> None:
    found = postgres("postgresql+psycopg://a%40b:p%2Fw@db.example.com:5433/my%2Ddb?sslmode=require")
    assert (found.database, found.host, found.port, found.user) == ("my-db", "db.example.com", 5433, "a@b")
    assert found.options == (("sslmode", "require"),)
    assert "p/w" not in repr(found)
    assert "p%2F" not in repr(found)


def test_an_address_over_the_socket() -> None:
    found = postgres("postgres:///shop?host=/run/postgresql&port=5555&user=app&password=secret")
    assert found == PostgresDatabase("shop", "shop", "/run/postgresql", 5555, "app")
    assert password(Database(url="postgres:///shop?password=secret"), {}) == "secret"


@pytest.mark.parametrize(
    ("database", "reason"),
    [
        (Database("postgresql"), "Set DATABASE_URL, or DB_NAME"),
        (Database("postgresql", url="mysql://h/db"), "begins with 'mysql'"),
        (Database("postgresql", url="postgresql://h"), "names no database"),
        (Database("postgresql", url="postgresql://u:hidden/word@h/db"), "its port is no number"),
        (Database("postgresql", url="postgresql://[::1/db"), "cannot be read"),
        (Database("postgresql", url="postgresql://h/db?sslpassword=hidden"), "sslpassword cannot stand in the address"),
    ],
)
def test_an_address_that_is_none_is_refused_without_quoting_a_password(database: Database, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as found:
        targets(conf(database), SITE)
    assert "hidden" not in str(found.value)


def test_a_password_file_of_the_users_own_may_stand_in_the_address() -> None:
    assert postgres("postgresql://h/db?passfile=/home/deploy/other.pgpass").password_file == Path(
        "/home/deploy/other.pgpass"
    )


def test_schemas_are_tenants_of_one_database() -> None:
    database = Database("postgresql", name="shop", host="db", schemas=("a-b", "c"))
    found = targets(conf(database), SITE)
    assert [(each.name, each.database, each.schema) for each in found if isinstance(each, PostgresDatabase)] == [
        ("a-b", "shop", "a-b"), ("c", "shop", "c"),
    ]  # fmt: skip
    file = Path("/srv/site/.mcc/journal/x.kept/pgpass")
    assert all(each.password_file == file for each in with_password_file(found, file) if each.kind == "postgresql")


def test_sqlite_has_a_file_for_each_domain_or_one() -> None:
    assert targets(conf(Database("sqlite"), "a.example.com"), SITE) == (
        SqliteDatabase("a.example.com", SITE.database("a.example.com")),
    )
    assert targets(conf(Database("sqlite", url="sqlite:///other.db")), SITE) == (
        SqliteDatabase("data.db", SITE.base / "data.db"),
    )
    assert targets(conf(Database("none")), SITE) == ()


@pytest.mark.parametrize(
    ("url", "path"),
    [("sqlite:///data/app.db", "/srv/site/data/app.db"), ("sqlite+pysqlite:////var/x.db?timeout=3", "/var/x.db"),
     ("sqlite://", "/srv/site/data.db")],
)  # fmt: skip
def test_alembic_may_have_its_file_elsewhere(url: str, path: str) -> None:
    (found,) = targets(conf(Database("sqlite", tool="alembic", url=url)), SITE)
    assert isinstance(found, SqliteDatabase)
    assert found.path == Path(path)


def test_the_environment_counts_where_the_conf_says_nothing() -> None:
    known = {"DATABASE_URL": "postgresql://u:from-url@h/shop", "DB_PASSWORD": "from-variable"}
    bare = completed(conf(Database("postgresql")), known.get)
    assert bare.database.url == known["DATABASE_URL"]
    assert (bare.database.password, bare.secrets) == (None, frozenset({"from-url"}))
    named = completed(conf(Database("postgresql", name="mine", host="h")), known.get)
    assert (named.database.url, named.database.password) == (None, "from-variable")
    assert named.secrets == {"from-variable"}
    own = completed(conf(Database("postgresql", url="postgresql://u:own@h/mine")), known.get)
    assert (own.database.url, own.secrets) == ("postgresql://u:own@h/mine", frozenset({"own"}))


def test_the_environment_does_not_count_for_files_of_sql_in_sqlite() -> None:
    plain = conf(Database("sqlite"))
    assert completed(plain, {"DATABASE_URL": "sqlite:///x.db"}.get) == plain
    alembic = completed(conf(Database("sqlite", tool="alembic")), {"DATABASE_URL": "sqlite:///x.db"}.get)
    assert alembic.database.url == "sqlite:///x.db"


def test_an_address_that_is_none_is_not_complained_about_too_early() -> None:
    broken = conf(Database("postgresql", url="postgresql://h:x/db"))
    assert completed(broken, {}.get).database == broken.database


@given(st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]), min_size=1))
def test_a_password_file_holds_every_password_on_one_line(secret: str) -> None:
    text = pgpass(secret)
    assert text.count("\n") == 1 or "\n" in secret
    assert password_in(text) == secret


def test_a_password_with_a_line_end_is_refused_without_quoting_it() -> None:
    with pytest.raises(ValueError, match="line end") as found:
        pgpass("top\nsecret")
    assert "secret" not in str(found.value)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12))
def test_an_address_that_mcc_makes_says_the_same_again(secret: str) -> None:
    for target in (
        PostgresDatabase("d b", "d b", "h", 5433, "u:s"), PostgresDatabase("d", "d", "/run/x", 5433, "u"),
    ):  # fmt: skip
        url = url_of(target, secret)
        assert postgres(url) == dataclasses.replace(target)
        assert password(Database(url=url), {}) == secret


def test_a_blank_in_a_parameter_is_written_as_libpq_reads_it() -> None:
    target = PostgresDatabase("d", "d", "h", options=(("options", "-c work_mem=8MB"),))
    assert url_of(target, None) == "postgresql://h/d?options=-c%20work_mem%3D8MB"


@pytest.mark.parametrize(
    ("lines", "tracking"),
    [
        ("MIGRATION_TOOL: alembic\n", ALEMBIC),
        (
            "MIGRATION_TOOL: alembic\nMIGRATION_TABLE: versions(version_num)\n",
            Tracking("versions", "version_num", None),
        ),
        ("", Tracking()),
    ],
)
def test_what_a_copy_promises_are_alembics_revisions_where_alembic_migrates(
    tmp_path: Path, lines: str, tracking: Tracking
) -> None:
    (tmp_path / "conf.yml").write_text(f"REMOTE_BASE: /srv/x\nOWNERSHIP: none\nDATABASE: sqlite\n{lines}")
    assert read_conf(tmp_path, "conf.yml").database.tracking == tracking
