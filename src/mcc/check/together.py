"""Looks that run side by side: most of the time one waits for sudo, systemd, a web server or a database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from mcc.core.looks.findings import Finding, error
from mcc.errors import MccError

T = TypeVar("T")
_AT_ONCE = 16


def together(looks: Mapping[str, Callable[[], Iterable[Finding]]]) -> tuple[Finding, ...]:
    """All findings, in the order of the looks. A look that cannot be finished is a finding of its own."""
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        waiting = [pool.submit(_safely, name, look) for name, look in looks.items()]
        return tuple(finding for each in waiting for finding in each.result())


def each_at_once(work: Callable[[T], list[Finding]], items: Iterable[T]) -> Iterator[Finding]:
    """The same work for many things, such as domains, in their order."""
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        for found in pool.map(work, items):
            yield from found


def _safely(name: str, look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    try:
        return list(look())
    except MccError as wrong:
        help = wrong.help or (wrong.log[-1] if wrong.log else "mend that first, then look again")
        return [error(f"{name}.failed", "", wrong.message, help)]
    except ValueError as wrong:
        return [error(f"{name}.failed", "", f"it cannot be understood: {wrong}", "correct that, then look again")]
    except OSError as wrong:
        where = str(wrong.filename or "")
        return [
            error(f"{name}.failed", where, f"it cannot be looked at: {wrong.strerror or wrong}", "look at its rights")
        ]
