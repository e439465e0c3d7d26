"""Old log files are packed and removed.

``logs/`` can be written by the service user, who may put a link there. logrotate therefore works with that user's
own rights (``su``): a link leads it nowhere that the service user could not write to anyway. The group is the service
user's own too, not the site's, whose members may write more.
"""

from __future__ import annotations

import re
from pathlib import Path

from mcc.core.layout import Site
from mcc.core.provisioned import site_name
from mcc.model.conf import Conf
from mcc.provision.wanted import File

LOGROTATE = Path("/etc/logrotate.d")


def logrotate_file(conf: Conf, user: str) -> File:
    """Every week or from 50 MB on, eight of them. The files stay the same (``copytruncate``) for who has them open."""
    logs = Site(conf.server.base).logs
    who = conf.ownership.user if conf.ownership.mode != "none" and conf.ownership.user else user
    text = f"""\
{_pattern(logs)} {{
    su {who} {who}
    weekly
    maxsize 50M
    rotate 8
    compress
    delaycompress
    copytruncate
    missingok
    notifempty
}}
"""
    return File(LOGROTATE / f"mcc-{site_name(conf.server.base)}", text, "logrotate", "logrotate")


def _pattern(logs: Path) -> str:
    """All log files of a folder whose own name holds nothing special to glob(7); quoted where a blank would end it."""
    escaped = re.sub(r"([*?\[\]\\{}])", r"\\\1", str(logs)) + "/*.log"
    return f'"{escaped}"' if re.search(r"\s", escaped) else escaped
