-- Release, transfer, outbox, stock changes and events. MySQL has no ADD COLUMN IF NOT EXISTS, so statements that add columns
-- read the schema first: a migration that died must be able to run again.

-- +goose Up

SET @ddl = IF((SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'orders'
    AND column_name = 'due_at') > 0, 'DO 0',
  'ALTER TABLE orders ADD COLUMN due_at DATETIME(3) NULL'); -- pay_by while the order is confirmed, NULL otherwise
PREPARE change_schema FROM @ddl;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

SET @ddl = IF((SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = 'orders'
    AND index_name = 'orders_due') > 0, 'DO 0', 'CREATE INDEX orders_due ON orders (due_at)');
PREPARE change_schema FROM @ddl;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

UPDATE orders SET due_at = pay_by WHERE status = 'confirmed' AND pay_by IS NOT NULL AND due_at IS NULL;

-- Changes of a bucket's stock that Redis has not applied yet, numbered without gaps in the order of their commits. size: lines
-- of the row. body of a release or a refusal: one order per line, "id lines buyer" with the lines as in the record; of other
-- kinds: one SKU per line, "sku units number limit". change_key: of a row of stock_changes, empty without one.
CREATE TABLE IF NOT EXISTS outbox (
  sale_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  bucket INT NOT NULL,
  number BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  kind VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  size INT NOT NULL,
  change_key VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  body MEDIUMTEXT CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (sale_id, bucket, number)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- Stock changes of operators by their idempotency keys. open_rows: takes of the outbox that are not decided. loaded: units of
-- the SKU when the change was last looked at.
CREATE TABLE IF NOT EXISTS stock_changes (
  sale_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  sku VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  change_key VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  asked BIGINT NOT NULL,
  added BIGINT NOT NULL,
  open_rows INT NOT NULL,
  loaded BIGINT NOT NULL,
  done TINYINT NOT NULL,
  PRIMARY KEY (sale_id, sku, change_key)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- Sales whose end came: archived_at and the books of every SKU as JSON. dropped: nothing of the sale is left in Redis, and no
-- list of its buyers here.
CREATE TABLE IF NOT EXISTS archives (
  sale_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  archived_at DATETIME(3) NOT NULL,
  books MEDIUMTEXT CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  dropped TINYINT NOT NULL DEFAULT 0,
  KEY archives_dropped (dropped)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- Events of orders that are not published yet: a row per transaction and status, order ids separated by commas.
CREATE TABLE IF NOT EXISTS events (
  event_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  status VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  at DATETIME(3) NOT NULL,
  order_ids MEDIUMTEXT CHARACTER SET ascii COLLATE ascii_bin NOT NULL
) ENGINE = InnoDB /*T![auto_id_cache] AUTO_ID_CACHE=1 */ DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- The progress of settlement in the orders topic, committed with the rows.
CREATE TABLE IF NOT EXISTS positions (
  partition_id INT NOT NULL PRIMARY KEY,
  topic_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  next_offset BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- One row: the id of this database for the other stores.
CREATE TABLE IF NOT EXISTS engine (
  id TINYINT NOT NULL PRIMARY KEY,
  engine_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

INSERT INTO engine (id, engine_id) VALUES (1, UUID()) ON DUPLICATE KEY UPDATE id = id;
