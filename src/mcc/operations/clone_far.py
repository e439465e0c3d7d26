"""A clone's source on another server: its site's own mcc sends copies over ssh, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mcc.core.databases import targets
from mcc.core.layout import Site
from mcc.core.remote import ssh_words
from mcc.errors import SiteError, UsageError
from mcc.host.ports import Host
from mcc.model.conf import Conf
from mcc.model.database import Target
from mcc.model.plan import PlannedStep
from mcc.runs.databases import SiteDatabases
from mcc.steps.clone import FetchSources, SourceCopy


def far_databases(conf: Conf, host: Host) -> SiteDatabases:
    """The databases that a conf of another server names; nothing is asked. Raises Refused."""
    if len(conf.server.hosts) != 1:
        raise UsageError(f"{conf.path.name}: source: ssh needs one REMOTE_HOST, the server that the source is on")
    if host.commands.find("ssh") is None:
        raise SiteError("there is no ssh on this machine", help="install openssh-client")
    try:
        found = targets(conf, Site(conf.server.base))
    except ValueError as error:
        raise SiteError(f"{conf.path.name}: {error}") from error
    if not found:
        raise SiteError(f"{conf.path.name}: DATABASE: none: there is nothing to copy")
    return SiteDatabases(host, found)


def fetched(folder: Path, number: int, source: Target) -> Path:
    """Where a copy lies as it came: a dump is put in place from there, a file is copied once more."""
    return folder / (f"{number}.copy" if source.kind == "postgresql" else f"{number}.source")


def fetch_steps(conf: Conf, sources: Sequence[Target], folder: Path) -> Iterator[PlannedStep]:
    """Have the copies sent, all of one moment a database."""
    site, server = Site(conf.server.base), conf.server.hosts[0]
    names = [word for source in sources for word in ("--database", source.name)]
    words = ssh_words(conf.server, (str(site.tool_command), "send", "--site", str(site.base), *names))
    wanted = tuple((source.name, SourceCopy(fetched(folder, number, source))) for number, source in enumerate(sources))
    step = FetchSources(words, server, folder, wanted, conf.database.tracking)
    many = f"{len(sources)} databases" if len(sources) != 1 else sources[0].name
    yield PlannedStep("copy", f"have {server} send {many}", step)
