"""The one table of folders: what root sets up, a deploy sets and a check compares."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from mcc.core.acl import canonical, entry, others_in, readers_in
from mcc.core.log_names import logs_added_to
from mcc.core.ownership import FolderRule, folders
from mcc.model.conf import Backup, Component, Conf, Ownership, Server, Services

BASE, LOGS = Path("/srv/site"), Path("/srv/site/logs")
CONF = Conf(
    Path("conf.yml"), Server(BASE, "deploy"), ownership=Ownership("acl", "www-data", "staff"), domains=("a.example",)
)


def rights(rule: FolderRule, user: str, default: bool = False) -> int:
    """What a named user may do, by the list; the mask counts."""
    entries = [each for each in map(entry, rule.acl) if each.default is default]
    mask = next((each.rights for each in entries if each.tag == "m"), 7)
    return next((each.rights & mask for each in entries if (each.tag, each.name) == ("u", user)), 0)


def test_folders_come_after_those_above_them_and_once() -> None:
    paths = [rule.path for rule in folders(CONF)]
    assert len(set(paths)) == len(paths)
    assert paths[0] == BASE
    for number, path in enumerate(paths):
        assert not set(path.parents) & set(paths[number:])


def test_the_service_writes_in_four_places_and_nowhere_else() -> None:
    written = {rule.path.relative_to(BASE).parts[0] for rule in folders(CONF) if rights(rule, "www-data") & 2}
    assert written == {"domains", "data", "logs", "run"}
    for rule in folders(CONF):
        may = {"passed": 5, "read": 5, "written": 7, "private": 0}[rule.use]
        assert rights(rule, "www-data") == may
        assert rights(rule, "www-data", default=True) == (0 if rule.use == "passed" else may)


def test_what_is_made_where_both_write_is_both_users() -> None:
    for rule in folders(CONF):
        if rule.use == "written":
            assert rights(rule, "deploy", default=True) == rights(rule, "www-data", default=True) == 7


def test_nothing_is_writable_for_others_and_the_group_writes_where_the_service_does() -> None:
    for rule in folders(CONF):
        assert rule.mode & 0o002 == 0
        assert bool(rule.mode & 0o020) == (rule.use == "written")
        # chmod(1) sets the mask of a list: both say the same.
        masks = {each.rights for each in map(entry, rule.acl) if each.tag == "m"}
        assert masks <= {rule.mode >> 3 & 7}


def test_names_of_the_deploy_user_stay_but_where_sqlite_removes_side_files() -> None:
    sticky = {rule.path.name for rule in folders(CONF) if rule.mode & 0o1000}
    assert sticky == {"domains", "logs", "run"}


def test_the_web_servers_user_connects_to_the_sockets_of_two_slots_and_does_no_more() -> None:
    """It sees no names and makes none; where it is the service's user too, it needs no entry of its own."""
    conf = dataclasses.replace(
        CONF, ownership=Ownership("acl", "notes", "notes"), services=Services(names=("notes@.service",))
    )
    for rule in folders(conf, "www-data"):
        sockets = rule.path == BASE / "run"
        assert rights(rule, "www-data") == (1 if sockets else 0)
        assert rights(rule, "www-data", default=True) == (6 if sockets else 0)
    assert folders(CONF, "www-data") == folders(CONF)
    plain = dataclasses.replace(conf, services=Services(names=("notes.service",)))
    assert folders(plain, "www-data") == folders(plain)


def test_owner_and_group() -> None:
    """Without a group it is the login group of the owner; who is the service himself gets no entry."""
    assert {rule.owners for rule in folders(CONF)} == {"deploy:staff"}
    plain = dataclasses.replace(CONF, ownership=Ownership("acl", "deploy"))
    assert {rule.owners for rule in folders(plain)} == {"deploy:"}
    assert not any("u:deploy:r-x" in rule.acl for rule in folders(plain))


def test_components_with_folders_below_others() -> None:
    parts = (Component("api", "parts/api", (), ()), Component("ui", "parts/ui", (), ()))
    paths = [rule.path for rule in folders(dataclasses.replace(CONF, components=parts)) if rule.use == "read"]
    assert {BASE / "parts", BASE / "parts/api", BASE / "parts/ui"} < set(paths)
    assert BASE / "api" not in paths


def test_a_folder_for_copies_elsewhere_is_not_the_sites_to_change() -> None:
    elsewhere = dataclasses.replace(CONF, backup=Backup(path="/var/backups"))
    assert all(BASE in (rule.path, *rule.path.parents) for rule in folders(elsewhere))


@pytest.mark.parametrize(
    ("line", "names"),
    [
        (f"0 2 * * * cd {BASE}/scripts && ./a.sh >> {LOGS}/a.log 2>&1", ["a.log"]),
        (f"@reboot {BASE}/.mcc/bin/mcc recover >>{LOGS}/b.log 2>&1", ["b.log"]),
        (f"* * * * * x >> '{LOGS}/with blank.log'; y >> \"{LOGS}/c.log\"", ["with blank.log", "c.log"]),
        (f"* * * * * date +\\%F >> {LOGS}/100\\%.log", ["100%.log"]),
        (f"* * * * * x >> {LOGS}/deep/d.log; y >> /tmp/e.log; z > {LOGS}/f.log", []),
        (f"* * * * * x >> {LOGS}/../g.log", []),
        ("MAILTO=ops", []),
    ],
)
def test_which_logs_a_line_adds_to(line: str, names: list[str]) -> None:
    """Right in the folder of logs: others are not ours to make."""
    assert [path.name for path in logs_added_to([line], LOGS)] == names


LIST = ("u::rw-", "u:www-data:r--", "g::---", "m::r--", "o::---")


@pytest.mark.parametrize(
    ("mode", "acl", "others"),
    [
        (0o600, (), ()),
        (0o640, (), ("its group",)),
        (0o604, (), ("others",)),
        (0o640, LIST, ()),
        (0o600, (*LIST[:3], "m::---", "o::---"), ()),
        (0o644, LIST, ("others",)),
        (0o660, ("u::rw-", "u:www-data:rw-", "g::---", "m::rw-", "o::---"), ("www-data",)),
        (0o640, (*LIST, "u:nobody:r--"), ("nobody",)),
        (0o640, (*LIST, "g:adm:r--"), ("the group adm",)),
        (0o640, ("u::rw-", "u:www-data:r--", "g::r--", "m::r--", "o::---"), ("its group",)),
        (0o640, (*LIST[:3], "u:nobody:-w-", "m::r--", "o::---"), ()),
    ],
)
def test_who_else_may_do_something_with_a_file_of_variables(mode: int, acl: tuple[str, ...], others: object) -> None:
    """The service's user may read it; the mask takes away what an entry says."""
    assert others_in(mode, canonical(acl), ("www-data",)) == others


def test_readers_are_users_who_may_read_and_nothing_more() -> None:
    assert readers_in(canonical((*LIST, "u:a:rw-", "g:b:r--"))) == ("www-data",)
