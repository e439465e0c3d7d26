-- A note can be pinned. The release before this one knows nothing of it and goes on working.
ALTER TABLE notes ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;

UPDATE notes SET pinned = 1 WHERE id = (SELECT MIN(id) FROM notes);
