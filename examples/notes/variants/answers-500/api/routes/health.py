"""Runs, and is not well."""

from fastapi import APIRouter, HTTPException

router = APIRouter()


@router.get("/api/public/health/health")
def health() -> None:
    raise HTTPException(500, "the search index is missing")
