-- The version of the catalogue that each gateway uses.

-- +goose Up

-- A row for each gateway process. seen_ms: time of its last heartbeat, by the database's clock.
CREATE TABLE IF NOT EXISTS gateways (
  holder VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL,
  seen_ms BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
