"""What the demo has to say at its end: the tree, the numbers, the way on."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mcc.demo.load import KINDS, RATE
from mcc.demo.measure import Figures
from mcc.demo.side import Side
from mcc.demo.story import AFTER, BROKEN, PATIENCE, Story, Told
from mcc.demo.tree import tree
from mcc.demo.workshop import Workshop
from mcc.host.files import RealFiles

_SHOWN_REASONS = 3
_COLUMNS = (("2", "mcc"), ("2", "script"), ("3", "mcc"), ("3", "script"))


def show_results(console: Console, shop: Workshop, story: Story, keep: bool, seconds: float) -> None:
    """Print all of it."""
    _chapter(console, f"The site that mcc made: {shop.mcc.site}")
    for line in tree(shop.mcc.site, 2, ("domains",)):
        console.print(Text("  " + line), soft_wrap=True)
    _chapter(console, "What the visitors got")
    console.print(_visitors(shop, story))
    for line in _reasons(story):
        console.print(Text("  " + line), soft_wrap=True)
    _paragraph(console, _how_counted(shop))
    _chapter(console, "Where the seconds went")
    console.print(_seconds(story))
    _chapter(console, "What this does not show")
    for text in _not_shown(story):
        _paragraph(console, text)
    _chapter(console, "How to look further")
    for line in _further(shop, keep):
        console.print(Text("  " + line), soft_wrap=True)
    _verdict(console, story, seconds)


def _chapter(console: Console, title: str) -> None:
    console.print()
    console.print(Text(title, "bold"), soft_wrap=True)


def _paragraph(console: Console, text: str) -> None:
    console.print(Text(text), width=min(console.width, 100))


# Tables


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _visitors(shop: Workshop, story: Story) -> Table:
    table = _table("v2 mcc", "v2 script", "v3 mcc", "v3 script")
    told = [story.versions[int(version)][side] for version, side in _COLUMNS]
    counts = [each.figures for each in told if each.figures is not None]

    def row(title: str, value: Callable[[Told], str], style: str = "") -> None:
        table.add_row(title, *(value(each) for each in told), style=style)

    def count(title: str, value: Callable[[Figures], str], style: str = "") -> None:
        table.add_row(title, *(value(each) for each in counts), style=style)

    row("exit code of the deploy", lambda each: str(each.deployed.code))
    row("seconds of the deploy", lambda each: f"{each.deployed.seconds:.1f}")
    row("served afterwards", lambda each: f"version {each.serves}" if each.serves else "nothing")
    row("seconds counted", lambda each: f"{each.end - each.begin:.1f}")
    count("requests", lambda each: f"{each.asked:,}", "bold")
    count("failed", lambda each: f"{each.failed:,}", "bold")
    for kind in KINDS:
        table.add_row(f"  {kind}", *(f"{each.failed_by_kind.get(kind, 0):,}" for each in counts), style="dim")
    count("longest wait, seconds", lambda each: f"{each.longest_wait:.2f}")
    count("longest pause, seconds", _pause)
    jobs = {side.name: _jobs(side) for side in shop.sides}
    table.add_row("jobs in the crontab", "", "", str(jobs["mcc"]), str(jobs["script"]))
    return table


def _pause(each: Figures) -> str:
    return f"{each.longest_pause:.2f}" + ("+" if each.still_down else "")


def _jobs(side: Side) -> int:
    text = RealFiles().read(side.crontab).decode() if side.crontab.exists() else ""
    return sum(1 for line in text.splitlines() if " && ./" in line and not line.startswith("#"))


def _seconds(story: Story) -> Table:
    table = _table("v1 mcc", "v1 script", "v2 mcc", "v2 script", "v3 mcc", "v3 script")
    told = [story.versions[number][side] for number in (1, 2, 3) for side in ("mcc", "script")]
    phases = dict.fromkeys(phase for each in told for phase in each.deployed.phases)
    for phase in sorted(phases, key=_order):
        table.add_row(phase, *(_or_blank(each.deployed.phases, phase) for each in told))
    table.add_section()
    table.add_row("deploy", *(f"{each.deployed.seconds:.1f}" for each in told), style="bold")
    return table


def _or_blank(phases: Mapping[str, float], phase: str) -> str:
    return f"{phases[phase]:.2f}" if phase in phases else ""


def _order(phase: str) -> int:
    known = ("start", "place", "venv", "probe", "migrate", "own", "cut-over", "smoke", "cron", "record", "prune")
    return known.index(phase) if phase in known else len(known)


# Words


def _reasons(story: Story) -> Iterator[str]:
    """Why requests failed, those that failed most often first."""
    for version, name in _COLUMNS:
        counted = story.versions[int(version)][name].figures
        for text, count, first in counted.reasons[:_SHOWN_REASONS] if counted else ():
            yield f"v{version} {name}: {count:,} times {text} (first after {first:.1f} s)"
        if counted and counted.again:
            yield f"v{version} {name}: GETs answered at their second try: {counted.again}"


def _how_counted(shop: Workshop) -> str:
    return (
        "Both sides run at the same time on this machine, with the same application, the same visitors (about "
        f"{RATE:.0f} requests a second) and the same service manager; only the deploy differs. The script is composed "
        "from the specification's deploy patterns, its sleep(5) after each restart included, which no visitor "
        f"notices by itself. There, {', '.join(shop.shims)} are stand-ins; this sqlite3 waits for visitors who write, "
        f"the real one would fail at times. A visitor gives up after {PATIENCE:g} s without an answer. A pause is the "
        "longest time between two good answers to one visitor, less his own rest; a + says that it went on when the "
        f"count ended, with version 3 after {BROKEN:g} s or {AFTER:g} s after mcc: the script leaves it so. "
        "A GET on a kept connection that the server closed as it was used is asked once more over a new one, as "
        "browsers do (RFC 9110, 9.2.2); a POST is not, and counts as failed."
    )


def _not_shown(story: Story) -> Iterator[str]:
    failed = sum(each.figures.failed for each in _of_mcc(story) if each.figures)
    pause = max(each.figures.longest_pause for each in _of_mcc(story) if each.figures)
    yield (
        f"This is the restart strategy: while the service restarts nobody serves, here for up to {pause:.1f} s, and "
        "visitors wait because the manager holds the socket open, as a systemd .socket unit would. A plain unit "
        "without one refuses them in that time, for both sides. "
        + ("mcc's side has lost requests too, as counted above. " if failed else "")
        + "Two slots (docs/blue-green.md), where nobody waits, need systemd and nginx."
    )
    yield (
        "Version 3 fails when it is started, because the demo leaves PROBE out; with PROBE: api.main its import would "
        "have failed before the cut-over. Nothing here shows real sudo, nginx, TLS, cron or a reboot. Who loaded a "
        "page just before a cut-over may ask for a style sheet that only the old release has: mcc takes such files "
        "over into the new one, the script does not."
    )


def _of_mcc(story: Story) -> list[Told]:
    return [story.versions[number]["mcc"] for number in (2, 3)]


def _further(shop: Workshop, keep: bool) -> Iterator[str]:
    if not keep:
        yield "This folder is removed now. To look around, keep the next one:"
        yield f"  {_mcc()} demo --keep"
        yield "which ends with the commands that show the site, its releases and its runs."
        return
    site, quoted = shop.mcc.site, shlex.quote
    yield f"{_mcc()} status --site {quoted(str(site))}"
    yield f"{_mcc()} releases --site {quoted(str(site))}"
    yield f"{quoted(str(site / '.mcc/bin/mcc'))} status --site {quoted(str(site))}   the site's own mcc"
    yield f"curl http://127.0.0.1:{shop.mcc.port}/api/version"
    yield f"cd {quoted(str(shop.mcc.output(2)))} && {_mcc()} deploy --stage demo   once more, live"
    yield f"less {quoted(str(shop.mcc.folder))}/deploy-3.log {quoted(str(shop.script.folder))}/deploy-3.log"
    yield f"{quoted(str(shop.folder / 'stop'))}   ends the services and removes the folder"


def _mcc() -> str:
    """How this very command is called."""
    beside = Path(sys.executable).with_name("mcc")
    found = shutil.which("mcc")
    if found and (not beside.exists() or Path(found).samefile(beside)):
        return "mcc"
    return shlex.quote(str(beside)) if beside.exists() else f"{shlex.quote(sys.executable)} -m mcc"


def _verdict(console: Console, story: Story, seconds: float) -> None:
    console.print()
    for fault in story.faults:
        console.print(Text(f"not as it should be: {fault}", "bold red"))
    if not story.faults:
        what = "mcc: version 2 went live, the broken version 3 was undone, version 2 is served"
        console.print(Text(f"{what} ({seconds:.0f} s in all)", "bold green"))
