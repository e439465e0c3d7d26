CREATE TABLE labels (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
INSERT INTO labels (name) VALUES ('important'), ('later');
