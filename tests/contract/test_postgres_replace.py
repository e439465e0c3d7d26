"""A dump put into a real PostgreSQL: restored into its own place, or cloned into another."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from mcc.core.pgpass import pgpass
from mcc.errors import CopyFailed
from mcc.host.commands import RealCommands
from mcc.host.copies.cloning import RealClones
from mcc.host.postgres.replace import Extra, PostgresReplacer
from mcc.model.database import PostgresDatabase
from postgres_cluster import Cluster, Fresh

RICH = """
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE DOMAIN short AS text CHECK (length(value) < 9);
CREATE TABLE notes (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text short, how mood DEFAULT 'good');
CREATE TABLE marks (id serial PRIMARY KEY, note int REFERENCES notes);
CREATE TABLE old_ones (LIKE notes) PARTITION BY RANGE (id);
CREATE TABLE old_ones_1 PARTITION OF old_ones FOR VALUES FROM (1) TO (10);
CREATE VIEW good_notes AS SELECT * FROM notes WHERE how = 'good';
CREATE MATERIALIZED VIEW many AS SELECT count(*) FROM good_notes;
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n';
CREATE FUNCTION noticed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;
CREATE TRIGGER seen BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION noticed();
CREATE STATISTICS both_columns ON id, how FROM notes;
CREATE AGGREGATE product(int) (SFUNC = int4mul, STYPE = int, INITCOND = '1');
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
CREATE COLLATION german (provider = libc, locale = 'C');
CREATE SEQUENCE numbers START 40;
SELECT nextval('numbers'), nextval('numbers');
INSERT INTO notes (text) VALUES ('one'), ('two');
INSERT INTO marks (note) VALUES (1), (2), (2);
"""


@pytest.fixture
def replacer() -> PostgresReplacer:
    return PostgresReplacer(RealCommands())


def dump(target: PostgresDatabase, to: Path) -> Path:
    """As a backup makes one."""
    words = ["pg_dump", "-Fc", "-f", str(to), "-h", target.host, "-p", str(target.port), "-U", target.user]
    if target.schema:
        words += ["-n", '"' + target.schema.replace('"', '""') + '"']
    subprocess.run([*words, target.database], check=True)
    return to


def make(fresh: Fresh, schema: str | None = None, sql: str = RICH) -> None:
    with fresh.cluster.connect(fresh.name) as connection:
        if schema:
            connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
            connection.execute(f'SET search_path = "{schema}"')
        connection.execute(sql)


def rows(fresh: Fresh, table: str) -> list[Any]:
    return fresh.run(f"SELECT * FROM {table} ORDER BY 1")


@pytest.mark.parametrize("schema", [None, "tenant-a", 'od"d'])
def test_a_restore_brings_all_back_and_leaves_nothing_that_was_made_since(
    postgres: Fresh, replacer: PostgresReplacer, tmp_path: Path, schema: str | None
) -> None:
    place = f'"{(schema or "public").replace(chr(34), chr(34) * 2)}"'
    with postgres.cluster.connect(postgres.name) as connection:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {place}")
        connection.execute(f"SET search_path = {place}")
        connection.execute(RICH)
    target = postgres.target(schema)
    dump(target, tmp_path / "a.dump")
    postgres.run(
        f"DELETE FROM {place}.marks; CREATE TABLE {place}.since (id int REFERENCES {place}.notes); "
        f"ALTER TABLE {place}.notes ADD COLUMN more int; SELECT setval('{place}.numbers', 99)"
    )
    watching = postgres.connect()
    watching.execute("SELECT 1")
    replacer.restore(tmp_path / "a.dump", target, 5, tmp_path)
    assert [len(row) for row in rows(postgres, f"{place}.notes")] == [3, 3]
    assert len(rows(postgres, f"{place}.marks")) == 3
    assert rows(postgres, f"{place}.good_notes")
    assert postgres.run(f"SELECT nextval('{place}.numbers')") == [(42,)]
    assert postgres.run(f"SELECT to_regclass('{place}.since')") == [(None,)]
    assert watching.execute("SELECT 1").fetchone() == (1,)
    assert list(tmp_path.iterdir()) == [tmp_path / "a.dump"]


def test_a_clone_into_a_schema_of_another_name_brings_everything_and_leaves_the_source_alone(
    postgres: Fresh, replacer: PostgresReplacer, tmp_path: Path
) -> None:
    """Also where source and target are schemas of one database."""
    make(postgres, "prod-a")
    make(postgres, "dev-a", "CREATE TABLE notes (id int); CREATE TABLE of_dev (id int)")
    source, target = postgres.target("prod-a"), postgres.target("dev-a")
    before = rows(postgres, '"prod-a".notes')
    replacer.clone(dump(source, tmp_path / "a.dump"), source, target, 5, tmp_path)
    assert rows(postgres, '"dev-a".notes') == before == rows(postgres, '"prod-a".notes')
    assert rows(postgres, '"dev-a".good_notes')
    assert postgres.run("SELECT nextval('\"dev-a\".numbers'), to_regclass('\"dev-a\".of_dev')") == [(42, None)]
    assert postgres.run("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'mcc aside%'") == [(0,)]


def test_a_clone_makes_the_schema_where_it_is_missing(
    postgres: Fresh, replacer: PostgresReplacer, tmp_path: Path
) -> None:
    make(postgres, "prod-a")
    source = postgres.target("prod-a")
    replacer.clone(dump(source, tmp_path / "a.dump"), source, postgres.target("new"), 5, tmp_path)
    assert len(rows(postgres, "new.marks")) == 3
    assert len(rows(postgres, '"prod-a".marks')) == 3


def test_a_clone_gives_everything_to_whom_it_belonged_before(
    postgres: Fresh, postgres_cluster: Cluster, replacer: PostgresReplacer, tmp_path: Path
) -> None:
    app = postgres_cluster.role(f"app_{postgres.name}", "secret word")
    make(
        postgres,
        None,
        f'CREATE TABLE notes (id int); ALTER TABLE notes OWNER TO "{app}"; GRANT ALL ON SCHEMA public TO "{app}"',
    )
    other = Fresh(postgres_cluster, postgres_cluster.new_database())
    try:
        make(other)
        source = other.target()
        replacer.clone(dump(source, tmp_path / "a.dump"), source, postgres.target(), 5, tmp_path)
        owners = postgres.run("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
        assert owners == [(app,)]
        assert postgres.run(f"SELECT has_schema_privilege('{app}', 'public', 'CREATE')") == [(True,)]
    finally:
        other.close()
        postgres.run(f'DROP OWNED BY "{app}" CASCADE; DROP ROLE "{app}"')


def test_the_projects_own_sql_is_part_of_the_transaction(
    postgres: Fresh, replacer: PostgresReplacer, tmp_path: Path
) -> None:
    make(postgres, "prod")
    make(postgres, "dev", "CREATE TABLE notes (id int); INSERT INTO notes VALUES (7)")
    source, target = postgres.target("prod"), postgres.target("dev")
    made = dump(source, tmp_path / "a.dump")
    script = tmp_path / "clone.sql"
    script.write_text("UPDATE notes SET text = 'hidden';\nSELECT nothing FROM nowhere;\n")
    with pytest.raises(CopyFailed, match=r'clone\.sql, line 2: relation "nowhere" does not exist; it is as it was'):
        replacer.clone(made, source, target, 5, tmp_path, Extra(script, "clone.sql"))
    assert rows(postgres, "dev.notes") == [(7,)]
    script.write_text("UPDATE notes SET text = 'hidden';\n")
    replacer.clone(made, source, target, 5, tmp_path, Extra(script, "clone.sql"))
    assert {row[1] for row in rows(postgres, "dev.notes")} == {"hidden"}
    assert {row[1] for row in rows(postgres, "prod.notes")} == {"one", "two"}


def test_what_depends_on_a_schema_from_outside_is_not_lost_but_named(
    postgres: Fresh, replacer: PostgresReplacer, tmp_path: Path
) -> None:
    make(postgres, "a")
    target = postgres.target("a")
    made = dump(target, tmp_path / "a.dump")
    postgres.run("CREATE SCHEMA other; CREATE VIEW other.theirs AS SELECT * FROM a.notes")
    with pytest.raises(CopyFailed, match=r"depend on it: .*view other\.theirs.*; it is as it was"):
        replacer.restore(made, target, 5, tmp_path)
    assert len(rows(postgres, "other.theirs")) == 2


@pytest.mark.parametrize("damage", ["truncated", "bit flipped", "foreign", "empty"])
def test_a_dump_that_is_not_whole_changes_nothing(
    postgres: Fresh, replacer: PostgresReplacer, tmp_path: Path, damage: str
) -> None:
    make(postgres)
    make(postgres, None, "CREATE TABLE large AS SELECT md5(n::text) FROM generate_series(1, 5000) n")
    target = postgres.target()
    made = dump(target, tmp_path / "a.dump")
    data = bytearray(made.read_bytes())
    if damage == "bit flipped":
        data[len(data) // 2] ^= 16
    made.write_bytes(
        {"truncated": data[: len(data) * 2 // 3], "foreign": b"SQLite format 3\0" * 99, "empty": b""}.get(damage, data)
    )
    postgres.run("INSERT INTO marks (note) VALUES (1)")
    with pytest.raises(CopyFailed, match=r"a\.dump is (damaged|no dump of PostgreSQL)"):
        replacer.restore(made, target, 5, tmp_path)
    assert len(rows(postgres, "marks")) == 4


def test_who_holds_a_table_is_waited_for_up_to_the_limit(
    postgres: Fresh, replacer: PostgresReplacer, tmp_path: Path
) -> None:
    make(postgres)
    target = postgres.target()
    made = dump(target, tmp_path / "a.dump")
    holder = postgres.connect(autocommit=False)
    holder.execute("LOCK TABLE notes")
    with pytest.raises(CopyFailed, match="lock timeout") as caught:
        replacer.restore(made, target, 0.2, tmp_path)
    assert "stop the services" in caught.value.help
    holder.rollback()
    assert len(rows(postgres, "marks")) == 3


def test_extensions_and_other_schemas_of_a_whole_database(
    postgres: Fresh, replacer: PostgresReplacer, tmp_path: Path
) -> None:
    """An extension stays; a schema that is newer than the dump goes, one that is missing comes back."""
    postgres.run("CREATE EXTENSION pg_trgm; CREATE SCHEMA extra; CREATE TABLE extra.t AS SELECT 1 AS id")
    make(postgres)
    postgres.run("SELECT lo_from_bytea(77777, 'a large object')")
    made = dump(postgres.target(), tmp_path / "a.dump")
    postgres.run("DROP SCHEMA extra CASCADE; CREATE SCHEMA newer; CREATE TABLE newer.t (id int)")
    replacer.restore(made, postgres.target(), 5, tmp_path)
    assert rows(postgres, "extra.t") == [(1,)]
    assert postgres.run("SELECT to_regnamespace('newer'), similarity('abc', 'abc')") == [(None, 1.0)]
    assert postgres.run("SELECT lo_get(77777)") == [(b"a large object",)]


def test_a_database_with_large_objects_is_replaced_as_a_whole_or_not_at_all(
    postgres: Fresh, replacer: PostgresReplacer, tmp_path: Path
) -> None:
    lines = [("BEGIN;",), ("COMMIT;",)]
    postgres.run("CREATE TABLE lines AS VALUES ('BEGIN;'), ('COMMIT;'); SELECT lo_from_bytea(77777, 'an object')")
    made = dump(postgres.target(), tmp_path / "a.dump")
    postgres.run("INSERT INTO lines VALUES ('newer')")
    script = tmp_path / "own.sql"
    script.write_text("UPDATE nothing SET it = 1;")
    with pytest.raises(CopyFailed, match="it is as it was"):
        replacer.clone(made, postgres.target(), postgres.target(), 5, tmp_path, Extra(script, "own.sql"))
    assert rows(postgres, "lines") == [*lines, ("newer",)]
    replacer.restore(made, postgres.target(), 5, tmp_path)
    assert rows(postgres, "lines") == lines
    assert postgres.run("SELECT lo_get(77777)") == [(b"an object",)]


def test_one_database_has_one_identity_whatever_its_address(
    postgres: Fresh, postgres_cluster: Cluster, replacer: PostgresReplacer
) -> None:
    app = postgres_cluster.role(f"app_{postgres.name}", "secret word")
    postgres.run(f'GRANT CONNECT ON DATABASE "{postgres.name}" TO "{app}"')
    one = replacer.identity(postgres.target())
    assert replacer.identity(postgres.target("public")) == one
    assert replacer.identity(postgres.target("other")) != one
    assert replacer.identity(postgres_cluster.target("postgres")) != one
    with pytest.raises(CopyFailed, match=r"cannot be asked: .*no password"):
        replacer.identity(postgres.target(host="127.0.0.1", user=app))
    with pytest.raises(CopyFailed, match=r"cannot be asked: .*does not exist"):
        replacer.identity(postgres_cluster.target("nowhere"))
    postgres.run(f'DROP OWNED BY "{app}"; DROP ROLE "{app}"')


def test_the_password_comes_from_a_file_or_before_that_is_there_from_what_it_will_hold(
    postgres: Fresh, postgres_cluster: Cluster, tmp_path: Path
) -> None:
    app = postgres_cluster.role(f"app_{postgres.name}", "secret: word")
    file = tmp_path / "pgpass"
    target = postgres.target(user=app, password_file=file)
    knowing = RealClones(RealCommands()).knowing({file: pgpass("secret: word")})
    one = knowing.identity(target)
    file.write_text(pgpass("secret: word"))
    file.chmod(0o600)
    assert RealClones(RealCommands()).identity(target) == one != ""
    postgres.run(f'DROP ROLE "{app}"')


def test_without_postgresqls_programs_it_says_what_to_install(
    postgres: Fresh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CopyFailed, match="psql cannot be started") as caught:
        PostgresReplacer(RealCommands()).identity(postgres.target())
    assert "apt-get install postgresql-client" in caught.value.help
