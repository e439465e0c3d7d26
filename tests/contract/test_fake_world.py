"""The fake machine keeps what it promises: tests of everything else stand on it."""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes.host import FakeWorld, Killed
from mcc.errors import CommandFailed, MigrationFailed, ServiceFailed
from mcc.host.ports import Host
from mcc.model.database import How, SqliteDatabase, Tracking
from mcc.model.migration import Migration

BASE = Path("/srv/site")
OUT = Path("/home/deploy/output")
MIGRATION = Migration("001_one", "001_one.sql", ())
ONE = SqliteDatabase("data.db", BASE / "data.db")
BELOW = SqliteDatabase("d", BASE / "d" / "data.db")


def world(services: tuple[str, ...] = ("app.service",)) -> FakeWorld:
    """A site with one live release, and an output for the next."""
    made = FakeWorld(BASE, services=services)
    made.plant(
        {
            f"{BASE}/api/vrs-1/api/main.py": b"1",
            f"{BASE}/venvs/one/bin/python": "/usr/bin/python3.12",
            f"{BASE}/current-api": "api/vrs-1",
            f"{BASE}/.venv": "venvs/one",
            f"{OUT}/pyproject.toml": b"[project]",
            f"{OUT}/uv.lock": b"version = 1",
            **{f"{OUT}/api/{number}.py": b"x" * 100 for number in range(8)},
        }
    )
    made.start()
    return made


def deploy(host: Host) -> None:
    """About what a deploy does to a machine."""
    files, new = host.files, BASE / "api" / "vrs-2"
    host.uv.sync(OUT, BASE / "venvs" / "two", (), (), host.listener.say)
    files.copy_tree(OUT / "api", BASE / "api" / ".placing")
    files.sync(BASE / "api" / ".placing")
    files.rename(BASE / "api" / ".placing", new)
    host.sqlite.migrate(ONE, (MIGRATION,), How())
    host.sudo.run(("chown", "-R", "www-data:deploy", str(BASE / "api")))
    host.sudo.run(("chmod", "-R", "g+rw", str(BASE / "api")))
    for entry in range(6):
        files.append(BASE / ".journal", b"entry %d\n" % entry)
    files.link(BASE / "current-api", "api/vrs-2")
    files.link(BASE / ".venv", "venvs/two")
    host.crontab.write(b"* * * * * true\n")
    host.services.restart("app.service")
    host.clock.sleep(3)
    files.remove(BASE / ".journal")
    files.remove_tree(BASE / "api" / "vrs-1")


def effects(work: Callable[[Host], None]) -> int:
    """How many effects a piece of work has."""
    one = world()
    work(one.revive())
    return one.process.ticks


LATE: tuple[Callable[[Host], object], ...] = (
    lambda host: host.files.write(BASE / "late", b""),
    lambda host: host.files.remove_tree(BASE / "api"),
    lambda host: host.files.remove(BASE / "missing"),
    lambda host: host.files.chmod(BASE / "missing", 0o600),
    lambda host: host.crontab.write(b""),
    lambda host: host.services.restart("app.service"),
    lambda host: host.services.stop("unknown.service"),
    lambda host: host.commands.run(("uv",)),
    lambda host: host.sudo.run(("chmod", "777", str(BASE))),
    lambda host: host.sqlite.migrate(ONE, (MIGRATION,), How()),
    lambda host: host.uv.sync(BASE, BASE / "venvs" / "x", (), (), host.listener.say),
    lambda host: host.clock.sleep(1),
)
"""What a process might still try behind its death, in its clean-up."""


