ALTER TABLE labels ADD COLUMN colour TEXT NOT NULL DEFAULT 'grey';

-- The table has another name: this statement fails.
UPDATE label SET colour = 'red' WHERE name = 'important';

CREATE INDEX labels_by_colour ON labels (colour);
