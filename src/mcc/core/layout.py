"""Every path of a site, named once.

::

    BASE/
      api/vrs-…/        ui/vrs-…/          versions of the components
      current-api       current-ui         links to the live versions
      .venv -> venvs/…  venvs/…/           environments, each built where it stays
      pyproject.toml    uv.lock            the live release's
      domains/<domain>/data.db, data.db    databases
      data/ logs/ scripts/ backups/        what lives longer than a release
      slots/{a,b}       run/{a,b}.sock     two slots of a template unit, run/current-api.sock -> the live one
      .mcc/                                what mcc knows
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

WIPED = ".gone"
"""Ends the name of what a run moved aside and has done with."""
VERSION = re.compile(r"vrs-(\d{4}-\d{2}-\d{2}T\d{6})")
_FORMAT = "vrs-%Y-%m-%dT%H%M%S"


@dataclass(frozen=True, slots=True)
class Site:
    """The paths of one site; ``base`` is ``REMOTE_BASE``."""

    base: Path

    @property
    def environment(self) -> Path:
        return self.base / ".venv"

    @property
    def environments(self) -> Path:
        return self.base / "venvs"

    @property
    def scripts(self) -> Path:
        return self.base / "scripts"

    @property
    def logs(self) -> Path:
        return self.base / "logs"

    @property
    def data(self) -> Path:
        return self.base / "data"

    @property
    def domains(self) -> Path:
        return self.base / "domains"

    @property
    def single_database(self) -> Path:
        return self.base / "data.db"

    @property
    def shared_database(self) -> Path:
        """The same with ``OWNERSHIP: acl``, where the service may make SQLite's side files; ``data.db`` links to it."""
        return self.data / self.single_database.name

    def database(self, domain: str) -> Path:
        """The database of one domain."""
        return self.domains / domain / "data.db"

    @property
    def variables(self) -> Path:
        """``.env``: secrets of the site, mode 0600."""
        return self.base / ".env"

    @property
    def own(self) -> Path:
        """``.mcc``: belongs to the deploy user alone."""
        return self.base / ".mcc"

    @property
    def lock(self) -> Path:
        return self.own / "lock"

    @property
    def frozen(self) -> Path:
        """While this file exists, no deploy begins; it says who wants that, since when and why."""
        return self.own / "frozen"

    @property
    def ledger(self) -> Path:
        return self.own / "releases.jsonl"

    def conf(self, release: str) -> Path:
        """The conf that a release was deployed with, as it was written (mode 0600): what cron's commands read."""
        return self.own / "conf" / f"{release}.yml"

    def material(self, release: str) -> Path:
        """What a way back to a release needs besides its folders: scripts, site files, project files (mode 0700)."""
        return self.own / "releases" / release

    def assets(self, release: str, folder: str) -> Path:
        """Which hashed files of a front end the release brought itself, and which it took over from older ones."""
        return self.material(release) / ".assets" / f"{folder}.json"

    @property
    def journals(self) -> Path:
        return self.own / "journal"

    def journal(self, run: str) -> Path:
        """The journal of a run that has not ended."""
        return self.journals / f"{run}.jsonl"

    def kept(self, run: str) -> Path:
        """Where a run keeps what it replaces, until it has ended."""
        return self.journals / f"{run}.kept"

    @property
    def asides(self) -> Path:
        return self.own / "aside"

    def aside(self, run: str) -> Path:
        """What a run moved out of the way, by the same names of the same files, until it is over."""
        return self.asides / run

    def wiped(self, run: str) -> Path:
        """The same behind the run's commit: nobody brings it back any more."""
        return self.asides / f"{run}{WIPED}"

    @property
    def runs(self) -> Path:
        return self.own / "runs"

    def record(self, run: str) -> Path:
        """All events of a run, for those who ask later."""
        return self.runs / f"{run}.jsonl"

    @property
    def tools(self) -> Path:
        return self.own / "tool"

    def tool(self, version: str) -> Path:
        """One version of mcc itself, kept with the site."""
        return self.tools / version

    @property
    def tool_command(self) -> Path:
        """The site's own ``mcc``."""
        return self.own / "bin" / "mcc"

    @property
    def scratch(self) -> Path:
        """What a run needs for a moment, and removes."""
        return self.own / "scratch"

    @property
    def maintenance(self) -> Path:
        """What visitors see while the site rests; the web server reads it, only the deploy user writes it."""
        return self.base / "maintenance"

    @property
    def maintenance_switch(self) -> Path:
        """While this file exists, the provisioned web server answers 503 with :attr:`maintenance_page`."""
        return self.maintenance / "on"

    @property
    def maintenance_page(self) -> Path:
        return self.maintenance / "page.html"

    def hooks(self, release: str) -> Path:
        """A release's own ``mcc_deploy.py`` with what it needs, for an undo after a crash."""
        return self.all_hooks / release

    @property
    def all_hooks(self) -> Path:
        return self.own / "hooks"

    @property
    def run(self) -> Path:
        """Sockets of the services; the service user writes here."""
        return self.base / "run"

    @property
    def slots(self) -> Path:
        """Which release each slot of a template unit runs: links ``a`` and ``b``, there while the slot may run."""
        return self.base / "slots"

    def slot(self, name: str) -> Path:
        """The link of one slot."""
        return self.slots / name

    def socket(self, slot: str) -> Path:
        """What a slot listens on."""
        return self.run / f"{slot}.sock"

    @property
    def current_socket(self) -> Path:
        """The link that nginx goes through at each connect: it leads to the socket of the live slot."""
        return self.run / "current-api.sock"

    @property
    def told(self) -> Path:
        """What people were told of last, so that they are not told of it every hour."""
        return self.own / "told.json"

    @property
    def unsent(self) -> Path:
        """Messages that somebody has not taken yet (mode 0600)."""
        return self.own / "unsent.jsonl"

    @property
    def notes(self) -> Path:
        """Which files mcc itself put into folders that others use too."""
        return self.own / "placed.json"


def version_name(now: datetime, taken: set[str]) -> str:
    """A new version's name: the UTC second, later than every name that is taken.

    Two deploys in one second get two names, and a clock that went back never gives an older one.
    """
    newest = max((name for name in taken if VERSION.fullmatch(name)), default="")
    name = now.strftime(_FORMAT)
    if name > newest:
        return name
    later = datetime.strptime(newest, _FORMAT) + timedelta(seconds=1)
    return later.strftime(_FORMAT)
