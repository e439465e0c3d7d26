"""Remembers what was said."""

from __future__ import annotations


class RecordingListener:
    """The port ``Listener``."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []
        self.progressed: list[tuple[int, int, str]] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.warned.append(text)

    def progress(self, done: int, total: int, what: str) -> None:
        self.progressed.append((done, total, what))
