"""The crontab line that brings dead runs of a site to their end after a reboot."""

from __future__ import annotations

import shlex

from mcc.core.layout import Site


def recovery_line(site: Site) -> str:
    """``@reboot``, the site's own mcc, and a log of its own; crontab(5) wants every ``%`` escaped."""
    tool, base, log = (shlex.quote(str(path)) for path in (site.tool_command, site.base, site.logs / "mcc-recover.log"))
    return f"@reboot {tool} recover --site {base} >> {log} 2>&1".replace("%", r"\%")
