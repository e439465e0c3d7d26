"""The demo as it goes on: chapters, mcc's steps as they are done, what the script and the visitors do."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.status import Status
from rich.text import Text

from mcc.cli.screens.demo_results import show_results
from mcc.demo.deploys import Deployed
from mcc.demo.side import Side
from mcc.demo.story import Story
from mcc.demo.workshop import Workshop
from mcc.host.clock import RealClock

_VISITORS = {"mcc": "visitors, mcc", "script": "visitors, script"}
_ORDER = ("now", "mcc", "script", *_VISITORS.values())
_REASONS = ("Error", "Parse error", "Runtime error", "Deployment failed:")  # of sqlite3 and of the script
_TITLES = 100  # columns of a step's title where there is no terminal to fit it into


class DemoScreen:
    """Finished things stand above; in a terminal a line below them moves."""

    def __init__(self, folder: Path, keep: bool) -> None:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")
        self._console = Console(highlight=False)
        self._keep = keep
        self._begun = RealClock().monotonic()
        self._status: Status | None = None
        self._moving: dict[str, str] = {}
        self._print("mcc demo", "bold")
        self._print(f"works in {folder}" + ("" if keep else " and removes it at the end"), "dim")

    def chapter(self, title: str, words: str = "") -> None:
        """A new part of the story."""
        self._print("")
        self._print(title, "bold")
        if words:
            self._print(words, "dim")
        self.waiting("")

    def plan(self, plan: Mapping[str, Any]) -> None:
        """What ``mcc deploy --plan`` answers."""
        self.chapter("What mcc would do with version 2: mcc deploy --stage demo --plan")
        for text in plan["warnings"]:
            self._row("!", "yellow", "warning", text)
        after = False
        for step in plan["steps"]:
            if step["after_commit"] and not after:
                self._print("  ─── commit: from here on only forward", "dim")
            after = after or step["after_commit"]
            self._row(" ", "", step["phase"], step["title"])

    def event(self, event: Mapping[str, Any]) -> None:
        """One event of mcc's run."""
        match event["event"]:
            case "step_started":
                self._move(mcc=f"{event['phase']}: {event['title']}")
            case "step_done":
                self._row("✓", "green", event["phase"], event["title"], f"{event['seconds']:.2f} s")
            case "step_failed":
                self._failed(event)
            case "step_undone":
                mark = ("✗", "red") if event["error"] else ("↶", "yellow")
                self._row(*mark, "undone", event["title"], event["error"])
            case "warning":
                self._row("!", "yellow", "warning", event["text"])
            case "committed":
                self._print("  ─── committed", "green")
            case "run_ended":
                self._move(mcc=event["result"])

    def _failed(self, event: Mapping[str, Any]) -> None:
        self._row("✗", "bold red", event["phase"], event["title"])
        reason = [line for line in event["log"] if "Error" in line][-1:]
        for line in (event["error"], *reason):
            self._print(f"    {line}", "red")

    def script(self, line: str) -> None:
        """One line of the script."""
        if line.startswith("+ "):
            restarted = "systemctl restart" in line
            self._move(script=line[2:] + (", then sleep(5)" if restarted else ""))

    def visitors(self, side: Side, counts: Mapping[str, int]) -> None:
        """How many requests there were so far, since the visitors came."""
        now = f"{counts['asked']} asked, {counts['failed']} failed, {counts['waiting']} waiting"
        self._move(**{_VISITORS[side.name]: now})

    def deployed(self, side: Side, version: int, how: Deployed) -> None:
        """A deploy of one side is over."""
        who = "mcc deploy" if side.name == "mcc" else "the script"
        text = f"  {who} ended with exit code {how.code} after {how.seconds:.1f} s"
        self._print(text, "green" if how.code == 0 else "yellow")
        self._move(**{side.name: f"ended with exit code {how.code}"})
        if side.name == "script" and how.code:
            for line in dict.fromkeys(line for line in how.lines if line.startswith(_REASONS)):
                self._print(f"    {line[:200]}", "red")

    def waiting(self, words: str) -> None:
        """What the demo itself waits for."""
        self._moving = {key: text for key, text in self._moving.items() if key in _VISITORS.values()}
        self._move(now=words)

    def results(self, shop: Workshop, story: Story) -> None:
        """Tree, tables, what to look at next."""
        self.rest()
        show_results(self._console, shop, story, self._keep, RealClock().monotonic() - self._begun)

    def rest(self) -> None:
        """Nothing moves any more."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _move(self, **what: str) -> None:
        self._moving |= what
        if not self._console.is_terminal:
            return
        order = sorted(self._moving.items(), key=lambda item: _ORDER.index(item[0]))
        lines = [text if key == "now" else f"{key:<19} {text}" for key, text in order if text]
        shown = Text("\n").join(Text(line[: self._console.width - 4]) for line in lines or ["one moment"])
        if self._status is None:
            self._status = self._console.status(shown)
            self._status.start()
        else:
            self._status.update(shown)

    def _row(self, mark: str, style: str, phase: str, title: str, right: str = "") -> None:
        width = self._console.width if self._console.is_terminal else _TITLES + 24
        room = max(20, width - 14 - (len(right) + 2 if right else 0))
        cut = title if len(title) <= room else title[: room - 1] + "…"
        text = Text.assemble(("  " + mark, style), (f" {phase:<9} ", "dim"), cut)
        if right:
            text.append(" " * (min(room, 70) - len(cut)) + "  " + right, "dim")
        self._console.print(text, soft_wrap=True)

    def _print(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style), soft_wrap=True)
