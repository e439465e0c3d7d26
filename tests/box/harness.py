"""A booted Debian as a test sees it: :class:`Box`.

``box.sh`` beside this file makes it and takes it away; ``layers.py`` puts mcc into it. Here is
what a test does inside: run commands as some user, place files, write units, sites and sudo rules,
and ask the web server. Everything happens *in* the box, through its namespaces, so that a link in
the box can never lead to a file of the host.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

import urllib3

HERE = Path(__file__).resolve().parent
RECIPE = HERE / "box.sh"
DEPLOY_USER = "stenvala"
DEPLOY_HOME = "/home/stenvala"
SITES = "/home/stenvala/live"
CA_IN_BOX = "/usr/local/share/ca-certificates/mcc-box.crt"
CERTIFICATE = ("/etc/ssl/certs/box.crt", "/etc/ssl/private/box.key")
"""Certificate and key for ``box.test`` and ``*.box.test``, trusted by the whole box."""

SPEC_PATHS = ("api", "ui", "domains", "logs", "data", "data.db")
"""What the specification hands to the service user, below the base of a site."""

_WRITE = """set -e
runuser -u "$2" -- mkdir -p "$4" 2>/dev/null || mkdir -p "$4"
cat >"$1"; chown "$2:" "$1"; chmod "$3" "$1"
"""

Words = Sequence[str | os.PathLike[str]]


class BoxError(Exception):
    """Something that a test took for granted did not happen; the message shows the evidence."""


@dataclass(frozen=True, slots=True)
class Result:
    """A command that has ended in a box."""

    words: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def output(self) -> str:
        """Standard output, then standard error."""
        return self.stdout + self.stderr

    def __str__(self) -> str:
        return f"{shlex.join(self.words)}: exit code {self.code}\n{self.output}"


@dataclass(frozen=True, slots=True)
class Page:
    """What a web server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


class Running:
    """A command that is still going on in a box; see :meth:`Box.spawn`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.first: dict[str, object] = {}
        """The first event of a deploy that says its events as JSON lines, once somebody has read it."""

    def signal(self, number: int) -> None:
        """Send a signal to the command and its children, as a terminal would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def wait(self, timeout: float = 60.0) -> Result:
        """The result; a command that is not done in time is killed, and BoxError raised."""
        words = tuple(str(word) for word in self.process.args)  # type: ignore[union-attr]
        try:
            stdout, stderr = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as late:
            self.signal(signal.SIGKILL)
            stdout, stderr = self.process.communicate()
            raise BoxError(f"not done after {timeout:g} s: {shlex.join(words)}\n{stdout}{stderr}") from late
        return Result(words, self.process.returncode, stdout, stderr)


class Boxes(Protocol):
    """Starts boxes that are taken down after the test: the fixture ``boxes``."""

    def __call__(
        self, *, mcc: bool = True, disk: str = "4g", own_uv_cache: bool = False, above: Sequence[Path] = ()
    ) -> Box: ...


def recipe(*words: str | Path, **variables: str) -> str:
    """Run ``box.sh`` and return what it prints. Raises BoxError with its errors."""
    done = subprocess.run(
        [RECIPE, *words], capture_output=True, text=True, env={**os.environ, "BOX_UV": _uv(), **variables}
    )
    if done.returncode != 0:
        raise BoxError(f"box.sh {shlex.join(map(str, words))} failed\n{done.stderr.strip()}")
    return done.stdout.strip()


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    return os.environ.get("BOX_UV") or (str(beside) if beside.exists() else "")