class TestKill:
    def test_at_every_effect_once_and_no_effect_comes_behind_it(self) -> None:
        """Whatever a dead process still tries, the machine stays as it was at the kill."""
        start = world()
        total = effects(deploy)
        states = []
        for number in range(1, total + 1):
            one = start.fork(kill_at=number)
            assert one.dies(deploy), number
            assert one.process.ticks == number
            before = (one.snapshot(temporaries=True), one.cron.text, one.serving())
            for late in LATE:
                with pytest.raises(Killed):
                    late(one.host())
            assert (one.snapshot(temporaries=True), one.cron.text, one.serving()) == before
            states.append(before)
        assert len({repr(state) for state in states}) > total // 2

    def test_behind_the_last_effect_there_is_nothing_to_kill(self) -> None:
        one = world().fork(kill_at=effects(deploy) + 1)
        assert not one.dies(deploy)
        assert one.serving() == {"app.service": "api/vrs-2 venvs/two"}

    def test_a_kill_passes_every_except_clause_for_errors(self) -> None:
        one = world().fork(kill_at=1)
        with pytest.raises(Killed), contextlib.suppress(Exception):
            one.host().files.write(BASE / "x", b"")

    def test_a_copied_tree_is_half_there(self) -> None:
        """Not only between two files: also within one."""
        seen = set()
        for number in range(1, 30):
            one = world().fork(kill_at=number)
            one.dies(lambda host: host.files.copy_tree(OUT / "api", BASE / "new"))
            names = one.disk.names(BASE / "new")
            seen.add(tuple(one.disk.size(BASE / "new" / name) for name in names))
        assert {(), (100,) * 3, (*(100,) * 3, 50), (100,) * 8} <= seen

    def test_a_removed_tree_is_half_gone(self) -> None:
        counts = set()
        for number in range(1, 12):
            one = world().fork(kill_at=number)
            one.dies(lambda host: host.files.remove_tree(OUT / "api"))
            counts.add(len(one.disk.names(OUT / "api")))
        assert counts == set(range(9))

    def test_a_write_leaves_at_most_a_temporary_name(self) -> None:
        """The old contents or the new ones are there, never a part."""
        found = []
        for number in (1, 2, 3):
            one = world().fork(kill_at=number)
            one.dies(lambda host: host.files.link(BASE / "current-api", "api/vrs-2"))
            temporary = set(one.snapshot(temporaries=True)) - set(one.snapshot())
            found.append((one.disk.read_link(BASE / "current-api"), len(temporary)))
        assert found == [("api/vrs-1", 0), ("api/vrs-1", 1), ("api/vrs-2", 0)]

    def test_a_migration_is_whole_or_not_there(self) -> None:
        found = set()
        for number in range(1, effects(_migrate) + 1):
            one = world().fork(kill_at=number)
            assert one.dies(_migrate)
            found.add(one.revive().sqlite.look(BELOW, Tracking()).names)
        assert found == {(), ("001_one",)}

    def test_the_next_process_is_another_one(self) -> None:
        one = world().fork(kill_at=1)
        old = one.host()
        assert one.dies(lambda host: host.files.write(BASE / "x", b""))
        new = one.revive()
        new.files.write(BASE / "x", b"new")
        assert new.machine.pid() != old.machine.pid()
        with pytest.raises(Killed):
            old.files.write(BASE / "x", b"old")
        assert one.disk.read(BASE / "x") == b"new"

    def test_a_fork_shares_nothing(self) -> None:
        one = world()
        before = one.snapshot()
        twin = one.fork()
        deploy(twin.host())
        assert one.snapshot() == before
        assert one.serving() == {"app.service": "api/vrs-1 venvs/one"}
        assert twin.snapshot() != before


class TestFailure:
    def test_every_effect_can_fail_with_an_error_of_its_port(self) -> None:
        kinds = set()
        for number in range(1, effects(deploy) + 1):
            one = world().fork(fail_at=number)
            with pytest.raises((OSError, CommandFailed, MigrationFailed, ServiceFailed)) as caught:
                deploy(one.host())
            kinds.add(caught.type)
            one.host().files.write(BASE / "x", b"")  # the process lives on
        assert kinds == {OSError, CommandFailed, MigrationFailed, ServiceFailed}

    def test_with_an_error_of_the_test_s_own(self) -> None:
        one = world()
        host = one.revive(fail_at=1, failure=lambda what, path: OSError(errno.ENOSPC, what, path))
        with pytest.raises(OSError, match="append") as caught:
            host.files.append(BASE / "x", b"1")
        assert caught.value.errno == errno.ENOSPC


