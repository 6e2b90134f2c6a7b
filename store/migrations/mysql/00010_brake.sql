-- The brake of purchases, and the orders that settlement has counted. MySQL has no ADD COLUMN IF NOT EXISTS, so the statement
-- that adds a column reads the schema first.

-- +goose Up

-- One row. per_second: purchases of all gateways together, 0 while there is no brake; per_gateway: the share of one.
-- until_ms: its end by the database's clock unless it is renewed. since: its begin.
CREATE TABLE IF NOT EXISTS brake (
  id TINYINT NOT NULL PRIMARY KEY,
  since DATETIME(3) NOT NULL,
  reason VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  per_second BIGINT NOT NULL,
  per_gateway BIGINT NOT NULL,
  until_ms BIGINT NOT NULL,
  version BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

INSERT INTO brake (id, since, reason, per_second, per_gateway, until_ms, version)
  VALUES (1, '2000-01-01 00:00:00.000', '', 0, 0, 0, 0) ON DUPLICATE KEY UPDATE id = id;

-- orders: in the records before next_offset, since the count began.
SET @ddl = IF((SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'positions'
    AND column_name = 'orders') > 0, 'DO 0',
  'ALTER TABLE positions ADD COLUMN orders BIGINT NOT NULL DEFAULT 0');
PREPARE change_schema FROM @ddl;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;
