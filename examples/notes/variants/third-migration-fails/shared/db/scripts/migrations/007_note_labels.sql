CREATE TABLE note_labels (
    note_id  INTEGER NOT NULL REFERENCES notes (id),
    label_id INTEGER NOT NULL REFERENCES labels (id),
    PRIMARY KEY (note_id, label_id)
);