def until(condition: Callable[[], bool], what: str, timeout: float = 60.0) -> None:
    """Return when something is so. Raises BoxError when it still is not after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise BoxError(f"waited {timeout:g} s for {what}")
        time.sleep(0.1)


def box_root() -> Path:
    """The folder in which bases, layers and boxes are kept."""
    default = Path(os.environ.get("TMPDIR") or "/tmp") / "mcc-box"
    return Path(os.environ.get("MCC_BOX_ROOT") or default).resolve()


def spec_sudoers(
    base: str | os.PathLike[str],
    units: Iterable[str],
    user: str = "www-data",
    group: str = DEPLOY_USER,
    *,
    paths: Iterable[str] = SPEC_PATHS,
    deployer: str = DEPLOY_USER,
) -> list[str]:
    """The sudoers lines that the specification's deploy needs, whole command lines, no wildcard.

    ``restart`` and ``status`` of each unit, ``chown`` and ``chmod`` of each of ``paths`` below
    ``base``. A colon in an argument is written with a backslash (sudoers(5)).
    """
    commands = [f"/bin/systemctl {verb} {unit}" for unit in units for verb in ("restart", "status")]
    for path in paths:
        target = PurePosixPath(base) / path
        commands += [f"/bin/chown -R {user}\\:{group} {target}", f"/bin/chmod -R g+rw {target}"]
    return [f"{deployer} ALL=(root) NOPASSWD: {command}" for command in commands]


class Box:
    """One booted Debian, about a second old, that no other test sees.

    ``ip`` is its address, reachable from this machine only. ``root`` is its root folder as this
    machine sees it: good for looking at what is on disk after the box has been stopped hard; never
    follow links there.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = box_root() / "run" / name
        self.root = self.folder / "root"
        self.ip = self._fact("ip")
        self.leader = self._fact("leader")
        self.ssh_config = self.folder / "ssh.conf"

    def _fact(self, name: str) -> str:
        return (self.folder / name).read_text().strip()

    @classmethod
    def start(cls, layers: Sequence[Path] = (), *, disk: str = "4g", own_uv_cache: bool = False) -> Box:
        """Boot a fresh box over these layers, the first on top. Raises BoxError with the console.

        ``disk``: how much it may write in all, such as ``64m``. ``own_uv_cache``: a copy of the
        warmed cache lies in the deploy user's home, where hard links to the sites are possible;
        otherwise it is a folder of the host that all boxes share, on a file system of its own.
        """
        variables = {"BOX_DISK": disk, "BOX_OWNER": str(os.getpid())}
        if own_uv_cache:
            variables["BOX_OWN_CACHE"] = "1"
        return cls(recipe("up", *layers, **variables))

    def reboot(self) -> None:
        """Stop it hard, as when somebody pulls the plug, and boot it again; what was written is there."""
        recipe("reboot", self.name)
        self.leader = self._fact("leader")

    def down(self) -> None:
        """Stop it hard and remove all that it left; a box that is gone is fine."""
        recipe("down", self.name)

    def copy_disk(self, folder: Path, *units: str) -> Path:
        """A layer of all that was written here so far, for other boxes; ``units`` and databases rest meanwhile."""
        resting = [*units, "nginx", "cron", "postgresql@15-main"]
        self.exec(["systemctl", "stop", *resting])
        for part, place in (("upper", folder), ("home", folder / "home")):
            subprocess.run(["cp", "-aT", self.folder / "disk" / part, place], check=True)
        self.exec(["systemctl", "start", *resting])
        return folder

    # ---- commands

    def exec(
        self,
        words: Words | str,
        user: str | None = None,
        *,
        check: bool = True,
        timeout: float = 120.0,
        env: Mapping[str, str] | None = None,
        stdin: bytes | str | None = None,
        cwd: str | None = None,
        net: bool = False,
    ) -> Result:
        """Run a command to its end, as root or as ``user``, in the user's home or in ``cwd``.

        A string is read by bash, a list is run as it is. ``env`` is added to a clean environment
        like that of cron and ssh. ``net``: with the host's network, so that uv reaches the package
        index, but not the box's own servers; without it uv uses its cache only. Raises BoxError if
        the command does not end within ``timeout`` seconds, or fails and ``check`` is set.
        """
        full = self._words(words, user, env or {}, cwd, net)
        result = self._run(full, stdin.encode() if isinstance(stdin, str) else stdin, timeout)
        shown = Result((words,) if isinstance(words, str) else tuple(map(str, words)), *result)
        if check and not shown.ok:
            raise BoxError(f"in {self.name}, as {user or 'root'}: {shown}")
        return shown

    def spawn(
        self,
        words: Words | str,
        user: str | None = None,
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        net: bool = False,
    ) -> Running:
        """Start a command and leave it running: for tests that kill, interrupt or watch it."""
        return Running(
            subprocess.Popen(
                self._words(words, user, env or {}, cwd, net),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        )

    def command(self, words: Words, user: str | None = None) -> list[str]:
        """The words that run a command in the box, for a test that starts it by other means."""
        return self._words(words, user, {}, None, False)

    def _words(
        self, words: Words | str, user: str | None, env: Mapping[str, str], cwd: str | None, net: bool
    ) -> list[str]:
        spaces = ["-m", "-u", "-i", "-p", "-C", *([] if net else ["-n"])]
        drop = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
        variables = {**_environment(user, self._home(user), net), **env}
        command = ["bash", "-c", words] if isinstance(words, str) else [os.fspath(word) for word in words]
        folder = f"--chdir={cwd or self._home(user)}"
        pairs = [f"{name}={value}" for name, value in variables.items()]
        return ["nsenter", "-t", self.leader, *spaces, "--", *drop, "env", "-i", folder, *pairs, *command]

    def _home(self, user: str | None) -> str:
        return {
            None: "/root",
            "root": "/root",
            "www-data": "/var/www",
            "postgres": "/var/lib/postgresql",
        }.get(user, f"/home/{user}")

    def _run(self, words: list[str], stdin: bytes | None, timeout: float) -> tuple[int, str, str]:
        source = subprocess.PIPE if stdin is not None else subprocess.DEVNULL
        with subprocess.Popen(
            words, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        ) as process:
            try:
                out, err = process.communicate(stdin, timeout)
            except subprocess.TimeoutExpired as late:
                os.killpg(process.pid, signal.SIGKILL)
                out, err = process.communicate()
                text = (out + err).decode("utf-8", "replace")
                raise BoxError(f"not done after {timeout:g} s: {shlex.join(words)}\n{text}") from late
        return process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")

    def ssh(self, command: str, *, check: bool = True, timeout: float = 60.0) -> Result:
        """Run a command line over ssh, as the deploy user: a real login, with PAM and a session."""
        words = ["ssh", "-F", str(self.ssh_config), self.name, command]
        result = Result(tuple(words), *self._run(words, None, timeout))
        if check and not result.ok:
            raise BoxError(str(result))
        return result

    # ---- files

    def write(self, path: str, text: str | bytes, owner: str = "root", mode: int = 0o644) -> None:
        """Put a file in place, with the folders above it (these as ``owner`` too)."""
        above = str(PurePosixPath(path).parent)
        self.exec(["bash", "-c", _WRITE, "write", path, owner, f"{mode:o}", above], stdin=text)

    def read(self, path: str) -> str:
        """The text of a file. Raises BoxError if there is none."""
        return self.exec(["cat", path]).stdout

    def exists(self, path: str) -> bool:
        """Whether there is something under this name; a link that leads nowhere is something."""
        return self.exec(["test", "-e", path, "-o", "-L", path], check=False).ok

    def push(self, folder: Path, path: str, owner: str = DEPLOY_USER) -> None:
        """Copy all that is in a folder of this machine into a folder of the box, as ``owner``'s."""
        script = 'install -d -o "$2" -g "$2" "$1" && tar -C "$1" --same-owner -xf -'
        pack = ["tar", "-C", str(folder), f"--owner={owner}", f"--group={owner}", "-cf", "-", "."]
        unpack = self._words(["bash", "-c", script, "push", path, owner], None, {}, None, False)
        with subprocess.Popen(pack, stdout=subprocess.PIPE) as source:
            done = subprocess.run(unpack, stdin=source.stdout, capture_output=True, text=True)
        if source.returncode != 0 or done.returncode != 0:
            raise BoxError(f"pushing {folder} to {path} failed\n{done.stderr}")

    def tree(self, path: str) -> dict[str, str]:
        """Everything below a folder, to compare before and after.

        Name to ``f MODE OWNER:GROUP SIZE``, ``d MODE OWNER:GROUP`` or ``l -> TARGET``.
        """
        listing = self.exec(["find", path, "-mindepth", "1", "-printf", r"%P\t%y %m %u:%g %s %l\n"]).stdout
        pairs = (line.split("\t", 1) for line in sorted(listing.splitlines()))
        return {name: _telling(facts) for name, facts in pairs}

    # ---- the server

    def sudoers(self, lines: Iterable[str]) -> None:
        """What sudo allows from now on, in place of what a test said before. visudo checks it first."""
        text = "".join(f"{line}\n" for line in lines)
        self.write("/etc/sudoers.box", text, mode=0o440)
        checked = self.exec(["visudo", "-c", "-f", "/etc/sudoers.box"], check=False)
        if not checked.ok:
            raise BoxError(f"these are no sudo rules:\n{text}{checked.output}")
        self.exec(["mv", "/etc/sudoers.box", "/etc/sudoers.d/box"])

    spec_sudoers = staticmethod(spec_sudoers)

    def unit(self, name: str, text: str, *, enable: bool = True, start: bool = False) -> None:
        """Write a unit file and have systemd read it; ``name`` with its ending (``app.service``)."""
        self.write(f"/etc/systemd/system/{name}", text)
        self.exec(["systemctl", "daemon-reload"])
        if enable:
            self.exec(["systemctl", "-q", "enable", name])
        if start:
            self.exec(["systemctl", "start", name])

    def state(self, unit: str) -> str:
        """``active``, ``failed``, ``activating``, ``inactive``."""
        return self.exec(["systemctl", "is-active", unit], check=False).stdout.strip()

    def journal(self, unit: str) -> str:
        """What a unit has logged."""
        return self._logged("-u", unit)

    def sudo_log(self) -> str:
        """What sudo has logged since the box was made: a line for each command that it ran or refused."""
        return self._logged("-t", "sudo")

    def _logged(self, *matches: str) -> str:
        """``--sync``: journald is told of a line before it can be read (journalctl(1))."""
        self.exec(["journalctl", "--sync"])
        return self.exec(["journalctl", "--no-pager", "-o", "cat", *matches]).stdout

    def nginx_site(self, text: str, name: str = "site") -> None:
        """Write a site (``server {…}`` blocks), check it, and have nginx serve it when this returns."""
        self.write(f"/etc/nginx/sites-enabled/{name}", text)
        checked = self.exec(["nginx", "-t"], check=False)
        if not checked.ok:
            raise BoxError(f"this is no site for nginx:\n{text}\n{checked.output}")
        self.exec(["systemctl", "reload-or-restart", "nginx"])
        for port in set(re.findall(r"listen (\d+)", text)):  # a reload returns before new sockets are there
            until(lambda port=port: bool(self.exec(["ss", "-Hltn", f"sport = :{port}"]).stdout), f"nginx on {port}")

    def certificate(self, *names: str) -> tuple[str, str]:
        """A certificate for these names, which lead to this box inside it: the paths of it and its key."""
        crt, key = f"/etc/ssl/certs/{names[0]}.crt", f"/etc/ssl/private/{names[0]}.key"
        with _temporary(self.folder, "crt") as made, _temporary(self.folder, "key") as secret:
            recipe("certify", made, secret, *names)
            self.write(crt, made.read_bytes())
            self.write(key, secret.read_bytes(), mode=0o600)
        self.exec(["tee", "-a", "/etc/hosts"], stdin=f"127.0.0.1 {' '.join(names)}\n")
        return crt, key

    def crontab(self, user: str = DEPLOY_USER) -> str:
        """A user's crontab, byte for byte; empty if there is none."""
        return self.exec(["crontab", "-l", "-u", user], check=False).stdout

    def http(
        self, path: str = "/", *, host: str = "box.test", https: bool = False, timeout: float = 10.0
    ) -> Page:
        """One GET from this machine; ``host`` says which site. Redirects are not followed.

        Raises urllib3's errors when nothing answers.
        """
        with self.pool(host=host, https=https, timeout=timeout) as pool:
            answer = pool.request("GET", path, headers={"Host": host}, redirect=False, retries=False)
        return Page(answer.status, dict(answer.headers), answer.data)

    def pool(
        self, *, host: str = "box.test", https: bool = False, timeout: float = 10.0
    ) -> urllib3.HTTPConnectionPool:
        """Kept connections to this box, for load; ``host`` is the name that its certificate must carry."""
        if not https:
            return urllib3.HTTPConnectionPool(self.ip, 80, timeout=timeout)
        return urllib3.HTTPSConnectionPool(
            self.ip, 443, timeout=timeout, server_hostname=host, assert_hostname=host,
            ca_certs=str(box_root() / "keys" / "ca.crt"),
        )  # fmt: skip


def _environment(user: str | None, home: str, net: bool) -> dict[str, str]:
    name = user or "root"
    path = "/usr/local/bin:/usr/bin:/bin"
    if name == "root":
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    variables = {
        "HOME": home,
        "USER": name,
        "LOGNAME": name,
        "SHELL": "/bin/bash",
        "LANG": "C.UTF-8",
        "PATH": path,
    }
    if net:  # uv brings its own list of authorities: a proxy's on the host would not be among them
        return {**variables, "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt", **index_settings()}
    return {**variables, "UV_OFFLINE": "1"}  # no retries against a network that is not there


def index_settings() -> dict[str, str]:
    """Where the host finds packages, if not at the usual place."""
    wanted = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    names = [*wanted, *(name.lower() for name in wanted[2:])]
    return {name: os.environ[name] for name in names if os.environ.get(name)}


def _telling(facts: str) -> str:
    """Without what says nothing: the size of a folder, mode, owner and size of a link."""
    kind, mode, owner, size, target = facts.split(" ", 4)
    return {"d": f"d {mode} {owner}", "l": f"l -> {target}"}.get(kind, f"{kind} {mode} {owner} {size}")


@contextlib.contextmanager
def _temporary(folder: Path, ending: str) -> Iterator[Path]:
    path = folder / f"new.{ending}"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
