"""The senses of this machine: certificates, other users' rights, a database server's connections, git."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mcc.errors import MigrationFailed
from mcc.host import git
from mcc.host.access import may
from mcc.host.certificates import certificate
from mcc.host.commands import RealCommands
from mcc.host.ports import Access
from mcc.host.postgres.capacity import capacity
from mcc.host.rights import RealRights
from mcc.model.database import PostgresDatabase
from postgres_cluster import Cluster, Fresh

# ---- certificates


def make(folder: Path, name: str, days: int) -> ssl.SSLContext:
    """A certificate that is signed by itself and ends after so many days (openssl ca takes dates, in every version)."""
    end = datetime.now(UTC) + timedelta(days=days, hours=1)
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n"
        f"policy=p\nx509_extensions=x\n[p]\ncommonName=supplied\n[x]\nsubjectAltName=DNS:{name}\n"
    )
    (folder / "index.txt").write_text("")
    (folder / "serial").write_text("01\n")
    for words in (
        f"req -new -newkey rsa:2048 -nodes -keyout key.pem -out r.pem -subj /CN={name}",
        "ca -batch -config ca.cnf -selfsign -keyfile key.pem -in r.pem -out cert.pem -notext "
        f"-startdate 20200101000000Z -enddate {end:%Y%m%d%H%M%SZ}",
    ):
        subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


@contextlib.contextmanager
def shown(context: ssl.SSLContext) -> Iterator[int]:
    """A server that shakes hands once, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            with contextlib.suppress(OSError):
                plain, _ = server.accept()
                with plain, contextlib.suppress(OSError):
                    context.wrap_socket(plain, server_side=True).close()

        thread = threading.Thread(target=greet)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


@pytest.mark.parametrize(
    ("name", "days", "known", "trust"),
    [
        ("localhost", 5, True, "good"),
        ("localhost", -3, True, "expired"),
        ("elsewhere.example.com", 90, True, "wrong-name"),
        ("localhost", 90, False, "not-trusted"),
    ],
)
def test_a_certificate_is_judged_as_a_browser_would(
    name: str, days: int, known: bool, trust: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = make(tmp_path, name, days)
    if known:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    with shown(context) as port:
        found = certificate("localhost", 5.0, port)
    assert found.trust == trust
    if trust == "good":
        assert found.until is not None
        assert (found.until - datetime.now(UTC)).days == days
    else:
        assert f"localhost:{port}" in found.reason


def test_nobody_there_is_an_answer_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    found = certificate("localhost", 1.0, port)
    assert (found.trust, "nobody listens there" in found.reason) == ("unreachable", True)


# ---- what another user may do


LISTS = (
    (),
    ("u::rw-", "u:nobody:rw-", "g::r--", "m::rw-", "o::---"),
    ("u::rwx", "u:nobody:---", "g::rwx", "m::rwx", "o::rwx"),
    ("u::rwx", "u:nobody:rwx", "g::rwx", "m::r--", "o::rwx"),
    ("u::rwx", "g::---", "g:nogroup:r-x", "m::rwx", "o::rwx"),
    ("u::rwx", "g::r--", "g:daemon:rwx", "m::rwx", "o::-w-"),
)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to ask as another user")
@pytest.mark.parametrize("owner", ["nobody:root", "root:nogroup", "root:root"])
@pytest.mark.parametrize("acl", LISTS, ids=" ".join)
def test_what_another_user_may_do_is_what_the_kernel_says(owner: str, acl: tuple[str, ...], tmp_path: Path) -> None:
    """Owner, group, others and access control lists, by access(2) as that user."""
    names = [f"{mode:o}" for mode in (0o700, 0o070, 0o007, 0o640, 0o755)]
    group = owner.partition(":")[2]
    for name in names:
        path = tmp_path / name
        path.touch()
        subprocess.run(["chown", owner, path], check=True)
        path.chmod(int(name, 8))
        if acl:
            mode = RealRights().look(path)
            assert mode is not None
            RealRights().set(path, Access(mode.owner, group, mode.mode, acl))
    wanted = [(name, right) for name in names for right in ("r", "w", "x")]
    script = "; ".join(f"test -{right} {name} && echo {name} {right}" for name, right in wanted)
    words = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "sh", "-c", script]
    with open_way(tmp_path):
        told = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True).stdout.splitlines()
    truth = {tuple(line.split()) for line in told}
    assert {each for each in wanted if may(RealRights(), "nobody", tmp_path / each[0], each[1])} == truth


@contextlib.contextmanager
def open_way(folder: Path) -> Iterator[None]:
    """Everybody may pass to a folder of pytest's, which are closed."""
    ways = [way for way in (folder, *folder.parents) if way.stat().st_mode & 0o001 == 0]
    for way in ways:
        way.chmod(way.stat().st_mode | 0o001)
    yield
    for way in ways:
        way.chmod(way.stat().st_mode & ~0o001)


def test_what_cannot_be_told_is_taken_to_be_fine(tmp_path: Path) -> None:
    assert may(RealRights(), "no-such-user", tmp_path, "rwx")
    assert may(RealRights(), "nobody", tmp_path / "absent", "r")
    assert may(RealRights(), "root", tmp_path, "rwx")


# ---- PostgreSQL


def test_free_connections_are_the_tightest_of_server_database_and_role(
    postgres: Fresh, postgres_cluster: Cluster
) -> None:
    target = postgres.target()
    free = capacity(target, {})
    assert (free.most, free.free > 30) == (57, True)
    with contextlib.closing(postgres.connect()):
        assert capacity(target, {}).free == free.free - 1
    postgres.run(f'ALTER DATABASE "{target.database}" CONNECTION LIMIT 4')
    with contextlib.closing(postgres.connect()):
        assert capacity(target, {}).free == 3
    postgres.run(f'ALTER DATABASE "{target.database}" CONNECTION LIMIT -1')


def test_a_server_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(MigrationFailed):
        capacity(PostgresDatabase("x", "x", str(tmp_path), 5), {})


# ---- git


@pytest.fixture
def project(tmp_path: Path) -> Path:
    def run(*words: str) -> None:
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)

    run("init", "-b", "main")
    (tmp_path / "conf-prod.yml").write_text("A: 1\n")
    (tmp_path / "mcc").mkdir()
    (tmp_path / "mcc" / "ä.yml").write_text("")
    (tmp_path / "new.yml").write_text("")
    run("add", "conf-prod.yml", "mcc")
    run("commit", "-m", "one")
    run("branch", "release/1.0")
    run("update-ref", "refs/remotes/origin/main", "HEAD")
    run("update-ref", "refs/remotes/origin/feature/x", "HEAD")
    run("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    return tmp_path


def test_branches_here_and_of_remotes_each_once(project: Path) -> None:
    assert git.branches(RealCommands(), project) == ("feature/x", "main", "release/1.0")


def test_tracked_files_are_those_below_the_folder(project: Path) -> None:
    assert git.tracked(RealCommands(), project) == {"conf-prod.yml", "mcc/ä.yml"}
    assert git.tracked(RealCommands(), project / "mcc") == {"ä.yml"}


def test_without_a_repository_there_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (git.branches(RealCommands(), tmp_path), git.tracked(RealCommands(), tmp_path)) == ((), frozenset())
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git.branches(RealCommands(), tmp_path) == ()
