"""A request that takes its time, to see what becomes of it while a release is exchanged."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query

from shared.version import version

router = APIRouter()


@router.get("/api/slow")
async def slow(seconds: Annotated[float, Query(ge=0, le=30)] = 0.5) -> dict[str, str | float]:
    await asyncio.sleep(seconds)
    return {"version": version(), "seconds": seconds}
