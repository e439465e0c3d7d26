"""Comes up, answers, and is gone a second later."""

import os
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

SECONDS = 1.0


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    threading.Timer(SECONDS, _die).start()
    yield


def _die() -> None:
    print("FATAL: the licence of the calendar could not be renewed", file=sys.stderr, flush=True)
    os._exit(1)
