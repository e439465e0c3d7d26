"""The crontab lines that look once an hour whether people have to be told of something."""

from __future__ import annotations

import shlex

from mcc.core.layout import Site
from mcc.model.conf import Notify

MARKER = "# MCC-NOTIFY"


def notify_lines(notify: Notify, site: Site) -> tuple[str, ...]:
    """Marker and job; none if nobody is told anything. crontab(5) wants every ``%`` escaped."""
    if not notify.addresses:
        return ()
    tool, base, log = (shlex.quote(str(path)) for path in (site.tool_command, site.base, site.logs / "mcc-notify.log"))
    minute = sum(str(site.base).encode()) % 60  # not all sites of a machine at the same time
    return (MARKER, f"{minute} * * * * " + f"{tool} notify --site {base} >> {log} 2>&1".replace("%", r"\%"))
