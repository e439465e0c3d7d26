"""A visitor's browser: as much of HTTP/1.1 as it takes to ask one application, with its rules for trying again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus


class Unanswered(Exception):
    """The visitor did not get what he asked for; the text says why."""


class _Closed(Exception):
    """The other side closed the connection before the first byte of an answer."""


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    domain: str
    body: bytes = b""

    def encoded(self) -> bytes:
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {self.domain}", "Accept: application/json"]
        if self.method == "POST":
            lines += ["Content-Type: application/json", f"Content-Length: {len(self.body)}"]
        return "\r\n".join((*lines, "", "")).encode() + self.body


class Visitor:
    """Asks a port of this machine, over one connection as long as it is kept.

    A kept connection that is known to be closed is replaced before anything is sent. If it turns
    out to be closed only after the request was sent, a GET is asked once more over a new one, as
    browsers do, and a POST is not (RFC 9110, section 9.2.2).
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: _Connection | None = None

    async def ask(self, request: Request) -> bool:
        """Get a good answer; True if it took the second try. Raises Unanswered or OSError."""
        kept = self._connection is not None and self._connection.usable
        try:
            await self._exchange(request)
            return False
        except _Closed:
            if not (kept and request.method == "GET"):
                kind = "kept connection" if kept else "connection"
                raise Unanswered(f"{kind} closed without an answer") from None
        try:
            await self._exchange(request)
            return True
        except _Closed:
            raise Unanswered("connection closed without an answer, twice") from None

    def leave(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    async def _exchange(self, request: Request) -> None:
        if self._connection is None or not self._connection.usable:
            self.leave()
            self._connection = _Connection(*await asyncio.open_connection("127.0.0.1", self._port))
        whole = False
        try:
            status, whole = await self._connection.exchange(request)
        finally:
            if not whole:
                self.leave()
        if status >= HTTPStatus.BAD_REQUEST:
            raise Unanswered(f"status {status}")


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @property
    def usable(self) -> bool:
        closed = self._reader.at_eof() or self._writer.is_closing()
        return not closed and self._reader.exception() is None

    async def exchange(self, request: Request) -> tuple[int, bool]:
        """The status, and whether the connection may be used again."""
        try:
            self._writer.write(request.encoded())
            first = await self._reader.readline()
        except ConnectionError:
            raise _Closed from None
        if not first:
            raise _Closed
        try:
            return await self._rest(first)
        except (asyncio.IncompleteReadError, ConnectionError, ValueError, IndexError):
            raise Unanswered("connection closed in the middle of an answer") from None

    async def _rest(self, first: bytes) -> tuple[int, bool]:
        status, length, keep = int(first.split()[1]), 0, True
        while line := (await self._reader.readuntil(b"\r\n")).strip():
            name, _, value = line.lower().partition(b":")
            if name == b"content-length":
                length = int(value)
            elif name == b"connection":
                keep = value.strip() != b"close"
        await self._reader.readexactly(length)
        return status, keep

    def close(self) -> None:
        self._writer.transport.abort()