class TestRoom:
    def test_a_full_disk_fails_the_write_and_keeps_what_was_there(self) -> None:
        one = world()
        one.tree.size_limit = one.tree.used()[0] + 10
        files = one.host().files
        files.write(BASE / "file", b"old")
        files.append(BASE / "log", b"1\n")
        too_much: list[Callable[[], object]] = [
            lambda: files.write(BASE / "file", b"x" * 100),
            lambda: files.append(BASE / "log", b"x" * 100),
            lambda: files.copy_file(OUT / "api" / "0.py", BASE / "file"),
        ]
        for work in too_much:
            with pytest.raises(OSError, match="No space") as caught:
                work()
            assert caught.value.errno == errno.ENOSPC
        assert files.read(BASE / "file") == b"old"
        assert files.read(BASE / "log") == b"1\n"
        assert one.snapshot(temporaries=True) == one.snapshot()

    def test_a_tree_is_copied_as_far_as_there_is_room(self) -> None:
        one = world()
        one.tree.size_limit = one.tree.used()[0] + 350
        with pytest.raises(OSError, match="No space"):
            one.host().files.copy_tree(OUT / "api", BASE / "new")
        assert one.disk.names(BASE / "new") == ["0.py", "1.py", "2.py", "3.py"]

    def test_inodes_run_out_too_and_are_told(self) -> None:
        one = world()
        one.tree.inode_limit = one.tree.used()[1] + 1
        files = one.host().files
        assert files.space(BASE).inodes == 1
        files.make_folder(BASE / "a")
        assert files.space(BASE).inodes == 0
        with pytest.raises(OSError, match="No space"):
            files.link(BASE / "current-api", "api/vrs-2")
        assert files.read_link(BASE / "current-api") == "api/vrs-1"

    def test_what_is_removed_makes_room(self) -> None:
        one = world()
        one.tree.size_limit = one.tree.used()[0]
        one.host().files.remove(OUT / "api" / "0.py")
        one.host().files.write(BASE / "x", b"x" * 100)

    def test_a_disk_that_was_set_to_read_only(self) -> None:
        one = world()
        one.tree.read_only = True
        files = one.host().files
        assert not files.may_write(BASE)
        tried: list[Callable[[], object]] = [
            lambda: files.write(BASE / "x", b""),
            lambda: files.remove_tree(OUT / "api"),
        ]
        for work in tried:
            with pytest.raises(OSError, match="Read-only") as caught:
                work()
            assert caught.value.errno == errno.EROFS


class TestRights:
    def test_a_folder_of_another_user_cannot_be_changed(self) -> None:
        one = FakeWorld(BASE, groups=frozenset({"deploy"}))
        one.plant({f"{BASE}/mine": None})
        one.plant({f"{BASE}/theirs/__pycache__/x.pyc": b""}, owner="www-data")
        host = one.host()
        assert not host.files.may_write(BASE / "theirs")
        tried: list[Callable[[], object]] = [
            lambda: host.files.write(BASE / "theirs" / "x", b""),
            lambda: host.files.remove_tree(BASE / "theirs"),
            lambda: host.files.rename(BASE / "theirs" / "__pycache__", BASE / "mine" / "x"),
        ]
        for work in tried:
            with pytest.raises(PermissionError):
                work()

    def test_the_specification_s_chown_and_chmod_open_it_for_the_group(self) -> None:
        one = world()
        host = one.host()
        assert host.sudo.run(("chown", "-R", "www-data:deploy", str(BASE / "api"))).ok
        assert host.sudo.run(("chmod", "-R", "g+rw", str(BASE / "api"))).ok
        assert one.disk.owner(BASE / "api" / "vrs-1" / "api" / "main.py") == ("www-data", "deploy")
        assert one.disk.mode(BASE / "api" / "vrs-1" / "api" / "main.py") == 0o664
        host.files.remove_tree(BASE / "api" / "vrs-1")
        with pytest.raises(PermissionError):
            host.files.chmod(BASE / "api", 0o755)

    def test_of_a_link_chown_changes_the_link_and_chmod_enters(self) -> None:
        one = world()
        one.host().sudo.run(("chown", "-R", "www-data:deploy", str(BASE / "current-api")))
        one.host().sudo.run(("chmod", "-R", "g+w", str(BASE / "current-api")))
        assert one.disk.owner(BASE / "current-api") == ("www-data", "deploy")
        assert one.disk.owner(BASE / "api" / "vrs-1") == ("deploy", "deploy")
        assert one.disk.mode(BASE / "api" / "vrs-1") == 0o775

    def test_what_sudoers_does_not_hold_is_denied(self) -> None:
        one = world()
        words = ("chmod", "-R", "g+rw", str(BASE / "api"))
        one.sudo.allowed = {words}
        sudo = one.host().sudo
        assert sudo.allows(words)
        assert sudo.run(words).ok
        denied = ("chmod", "-R", "g+rw", str(BASE))
        assert not sudo.allows(denied)
        assert not sudo.run(denied).ok
        assert one.disk.mode(BASE) == 0o755

    def test_whom_a_folder_keeps_out(self) -> None:
        one = world()
        one.disk.chmod(Path("/home/deploy"), 0o700)
        machine = one.host().machine
        assert machine.blocked("www-data", OUT / "api" / "0.py") == Path("/home/deploy")
        assert machine.blocked("deploy", OUT / "api" / "0.py") is None
        assert not machine.may_make_files("www-data", BASE)
        assert machine.may_make_files("deploy", BASE)


