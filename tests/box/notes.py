"""The sample application on a server: what root sets up once, and what the deploy user does then.

Units, nginx site and sudo rules are the files of ``examples/notes/deploy``, letter by letter; a
second site gets them with another name, port and domain.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from box.harness import DEPLOY_HOME, DEPLOY_USER, SITES, Box, BoxError, Page, Result, Running, spec_sudoers, until
from box.layers import CHECKOUT

EXAMPLE = CHECKOUT / "examples/notes"
HEALTH = "/api/public/health/health"
DOMAINS = ("app.box.test", "client.box.test")
KEEPS_OPEN = """
import sqlite3, time
from shared.site import databases, site_base

every = [sqlite3.connect(path, isolation_level=None) for path in databases(site_base()).values()]
for each in every:
    each.execute("PRAGMA wal_autocheckpoint = 0")
    each.execute("INSERT INTO notes (text) VALUES ('only in the wal')")
while True:
    time.sleep(1)
"""


def build(output: Path, *options: str | Path) -> Path:
    """Make an output folder with the example's own build script, from the branch main."""
    words = [sys.executable, EXAMPLE / "mcc_build.py", "--output", output, "--branch", "main", *options]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return output


class Outputs:
    """The sample application's output folders; all have one lock, each is built once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = build(folder / "first") / "uv.lock"

    def __call__(self, *variants: str, single_tenant: bool = False) -> Path:
        name = "-".join((*variants, *(["single"] if single_tenant else []))) or "plain"
        output = self._folder / name
        if not output.exists():
            options = [word for variant in variants for word in ("--variant", variant)]
            options += ["--single-tenant"] if single_tenant else []
            build(output, "--lock", self._lock, "--build-number", "18", *options)
        return output


@dataclass(frozen=True, slots=True)
class Notes:
    """One site of the sample application in a box."""

    box: Box
    name: str = "notes-prod"
    port: int = 8000
    domains: tuple[str, ...] = DOMAINS

    # ---- what root does once

    @property
    def base(self) -> str:
        return f"{SITES}/{self.name}"

    @property
    def units(self) -> tuple[str, str]:
        return f"{self.name}-api.service", f"{self.name}-worker.service"

    def set_up(self) -> Notes:
        """Units, nginx site and sudo rules, as the first lines of the example's files say."""
        for part in ("api", "worker"):
            self.box.unit(f"{self.name}-{part}.service", self._own(f"deploy/notes-prod-{part}.service"))
        self.box.nginx_site(self._own("deploy/notes-prod.nginx.conf"), self.name)
        self.box.sudoers(self.rules())
        return self

    def rules(self) -> list[str]:
        """The sudo rules of the example, one a line."""
        lines = self._own("deploy/notes-prod.sudoers").splitlines()
        return [line for line in lines if line and not line.startswith("#")]

    def stop_rules(self) -> list[str]:
        """The lines that let both units be stopped, which a deploy as such does without."""
        return [f"{DEPLOY_USER} ALL=(root) NOPASSWD: /bin/systemctl stop {unit}" for unit in self.units]

    def _own(self, file: str) -> str:
        """A file of the example with this site's name, port and domains."""
        text = (EXAMPLE / file).read_text().replace("notes-prod", self.name)
        text = text.replace(" ".join(DOMAINS), " ".join(self.domains))
        return re.sub(r"\b8000\b", str(self.port), text)

    # ---- what the deploy user does

    def bring(self, output: Path, *, conf: Mapping[str, str] | None = None, folder: str = "output") -> str:
        """Put an output folder into the deploy user's home; ``conf`` replaces whole keys of conf-prod.yml."""
        place = f"{DEPLOY_HOME}/{folder}-{self.name}"
        self.box.exec(["rm", "-rf", place])
        self.box.push(output, place)
        text = self._conf((output / "conf-prod.yml").read_text(), conf or {})
        self.box.write(f"{place}/conf-prod.yml", text, DEPLOY_USER)
        return place

    def _conf(self, text: str, changes: Mapping[str, str]) -> str:
        text = text.replace("notes-prod", self.name).replace("NOTES-PROD", self.name.upper())
        wanted = {"API_PORT": str(self.port), **changes}
        if self.domains != DOMAINS:
            wanted.setdefault("DOMAINS", json.dumps(list(self.domains)))
        for key, value in wanted.items():
            text = without_key(text, key) + (f"{key}: {value}\n" if value else "")
        return text

    def mcc(self, *words: str, at: str | None = None, **options: Any) -> Result:
        """``mcc`` as the deploy user, in the output folder that was brought; any exit code is an answer."""
        return self.box.exec(["mcc", *words], DEPLOY_USER, cwd=at or self.brought, check=False, **options)

    def deploy(self, output: Path | None = None, *words: str, **conf: str) -> Result:
        """Bring an output folder, if there is one, and deploy it."""
        if output is not None:
            self.bring(output, conf=conf)
        return self.mcc("deploy", "--stage", "prod", *words)

    def start_deploy(self, output: Path, *words: str, **conf: str) -> Running:
        """The same in the background."""
        self.bring(output, conf=conf)
        return self.start_deploy_brought(*words)

    def start_deploy_brought(self, *words: str) -> Running:
        """Deploy what was brought, in the background."""
        return self.box.spawn(["mcc", "deploy", "--stage", "prod", *words], DEPLOY_USER, cwd=self.brought)

    @property
    def brought(self) -> str:
        return f"{DEPLOY_HOME}/output-{self.name}"

    # ---- what can be seen

    def get(self, path: str, domain: str | None = None) -> Page:
        """What a visitor gets, over https."""
        return self.box.http(path, host=domain or self.domains[0], https=True)

    def version(self, domain: str | None = None) -> str:
        """The version that answers a visitor."""
        page = self.get("/api/version", domain)
        return str(json.loads(page.body)["version"]) if page.status == 200 else f"status {page.status}"

    def wait_for_version(self, version: str, timeout: float = 60.0) -> None:
        """Return when every domain answers with this version."""
        deadline, seen = time.monotonic() + timeout, ""
        while time.monotonic() < deadline:
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                seen = ", ".join({self.version(domain) for domain in self.domains})
                if seen == version:
                    return
            time.sleep(0.05)
        raise AssertionError(f"not version {version} but {seen or 'nothing'} after {timeout:g} s")

    def post(self, text: str, domain: str | None = None) -> int:
        """Post a note as a visitor does; the answer's status."""
        host = domain or self.domains[0]
        with self.box.pool(host=host, https=True) as pool:
            headers = {"Host": host, "Content-Type": "application/json"}
            body = json.dumps({"text": text})
            answer = pool.request("POST", "/api/notes", body=body, headers=headers, retries=False)
        return answer.status

    def texts(self, domain: str | None = None) -> list[str]:
        """The newest notes that a visitor sees."""
        return [note["text"] for note in json.loads(self.get("/api/notes", domain).body)["notes"]]

    def link(self, name: str) -> str:
        return self.box.exec(["readlink", f"{self.base}/{name}"]).stdout.strip()

    def status(self) -> dict[str, Any]:
        """``mcc status`` of the site's own mcc, as data."""
        words = [f"{self.base}/.mcc/bin/mcc", "status", "--site", self.base, "--format", "json"]
        answer: dict[str, Any] = json.loads(self.box.exec(words, DEPLOY_USER, check=False).stdout)
        return answer

    def wait_until_at_rest(self) -> None:
        """Return when no run holds the site, and none that died is left; who holds it has no dead ones, says status."""

        def at_rest() -> bool:
            with contextlib.suppress(BoxError, ValueError):
                told = self.status()
                return not told["held_by"] and not told["dead_runs"]
            return False

        until(at_rest, f"an end of all runs at {self.base}")

    def migrations(self, domain: str) -> list[str]:
        """Names in the tracking table of a domain's database."""
        return self.sql(f"domains/{domain}/data.db", "SELECT name FROM migrations ORDER BY name")

    def sql(self, database: str, query: str) -> list[str]:
        """What the sqlite3 command says of a database of the site."""
        words = ["sqlite3", "-cmd", ".timeout 10000", f"{self.base}/{database}", query]
        return self.box.exec(words, "root").stdout.splitlines()

    def write_as_service(self, domain: str, text: str) -> Result:
        """Insert a note as the service user alone, without the deploy user's group."""
        words = ["sqlite3", "-bail", "-cmd", ".timeout 10000", f"{self.base}/domains/{domain}/data.db"]
        return self.box.exec([*words, f"INSERT INTO notes (text) VALUES ('{text}')"], "www-data", check=False)

    def wal(self, domain: str) -> int:
        """The size of what SQLite keeps beside a database until it is written into it."""
        words = ["stat", "-c", "%s", f"{self.base}/domains/{domain}/data.db-wal"]
        return int(self.box.exec(words, check=False).stdout or 0)

    def owners(self) -> set[str]:
        """Whom all belongs to that lies in ``domains/``; side files come and go meanwhile."""
        words = ["find", f"{self.base}/domains", "-printf", "%u:%g\n"]
        return set(self.box.exec(words, check=False).stdout.split())

    def facts(self, *without: str) -> dict[str, str]:
        """The whole site but for what lives on: databases and their copies, logs, and what else is named."""
        lives_on = ("domains/", "backups", "logs/", *without)
        return {name: facts for name, facts in self.box.tree(self.base).items() if not name.startswith(lives_on)}

    def starts(self) -> dict[str, str]:
        """Each unit with the id that systemd gave to its last start."""
        return {unit: self.box.exec(["systemctl", "show", "-P", "InvocationID", unit]).stdout for unit in self.units}


