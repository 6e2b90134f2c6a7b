-- The beat by which gateways tell how far a replica of this database is behind.

-- +goose Up

-- One row. beat rises ten times a second while a settling process has the setting mysql.read_dsn.
CREATE TABLE IF NOT EXISTS replica_beat (
  id TINYINT NOT NULL PRIMARY KEY,
  beat BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

INSERT INTO replica_beat (id, beat) VALUES (1, 0) ON DUPLICATE KEY UPDATE id = id;
