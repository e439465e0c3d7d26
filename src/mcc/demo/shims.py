"""Stand-ins for programs of a server that a laptop does not have, or that the demo must not use.

``crontab`` keeps its text in a file of the demo. ``sudo`` passes ``systemctl restart`` and
``status`` on to the same service manager that mcc uses here, and does nothing else. ``sqlite3``
is the real command, where there is one, but waits for visitors who write, in the script's favour:
by itself it fails with "database is locked" now and then, and leaves a migration that is applied
but not noted.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence

from mcc.demo import shim_sqlite3
from mcc.demo.side import Side

_CRONTAB = """\
#!/bin/sh
# The crontab of this demo; nothing runs it.
file={file}
case "$1" in
  -l) if [ -e "$file" ]; then cat "$file"; else echo "no crontab for demo" >&2; exit 1; fi ;;
  -r) rm -f "$file" ;;
  *) cat >"$file.new" && mv "$file.new" "$file" ;;
esac
"""


def place_shims(side: Side) -> tuple[str, ...]:
    """Put into ``side.tools`` what the side's deploy needs; the names of the stand-ins."""
    side.tools.mkdir(parents=True, exist_ok=True)
    placed = {"crontab": _CRONTAB.format(file=shlex.quote(str(side.crontab)))}
    if side.name == "script":
        placed["sudo"] = _module("mcc.demo.shim_sudo", (str(side.site), str(side.port)))
        placed["sqlite3"] = _sqlite3()
    for name, text in placed.items():
        (side.tools / name).write_text(text)
        (side.tools / name).chmod(0o755)
    return tuple(placed)


def _sqlite3() -> str:
    real = shutil.which("sqlite3")
    words: tuple[str, ...] = (sys.executable, "-I", "-S", shim_sqlite3.__file__)  # by its path: starts quickly
    if real is not None:
        words = (real, "-cmd", f".timeout {shim_sqlite3.WAIT * 1000:.0f}")
    return f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n'


def _module(name: str, words: Sequence[str]) -> str:
    return f'#!/bin/sh\nexec {shlex.join((sys.executable, "-P", "-m", name, *words))} "$@"\n'
