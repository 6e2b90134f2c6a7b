-- The version of the catalogue that each gateway uses.

-- +goose Up

-- A row for each gateway process. seen_ms: time of its last heartbeat, by the database's clock.
CREATE TABLE gateways (
  holder TEXT NOT NULL PRIMARY KEY,
  version INTEGER NOT NULL,
  seen_ms INTEGER NOT NULL
) WITHOUT ROWID;
