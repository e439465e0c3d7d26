"""What happens once before the first request, and once after the last."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from shared.site import site_base
from shared.version import version

log = logging.getLogger("uvicorn.error")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    log.info("notes %s serves the site %s", version(), site_base())
    yield
    log.info("notes %s has served its last request", version())
