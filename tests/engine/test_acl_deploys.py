"""Deploys with ``OWNERSHIP: acl``: no sudo but for services; rights are set where they may be, and taken back."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from fakes import scenes
from fakes.deaths import some
from fakes.hands import FakeHands
from fakes.host import Killed
from fakes.scenes import BASE, DATABASES, OUT, Scene, State
from mcc.core.acl import canonical
from mcc.core.layout import Site
from mcc.core.ownership import folders
from mcc.deploy.run import plan_deploy
from mcc.errors import SiteError
from mcc.host.ports import Access
from mcc.model.conf import Backup, Conf, Ownership, Server
from mcc.steps.rights import TakeLogs

ACL = Ownership("acl", "www-data")
SITE = Site(BASE)


def conf(domains: tuple[str, ...] = ("one.example.com", "two.example.com")) -> Conf:
    return dataclasses.replace(scenes.rich_conf(), ownership=ACL, domains=domains)


def refusal(scene: Scene) -> SiteError:
    with pytest.raises(SiteError) as caught:
        plan_deploy(scene.request, FakeHands(scene.world))
    return caught.value


def test_a_deploy_makes_the_folders_of_the_table_and_needs_root_for_services_alone() -> None:
    scene = scenes.first(conf())
    assert scene.deploy() == 0
    rights = scene.world.host().rights
    rules = folders(dataclasses.replace(scene.conf, server=Server(BASE, "deploy")))
    assert {rule.use for rule in rules} == {"passed", "read", "written", "private"}
    for rule in rules:
        assert rights.look(rule.path) == Access("deploy", "deploy", rule.mode, canonical(rule.acl)), rule.path
    assert [words for words in scene.world.sudo.calls if "chown" in words or "chmod" in words] == []


def test_a_later_deploy_changes_no_rights_that_are_right() -> None:
    scene = scenes.second(conf())
    assert scene.deploy() == 0
    given = {Path(path) for what, path in scene.world.process.trace if what == "rights"}
    assert given == {SITE.database(domain) for domain in scene.conf.domains}  # which inherit theirs on a real disk


def test_a_deploy_that_dies_at_any_effect_leaves_the_rights_as_they_were() -> None:
    """On a site that was kept otherwise before, so that all of them change; databases have theirs by their folder."""
    scene = scenes.second(dataclasses.replace(conf(), ownership=Ownership("none")))
    scene.conf = conf()
    before = State.of(scene)
    whole = scene.fork()
    assert whole.deploy() == 0
    after = State.of(whole)
    for at in some(60, whole.world.process.ticks, "acl"):
        copy = scene.fork(kill_at=at)
        with pytest.raises(Killed):
            copy.deploy()
        copy.world.revive()
        copy.recover()
        found = State.of(copy)
        assert found.live in (before.live, after.live)
        if found.live == before.live:
            assert found.difference(before) == [], at
            assert databases(copy) == databases(scene), at


def databases(scene: Scene) -> dict[str, tuple[object, ...]]:
    """Modes, owners and lists of databases and the folders that they are in."""
    found = scene.world.snapshot(BASE)
    chosen = {path: what for path, what in found.items() if path.startswith(DATABASES[0])}
    return {path: (*what[:3], *what[4:]) if what[0] == "file" else what for path, what in chosen.items()}


@pytest.mark.parametrize("folder", ["api", "venvs", "scripts", "logs", "domains"])
def test_a_folder_of_another_user_is_named_with_the_command_that_gives_it_back(folder: str) -> None:
    scene = scenes.second(conf())
    path = BASE / folder
    scene.world.disk.node(path).owner = ("www-data", "deploy")
    error = refusal(scene)
    assert f"{path} belongs to www-data, and with OWNERSHIP: acl it has to be deploy's" in str(error)
    assert "mcc provision --stage prod --only folders --script | sudo sh" in f"{error} {error.help}"


def test_several_of_them_come_in_one_sentence_and_a_site_of_another_user_is_that_users() -> None:
    scene = scenes.second(conf())
    for folder in ("api", "scripts"):
        scene.world.disk.node(BASE / folder).owner = ("www-data", "deploy")
    assert f"{BASE}/api, {BASE}/scripts belong to www-data" in refusal(scene).message
    scene.world.disk.node(BASE).owner = ("another", "deploy")
    scene.world.disk.node(BASE).mode = 0o777
    found = str(refusal(scene))
    assert f"{BASE} belongs to another, and this runs as deploy (deploy as another)" in found


def test_a_folder_that_the_service_made_with_the_list_of_the_one_above_will_do() -> None:
    scene = scenes.second(conf())
    node = scene.world.disk.node(SITE.domains / "two.example.com")
    node.owner = ("www-data", "deploy")
    assert scene.deploy() == 0
    assert node.owner == ("www-data", "deploy")


def test_a_database_that_only_the_service_can_write_is_named() -> None:
    """SQLite makes them with 0644, which no list can widen."""
    scene = scenes.second(conf())
    node = scene.world.disk.node(SITE.database("one.example.com"))
    node.owner, node.mode = ("www-data", "www-data"), 0o644
    scene.world.host().files.who = dataclasses.replace(scene.world.host().files.who, groups=frozenset({"deploy"}))
    error = refusal(scene)
    assert f"{SITE.database('one.example.com')} belongs to www-data, and deploy may not write it" in error.message
    assert "chmod g+rw" in error.help


def test_databases_that_are_older_than_the_list_get_it_before_they_are_written() -> None:
    scene = scenes.second(dataclasses.replace(conf(), ownership=Ownership("none")))
    scene.conf = conf()
    assert scene.deploy() == 0
    for domain in scene.conf.domains:
        found = scene.world.host().rights.look(SITE.database(domain))
        assert found is not None
        assert (found.mode, "u:www-data:rw-" in found.acl) == (0o660, True)


def single(ownership: Ownership = ACL) -> Scene:
    scene = scenes.first(dataclasses.replace(conf(()), ownership=ownership))
    scene.world.disk.remove_tree(OUT / "shared/db")
    scene.world.plant({f"{OUT}/migrations/001_one.sql": b"CREATE TABLE t (a);"})
    return scene


def test_one_tenants_database_stands_behind_a_link() -> None:
    """SQLite's side files need a folder that the service may write; the site itself must be none."""
    scene = single()
    assert scene.deploy() == 0
    files = scene.world.host().files
    assert files.read_link(SITE.single_database) == "data/data.db"
    assert files.kind(SITE.data / "data.db") == "file"


