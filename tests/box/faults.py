"""Faults at a moment that is chosen: a deploy that waits there, and a small disk of the site's own.

The project's own step stands still before or after a phase until the gate is open; the gate lies outside of the site.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from box.harness import DEPLOY_HOME, DEPLOY_USER, Box, Result, Running, box_root
from box.notes import Notes, guardian, runner
from box.slotted import CONF, UNITS, WORKER, Load, Site
from box.whole import settle

_GATE = f"{DEPLOY_HOME}/gate"
BUILDS = {"UV_SYNC_ARGS": "['--no-default-groups']"}
"""A deploy that builds an environment of its own."""
_WAITS = f"""
import time
from pathlib import Path

from mcc import App, Context

app = App()


@app.WHEN("PHASE")
def wait(context: Context) -> None:
    while not Path("{_GATE}").exists():
        time.sleep(0.02)
    assert "fails" not in Path("{_GATE}").read_text(), "the project's own step fails"
"""
_CLOCK = """
import datetime
from pathlib import Path


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) - datetime.timedelta(days=int(Path("PLACE").read_text()))


datetime.datetime = Clock
"""
_AUTHORITY = """
[ca]
default_ca=d
[d]
database=index.txt
serial=serial
new_certs_dir=.
default_md=sha256
policy=p
x509_extensions=x
[p]
commonName=supplied
[x]
subjectAltName=DNS:NAME
"""
_SERIAL = "0A"
_MOUNT = """set -e
cp -a "$1" /var/tmp/site
mount -t tmpfs -o size=1g,mode=755 site "$1"
cp -a /var/tmp/site/. "$1"
rm -r /var/tmp/site
"""
_FILL = """
for try in $(seq 100); do
    used=$(df --output=used -B1 "$1" | tail -1)
    mount -o remount,size=$((used + $2)) "$1" 2>/dev/null && exit 0
done
exit 1
"""
_NO_INODES = """
for try in $(seq 100); do
    used=$(df --output=iused "$1" | tail -1)
    mount -o remount,nr_inodes=$((used + $2)) "$1" 2>/dev/null && exit 0
done
exit 1
"""


def begin(site: Notes, output: Path, when: str, phase: str, *words: str, **conf: str) -> Running:
    """Start a deploy; when this returns it stands still before or after a phase."""
    site.box.exec(["rm", "-f", _GATE])
    site.bring(output, conf=conf_of(site, conf))
    text = _WAITS.replace("WHEN", when).replace("PHASE", phase)
    site.box.write(f"{site.brought}/mcc_deploy.py", text, DEPLOY_USER)
    running = site.start_deploy_brought("--format", "jsonl", *words)
    assert running.process.stdout
    for line in running.process.stdout:
        event = json.loads(line)
        running.first = running.first or event
        if event["event"] == "step_started" and event["title"].startswith("wait, "):
            return running
    raise AssertionError(running.wait())


def go_on(site: Notes, running: Running, *, fails: bool = False) -> tuple[Result, list[dict[str, Any]]]:
    """Open the gate, or let the project's own step fail there; how the deploy ended, and what it said since."""
    site.box.write(_GATE, "fails" if fails else "go on")
    assert running.process.stdout
    events = [json.loads(line) for line in running.process.stdout]
    ended = running.wait(120.0)
    print(ended, *events, sep="\n")
    return ended, events


def deploy(site: Notes, output: Path, **conf: str) -> Result:
    """Without a stop on the way."""
    return site.deploy(output, **conf_of(site, conf))


def conf_of(site: Notes, conf: dict[str, str]) -> dict[str, str]:
    return {**(CONF if isinstance(site, Site) else {}), **conf}


def failure(events: list[dict[str, Any]]) -> str:
    """The last line of a run: its error."""
    assert events[-1]["event"] == "run_ended", events
    return str(events[-1]["error"])


@dataclass(frozen=True, slots=True)
class Before:
    """A site at rest, as it has to be again. Its version is asked of every domain."""

    site: Notes
    told: dict[str, object]

    @classmethod
    def of(cls, site: Notes) -> Before:
        settle(site)
        return cls(site, _look(site))

    @property
    def live(self) -> str:
        """The name of its release."""
        return str(self.told["live"])

    def assert_back(self) -> None:
        """Nothing of a run is left, and the services run what they ran."""
        settle(self.site)
        now = _look(self.site)
        keys = self.told.keys() | now.keys()
        changed = {key: (self.told.get(key), now.get(key)) for key in keys if self.told.get(key) != now.get(key)}
        assert changed == {}, changed

    def assert_left(self, version: str) -> None:
        """Another release is live as a whole."""
        settle(self.site)
        self.site.wait_for_version(version)
        told = self.site.status()
        assert (told["dead_runs"], told["changes"], told["changed_links"]) == ([], [], [])
        assert told["live"]["name"] != self.live


def _look(site: Notes) -> dict[str, object]:
    told = site.status()
    return {
        "versions": {site.version(domain) for domain in site.domains},
        "live": told["live"]["name"],
        "dead runs": told["dead_runs"],
        "crontab": site.box.crontab(),
        **site.facts(".mcc/"),
    }


