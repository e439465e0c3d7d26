-- Every note gets a title; those that are there get theirs from their text.
ALTER TABLE notes ADD COLUMN title TEXT NOT NULL DEFAULT '';

UPDATE notes
   SET title = CASE
                   WHEN instr(text, ';') > 1 THEN substr(text, 1, instr(text, ';') - 1)
                   ELSE substr(text, 1, 40)
               END
 WHERE title = '';
