-- Which version of the catalogue each gateway sells by.

-- +goose Up

-- A row for each gateway process. seen_ms: when it was last heard of, by the database's clock.
CREATE TABLE IF NOT EXISTS gateways (
  holder VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL,
  seen_ms BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
