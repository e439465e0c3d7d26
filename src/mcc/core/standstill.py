"""What stays, and what goes, in the crontab while a site's databases are changed."""

from __future__ import annotations

from mcc.core.cron.crontab import job_lines, unquoted_commands
from mcc.core.cron.lines import parts
from mcc.core.cron.recovery_line import recovery_line
from mcc.core.layout import Site
from mcc.model.conf import Conf


def lines_that_stay(conf: Conf, site: Site) -> tuple[str, ...]:
    """The site's block meanwhile: a run that a reboot ends must be recovered all the same."""
    return (recovery_line(site),) if conf.services.manager == "systemd" else ()


def lines_elsewhere(conf: Conf, site: Site) -> tuple[str, ...]:
    """Commands of the site's jobs, and their markers, that an older script left outside of the block."""
    lines = job_lines(conf.cron, site)
    jobs = [found for line in lines if (found := parts(line.encode("utf-8", "surrogateescape")))]
    commands = (command.decode("utf-8", "surrogateescape") for _, command in jobs)
    markers = (line for line in lines if line.startswith("#"))
    return (*unquoted_commands(conf.cron, site), *commands, *markers)
