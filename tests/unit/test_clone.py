"""What a clone refuses, and what it says before it begins."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from fakes.exchanges import DEV, OUT, PROD, conf_of, data, ended, exchange
from fakes.hands import FakeHands
from mcc.errors import BranchRefused, ConfigError, Refused, SiteError, UsageError
from mcc.model.conf import Database
from mcc.model.database import PostgresDatabase
from mcc.model.event import Warned
from mcc.operations.clone import plan_clone, read_clone

A, B = "a.dev.example.com", "b.dev.example.com"


@pytest.mark.parametrize(
    "changes",
    [
        {"stage": "prod"},
        {"stage": "PROD"},
        {"stage": "production"},
        {"protected": True},
    ],
)
def test_a_protected_target_is_refused_unless_its_name_is_typed(changes: dict[str, object]) -> None:
    scene = exchange()
    scene.target = dataclasses.replace(scene.target, **changes)  # type: ignore[arg-type]
    before = scene.databases()
    for typed in ("", "prod", "DEV", "/srv/live/dev"):
        scene.confirm = typed
        with pytest.raises(UsageError, match="the target /srv/live/dev is protected") as caught:
            scene.run()
        assert "--confirm dev" in caught.value.help
        assert scene.databases() == before
    scene.confirm = "dev"
    assert scene.run() == 0


def test_a_site_cannot_be_cloned_onto_itself() -> None:
    scene = exchange()
    scene.target = dataclasses.replace(scene.source, path=OUT / "conf-dev.yml", stage="dev")
    with pytest.raises(UsageError, match=r"the same site: conf-prod\.yml and conf-dev\.yml both say"):
        scene.run()


def test_nor_by_another_path_that_leads_there() -> None:
    scene = exchange()
    scene.world.plant({"/srv/live/other": "prod"})
    scene.target = conf_of(Path("/srv/live/other"), A, B)
    with pytest.raises(UsageError, match="the same folder: /srv/live/prod is /srv/live/other"):
        scene.run()


def test_nor_into_a_database_that_is_the_sources_own_by_a_link() -> None:
    scene = exchange()
    scene.world.disk.remove_tree(DEV / "domains" / B)
    scene.world.plant({f"{DEV}/domains/{B}": f"{PROD}/domains/a.example.com"})
    before = scene.databases(PROD)
    with pytest.raises(UsageError, match=rf"the target's {B} is the source's own database a\.example\.com"):
        scene.run()
    assert scene.databases(PROD) == before


def test_nor_into_the_same_postgresql_database() -> None:
    scene = exchange()
    database = Database("postgresql", name="app", schemas=("one", "two"))
    scene.source = dataclasses.replace(scene.source, database=database, domains=())
    scene.target = dataclasses.replace(scene.target, database=database, domains=())
    scene.world.postgres.applied = {("app", "one"): ("001",), ("app", "two"): ()}
    with pytest.raises(UsageError, match="the target's one is the source's own database one"):
        scene.run()


def test_postgresql_is_cloned_schema_by_schema_and_put_back_on_failure() -> None:
    scene = exchange()
    scene.source = dataclasses.replace(scene.source, database=Database("postgresql", name="prod", schemas=("a", "b")))
    scene.target = dataclasses.replace(scene.target, database=Database("postgresql", name="dev", schemas=("x", "y")))
    scene.world.postgres.applied = {
        ("prod", "a"): ("1", "2"),
        ("prod", "b"): ("1",),
        ("dev", "x"): (),
        ("dev", "y"): (),
    }
    before = dict(scene.world.postgres.applied)
    failing = scene.fork()
    failing.world.units.broken = {"vrs-1": "dies"}
    hands = FakeHands(failing.world)
    failing.run(hands)
    assert ended(hands).result != "done"
    assert failing.world.postgres.applied == before
    assert scene.run() == 0
    assert scene.world.postgres.applied == {**before, ("dev", "x"): ("1", "2"), ("dev", "y"): ("1",)}


def test_a_schema_that_a_failed_clone_has_made_is_named() -> None:
    """Its content is a copy of what the source has; nothing is dropped that mcc has not kept."""
    scene = exchange()
    scene.source = dataclasses.replace(scene.source, database=Database("postgresql", name="prod", schemas=("a",)))
    scene.target = dataclasses.replace(scene.target, database=Database("postgresql", name="dev", schemas=("x",)))
    scene.world.postgres.applied = {("prod", "a"): ("1",)}
    scene.world.units.broken = {"vrs-1": "dies"}
    hands = FakeHands(scene.world)
    scene.run(hands)
    said = [event.text for event in hands.events if isinstance(event, Warned)]
    assert "x was not there, and what is in it stays" in said
    assert ended(hands).databases == "as before, but x was not there, and what is in it stays"


def test_different_counts_need_a_table_and_the_message_shows_it() -> None:
    scene = exchange()
    scene.target = dataclasses.replace(scene.target, domains=(A,))
    with pytest.raises(UsageError, match="which becomes which") as caught:
        scene.run()
    assert f"conf-dev.yml:\nCLONE_DOMAINS:\n  a.example.com: {A}" in caught.value.help


def test_a_table_decides_and_the_rest_is_left_alone_and_said() -> None:
    scene = exchange()
    scene.target = dataclasses.replace(scene.target, clone_domains=(("b.example.com", A),))
    plan = plan_clone(scene.request, FakeHands(scene.world))
    assert f"nothing is brought to {B}" in plan.warnings
    assert scene.run() == 0
    assert scene.databases() == {
        f"{DEV}/domains/{A}/data.db": ("001", "002"),
        f"{DEV}/domains/{B}/data.db": ("000",),
    }


def test_the_projects_own_sql_is_run_on_the_copy_and_a_failure_leaves_the_target_alone() -> None:
    scene = exchange(sql="clone.sql")
    scene.world.plant({f"{OUT}/clone.sql": b"UPDATE notes SET text = 'x';"})
    scene.world.sqlite.failing = {"clone"}
    before, hands = scene.databases(), FakeHands(scene.world)
    assert scene.run(hands) == 1
    assert "the copy of a.example.com: clone.sql" in ended(hands).error
    assert scene.databases() == before
    assert [unit.starts for unit in scene.world.units.units.values()] == [["api/vrs-1"], ["api/vrs-1"]]
    scene.world.sqlite.failing = set()
    assert scene.run() == 0


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (b"UPDATE notes SET a = 1;\nCOMMIT;\n", r"clone\.sql:2: COMMIT cannot stand in a migration"),
        (b"ATTACH '/srv/live/prod/domains/a.example.com/data.db' AS p;\n", r"clone\.sql:1: ATTACH cannot stand"),
        (b"\xff", r"clone\.sql:1: the byte 0xff is not UTF-8"),
    ],
)
def test_sql_that_cannot_run_is_refused_before_anything_begins(sql: bytes, message: str) -> None:
    scene = exchange()
    scene.world.plant({f"{OUT}/clone.sql": sql})
    with pytest.raises(ConfigError, match=message):
        scene.run()


def test_sql_that_was_asked_for_must_be_there() -> None:
    with pytest.raises(UsageError, match=r"runs hide\.sql, which is not in /home/deploy/output"):
        exchange(sql="hide.sql").run()


def test_a_source_that_has_a_dead_run_is_not_copied() -> None:
    scene = exchange()
    scene.world.plant({f"{PROD}/.mcc/journal/a-run.jsonl": b"{}\n"})
    with pytest.raises(SiteError, match="has a run that died or goes on: a-run") as caught:
        scene.run()
    assert "mcc recover --site /srv/live/prod" in caught.value.help


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        (f"{PROD}/domains/b.example.com", "the source has no database for b.example.com yet"),
        (str(DEV), "there is no site at /srv/live/dev"),
        (str(PROD), "there is no site at /srv/live/prod"),
    ],
)
def test_what_is_not_there_is_named(gone: str, message: str) -> None:
    scene = exchange()
    scene.world.disk.remove_tree(Path(gone))
    with pytest.raises(SiteError, match=message):
        scene.run()


def test_two_kinds_of_databases_do_not_become_each_other() -> None:
    scene = exchange()
    scene.target = dataclasses.replace(scene.target, database=Database("postgresql", name="app", schemas=("a", "b")))
    with pytest.raises(UsageError, match="is sqlite, a is postgresql"):
        scene.run()
    scene.target = dataclasses.replace(scene.target, database=Database("none"))
    with pytest.raises(SiteError, match="DATABASE: none: there is nothing to copy"):
        scene.run()


def test_a_disk_without_room_is_said_before_anything_begins() -> None:
    scene = exchange()
    scene.world.tree.size_limit = 1_000_000
    with pytest.raises(SiteError, match=r"no room: up to 17 MB are needed on the disk of /srv/live/dev"):
        scene.run()


def test_a_lock_of_the_source_that_cannot_be_taken_is_a_refusal_that_names_it() -> None:
    scene = exchange()

    class Closed(FakeHands):
        def lock(self, site, holder):  # type: ignore[no-untyped-def]
            if site.base == PROD:
                raise PermissionError(13, "Permission denied", f"{PROD}/.mcc/lock")
            return super().lock(site, holder)

    with pytest.raises(SiteError, match=r"nothing was started: Permission denied: /srv/live/prod/\.mcc/lock"):
        scene.run(Closed(scene.world))


def test_the_plan_has_the_copy_before_services_stop_and_the_kept_state_before_anything_is_replaced() -> None:
    plan = plan_clone(exchange().request, FakeHands(exchange().world))
    phases = [step.phase for step in plan.before]
    assert phases == sorted(phases, key=["copy", "stop", "back up", "restore", "own", "start"].index)
    assert plan.after == ()


# ---- what the output says


CONFIG = """\
deploy:
  clone-prod-to-dev:
    allow_branches: "^main$"
    parameters: {parameters}
  prod:
    parameters: {{conf: conf-prod.yml}}
