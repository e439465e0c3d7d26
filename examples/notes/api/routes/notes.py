"""The notes of one domain."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from api.tenant import database_of
from shared.db import store

router = APIRouter()
Database = Annotated[Any, Depends(database_of)]


class NewNote(BaseModel):
    text: str = Field(min_length=1, max_length=2000)


@router.get("/api/notes")
def list_notes(database: Database) -> dict[str, Any]:
    """The newest notes and the number of all."""
    return store.newest(database)


@router.post("/api/notes", status_code=201)
def add_note(note: NewNote, database: Database) -> dict[str, Any]:
    return store.add(database, note.text)