def test_one_tenants_database_that_is_a_file_is_moved_by_a_person() -> None:
    """Nobody else knows what has it open; the commands are named."""
    scene = single(Ownership("none"))
    assert scene.deploy() == 0
    scene.conf = dataclasses.replace(scene.conf, ownership=ACL)
    scene.world.revive()
    scene.world.time.pass_by(60)
    error = refusal(scene)
    assert f"mv {SITE.single_database} {SITE.data}/ && ln -s data/data.db {SITE.single_database}" in error.help


@pytest.mark.parametrize("what", ["user", "disk"])
def test_what_the_machine_lacks_is_said(what: str) -> None:
    scene = scenes.first(conf())
    if what == "user":
        scene.world.machine.users.discard("www-data")
        assert "this machine has no user www-data" in refusal(scene).message
    else:
        scene.world.machine.lists = False
        assert "knows no access control lists" in refusal(scene).message


def test_a_group_that_cannot_be_given_is_a_warning_and_one_that_is_none_a_refusal() -> None:
    """The lists name both users by themselves."""
    scene = scenes.first(dataclasses.replace(conf(), ownership=Ownership("acl", "www-data", "staff")))
    assert "this machine has no group staff" in refusal(scene).message
    scene.world.machine.users.add("staff")
    scene.world.host().files.who = dataclasses.replace(scene.world.host().files.who, groups=frozenset({"deploy"}))
    hands = FakeHands(scene.world)
    assert scene.deploy(hands) == 0
    assert "deploy is not in staff; as root: usermod -aG staff deploy" in str(hands.events)


def test_backups_elsewhere_keep_their_rights() -> None:
    """Other sites may share the folder."""
    elsewhere = dataclasses.replace(conf(), backup=Backup(path="/srv/backups"))
    assert Path("/srv/backups") not in [rule.path for rule in folders(elsewhere)]
    assert BASE / "backups" in [rule.path for rule in folders(conf())]


class TestTakeLogs:
    """Cron's shell opens logs by ``>>``, which follows links."""

    def test_all_of_them_are_files_of_ours_after_a_deploy(self) -> None:
        scene = scenes.first(conf())
        assert scene.deploy() == 0
        for name in ("backup.log", "mcc-recover.log"):
            found = scene.world.host().rights.look(SITE.logs / name)
            assert found is not None
            assert (found.owner, found.mode) == ("deploy", 0o660)

    @pytest.mark.parametrize("planted", ["link", "file"])
    def test_what_another_user_has_there_goes_aside_and_comes_back(self, planted: str) -> None:
        scene = scenes.second(conf())
        log = SITE.logs / "backup.log"
        scene.world.disk.remove(log)
        scene.world.plant({str(log): "/home/deploy/.profile" if planted == "link" else b"theirs"}, "www-data")
        step, host = TakeLogs((log,)), scene.world.host()
        before = scene.world.snapshot(SITE.logs)
        seen = step.look(host)
        step.do(host, seen)
        assert (host.files.kind(log), host.files.read(log)) == ("file", b"")
        assert host.files.kind(SITE.logs / "backup.log.1") == planted
        for _ in range(2):
            step.undo(host, seen)
            assert scene.world.snapshot(SITE.logs) == before
