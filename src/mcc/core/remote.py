"""A command for another server, as words for the OpenSSH client of this one."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from mcc.model.conf import Server


def ssh_words(server: Server, command: Sequence[str]) -> tuple[str, ...]:
    """The words that run ``command`` there: the far shell gets it quoted, nobody is asked for a password.

    Keys, jump hosts and known hosts are those of the user's own configuration: ssh_config(5).
    """
    host = server.hosts[0]
    place = f"{server.user}@{host}" if server.user else host
    return ("ssh", "-o", "BatchMode=yes", "-p", str(server.port), "--", place, shlex.join(command))