@contextlib.contextmanager
def visitors(site: Notes) -> Iterator[Load]:
    """Somebody asks while the fault happens; into slots nobody may be refused, whatever it is."""
    with Load(site, ("new", "kept")).going_on() as load:
        yield load
    assert load.answers["new"], "nobody was served"
    if isinstance(site, Site):
        assert load.failed == []


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system of the site's own; what it holds when it is made is what the site holds."""

    site: Notes

    @classmethod
    def under(cls, site: Notes) -> Disk:
        units = (*UNITS, WORKER) if isinstance(site, Site) else site.units
        up = [unit for unit in units if site.box.state(unit) == "active"]
        version = site.version()
        site.box.exec(["systemctl", "stop", *up])
        site.box.exec(["bash", "-c", _MOUNT, "mount", site.base])
        site.box.exec(["systemctl", "start", *up])
        site.wait_for_version(version)
        return cls(site)

    def fill(self, left: int = 0) -> None:
        """From now on there is room for so many bytes more."""
        self.site.box.exec(["bash", "-c", _FILL, "fill", self.site.base, str(left)])

    def take_inodes(self, left: int = 0) -> None:
        """From now on so many files more can be made."""
        self.site.box.exec(["bash", "-c", _NO_INODES, "fill", self.site.base, str(left)])

    def make_room(self) -> None:
        self.site.box.exec(["mount", "-o", "remount,size=1g,nr_inodes=1000000", self.site.base])

    def close(self) -> None:
        """From now on nothing can be written by whoever goes there."""
        base = self.site.base
        self.site.box.exec(f"mount --bind {base} {base} && mount -o remount,bind,ro {base}")

    def open(self) -> None:
        self.site.box.exec(["umount", self.site.base])


def kill_both(site: Notes) -> None:
    """Nobody is left who knows of the run."""
    site.box.exec(["kill", "-9", guardian(site.box), runner(site.box)])


@contextlib.contextmanager
def without_sudo(site: Notes) -> Iterator[None]:
    """sudo allows nothing meanwhile."""
    site.box.exec("mv /etc/sudoers.d /etc/sudoers.off && mkdir -m 750 /etc/sudoers.d")
    try:
        yield
    finally:
        site.box.exec("rm -r /etc/sudoers.d && mv /etc/sudoers.off /etc/sudoers.d")


@contextlib.contextmanager
def another_uv(site: Notes, script: str) -> Iterator[None]:
    """Another program has uv's place, or none; the real one is ``uv.real`` meanwhile."""
    site.box.exec("mv /usr/local/bin/uv /usr/local/bin/uv.real")
    if script:
        site.box.write("/usr/local/bin/uv", script, mode=0o755)
    try:
        yield
    finally:
        site.box.exec("mv /usr/local/bin/uv.real /usr/local/bin/uv")


@contextlib.contextmanager
def clock(box: Box) -> Iterator[Callable[[int], None]]:
    """mcc has a clock of its own, which can be set back by so many days; a box has none that could be set."""
    place = f"{DEPLOY_HOME}/clock"
    box.exec(f"mv /usr/local/bin/mcc /usr/local/bin/mcc.real && echo 0 >{place}")
    box.write("/opt/clock/sitecustomize.py", _CLOCK.replace("PLACE", place))
    box.write("/usr/local/bin/mcc", '#!/bin/sh\nPYTHONPATH=/opt/clock exec /usr/local/bin/mcc.real "$@"\n', mode=0o755)
    try:
        yield lambda days: box.write(place, str(days))
    finally:
        box.exec("mv /usr/local/bin/mcc.real /usr/local/bin/mcc")


def expired_certificate(box: Box, name: str) -> None:
    """``/etc/ssl/certs/expired.crt`` and its key: of the authority that the box trusts, good until yesterday."""
    keys = box_root() / "keys"
    with tempfile.TemporaryDirectory() as folder:
        for file, text in (("ca.cnf", _AUTHORITY.replace("NAME", name)), ("index.txt", ""), ("serial", f"{_SERIAL}\n")):
            Path(folder, file).write_text(text)
        for words in (
            f"req -new -newkey rsa:2048 -nodes -keyout key.pem -out r.pem -subj /CN={name}",
            f"ca -batch -config ca.cnf -cert {keys}/ca.crt -keyfile {keys}/ca.key -in r.pem -out cert.pem -notext "
            f"-startdate 20200101000000Z -enddate {datetime.now(UTC) - timedelta(days=1):%Y%m%d%H%M%SZ}",
        ):
            subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)
        box.write("/etc/ssl/certs/expired.crt", Path(folder, "cert.pem").read_bytes())
        box.write("/etc/ssl/private/expired.key", Path(folder, "key.pem").read_bytes(), mode=0o600)
    box.exec(["tee", "-a", "/etc/hosts"], stdin=f"127.0.0.1 {name}\n")


def recover(site: Notes) -> Result:
    """By hand, with the site's own mcc."""
    words = [f"{site.base}/.mcc/bin/mcc", "recover", "--site", site.base, "--wait", "60"]
    return site.box.exec(words, DEPLOY_USER, check=False)
