-- Release, transfer, outbox and events. MySQL has no ADD COLUMN IF NOT EXISTS, so statements that add columns read the
-- schema first: a migration that died must be able to run again.

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

-- sequence: highest settled or applied write of the present epoch. moved_epoch: units of settled_epoch that
-- transfers took. given_epoch: units of the present epoch's outbox rows. outbox_number: of the bucket's last outbox row.
SET @ddl = IF((SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'stock'
    AND column_name = 'outbox_number') > 0, 'DO 0',
  'ALTER TABLE stock ADD COLUMN sequence BIGINT NOT NULL DEFAULT 0, ADD COLUMN moved_epoch BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN given_epoch BIGINT NOT NULL DEFAULT 0, ADD COLUMN outbox_number BIGINT NOT NULL DEFAULT 0');
PREPARE change_schema FROM @ddl;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

UPDATE orders SET due_at = pay_by WHERE status = 'confirmed' AND pay_by IS NOT NULL AND due_at IS NULL;

UPDATE stock SET sequence = (SELECT COALESCE(MAX(b.sequence), 0) FROM batches b WHERE b.sale_id = stock.sale_id
  AND b.sku = stock.sku AND b.bucket = stock.bucket AND b.epoch = stock.epoch) WHERE sequence = 0;

-- Changes of a bucket's stock that Redis has not applied yet, numbered without gaps in the order of their commits. body:
-- one order per line for a release, "id quantity buyer"; empty for a credit.
CREATE TABLE IF NOT EXISTS outbox (
  sale_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  sku VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  bucket INT NOT NULL,
  number BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  kind VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  units BIGINT NOT NULL,
  body MEDIUMTEXT CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (sale_id, sku, bucket, number)
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
