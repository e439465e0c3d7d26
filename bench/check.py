"""How long ``mcc check`` takes on a healthy server, beside ``mcc deploy --plan``.

In a booted Debian (tests/box; root): the sample application is live for two domains, and the next release lies in
its output folder. Whole commands as the deploy user, wall clock.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import _common as common

sys.path.insert(0, str(common.PROJECT / "tests"))

from box.harness import DEPLOY_USER, Box, recipe
from box.layers import mcc_layers, warm_uv_cache
from box.notes import Notes, Outputs

LIMIT = 3000  # milliseconds
PLAN = "mcc deploy --plan"


def server(folder: Path) -> Notes:
    """A box with the sample application live, and the next release brought to it."""
    base = Path(recipe("build"))
    outputs = Outputs(folder)
    warm_uv_cache(base, outputs(), _say)
    notes = Notes(Box.start(mcc_layers(base, _say))).set_up()
    done = notes.deploy(outputs())
    if done.code != 0:
        raise SystemExit(str(done))
    notes.bring(outputs("v2"))
    return notes


def cost(notes: Notes, *words: str) -> common.Cost:
    started = time.perf_counter()
    done = notes.box.exec(["mcc", *words], DEPLOY_USER, cwd=notes.brought, check=False)
    if done.code != 0:
        raise SystemExit(str(done))
    return common.Cost(time.perf_counter() - started, 0.0)


def main() -> None:
    options = common.options(str(__doc__), rounds=9)
    with tempfile.TemporaryDirectory(prefix="mcc-bench-") as folder:
        notes = server(Path(folder))
        try:
            sides = {
                PLAN: ("deploy", "--stage", "prod", "--plan"),
                "mcc check --stage S": ("check", "--stage", "prod"),
                "mcc check --site DIR": ("check", "--site", notes.base),
                "mcc check": ("check",),
            }
            found = common.interleaved(
                {name: lambda words=words: cost(notes, *words) for name, words in sides.items()}, options.rounds
            )
        finally:
            notes.box.down()
    rows = common.summary(found, PLAN)
    what = f"wall clock, {common.machine()}"
    if options.json:
        common.print_json(what, rows)
        return
    print(f"{what}; {options.rounds} interleaved rounds\n")
    common.show_summary(rows, PLAN, cpu=False)
    common.verdict("mcc check --stage S on a healthy server", rows["mcc check --stage S"].median * 1000, LIMIT, "ms")


def _say(text: str) -> None:
    print(f"box: {text}", file=sys.stderr)


if __name__ == "__main__":
    main()
