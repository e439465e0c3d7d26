"""Which release a rollback goes to, and which one it leaves."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from mcc.core.freeze import LONGEST, one_line
from mcc.core.layout import Site
from mcc.core.ledger import Ledger
from mcc.core.masking import Masker
from mcc.core.nearest import did_you_mean
from mcc.core.slots import template_of
from mcc.deploy.adoption import look_for_adoption
from mcc.errors import SiteError, UsageError
from mcc.host.files import RealFiles
from mcc.host.ports import Files
from mcc.host.settings import read_conf
from mcc.model.conf import Component, Conf
from mcc.model.release import Release
from mcc.runs.changes import is_as_recorded
from mcc.runs.ledger import read_ledger
from mcc.runs.standing import environment_stands, obstacle, obstacles

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RollbackRequest:
    """``release`` is what is gone back to; ``conf`` what it was deployed with. ``wanted`` was named by a person.

    ``leaving`` is live; ``bad``: why nobody wants that one back. ``whole`` is the environment of what is live, if it
    was looked at just now and nobody had changed it.
    """

    site: Site
    release: Release
    conf: Conf
    wanted: str | None = None
    warnings: tuple[str, ...] = ()
    leaving: str = ""
    bad: str | None = None
    whole: str = ""

    @property
    def masker(self) -> Masker:
        return Masker(self.conf.secrets)


def read_rollback(base: Path, wanted: str | None, bad: str | None = None) -> RollbackRequest:
    """The release that is asked for, with its conf; ``bad``: what is said of the one that is live. Raises Refused."""
    site, files = Site(base.absolute()), RealFiles()
    bad = None if bad is None else bad_reason(bad)
    ledger = read_ledger(files, site)
    release = choose(files, site, ledger, wanted)
    leaving = what_is_left(files, site, ledger, release, bad)
    path = site.conf(release.name)
    warnings: tuple[str, ...] = ()
    if files.kind(path) != "file" and ledger.live is not None:
        path = site.conf(ledger.live.name)
        words = f"{release.name} was deployed by an older mcc, which kept no conf: that of {ledger.live.name} counts"
        warnings = (words,)
    if files.kind(path) != "file":
        raise SiteError(f"{path} is missing: an older mcc deployed this release", help="deploy it again")
    conf = read_conf(path.parent, path.name)
    if conf.server.base != site.base:
        raise SiteError(f"{path} is the conf of another site: REMOTE_BASE is {conf.server.base}")
    whole = whole_environment(files, site, ledger.live, release) if template_of(conf.services) else ""
    return RollbackRequest(site, release, conf, wanted, (*warnings, *conf.warnings), leaving, bad, whole)


def whole_environment(files: Files, site: Site, live: Release | None, release: Release) -> str:
    """The environment of what is live, if nobody has changed it; that of the other release is looked at by
    :func:`choose`.
    """
    if live is None or not live.environment or live.environment == release.environment:
        return ""
    return live.environment if environment_stands(files, site, live) else ""


def bad_reason(text: str) -> str:
    """Why a release is bad, on one line. Raises UsageError."""
    reason = one_line(text)
    if not reason or len(reason) > LONGEST:
        help = f"a few words, at most {LONGEST} characters, for those who see the release later"
        raise UsageError("--mark-bad needs a reason" if not reason else "the reason is too long", help=help)
    return reason


def what_is_left(files: Files, site: Site, ledger: Ledger, release: Release, bad: str | None) -> str:
    """The name of what is live. Raises UsageError if it is to be marked bad, and to come live again."""
    live = with_what_is_live(files, site, ledger).live
    name = live.name if live else ""
    if bad is not None and name == release.name:
        raise UsageError(f"{name} is live: --mark-bad marks what is left, and this goes to the same release")
    return name


def choose(files: Files, site: Site, ledger: Ledger, wanted: str | None, running: str = "") -> Release:
    """The release before what is live, or the one of that name. Raises Refused with those that there are.

    ``running``: the release whose process is still up, if there is one.
    """
    ledger = with_what_is_live(files, site, ledger)
    live = ledger.live
    if live is None:
        raise UsageError(f"nothing that mcc knows is live at {site.base}", help="is that the site's REMOTE_BASE?")
    release = ledger.before(live.name) if wanted is None else ledger.get(wanted)
    if release is None and wanted is None:
        raise UsageError(f"nothing that is kept was live before {live.name}", help=_possible(files, site, ledger))
    if release is None:
        hints = [did_you_mean(str(wanted), list(ledger.order)), _possible(files, site, ledger)]
        raise UsageError(f"there is no release {wanted!r}", help="; ".join(filter(None, hints)))
    altered = release.state == "live" and not is_as_recorded(files, site, release)
    standing = dataclasses.replace(release, state="good") if altered else release
    problem = obstacle(files, site, standing, running=release.name == running)
    if problem:
        raise SiteError(f"there is no way back to {release.name}: {problem}", help=_possible(files, site, ledger))
    return release


def _possible(files: Files, site: Site, ledger: Ledger) -> str:
    found = [name for name, problem in obstacles(files, site, ledger.standing()).items() if not problem]
    return f"there is a way back to: {', '.join(found)}" if found else "there is none that can be gone back to"


def with_what_is_live(files: Files, site: Site, ledger: Ledger) -> Ledger:
    """The ledger, with what a script or a person has made live since."""
    live = ledger.live
    if live is None:
        return ledger
    components = components_of(files, site, live)
    adopted = look_for_adoption(files, site, ledger, components, (), _NEVER, "", live.stage).release
    return ledger.with_live(adopted) if adopted else ledger


def components_of(files: Files, site: Site, release: Release) -> tuple[Component, ...]:
    """The components that a release has, by its folders and links; they have no sources."""
    found = []
    for folder in map(PurePosixPath, release.folders):
        targets = ((link, PurePosixPath(target)) for link, target in release.links)
        links = tuple((link, str(path.relative_to(folder))) for link, path in targets if path.is_relative_to(folder))
        has_environment = files.kind(site.base / folder / ".venv") == "link"
        adopted = release.origin == "adopted" and folder == PurePosixPath(release.folders[0])
        name = str(folder.parent)
        found.append(Component(name, name, (), links, has_environment or adopted))
    return tuple(found)
