"""Takes five seconds before it listens; nothing is wrong with it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

SECONDS = 5.0


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    logging.getLogger("uvicorn.error").info("reading a large index, this takes %s s", SECONDS)
    await asyncio.sleep(SECONDS)
    yield
