"""Asking many addresses at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mcc.host.ports import Answer

_AT_ONCE = 16


def at_once(urls: Sequence[str], ask: Callable[[str], Answer]) -> list[Answer]:
    """The answers, in the order of the addresses."""
    from concurrent.futures import ThreadPoolExecutor  # slow to import, and not every site is asked

    if not urls:
        return []
    with ThreadPoolExecutor(min(_AT_ONCE, len(urls))) as pool:
        return list(pool.map(ask, urls))
