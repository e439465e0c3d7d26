"""Fixtures for all suites."""

from __future__ import annotations

import signal

import pytest

from postgres_cluster import postgres, postgres_cluster

__all__ = ["postgres", "postgres_cluster"]


def pytest_configure(config: pytest.Config) -> None:
    """Programs that tests start can be interrupted, also where the tests run in the background: a shell
    has those ignore SIGINT (POSIX, Shell Command Language, 2.11), and what is ignored stays so."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
