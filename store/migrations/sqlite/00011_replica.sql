-- The same as in ../mysql.

-- +goose Up

-- One row. beat rises ten times a second while a settling process has the setting mysql.read_dsn.
CREATE TABLE replica_beat (
  id INTEGER NOT NULL PRIMARY KEY,
  beat INTEGER NOT NULL
);

INSERT INTO replica_beat (id, beat) VALUES (1, 0);
