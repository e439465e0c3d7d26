"""Stands for ``sudo``: ``python -m mcc.demo.shim_sudo SITE PORT /bin/systemctl restart|status NAME``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from mcc.demo.side import SERVICE, manager_of
from mcc.errors import MccError

_NOT_RUNNING = 3  # systemctl(1): the exit code of status for a unit that is not active


def main(words: Sequence[str]) -> int:
    """Do what ``systemctl`` would; the exit code."""
    site, port, *command = words
    manager = manager_of(Path(site), int(port))
    try:
        match command:
            case ["/bin/systemctl", "restart", name] if name == SERVICE:
                manager.restart(name)  # returns when it is started, as for a unit of Type=simple
                return 0
            case ["/bin/systemctl", "status", name] if name == SERVICE:
                sys.stdout.write("\n".join(manager.status(name)) + "\n")
                return 0 if manager.state(name).active else _NOT_RUNNING
    except MccError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    sys.stderr.write(f"sudo: the demo does not allow: {' '.join(command)}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
