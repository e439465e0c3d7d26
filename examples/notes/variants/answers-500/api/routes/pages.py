"""The front end, which cannot be shown either."""

from fastapi import APIRouter, HTTPException

router = APIRouter()


@router.get("/{path:path}", include_in_schema=False)
def page(path: str) -> None:
    raise HTTPException(500, "the search index is missing")
