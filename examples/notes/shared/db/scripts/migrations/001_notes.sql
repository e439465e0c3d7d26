-- The notes themselves.
CREATE TABLE notes (
    id         INTEGER PRIMARY KEY,
    text       TEXT NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (strftime('%s', 'now'))
);

CREATE INDEX notes_by_time ON notes (created_at);

INSERT INTO notes (text) VALUES ('Welcome; this note came with the database.');
