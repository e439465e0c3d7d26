-- What happened to each note. A trigger writes it, so that nobody can forget to.
CREATE TABLE history (
    id      INTEGER PRIMARY KEY,
    note_id INTEGER NOT NULL,
    what    TEXT NOT NULL,
    at      INTEGER NOT NULL DEFAULT (strftime('%s', 'now'))
);

CREATE TABLE totals (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
INSERT INTO totals (name, value) SELECT 'notes', COUNT(*) FROM notes;

CREATE TRIGGER notes_added AFTER INSERT ON notes
BEGIN
    INSERT INTO history (note_id, what)
    VALUES (new.id, CASE WHEN length(new.text) > 100 THEN 'added; a long one' ELSE 'added' END);
    UPDATE totals SET value = value + 1 WHERE name = 'notes';
END;
