"""One of the two sites of the demo: where it is, what serves it, how it is deployed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mcc.host.commands import RealCommands
from mcc.host.embedded import Embedded
from mcc.model.conf import EmbeddedService

Name = Literal["mcc", "script"]

SERVICE = "notes-api"
DOMAINS = ("app.box.test", "client.box.test")

CONFIG = """\
deploy:
  demo:
    allow_branches: "^main$"
    auto_branches: "-"
    parameters:
      conf: conf-demo.yml
      keep_builds: 10
"""

_CONF = """\
# Made by mcc demo. Both sides have this file; base and port are their own.
REMOTE_BASE: {base}
OWNERSHIP: none # no sudo here
STAGE: demo
API_PORT: {port}

SERVICE_MANAGER: embedded # no systemd here
SERVICES:
  - {service}
EMBEDDED_SERVICES:
  {service}:
    command: {command}
    directory: current-api
    listen: "127.0.0.1:{port}"

DOMAINS:
{domains}

CRON_JOBS:
  - schedule: "* * * * *"
    script: count_notes.sh
    log: count_notes.log
    marker: NOTES-COUNT
  - schedule: "15 2 * * *"
    script: backup.sh
    log: backup.log
    marker: NOTES-BACKUP

SMOKE_URLS: # without nginx there is no https
  - http://127.0.0.1:{port}/
  - http://127.0.0.1:{port}/api/public/health/health
"""


@dataclass(frozen=True, slots=True)
class Side:
    """``environment`` holds the variables of the deploy command."""

    name: Name
    folder: Path
    port: int
    environment: Mapping[str, str]

    @property
    def site(self) -> Path:
        return self.folder / "site"

    @property
    def tools(self) -> Path:
        """Comes first on the PATH of the deploy command."""
        return self.folder / "bin"

    @property
    def crontab(self) -> Path:
        """What stands for the user's crontab, which the demo leaves alone."""
        return self.folder / "crontab"

    @property
    def record(self) -> Path:
        """What the visitors got."""
        return self.folder / "visitors.jsonl"

    def output(self, version: int) -> Path:
        return self.folder / f"output-{version}"

    def log(self, version: int) -> Path:
        return self.folder / f"deploy-{version}.log"

    def deploy(self, *more: str) -> list[str]:
        """The command that deploys, to be run in an output folder."""
        if self.name == "mcc":
            return [sys.executable, "-P", "-m", "mcc", "deploy", "--stage", "demo", "--format", "jsonl", *more]
        return ["uv", "run", "--frozen", "mcc_deploy.py", "--stage", "demo"]

    def conf(self) -> str:
        """The text of ``conf-demo.yml``."""
        domains = "\n".join(f"  - {domain}" for domain in DOMAINS)
        base, command = json.dumps(str(self.site)), json.dumps(_command(self.site))
        return _CONF.format(base=base, port=self.port, service=SERVICE, command=command, domains=domains)


def _command(site: Path) -> list[str]:
    return [str(site / ".venv/bin/uvicorn"), "api.main:app", "--fd", "{SOCKET_FD}", "--no-access-log"]


def manager_of(site: Path, port: int | None = None) -> Embedded:
    """The service manager of a site; ``port`` is needed to start something."""
    service = EmbeddedService(SERVICE, tuple(_command(site)), site / "current-api", f"127.0.0.1:{port}")
    return Embedded(site, [service] if port else [], RealCommands())
