"""What is left to lose where a service is restarted, behind the ``.socket`` unit that keeps connections waiting.

In a booted Debian (tests/box; root), with the units and the nginx site of ``mcc provision``: 24 visitors ask all the
time while the service is restarted again and again, with uvicorn and gunicorn; as provision writes it, nginx asks again
what the application dropped unanswered, and "without retry" it does not.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import _common as common
from _slots import door, must, say, start_box
from _visitors import Visit, Visitor, answers, crowd

from box.harness import Box, recipe
from box.layers import warm_uv_cache
from box.streaming import STREAMING, Streaming, output

UNIT = "notes-prod-api.service"
# Many who come seldom: where few came often, each restart would make all later requests of a visitor late, too.
VISITORS = (*[Visitor("new", 8.0)] * 8, *[Visitor("kept", 12.0)] * 8, *[Visitor("post", 12.0)] * 8)
KINDS = {"new": "GET fails", "kept": "GET on a kept connection", "post": "POST on a kept connection"}
BETWEEN = 600
"""Requests from one restart to the next."""
SERVERS = ("uvicorn", "gunicorn")
_RETRY = "proxy_next_upstream error;"


@dataclass(frozen=True, slots=True)
class Found:
    server: str
    retry: bool
    visits: Sequence[Visit]


def measure(folder: Path, server: str, restarts: int) -> Iterator[Found]:
    """With retry, as it is, and then without."""
    site = Streaming(start_box())
    try:
        conf = {"SERVICE_NAME": UNIT, "API_PORT": "8000", "APP_SERVER": server}
        site.first(folder, **{**STREAMING, **conf})
        for retry in (True, False):
            if not retry:
                _without_retry(site.box)
            yield Found(server, retry, _restarted(site, restarts))
    finally:
        site.box.down()


def _without_retry(box: Box) -> None:
    must(box.exec(f"grep -q '{_RETRY}' /etc/nginx/snippets/mcc-*.conf"))
    must(box.exec(f"sed -i 's/{_RETRY}/proxy_next_upstream off;/' /etc/nginx/snippets/mcc-*.conf"))
    must(box.exec(["systemctl", "restart", "nginx"]))


def _restarted(site: Streaming, restarts: int) -> list[Visit]:
    with crowd(VISITORS, door(site)) as visitors:
        for number in range(restarts):
            visitors.wait_for(BETWEEN * (number + 1))
            must(site.box.exec(["systemctl", "restart", UNIT]))
        visitors.wait_for(BETWEEN * (restarts + 1))
        return [visit for each in visitors.go_home() for visit in each.all]


def row(found: Found) -> list[str]:
    each = [answers([visit for visit in found.visits if visit.kind == kind]) for kind in KINDS]
    whole = answers(found.visits)
    times = [f"{seconds * 1000:.0f}" for seconds in (whole.p50, whole.longest)]
    name = f"{found.server}, {'as provisioned' if found.retry else 'without retry'}"
    return [name, *(f"{len(of.failed)} of {of.requests:,}" for of in each), *times]


def show(each: Found) -> None:
    """What failed, and how: on standard error, beside the table."""
    wrong = [visit.wrong for visit in each.visits if visit.wrong]
    for words in sorted(set(wrong)):
        print(f"{row(each)[0]}: {wrong.count(words)} x {words}", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--restarts", type=int, default=20, metavar="N", help="of each (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="the numbers as JSON instead of a table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mcc-bench-") as folder:
        made = output(Path(folder) / "output", "1")
        warm_uv_cache(Path(recipe("build")), made, say)
        found = [each for server in SERVERS for each in measure(made, server, options.restarts)]
    head = ["", *KINDS.values(), "median ms", "longest ms"]
    lines = [row(each) for each in found]
    if options.json:
        print(json.dumps({"what": common.machine(), "rows": [dict(zip(head, each, strict=True)) for each in lines]}))
        return
    print(f"{len(VISITORS)} visitors, {options.restarts} restarts each, {common.machine()}\n")
    common.table(head, lines)
    for each in found:
        show(each)


if __name__ == "__main__":
    main()
