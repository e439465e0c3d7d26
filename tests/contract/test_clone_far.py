"""A clone whose source is on another server: ssh is a stand-in here that runs the command on this one."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mcc.core import ledger
from mcc.core.remote import ssh_words
from mcc.errors import CopyFailed
from mcc.host.copies.fetch import fetch
from mcc.host.copies.stream import Sender
from mcc.host.sqlite.copies import SqliteCopies
from mcc.model.conf import Server
from mcc.model.database import Contents, SqliteDatabase
from mcc.model.release import Release

pytestmark = pytest.mark.slow

SSH = """\
#!/bin/sh
echo "$@" > "$(dirname "$0")/asked"
for word; do last=$word; done
exec sh -c "$last"
"""


def run(path: Path, sql: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return [row for statement in sql.split(";") for row in connection.execute(statement)]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """An output folder; production is a site with a release that is live and an mcc of its own."""
    folder = tmp_path / "output"
    folder.mkdir()
    (folder / "config.yml").write_text("deploy:\n  clone-prod-to-dev: {parameters: {source: ssh}}\n")
    for name in ("prod", "dev"):
        base = tmp_path / "live" / name
        lines = (
            f"REMOTE_BASE: {base}", f"STAGE: {name}", "OWNERSHIP: none", "SERVICE_MANAGER: none", "DATABASE: sqlite",
            "REMOTE_HOST: far.example.com", "REMOTE_USER: deploy", "REMOTE_PORT: 2222", f"DOMAINS: [a.{name}.example]",
        )  # fmt: skip
        (folder / f"conf-{name}.yml").write_text("\n".join(lines) + "\n")
        path = database(folder, name)
        path.parent.mkdir(parents=True)
        run(path, f"PRAGMA journal_mode=WAL; CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('{name}')")
    far = tmp_path / "live" / "prod" / ".mcc"
    (far / "bin").mkdir(parents=True)
    (far / "bin" / "mcc").write_text(f'#!/bin/sh\nexec {sys.executable} -m mcc "$@"\n')
    (far / "bin" / "mcc").chmod(0o755)
    (far / "releases.jsonl").write_bytes(ledger.live_line(Release("vrs-1", "live", "2026-02-20T00:00:00+00:00", "r")))
    (far / "conf").mkdir()
    (far / "conf" / "vrs-1.yml").write_text((folder / "conf-prod.yml").read_text())
    (tmp_path / "bin").mkdir()
    ssh(folder, SSH)
    return folder


def ssh(output: Path, script: str) -> None:
    path = output.parent / "bin" / "ssh"
    path.write_text(script)
    path.chmod(0o755)


def database(output: Path, site: str) -> Path:
    return output.parent / "live" / site / "domains" / f"a.{site}.example" / "data.db"


def content(output: Path, site: str) -> list[str]:
    return [row[0] for row in run(database(output, site), "SELECT a FROM t ORDER BY rowid")]


def clone(output: Path, code: int = 0) -> str:
    env = {**os.environ, "PATH": f"{output.parent / 'bin'}:{os.environ['PATH']}"}
    words = [sys.executable, "-m", "mcc", "clone", "--stage", "clone-prod-to-dev"]
    done = subprocess.run(words, cwd=output, capture_output=True, text=True, env=env)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout + done.stderr


def test_copies_come_over_ssh_and_the_source_is_only_read(output: Path) -> None:
    (output / "clone.sql").write_text("UPDATE t SET a = a || '-hidden';\n")
    assert "have far.example.com send a.prod.example" in clone(output)
    assert content(output, "dev") == ["prod-hidden"]
    assert content(output, "prod") == ["prod"]
    asked = (output.parent / "bin" / "asked").read_text()
    assert asked.startswith("-o BatchMode=yes -p 2222 -- deploy@far.example.com ")
    assert "/.mcc/bin/mcc send --site " in asked
    site = output.parent / "live" / "prod"
    assert sorted(path.name for path in database(output, "prod").parent.iterdir()) == ["data.db"]
    assert not list((site / ".mcc" / "journal").glob("*"))


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("#!/bin/sh\necho 'Permission denied (publickey).' >&2\nexit 255\n", "Permission denied (publickey)"),
        ("#!/bin/sh\necho \"mcc: No such command 'send'.\" >&2\nexit 2\n", "No such command 'send'"),
        (SSH.replace('exec sh -c "$last"', 'sh -c "$last" | head -c 3000'), "is not whole"),
        (SSH.replace('exec sh -c "$last"', 'sh -c "$last" | head -c 9000; exit 1'), "sent no copies: exit code 1"),
        ("#!/bin/sh\necho Welcome to far.example.com\n", "is not whole"),
        ("#!/bin/sh\n", "is not whole"),
    ],
)
def test_what_does_not_come_whole_changes_nothing(output: Path, script: str, says: str) -> None:
    ssh(output, script)
    assert says in clone(output, code=1)
    assert content(output, "dev") == ["dev"]


def test_a_source_that_is_held_is_not_sent(output: Path) -> None:
    """As it would be if the other server were this one and the site the target itself."""
    import fcntl

    with (output.parent / "live" / "prod" / ".mcc" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "holds the site" in clone(output, code=1)
    assert content(output, "dev") == ["dev"]


def test_words_for_ssh_are_quoted_for_the_far_shell() -> None:
    server = Server(Path("/srv/x"), None, ("far.example.com",))
    words = ssh_words(server, ("/srv/my site/.mcc/bin/mcc", "send", "--site", "/srv/my site; rm -rf /"))
    assert words[:5] == ("ssh", "-o", "BatchMode=yes", "-p", "22")
    assert words[5:7] == ("--", "far.example.com")
    assert words[7] == "'/srv/my site/.mcc/bin/mcc' send --site '/srv/my site; rm -rf /'"


def stream(tmp_path: Path, *names: str) -> bytes:
    """What a sender writes."""
    path = tmp_path / "data.db"
    run(path, "CREATE TABLE t (a TEXT)")
    with (tmp_path / "stream").open("wb") as file:
        sender = Sender(file)
        for name in names:
            place = tmp_path / "copy"
            contents = SqliteCopies().copy(SqliteDatabase(name, path), place, 1, False, lambda done, total: None)
            sender.add(name, place, contents)
            place.unlink()
        sender.end()
    return (tmp_path / "stream").read_bytes()


def fetched(tmp_path: Path, data: bytes) -> dict[str, tuple[Path, Contents]]:
    (tmp_path / "data").write_bytes(data)
    folder = tmp_path / "folder"
    folder.mkdir(exist_ok=True)
    return fetch(["cat", str(tmp_path / "data")], folder, lambda count: None)


def test_a_stream_that_is_cut_anywhere_is_not_taken_for_whole(tmp_path: Path) -> None:
    data = stream(tmp_path, "a", "b")
    end = data.rindex(b'{"copies": 2}')
    for length in (0, 1, 511, 512, 700, 1500, len(data) // 2, end - 1, end + 5):
        with pytest.raises(CopyFailed, match="is not whole"):
            fetched(tmp_path, data[:length])
        for path in (tmp_path / "folder").iterdir():
            path.unlink()
    found = fetched(tmp_path, data)
    assert {name: place.name for name, (place, _) in found.items()} == {"a": "0.fetched", "b": "1.fetched"}
    for place, contents in found.values():
        SqliteCopies().verify(place, contents)
        assert place.stat().st_mode & 0o777 == 0o600


def test_a_server_that_says_something_else_and_does_not_end_is_not_waited_for(tmp_path: Path) -> None:
    """What a login script says stands before the copies, and those are more than a pipe holds."""
    words = ["timeout", "10", "sh", "-c", "echo welcome to this server; head -c 3000000 /dev/zero | tr '\\0' x"]
    with pytest.raises(CopyFailed, match="ReadError"):
        fetch(words, tmp_path, lambda count: None)


def test_names_in_a_stream_lead_nowhere(tmp_path: Path) -> None:
    """Files get names of ours; links are refused."""
    import io
    import tarfile

    text = json.dumps({"name": "../../a", "kind": "sqlite", "size": 1, "sha256": "", "plain_size": 1, "migrations": []})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w|") as tar:
        for name, data in (("../../x.json", text.encode()), ("/etc/passwd", b"x"), ("end", b'{"copies": 1}')):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    (found,) = fetched(tmp_path, buffer.getvalue()).values()
    assert found[0] == tmp_path / "folder" / "0.fetched"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w|") as tar:
        info = tarfile.TarInfo("0.copy")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    with pytest.raises(CopyFailed, match="is no file"):
        fetched(tmp_path, buffer.getvalue())
