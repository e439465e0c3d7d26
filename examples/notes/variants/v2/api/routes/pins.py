"""Pinning a note, new in version 2."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException

from api.tenant import database_of
from shared.db.connection import reading, writing

router = APIRouter()
Database = Annotated[Any, Depends(database_of)]


@router.get("/api/pins")
def list_pins(database: Database) -> list[int]:
    """The numbers of the pinned notes."""
    with reading(database) as connection:
        return [row["id"] for row in connection.execute("SELECT id FROM notes WHERE pinned ORDER BY id")]


@router.put("/api/notes/{number}/pin")
def pin(number: int, database: Database, pinned: bool = True) -> dict[str, Any]:
    with writing(database) as connection:
        changed = connection.execute("UPDATE notes SET pinned = ? WHERE id = ?", (pinned, number)).rowcount
    if not changed:
        raise HTTPException(404, f"there is no note {number}")
    return {"id": number, "pinned": pinned}
