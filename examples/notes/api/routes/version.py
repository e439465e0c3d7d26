"""Which release answers?"""

import os

from fastapi import APIRouter

from shared.version import version

router = APIRouter()


@router.get("/api/version")
def get_version() -> dict[str, str | int]:
    return {"version": version(), "pid": os.getpid()}
