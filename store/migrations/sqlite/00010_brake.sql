-- The same as in ../mysql.

-- +goose Up

-- One row. per_second: purchases of all gateways together, 0 while there is no brake; per_gateway: the share of one.
-- until_ms: its end by the database's clock unless it is renewed. since: its begin.
CREATE TABLE brake (
  id INTEGER NOT NULL PRIMARY KEY,
  since TEXT NOT NULL,
  reason TEXT NOT NULL,
  per_second INTEGER NOT NULL,
  per_gateway INTEGER NOT NULL,
  until_ms INTEGER NOT NULL,
  version INTEGER NOT NULL
);

INSERT INTO brake (id, since, reason, per_second, per_gateway, until_ms, version)
  VALUES (1, '2000-01-01 00:00:00.000', '', 0, 0, 0, 0);

ALTER TABLE positions ADD COLUMN orders INTEGER NOT NULL DEFAULT 0; -- in the records before next_offset, since the count began
