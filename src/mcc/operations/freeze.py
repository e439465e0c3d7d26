"""``mcc freeze`` and ``mcc unfreeze``: one file that deploys respect.

No lock is taken and no journal written: a site can be frozen while a run goes on, which ends as it would have, and
while one lies dead that a person wants to look at. The file comes and goes in one rename.
"""

from __future__ import annotations

from mcc.core.freeze import LONGEST, Frozen, frozen_text, one_line
from mcc.core.layout import Site
from mcc.errors import SiteError, UsageError
from mcc.host.ports import Host
from mcc.runs.frozen import frozen
from mcc.runs.run import nothing_changed, refuse_another_user


def freeze(site: Site, reason: str, host: Host) -> Frozen:
    """Freeze a site. Raises SiteError if it is frozen already: the reason that stands there is not lost."""
    reason = a_reason(reason)
    with nothing_changed():
        refuse_another_user(site, host)
        found = frozen(site, host.files)
        if found is not None:
            help = f"mcc unfreeze --site {site.base} ends that; then freeze it with a reason of your own"
            raise SiteError(f"{site.base} is frozen already, {found.words}", help=help)
        host.files.make_folder(site.own)
        host.files.write(site.frozen, frozen_text(host.machine.user(), host.clock.now(), reason))
    return frozen(site, host.files) or Frozen()


def unfreeze(site: Site, host: Host) -> Frozen | None:
    """End it; the answer is what it was, None if the site was not frozen. Raises SiteError."""
    with nothing_changed():
        refuse_another_user(site, host)
        found = frozen(site, host.files)
        if found is not None and host.files.kind(site.frozen) == "folder":
            raise SiteError(f"{site.frozen} is a folder, which mcc did not make", help="remove it by hand")
        host.files.remove(site.frozen)
    return found


def a_reason(text: str) -> str:
    """One line of a person's words. Raises UsageError for one that is too long."""
    reason = one_line(text)
    if len(reason) > LONGEST:
        raise UsageError(f"the reason has {len(reason)} characters; at most {LONGEST} are kept", help="say it shorter")
    return reason