"""


def output(folder: Path, parameters: str = "{}", **files: str) -> Path:
    (folder / "config.yml").write_text(CONFIG.format(parameters=parameters))
    for name in ("prod", "dev", "demo"):
        (folder / f"conf-{name}.yml").write_text(f"REMOTE_BASE: /srv/{name}\nOWNERSHIP: none\n")
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def test_without_parameters_production_becomes_development(tmp_path: Path) -> None:
    request = read_clone(output(tmp_path), "clone-prod-to-dev", {})
    assert (request.source_site.base, request.site.base) == (Path("/srv/prod"), Path("/srv/dev"))


def test_parameters_name_other_confs_and_those_of_the_command_line_win(tmp_path: Path) -> None:
    text = "{conf-source: conf-dev.yml, conf-target: conf-demo.yml, sql: hide.sql}"
    request = read_clone(
        output(tmp_path, text), "clone-prod-to-dev", {"confirm": "demo", "conf-source": "conf-prod.yml"}
    )
    assert (request.source_site.base, request.site.base) == (Path("/srv/prod"), Path("/srv/demo"))
    assert (request.sql, request.confirm) == ("hide.sql", "demo")


def test_a_name_in_a_file_is_not_typed(tmp_path: Path) -> None:
    request = read_clone(output(tmp_path, "{confirm: dev}"), "clone-prod-to-dev", {})
    assert request.confirm == ""


def test_a_branch_that_may_not_deploy_may_not_clone(tmp_path: Path) -> None:
    with pytest.raises(BranchRefused, match="does not allow branch feature"):
        read_clone(output(tmp_path, build_info__yml="branch: feature\n"), "clone-prod-to-dev", {})


def test_a_stage_that_deploys_is_no_clone(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the stage prod is no clone"):
        read_clone(output(tmp_path), "prod", {})


@pytest.mark.parametrize("parameters", ["{conf-source: ../x.yml}", "{sql: /etc/passwd}", "{conf-target: nothing.yml}"])
def test_files_outside_of_the_output_are_refused(tmp_path: Path, parameters: str) -> None:
    with pytest.raises(Refused):
        read_clone(output(tmp_path, parameters), "clone-prod-to-dev", {})


def test_the_identity_of_a_fake_database_tells_schemas_apart() -> None:
    clones = exchange().world.host().clones
    assert clones.identity(PostgresDatabase("x", "app", schema="a")) != clones.identity(
        PostgresDatabase("x", "app", schema="b")
    )


def test_a_database_that_is_no_database_in_the_source_is_said() -> None:
    scene = exchange()
    scene.world.plant({f"{PROD}/domains/a.example.com/data.db": b"no database"})
    with pytest.raises(Refused, match="cannot be read: file is not a database"):
        scene.run()
    assert scene.databases()[f"{DEV}/domains/{A}/data.db"] == ("001",)
    assert data("001") == b'["001"]'
