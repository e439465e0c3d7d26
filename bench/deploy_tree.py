"""A deploy of 2,000 files and 20 MB, beside rsync and beside the script composed from the specification.

The environment is unchanged, nothing is restarted and no address is asked. ``mcc deploy`` is timed as a
whole command, from its start to its exit, on a site that exists; so is the script. The others copy the
same output into a folder that is not there. "synced" adds ``sync -f``, which mcc has in its own time:
what it places is on disk before anything points to it.
"""

from __future__ import annotations

import json
import re
import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import _common as common

FILES, SIZE = 2_000, 20_000_000
LIMIT = 500  # milliseconds
SCRIPT = common.PROJECT / "examples" / "from-the-specification" / "mcc_deploy.py"
# The sleep stands behind a restart. None takes place here; it is taken out all the same.
WITHOUT_SLEEP = "import runpy, sys, time; time.sleep = lambda s: None; sys.argv[:] = sys.argv[1:]; " \
    "runpy.run_path(sys.argv[0], run_name='__main__')"  # fmt: skip
RSYNC, MCC = "rsync -a", "mcc deploy"


class Bench:
    """The sides, each with a site or a target of its own, and what mcc said of its steps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = folder / "output"
        self.site, self.old_site, self.target = folder / "site", folder / "old-site", folder / "target"
        self.steps: dict[str, list[float]] = {}
        common.make_output(self.output, self.site, FILES, SIZE)
        conf = (self.output / "conf.yml").read_text()
        (self.output / "conf-script.yml").write_text(conf.replace(str(self.site), str(self.old_site)))
        with (self.output / "config.yml").open("a") as file:
            file.write("  script:\n    parameters: {conf: conf-script.yml, keep_builds: 3}\n")

    def sides(self) -> dict[str, Callable[[], common.Cost]]:
        return {
            RSYNC: lambda: self.copy("rsync", "-a"),
            "rsync -a, synced": lambda: self.copy("rsync", "-a", synced=True),
            "cp -r": lambda: self.copy("cp", "-r"),
            "the specification's script": self.script,
            "the specification's script, synced": lambda: self.script(synced=True),
            MCC: self.mcc,
        }

    def first_deploys(self) -> None:
        """Both sites get their environments and their databases; the script makes no folders for these."""
        for domain in common.DOMAINS:
            (self.old_site / "domains" / domain).mkdir(parents=True)
        self.mcc()
        self.script()
        self.steps.clear()

    def copy(self, *words: str, synced: bool = False) -> common.Cost:
        shutil.rmtree(self.target, ignore_errors=True)
        common.settle(self.folder)
        source = f"{self.output}/" if words[0] == "rsync" else self.output
        return common.must([*words, source, self.target]).cost + self.sync(synced)

    def script(self, synced: bool = False) -> common.Cost:
        time.sleep(1 - time.time() % 1)  # two of its deploys in one second run into each other
        common.settle(self.folder)
        words = [common.BIN / "python", "-c", WITHOUT_SLEEP, SCRIPT, "--stage", "script"]
        return common.must(words, self.output).cost + self.sync(synced)

    def sync(self, wanted: bool) -> common.Cost:
        return common.must(["sync", "-f", self.folder]).cost if wanted else common.Cost(0, 0)

    def mcc(self) -> common.Cost:
        common.settle(self.folder)
        ran = common.must([common.MCC, "deploy", "--stage", common.STAGE, "--format", "jsonl"], self.output)
        self.note(ran)
        return ran.cost

    def note(self, ran: common.Ran) -> None:
        """Where the time went: before the first step, each step, and what is left."""
        events = [json.loads(line) for line in ran.output.splitlines() if line.startswith("{")]
        begun = next(event["at"] for event in events if event["event"] == "run_started")
        parts = {"start, reading, looking, checks": begun - ran.started}
        for event in events:
            if event["event"] == "step_done":
                title = re.sub(r"vrs-[\dT-]+|venvs/\S+|/\S+/site", "…", f"{event['phase']}: {event['title']}")
                parts[title] = parts.get(title, 0.0) + event["seconds"]
        parts["journal, events, exit"] = ran.cost.wall - sum(parts.values())
        for title, seconds in parts.items():
            self.steps.setdefault(title, []).append(seconds)


def main() -> None:
    options = common.options(str(__doc__), rounds=9)
    if shutil.which("rsync") is None:
        raise SystemExit(print("rsync is not installed: scripts/test-deps installs it") or 0)
    with common.work_folder(options.folder) as folder:
        bench = Bench(folder)
        bench.first_deploys()
        found = common.interleaved(bench.sides(), options.rounds)
        files, size = common.tally(bench.output)
        what = f"{files} files, {size / 1e6:.1f} MB, {common.file_system(folder)}, {common.machine()}"
    show(found, bench.steps, what, options.json)


def show(found: dict[str, list[common.Cost]], steps: dict[str, list[float]], what: str, as_json: bool) -> None:
    rows = common.summary(found, RSYNC)
    times = {title: statistics.median(values) for title, values in steps.items()}
    if as_json:
        common.print_json(what, rows, mcc_seconds=times)
        return
    print(f"{what}; {len(found[RSYNC])} interleaved rounds\n")
    common.show_summary(rows, RSYNC, cpu=True)
    common.verdict(f"{MCC}, more than {RSYNC}", rows[MCC].more * 1000, LIMIT, "ms")
    print("Where mcc's time goes:\n")
    common.table(["", "median ms"], [[title, f"{seconds * 1000:.0f}"] for title, seconds in times.items()])


if __name__ == "__main__":
    main()
