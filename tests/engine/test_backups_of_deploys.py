"""What a deploy keeps: copies from before its migrations, and the conf that later commands read."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

import pytest

from fakes import scenes
from fakes.deaths import some
from fakes.hands import FakeHands
from fakes.host import Killed
from fakes.scenes import BASE, OUT, Scene
from mcc.core.backups import BackupSet
from mcc.core.layout import Site
from mcc.errors import SiteError
from mcc.host.copies.sets import sets_of
from mcc.model.conf import Backup
from mcc.model.event import RunEnded
from mcc.steps.conf import KeepConf

SITE = Site(BASE)
DAY = 86400.0


def befores(scene: Scene) -> list[BackupSet]:
    return [one for one in sets_of(scene.world.disk, BASE / "backups", BASE) if one.shelf == "before"]


def next_deploy(scene: Scene, number: int, *migrations: str) -> int:
    scene.world.revive()
    scene.world.time.pass_by(60)
    scene.bring(scenes.rich_files(number, migrations))
    return scene.deploy()


def confs(scene: Scene) -> dict[str, int]:
    folder = SITE.own / "conf"
    return {entry.path: entry.mode for entry in scene.world.disk.walk(folder)} if _is_folder(scene, folder) else {}


def _is_folder(scene: Scene, folder: Path) -> bool:
    return scene.world.disk.kind(folder) == "folder"


def test_exactly_the_databases_that_migrations_change_are_copied_before() -> None:
    scene = scenes.second()
    one = SITE.database("one.example.com")
    scene.world.disk.scribble(one, b'["001_one", "002_two", "003_three"]')
    assert scene.deploy() == 0
    (found,) = befores(scene)
    assert found.label == f"before/{scene.live}"
    assert found.manifest.release == scene.live
    assert [copied.name for copied in found.manifest.good] == ["two.example.com"]
    assert found.manifest.good[0].contents is not None
    assert found.manifest.good[0].contents.migrations == ("001_one", "002_two")


def test_without_pending_migrations_nothing_is_copied() -> None:
    scene = scenes.second(migrations=("001_one", "002_two"))
    assert scene.deploy() == 0
    assert befores(scene) == []


def test_a_first_deploy_has_nothing_to_copy() -> None:
    scene = scenes.first()
    assert scene.deploy() == 0
    assert befores(scene) == []


def test_after_a_failed_deploy_whose_databases_are_ahead_the_way_back_is_said() -> None:
    scene = scenes.broken("answers 500")
    hands = FakeHands(scene.world)
    assert scene.deploy(hands) == 1
    (found,) = befores(scene)
    ended = [event for event in hands.events if isinstance(event, RunEnded)][-1]
    assert ended.databases == "1 migration ahead"
    command = f"mcc restore --site {shlex.quote(str(BASE))} --from {found.label}"
    assert any(line.endswith(command) for line in ended.todo), ended.todo


def test_after_a_migration_that_failed_databases_and_backups_are_as_before() -> None:
    scene = scenes.third_migration_fails()
    hands = FakeHands(scene.world)
    assert scene.deploy(hands) == 1
    ended = [event for event in hands.events if isinstance(event, RunEnded)][-1]
    assert ended.databases == "as before"
    assert befores(scene) == []
    assert not any("mcc restore" in line for line in ended.todo)


def test_copies_stay_if_a_file_without_a_transaction_may_have_left_a_part() -> None:
    scene = scenes.third_migration_fails()
    text = b"-- mcc: no-transaction\nDROP TABLE notes;\nno sql;"
    scene.world.plant({f"{OUT}/{scenes.MIGRATIONS}/003_three.sql": text})
    hands = FakeHands(scene.world)
    assert scene.deploy(hands) == 1
    (found,) = befores(scene)
    ended = [event for event in hands.events if isinstance(event, RunEnded)][-1]
    assert any(line.endswith(f"--from {found.label}") for line in ended.todo), ended.todo


def test_a_copy_that_fails_stops_the_deploy_before_any_migration() -> None:
    scene = scenes.second()
    scene.world.copies.failing.add("two.example.com")
    before = scene.databases()
    assert scene.deploy() == 1
    assert scene.databases() == before
    assert befores(scene) == []


def test_copies_go_when_their_release_is_pruned_and_some_days_have_passed() -> None:
    scene = scenes.second()
    scene.keep = 1
    assert scene.deploy() == 0
    second = scene.live
    assert next_deploy(scene, 3, "001_one", "002_two", "003_three") == 0
    assert [one.manifest.release for one in befores(scene)] == [second], "its release is gone, but it is young"
    scene.world.time.pass_by(8 * DAY)
    assert next_deploy(scene, 4, "001_one", "002_two", "003_three", "004_four") == 0
    assert [one.manifest.release for one in befores(scene)] == [scene.live]


def test_copies_of_a_release_that_stands_stay_however_old_they_are() -> None:
    scene = scenes.second()
    assert scene.deploy() == 0
    second = scene.live
    scene.world.time.pass_by(25 * DAY)
    assert next_deploy(scene, 3, "001_one", "002_two", "003_three") == 0
    assert [one.manifest.release for one in befores(scene)] == [second]


def test_each_release_keeps_its_conf_for_its_owner_alone() -> None:
    scene = scenes.second()
    assert scene.deploy() == 0
    assert confs(scene) == {f"{release.name}.yml": 0o600 for release in scene.ledger.standing()}
    assert scene.world.disk.read(SITE.conf(str(scene.live))) == scene.world.disk.read(OUT / "conf-prod.yml")


def test_the_conf_of_a_failed_and_of_a_pruned_release_goes() -> None:
    """Whatever ``keep_builds`` says, the live release and the one that it can go back to stay with theirs."""
    scene = scenes.broken("answers 500")
    first = scene.live
    assert scene.deploy() == 1
    assert list(confs(scene)) == [f"{first}.yml"]
    scene.keep = 1
    assert next_deploy(scene, 3, "001_one", "002_two", "003_three") == 0
    second = scene.live
    assert list(confs(scene)) == [f"{first}.yml", f"{second}.yml"]
    assert next_deploy(scene, 4, "001_one", "002_two", "003_three") == 0
    assert list(confs(scene)) == [f"{second}.yml", f"{scene.live}.yml"]


def test_the_undo_of_a_conf_holds_before_and_twice() -> None:
    scene = scenes.second()
    host = scene.world.host()
    step = KeepConf(OUT / "conf-prod.yml", SITE.own / "conf" / "vrs-x.yml")
    step.undo(host, step.look(host))
    step.do(host, {})
    step.undo(host, {})
    step.undo(host, {})
    assert "vrs-x.yml" not in confs(scene)


def test_the_schedule_is_in_the_sites_block_and_goes_with_the_conf() -> None:
    conf = dataclasses.replace(scenes.rich_conf(), backup=Backup(True, schedule="30 3 * * *"))
    scene = scenes.first(conf)
    assert scene.deploy() == 0
    text = scene.world.cron.text.decode()
    block = text[text.index(f"# BEGIN mcc {BASE}") : text.index(f"# END mcc {BASE}")]
    assert f"30 3 * * * {SITE.tool_command} backup --site {BASE} --format plain >> {SITE.logs}/backup.log" in block
    scene.conf = scenes.rich_conf()
    assert next_deploy(scene, 2, "001_one", "002_two") == 0
    assert "backup --site" not in scene.world.cron.text.decode()


def test_a_schedule_without_cron_is_refused_before_anything() -> None:
    conf = dataclasses.replace(scenes.simple_conf(), backup=Backup(True, schedule="30 3 * * *"))
    scene = scenes.first(conf)
    scene.world.cron.installed = False
    with pytest.raises(SiteError, match="BACKUP_SCHEDULE needs the crontab command"):
        scene.deploy()


def test_killed_at_any_effect_a_deploys_copies_are_whole_or_not_there() -> None:
    """They are there as long as a database is ahead of the code that is live."""
    scene = scenes.second()
    done = scene.fork()
    assert done.deploy() == 0
    effects = done.world.process.ticks
    for at in some(60, effects, "copies"):
        one = scene.fork(kill_at=at)
        with pytest.raises(Killed):
            one.deploy()
        one.world.revive()
        one.recover()
        sets = befores(one)
        host = one.world.host()
        for copied in (copied for found in sets for copied in found.manifest.databases):
            assert copied.contents is not None, at
            host.sqlite_copies.verify(sets[0].folder / copied.file, copied.contents)
        ahead = any("003_three" in names for names in one.databases().values())
        assert bool(sets) == (ahead or one.live != scene.live), at
        assert not [path for path in one.world.snapshot(BASE / "backups") if "/.making-" in path], at
