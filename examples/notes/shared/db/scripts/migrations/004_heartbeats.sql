-- Which processes are alive, and of which release they are.
CREATE TABLE heartbeats (
    name    TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    pid     INTEGER NOT NULL,
    at      REAL NOT NULL -- seconds since 1970
);
