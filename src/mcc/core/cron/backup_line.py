"""The crontab lines that make a site's backups by the site's own mcc."""

from __future__ import annotations

import shlex

from mcc.core.layout import Site
from mcc.model.conf import Backup

MARKER = "# MCC-DATABASES"


def backup_lines(backup: Backup, site: Site) -> tuple[str, ...]:
    """Marker and job of BACKUP_SCHEDULE; none unless BACKUP_ENABLED. crontab(5) wants every ``%`` escaped."""
    if not (backup.enabled and backup.schedule):
        return ()
    tool, base, log = (shlex.quote(str(path)) for path in (site.tool_command, site.base, site.logs / "backup.log"))
    command = f"{tool} backup --site {base} --format plain >> {log} 2>&1".replace("%", r"\%")
    return (MARKER, f"{backup.schedule} {command}")
