-- Freeze and thaw of holds, and extension of single ones. MySQL has no ADD COLUMN IF NOT EXISTS, so statements that add columns
-- read the schema first: a migration that died must be able to run again.

-- +goose Up

-- holds_frozen_since: no unpaid order of the sale expires from this time on; NULL: not frozen. thaw_no: thaws that have begun.
-- thaw_at: when the thaw that has not ended began; NULL: none.
SET @ddl = IF((SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'sales'
    AND column_name = 'holds_frozen_since') > 0, 'DO 0',
  'ALTER TABLE sales ADD COLUMN holds_frozen_since DATETIME(3) NULL, ADD COLUMN thaw_no INT NOT NULL DEFAULT 0,
    ADD COLUMN thaw_at DATETIME(3) NULL');
PREPARE change_schema FROM @ddl;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

-- A statement of its own: TiDB makes no key of a column that the same statement adds.
SET @ddl = IF((SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = 'sales'
    AND index_name = 'sales_frozen') > 0, 'DO 0', 'ALTER TABLE sales ADD KEY sales_frozen (holds_frozen_since)');
PREPARE change_schema FROM @ddl;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

-- Copies for transactions that lock the bucket's row anyway. frozen: 1 from the freeze to the end of the thaw. thawed_ms: when
-- the last thaw began, as Unix milliseconds, 0 for none.
SET @ddl = IF((SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'buckets'
    AND column_name = 'frozen') > 0, 'DO 0',
  'ALTER TABLE buckets ADD COLUMN frozen TINYINT NOT NULL DEFAULT 0, ADD COLUMN thaw_no INT NOT NULL DEFAULT 0,
    ADD COLUMN thawed_ms BIGINT NOT NULL DEFAULT 0');
PREPARE change_schema FROM @ddl;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

-- first_pay_by: pay_by at the confirmation, once pay_by has moved; NULL before. thaw_no: the last thaw of the sale that pay_by
-- takes into account.
SET @ddl = IF((SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'orders'
    AND column_name = 'first_pay_by') > 0, 'DO 0',
  'ALTER TABLE orders ADD COLUMN first_pay_by DATETIME(3) NULL, ADD COLUMN thaw_no INT NOT NULL DEFAULT 0');
PREPARE change_schema FROM @ddl;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

-- Every thaw that has begun: the pay_by of orders that were made before at_ms, Unix milliseconds, moves by shift_ms.
CREATE TABLE IF NOT EXISTS thaws (
  sale_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  thaw_no INT NOT NULL,
  at_ms BIGINT NOT NULL,
  shift_ms BIGINT NOT NULL,
  PRIMARY KEY (sale_id, thaw_no)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- About when an order of a sale was last paid, as Unix milliseconds by the database's clock, 0 for never. A process writes it
-- at most four times a second.
CREATE TABLE IF NOT EXISTS payments_seen (
  sale_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  paid_ms BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

INSERT INTO payments_seen (sale_id, paid_ms)
SELECT s.sale_id, COALESCE((SELECT CAST(MAX(UNIX_TIMESTAMP(o.updated_at)) * 1000 AS SIGNED) FROM orders o
    WHERE o.sale_id = s.sale_id AND o.status = 'paid'), 0) FROM sales s
ON DUPLICATE KEY UPDATE paid_ms = payments_seen.paid_ms;