@dataclass(frozen=True, slots=True)
class FirstDeploy:
    """The first deploy of a site: what it said, and the site right after it."""

    notes: Notes
    result: Result
    tree: dict[str, str]


def reach(running: Running, phase: str, title: str = "") -> None:
    """Read what a deploy says until a step of a phase begins."""
    assert running.process.stdout
    seen = []
    for line in running.process.stdout:
        event = json.loads(line)
        seen.append(event)
        if event["event"] == "run_started":
            running.first = event
        if event["event"] == "step_started" and (event["phase"], event["title"][: len(title)]) == (phase, title):
            return
    raise AssertionError(f"no step of {phase}: {seen}")


def rest(running: Running) -> tuple[Result, list[dict[str, Any]]]:
    """How a deploy ended, with its first event and what it said since :func:`reach`."""
    assert running.process.stdout
    lines = list(running.process.stdout)
    return running.wait(), [running.first, *map(json.loads, lines)]


@contextlib.contextmanager
def authors(site: Notes) -> Iterator[dict[str, list[str]]]:
    """Somebody writes a note after the other in each domain; those that were accepted."""
    kept: dict[str, list[str]] = {domain: [] for domain in site.domains}
    stop = threading.Event()

    def write(domain: str) -> None:
        number = 0
        while not stop.is_set():
            text, number = f"note {number} for {domain}", number + 1
            with contextlib.suppress(urllib3.exceptions.HTTPError):  # while the services are restarted
                if site.post(text, domain) == 201:
                    kept[domain].append(text)

    threads = [threading.Thread(target=write, args=(domain,)) for domain in site.domains]
    for thread in threads:
        thread.start()
    try:
        yield kept
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def leave_wal(site: Notes) -> None:
    """Both services are down, killed with a note in each domain that is in its -wal alone: 'only in the wal'."""
    api, worker = site.units
    work = f"{site.base}/{site.link('current-api')}/worker/main.py"
    text = site.box.read(work)
    site.box.exec(["tee", work], stdin=KEEPS_OPEN)
    site.box.exec(["systemctl", "stop", api])
    site.box.exec(["systemctl", "restart", worker])
    until(lambda: all(site.wal(domain) for domain in site.domains), "a -wal in each domain")
    site.box.exec(f"systemctl kill -s KILL {worker}; systemctl stop {worker}")
    site.box.exec(["tee", work], stdin=text)
    assert all(site.wal(domain) for domain in site.domains)


def guardian(box: Box) -> str:
    """The process that was started, and stays when the other dies."""
    return box.exec(["pgrep", "-o", "-u", DEPLOY_USER, "-f", "mcc deploy --stage"]).stdout.strip()


def runner(box: Box) -> str:
    """The process that deploys."""
    return box.exec(["pgrep", "-P", guardian(box), "-f", "mcc deploy --stage"]).stdout.strip()


def without_key(text: str, key: str) -> str:
    """A conf file without one key: its line, and the indented lines below it."""
    return re.sub(rf"^{key}:.*\n(?:[ #-].*\n)*", "", text, flags=re.M)


def rules_of(sites: Iterable[Notes]) -> list[str]:
    """The sudo rules of several sites in one file."""
    return [line for site in sites for line in site.rules()]


__all__ = [
    "DOMAINS", "EXAMPLE", "HEALTH", "KEEPS_OPEN", "Notes", "authors", "build", "guardian", "leave_wal", "reach", "rest",
    "rules_of", "runner", "spec_sudoers", "without_key",
]  # fmt: skip
