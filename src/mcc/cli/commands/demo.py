"""``mcc demo``."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

from mcc.cli.screens.demo import DemoScreen
from mcc.demo.material import find_material
from mcc.demo.stop import remove
from mcc.demo.story import Story, tell
from mcc.demo.workshop import Workshop, make_folder, open_workshop
from mcc.errors import Interrupted


def run_demo(keep: bool, folder: Path | None) -> int:
    """Deploy the sample under load and show what visitors got; 0 if mcc did what it should."""
    material = find_material()
    made = folder is None or not folder.expanduser().exists()
    work = make_folder(folder)
    screen = DemoScreen(work, keep)
    try:
        shop = open_workshop(work, material)
        story = _interruptible(shop, screen)
        screen.results(shop, story)
        return 1 if story.faults else 0
    finally:
        screen.rest()
        _clean_up(work, keep, made)


def _interruptible(shop: Workshop, screen: DemoScreen) -> Story:
    """Ctrl-C and the signals that end a session become one error, after all programs have ended."""

    async def told() -> Story:
        task = asyncio.current_task()
        assert task is not None
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await tell(shop, screen)

    try:
        return asyncio.run(told())
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise Interrupted("the demo was ended before its time") from None


def _clean_up(folder: Path, keep: bool, made: bool) -> None:
    if keep:
        return
    with _undisturbed():
        remove(folder, itself=made)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C must not leave services behind."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
