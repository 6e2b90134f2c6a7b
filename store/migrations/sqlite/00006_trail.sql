-- The same as in ../mysql.

-- +goose Up

-- A row for each change, written by the transaction that makes it. position and hash: its place in the chain, given later by
-- one process at a time. before_value and after_value: JSON.
CREATE TABLE trail (
  entry_id INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL,
  who TEXT NOT NULL,
  role TEXT NOT NULL,
  verb TEXT NOT NULL,
  target TEXT NOT NULL,
  sale_id TEXT NOT NULL,
  before_value TEXT NOT NULL,
  after_value TEXT NOT NULL,
  outcome TEXT NOT NULL,
  request_id TEXT NOT NULL,
  position INTEGER NULL,
  hash TEXT NULL
);

CREATE UNIQUE INDEX trail_position ON trail (position);
CREATE INDEX trail_sale ON trail (sale_id, entry_id);

-- One row: the end of the chain. A process that chains locks it.
CREATE TABLE trail_head (
  id INTEGER NOT NULL PRIMARY KEY,
  position INTEGER NOT NULL,
  hash TEXT NOT NULL
);

INSERT INTO trail_head (id, position, hash) VALUES (1, 0, '');
