-- The same as in ../mysql. SQLite rolls back a migration that died.

-- +goose Up

-- holds_frozen_since: no unpaid order of the sale expires from this time on; NULL: not frozen. thaw_no: thaws that have begun.
-- thaw_at: when the thaw that has not ended began; NULL: none.
ALTER TABLE sales ADD COLUMN holds_frozen_since TEXT NULL;
ALTER TABLE sales ADD COLUMN thaw_no INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sales ADD COLUMN thaw_at TEXT NULL;
CREATE INDEX sales_frozen ON sales (holds_frozen_since);

-- Copies for transactions that lock the bucket's row anyway. frozen: 1 from the freeze to the end of the thaw. thawed_ms: when
-- the last thaw began, as Unix milliseconds, 0 for none.
ALTER TABLE buckets ADD COLUMN frozen INTEGER NOT NULL DEFAULT 0;
ALTER TABLE buckets ADD COLUMN thaw_no INTEGER NOT NULL DEFAULT 0;
ALTER TABLE buckets ADD COLUMN thawed_ms INTEGER NOT NULL DEFAULT 0;

-- first_pay_by: pay_by at the confirmation, once pay_by has moved; NULL before. thaw_no: the last thaw of the sale that pay_by
-- takes into account.
ALTER TABLE orders ADD COLUMN first_pay_by TEXT NULL;
ALTER TABLE orders ADD COLUMN thaw_no INTEGER NOT NULL DEFAULT 0;

-- Every thaw that has begun: the pay_by of orders that were made before at_ms, Unix milliseconds, moves by shift_ms.
CREATE TABLE thaws (
  sale_id TEXT NOT NULL,
  thaw_no INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  shift_ms INTEGER NOT NULL,
  PRIMARY KEY (sale_id, thaw_no)
) WITHOUT ROWID;

-- About when an order of a sale was last paid, as Unix milliseconds by the database's clock, 0 for never. A process writes it
-- at most four times a second.
CREATE TABLE payments_seen (
  sale_id TEXT NOT NULL PRIMARY KEY,
  paid_ms INTEGER NOT NULL
) WITHOUT ROWID;

INSERT INTO payments_seen (sale_id, paid_ms)
SELECT s.sale_id, COALESCE((SELECT CAST(ROUND(MAX(unixepoch(o.updated_at, 'subsec')) * 1000) AS INTEGER) FROM orders o
    WHERE o.sale_id = s.sale_id AND o.status = 'paid'), 0) FROM sales s;