class TestPowerCut:
    def test_what_a_method_promised_is_there(self) -> None:
        """Written, appended, linked, renamed and removed: all of it survives."""
        for seed in range(20):
            one = world()
            files = one.host().files
            files.write(BASE / "file", b"new")
            files.append(BASE / "log", b"1\n")
            files.append(BASE / "log", b"2\n")
            files.link(BASE / "current-api", "api/vrs-2")
            files.rename(BASE / "api" / "vrs-1", BASE / "api" / "vrs-0")
            files.copy_file(BASE / "file", BASE / "copy")
            files.hard_link(BASE / "file", BASE / "again")
            files.remove(OUT / "uv.lock")
            files.remove_tree(OUT / "api")
            files.make_folder(BASE / "a" / "b")
            before = one.snapshot(Path("/"))
            one.power_cut(seed)
            assert one.snapshot(Path("/")) == before, seed

    def test_a_copied_tree_may_be_lost_until_it_is_synced(self) -> None:
        whole = 0
        for seed in range(20):
            for synced in (True, False):
                one = world()
                one.host().files.copy_tree(OUT / "api", BASE / "new")
                if synced:
                    one.host().files.sync(BASE / "new")
                one.power_cut(seed)
                sizes = [one.disk.size(BASE / "new" / name) for name in one.disk.names(BASE / "new")]
                assert not synced or sizes == [100] * 8
                whole += not synced and sizes == [100] * 8
        assert whole < 5

    def test_a_link_is_old_or_new_whenever_the_power_goes(self) -> None:
        found = set()
        for seed in range(10):
            for number in (1, 2, 3, 4):
                one = world().fork(kill_at=number)
                one.dies(lambda host: host.files.link(BASE / "current-api", "api/vrs-2"))
                one.power_cut(seed)
                found.add((number, one.disk.read_link(BASE / "current-api")))
        old, new = "api/vrs-1", "api/vrs-2"
        assert found == {(1, old), (2, old), (3, old), (3, new), (4, new)}

    def test_an_entry_that_was_being_added_may_be_torn(self) -> None:
        found = set()
        for seed in range(40):
            one = world()
            one.host().files.append(BASE / "log", b"first\n")
            one.revive(kill_at=2)
            one.dies(lambda host: host.files.append(BASE / "log", b"second\n"))
            one.power_cut(seed)
            found.add(one.disk.read(BASE / "log"))
        assert all(b"first\nsecond\n".startswith(data) and len(data) >= 6 for data in found)
        assert len(found) > 3

    def test_services_start_again_with_what_the_links_name(self) -> None:
        one = world()
        one.host().files.make_folder(BASE / "api" / "vrs-2" / "api")
        one.host().files.link(BASE / "current-api", "api/vrs-2")
        assert one.serving() == {"app.service": "api/vrs-1 venvs/one"}
        one.power_cut()
        assert one.serving() == {"app.service": "api/vrs-2 venvs/one"}


