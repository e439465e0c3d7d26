"""Owners, modes and access control lists: the fake tells what the real one tells, and the kernel heeds the list."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from fakes.host import FakeWorld
from mcc.core.acl import canonical, entry, for_file
from mcc.core.ownership import folders
from mcc.host.files import RealFiles
from mcc.host.ports import Access, Files, Rights
from mcc.host.rights import RealRights
from mcc.model.conf import Conf, Ownership, Server

USER, SERVICE = "root", "www-data"
FOLDER = canonical(["u::rwx", "g::rwx", "m::rwx", "o::---", f"u:{SERVICE}:rwx", "d:u::rwx", "d:g::rwx", "d:m::rwx",
                    "d:o::---", f"d:u:{SERVICE}:rwx"])  # fmt: skip
FILE = canonical(["u::rw-", "g::rw-", "m::rw-", "o::---", f"u:{SERVICE}:rw-"])
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="another user needs root")


@pytest.fixture(params=["fake", pytest.param("real", marks=as_root)])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Rights, Files, Path]:
    if request.param == "real":
        return RealRights(), RealFiles(), tmp_path
    world = FakeWorld(user=USER)
    world.plant({"/home/deploy/top": None})
    return world.host().rights, world.host().files, Path("/home/deploy/top")


def test_what_is_set_is_what_is_there(case: tuple[Rights, Files, Path]) -> None:
    """Folder and file, with set-gid and sticky bits; and all of it can be taken back."""
    rights, files, top = case
    files.make_folder(top / "folder")
    files.write(top / "file", b"x", 0o640)
    for path, mode, acl in ((top / "folder", 0o3770, FOLDER), (top / "file", 0o660, FILE)):
        before = rights.look(path)
        assert before is not None
        assert before.acl == ()
        rights.set(path, Access(USER, USER, mode, acl))
        assert rights.look(path) == Access(USER, USER, mode, acl)
        rights.set(path, before)
        assert rights.look(path) == before


def test_what_is_missing_and_what_is_a_link(case: tuple[Rights, Files, Path]) -> None:
    """A link is told as itself, and its target gets no rights by it."""
    rights, files, top = case
    files.write(top / "file", b"x", 0o640)
    files.link(top / "link", "file")
    assert rights.look(top / "missing") is None
    found = rights.look(top / "link")
    assert found is not None
    assert found.mode == 0o777
    with pytest.raises(OSError, match="symbolic links") as caught:
        rights.set(top / "link", Access(USER, USER, 0o666, FILE))
    assert caught.value.errno == errno.ELOOP
    assert rights.look(top / "file") == Access(USER, USER, 0o640)


def test_who_is_known(case: tuple[Rights, Files, Path]) -> None:
    rights, _, top = case
    assert rights.supported(top / "to/be/made")
    assert [rights.knows(name) for name in ("root", "no-such-user")] == [True, False]
    assert [rights.knows_group(name) for name in ("root", "no-such-group")] == [True, False]


@as_root
def test_a_file_with_a_second_name_gets_no_rights(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "second").hardlink_to(tmp_path / "file")
    with pytest.raises(OSError, match="Too many links"):
        RealRights().set(tmp_path / "second", Access(USER, USER, 0o666, FILE))


def made_by(user: str, folder: Path, name: str, mode: int) -> Path:
    """A file that a process of another user makes, with the umask that daemons have."""
    script = "import os,sys; os.umask(0o22); os.close(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY, int(sys.argv[2])))"
    subprocess.run(["python3", "-c", script, folder / name, str(mode)], user=user, check=True, cwd="/")
    return folder / name


@as_root
def test_two_users_write_what_the_other_made(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The table's list for a folder that both write, with real processes; whatever the umask says."""
    for above in (tmp_path_factory.getbasetemp().parent, tmp_path_factory.getbasetemp()):
        above.chmod(0o755)
    base = tmp_path_factory.mktemp("shared")
    base.chmod(0o755)
    conf = Conf(Path("conf.yml"), Server(base, "daemon"), ownership=Ownership("acl", SERVICE))
    rule = next(rule for rule in folders(conf) if rule.path == base / "data")
    rule.path.mkdir()
    os.chown(rule.path, 1, 1)
    RealRights().set(rule.path, Access("daemon", "daemon", rule.mode, rule.acl))
    for maker, other in (("daemon", SERVICE), (SERVICE, "daemon")):
        file = made_by(maker, rule.path, f"of-{maker}", 0o664)
        subprocess.run(["sh", "-c", 'echo x >>"$0"', file], user=other, check=True)
        assert file.stat().st_mode & 0o007 == 0
        closed = subprocess.run(["cat", file], user="games", capture_output=True)
        assert closed.returncode != 0
    # What asks for less gets less: SQLite makes databases with 0644.
    file = made_by(SERVICE, rule.path, "database", 0o644)
    assert subprocess.run(["sh", "-c", 'echo x >>"$0"', file], user="daemon", capture_output=True).returncode != 0


def test_a_list_has_one_order() -> None:
    assert canonical(reversed(FOLDER)) == FOLDER
    assert canonical([str(entry(text)) for text in FOLDER]) == FOLDER
    assert for_file(FOLDER) == FILE
    with pytest.raises(ValueError, match="not an entry"):
        entry("z::rwx")
