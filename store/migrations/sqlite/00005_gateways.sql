-- Which version of the catalogue each gateway sells by.

-- +goose Up

-- A row for each gateway process. seen_ms: when it was last heard of, by the database's clock.
CREATE TABLE gateways (
  holder TEXT NOT NULL PRIMARY KEY,
  version INTEGER NOT NULL,
  seen_ms INTEGER NOT NULL
) WITHOUT ROWID;
