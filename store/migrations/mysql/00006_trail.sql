-- Who changed what.

-- +goose Up

-- A row for each change, written by the transaction that makes it. position and hash: its place in the chain, given later by
-- one process at a time. before_value and after_value: JSON.
CREATE TABLE IF NOT EXISTS trail (
  entry_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  at DATETIME(3) NOT NULL,
  who VARCHAR(64) NOT NULL,
  role VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  verb VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  target VARCHAR(200) NOT NULL,
  sale_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  before_value MEDIUMTEXT NOT NULL,
  after_value MEDIUMTEXT NOT NULL,
  outcome VARCHAR(64) NOT NULL,
  request_id VARCHAR(64) NOT NULL,
  position BIGINT NULL,
  hash VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  UNIQUE KEY trail_position (position),
  KEY trail_sale (sale_id, entry_id)
) ENGINE = InnoDB /*T![auto_id_cache] AUTO_ID_CACHE=1 */ DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- One row: the end of the chain. A process that chains locks it.
CREATE TABLE IF NOT EXISTS trail_head (
  id TINYINT NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL,
  hash VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

INSERT INTO trail_head (id, position, hash) VALUES (1, 0, '') ON DUPLICATE KEY UPDATE id = id;
