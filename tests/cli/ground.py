"""Ground to deploy on: an output folder, a site and a home, and the real ``mcc`` in a process of its own."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MCC = (sys.executable, "-P", "-m", "mcc")
MIGRATIONS = "shared/db/scripts/migrations"
LIMIT = 60.0

PYPROJECT = """\
[project]
name = "app"
version = "1"
requires-python = ">=3.11"
"""
# Nothing to install: an environment of it needs no network.
UV_LOCK = """\
version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "app"
version = "1"
source = { virtual = "." }
"""
CONFIG = """\
deploy:
  prod:
    allow_branches: "^main$"
    parameters:
      conf: conf-prod.yml
      keep_builds: 3
"""
BUILD_INFO = "build_number: 7\nbranch: main\ncommit_sha: c0ffee00\n"

Done = subprocess.CompletedProcess[str]
Traces = dict[str, tuple[Any, ...]]


@dataclass
class Ground:
    """``folder`` holds everything; ``site`` may lie elsewhere. ``lines`` are added to the conf."""

    folder: Path
    site: Path = Path()
    lines: list[str] = field(default_factory=list)
    path: str = ""
    wrapper: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.site = self.site if self.site != Path() else self.folder / "site"
        self.output.mkdir(parents=True)
        (self.folder / "home").mkdir()
        self.path = self.path or f"{self._programs()}:{sys.base_prefix}/bin:/usr/bin:/bin"
        self.write("config.yml", CONFIG)
        self.write("build_info.yml", BUILD_INFO)
        self.release("one")
        self.conf()

    def _programs(self) -> Path:
        """A folder with uv in it, which may be installed only beside the interpreter of the tests."""
        programs = self.folder / "bin"
        programs.mkdir()
        found = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
        if found is not None:
            (programs / "uv").symlink_to(found)
        return programs

    @property
    def output(self) -> Path:
        return self.folder / "output"

    def write(self, name: str, text: str | bytes) -> Path:
        """A file of the output."""
        path = self.output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def release(self, name: str) -> None:
        """A release of that name: a back end and a front end, without an environment."""
        self.write("api/main.py", f"NAME = {name!r}\n")
        self.write("ui/index.html", f"<h1>{name}</h1>\n")

    def conf(self, *lines: str, base: Path | str | None = None) -> None:
        """The conf of the stage ``prod``, with these lines at its end."""
        self.lines = [*self.lines, *lines]
        usual = {"OWNERSHIP": "none", "SERVICE_MANAGER": "none", "SMOKE_URLS": "[]"}
        said = {line.partition(":")[0] for line in self.lines}
        head = [f"REMOTE_BASE: {self.site if base is None else base}"]
        head += [f"{key}: {value}" for key, value in usual.items() if key not in said]
        self.write("conf-prod.yml", "\n".join([*head, *self.lines]) + "\n")

    def python(self) -> None:
        """The output gets an environment, with nothing in it."""
        self.write("pyproject.toml", PYPROJECT)
        self.write("uv.lock", UV_LOCK)

    def migration(self, name: str, sql: str = "CREATE TABLE notes (text)") -> None:
        """A migration of the single database."""
        self.write(f"migrations/{name}.sql", f"{sql};\n")

    # ---- running

    @property
    def environment(self) -> dict[str, str]:
        offline = {"UV_OFFLINE": "1", "UV_PYTHON_DOWNLOADS": "never"}
        home = str(self.folder / "home")
        return {"PATH": self.path, "HOME": home, "LANG": "C.UTF-8", **offline, **self.variables}

    def run(self, *words: str, program: Sequence[str] = MCC, cwd: Path | None = None) -> Done:
        """Run ``mcc`` to its end in the output folder."""
        return subprocess.run(
            [*self.wrapper, *program, *words], cwd=cwd or self.output, env=self.environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT,
        )  # fmt: skip

    def deploy(self, *words: str) -> Done:
        return self.run("deploy", "--stage", "prod", *words)

    def good(self, *words: str) -> Done:
        """A deploy that must succeed."""
        done = self.deploy(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    @contextlib.contextmanager
    def start(self, *words: str, program: Sequence[str] = MCC) -> Iterator[Running]:
        """A deploy in the background; whatever is left of it is ended in the end."""
        process = subprocess.Popen(
            [*program, "deploy", "--stage", "prod", *words], cwd=self.output, env=self.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        try:
            yield Running(process)
        finally:
            for pid in [*below(process.pid), process.pid] if process.poll() is None else []:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.communicate(timeout=LIMIT)

    # ---- looking

    def link(self, name: str = "current-ui") -> str | None:
        path = self.site / name
        return str(path.readlink()) if path.is_symlink() else None

    def page(self) -> str:
        """What a visitor gets."""
        return (self.site / "current-ui/index.html").read_text()

    def ledger(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.site / ".mcc/releases.jsonl").read_text().splitlines()]

    def journals(self) -> list[Path]:
        """Those of runs that have not ended."""
        return list((self.site / ".mcc/journal").glob("*.jsonl"))

    def is_at(self, *phases: str) -> bool:
        """Whether the step that a run began last is of one of these phases."""
        for path in self.journals():
            header, *entries = (
                json.loads(line) for line in path.read_text().rpartition("\n")[0].splitlines() or ["{}"]
            )
            begun = [entry["begin"] for entry in entries if "begin" in entry]
            if begun and header["plan"][begun[-1]]["phase"] in phases:
                return True
        return False

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.run("status", "--site", str(self.site), "--format", "json").stdout)
        return answer

    def traces(self) -> Traces:
        """Everything about every file of the output and the site: equal if nobody wrote anything.

        ``lib``, mcc itself in the site, has too many files to look at each.
        """
        return {**traces(self.folder, skip=("home", "lib")), **traces(self.site, skip=("lib",))}


@dataclass(frozen=True)
class Running:
    """A deploy that runs: its first process is the guardian, whose only child is the runner."""

    process: subprocess.Popen[str]

    @property
    def guardian(self) -> int:
        return self.process.pid

    @property
    def runner(self) -> int:
        (child,) = children(self.guardian)
        return child

    @property
    def all(self) -> list[int]:
        """These two, and the commands that run for them."""
        return [self.guardian, *below(self.guardian)]

    def end(self) -> Done:
        """Wait for its end."""
        out, err = self.process.communicate(timeout=LIMIT)
        return Done(self.process.args, self.process.returncode, out, err)


def children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def below(pid: int) -> list[int]:
    """All processes below one."""
    found = children(pid)
    return [*found, *(other for child in found for other in below(child))]


def wait_for(what: Callable[[], object], limit: float = LIMIT) -> None:
    deadline = time.monotonic() + limit
    while not what():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def traces(folder: Path, skip: Collection[str] = ()) -> Traces:
    """Mode, inode, size and times of all that is below a folder, and of the folder itself."""
    found: Traces = {}
    for path in [folder, *_below(folder, skip)]:
        try:
            info = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        # The text in the lock names its last holder, and is rewritten by whoever asks for the site.
        changes = () if path.match(".mcc/lock") else (info.st_size, info.st_mtime_ns, info.st_ctime_ns)
        found[str(path)] = (info.st_mode, info.st_ino, *changes)
    return found


def contents(folder: Path, skip: Collection[str] = (".mcc",)) -> Traces:
    """Names, modes, link targets and bytes below a folder: equal if all has been put back."""
    return {str(path.relative_to(folder)): _content(path) for path in _below(folder, skip)}


def _content(path: Path) -> tuple[Any, ...]:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return ("link", str(path.readlink()))
    if stat.S_ISREG(mode):
        return (oct(mode), hashlib.sha256(path.read_bytes()).hexdigest())
    return (oct(mode),)


def _below(folder: Path, skip: Collection[str]) -> Iterator[Path]:
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.name in skip:
            continue
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _below(path, skip)


def is_one_message(text: str) -> bool:
    """Whether standard error holds one message of mcc's, and nothing that only its makers understand."""
    return (
        text.startswith("mcc: ")
        and sum(line.startswith("mcc: ") for line in text.splitlines()) == 1
        and "Traceback" not in text
        and "a fault in mcc" not in text
    )