class TestServices:
    def test_a_restart_runs_what_the_links_name_then(self) -> None:
        one = world()
        services = one.host().services
        before = services.state("app.service")
        one.host().files.link(BASE / "current-api", "api/vrs-2")
        assert one.serving() == {"app.service": "api/vrs-1 venvs/one"}
        with pytest.raises(ServiceFailed):
            services.restart("app.service")  # there is no such release
        one.host().files.make_folder(BASE / "api" / "vrs-2" / "api")
        services.restart("app.service")
        assert one.serving() == {"app.service": "api/vrs-2 venvs/one"}
        assert services.state("app.service").start_id != before.start_id

    @pytest.mark.parametrize(
        ("behaviour", "after", "active", "failed", "restarts", "status"),
        [
            ("good", 0.0, True, False, 0, 200),
            ("good", 60.0, True, False, 0, 200),
            ("ends at once", 0.0, False, True, 0, 0),
            ("dies", 0.5, True, False, 0, 200),
            ("dies", 1.5, False, True, 0, 0),
            ("crash loop", 0.5, True, False, 0, 200),
            ("crash loop", 3.5, True, False, 3, 200),
            ("answers 500", 0.0, True, False, 0, 500),
            ("slow", 1.0, True, False, 0, 503),
            ("slow", 2.5, True, False, 0, 200),
            ("hangs", 0.0, True, False, 0, 0),
        ],
    )
    def test_a_broken_release_behaves_as_it_was_told(
        self, behaviour: str, after: float, active: bool, failed: bool, restarts: int, status: int
    ) -> None:
        one = world()
        one.plant({f"{BASE}/api/vrs-1/api/BEHAVES": behaviour.encode()})
        host = one.host()
        host.services.restart("app.service")
        host.clock.sleep(after)
        state = host.services.state("app.service")
        assert (state.active, state.failed, state.restarts) == (active, failed, restarts)
        assert (state.active_for is not None) == active
        assert host.http.get("http://127.0.0.1:8000/health", 5).status == status
        assert host.http.get("https://a.example/health", 5).status == (status or (504 if active else 502))

    def test_a_release_that_refuses_to_start_fails_the_restart(self) -> None:
        one = world()
        one.units.broken["vrs-1"] = "refuses to start"
        with pytest.raises(ServiceFailed):
            one.host().services.restart("app.service")
        assert one.host().services.state("app.service").failed
        assert one.host().http.tcp("127.0.0.1", 8000, 1) == "connection refused"

    def test_a_unit_that_nobody_knows(self) -> None:
        services = world().host().services
        assert not services.state("other.service").known
        with pytest.raises(ServiceFailed, match="not found"):
            services.restart("other.service")

    def test_a_service_whose_files_are_removed_is_told(self) -> None:
        one = world()
        assert one.orphans() == []
        one.host().files.remove_tree(BASE / "api" / "vrs-1")
        assert one.orphans() == ["app.service runs api/vrs-1"]

    def test_the_front_end_is_served_from_its_link(self) -> None:
        one = world()
        one.plant({f"{BASE}/ui/vrs-1/index.html": b"", f"{BASE}/current-ui": "ui/vrs-1"})
        http = one.host().http
        assert http.get("https://a.example/", 1).ok
        one.host().services.stop("app.service")
        assert http.get("https://a.example/", 1).ok
        assert http.get("https://a.example/api/x", 1).status == 502
        one.host().files.link(BASE / "current-ui", "ui/vrs-2")
        assert http.get("https://a.example/", 1).status == 404


def test_uv_fails_as_it_is_told_and_leaves_half_an_environment() -> None:
    one = world()
    one.uv.broken = "Failed to download `left-pad`"
    with pytest.raises(CommandFailed) as caught:
        one.host().uv.sync(OUT, BASE / "venvs" / "two", (), (), one.listener.say)
    assert caught.value.log == ("Failed to download `left-pad`",)
    assert one.disk.kind(BASE / "venvs" / "two") == "folder"


def test_a_deploy_takes_milliseconds() -> None:
    """There will be tens of thousands; the limit is ten times what a slow machine needs."""
    start = world()
    began = time.process_time()
    for _ in range(20):
        deploy(start.fork().host())
    assert (time.process_time() - began) / 20 < 0.05


def _migrate(host: Host) -> None:
    host.sqlite.migrate(BELOW, (MIGRATION,), How())
