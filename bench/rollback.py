"""How fast ``mcc rollback`` leads visitors back while the old slot drains.

In a booted Debian (tests/box; root), with the units and the nginx site of ``mcc provision``: in each round a release is
deployed, and its predecessor brought back at once, while a visitor holds on to the old slot. "From the lock" is the
time between the moment at which the site's lock says whose it is and the rename(2) of the link that nginx goes
through, by the file system's own clock; "the whole command" includes Python's start and the checks afterwards.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import _common as common
from _slots import builds, door, must, server
from _visitors import Visitor, crowd

from box.harness import DEPLOY_USER
from box.slotted import CONF, Site

LIMIT = 100.0  # milliseconds
SAYS = """
import os
print(os.stat(".mcc/lock").st_mtime_ns, os.lstat("run/current-api.sock").st_ctime_ns)
"""


@dataclass(frozen=True, slots=True)
class Back:
    """One rollback, in milliseconds: from its begin to the lock, to the rename, to its end."""

    before: float
    locked: float
    whole: float


def back(site: Site, to: str) -> Back:
    words = [f"{site.base}/.mcc/bin/mcc", "rollback", "--site", site.base, "--to", to, "--format", "jsonl"]
    began, clock = time.time_ns(), time.perf_counter()
    done = site.box.exec(words, DEPLOY_USER, check=False)
    whole = time.perf_counter() - clock
    must(done)
    lock, link = map(int, site.box.exec(["python3", "-c", SAYS], cwd=site.base).stdout.split())
    holder = json.loads(site.box.read(f"{site.base}/.mcc/lock"))
    run = json.loads(done.stdout.splitlines()[0])["run"]
    if holder["run"] != run or not began < lock < link:
        raise SystemExit(f"the times of this rollback are not known: {holder}\n{done}")
    return Back((lock - began) / 1e6, (link - lock) / 1e6, whole * 1000)


def rounds(site: Site, made: dict[str, Path], number: int) -> list[Back]:
    found = []
    with crowd([Visitor("stream")], door(site)):
        for _ in range(number):
            live = site.link("current-api").removeprefix("api/")
            must(site.deploy(made["2"], **{**CONF, "DRAIN_TIMEOUT": "10"}))
            found.append(back(site, live))
            site.drained()
    return found


def main() -> None:
    options = common.options(str(__doc__), rounds=11)
    with tempfile.TemporaryDirectory(prefix="mcc-bench-") as folder:
        made = builds(Path(folder))
        site = server(made, **CONF)
        try:
            found = rounds(site, made, options.rounds)
        finally:
            site.box.down()
    if options.json:
        print(json.dumps({"what": common.machine(), "milliseconds": [[b.before, b.locked, b.whole] for b in found]}))
        return
    print(f"{common.machine()}; {options.rounds} rollbacks\n")
    columns = {"to the lock": [b.before for b in found], "from the lock to the rename": [b.locked for b in found]}
    columns["the whole command"] = [b.whole for b in found]
    rows = [
        [name, f"{statistics.median(each):.0f}", f"{min(each):.0f} to {max(each):.0f}"]
        for name, each in columns.items()
    ]
    common.table(["", "median ms", "range ms"], rows)
    longest = max(columns["from the lock to the rename"])
    common.verdict("the longest time from the lock to the rename", longest, LIMIT, "ms")


if __name__ == "__main__":
    main()
