-- The same as in ../mysql. SQLite rolls back a migration that died.

-- +goose Up

ALTER TABLE orders ADD COLUMN due_at TEXT NULL; -- pay_by while the order is confirmed, NULL otherwise
CREATE INDEX orders_due ON orders (due_at);

UPDATE orders SET due_at = pay_by WHERE status = 'confirmed' AND pay_by IS NOT NULL;

-- Changes of a bucket's stock that Redis has not applied yet, numbered without gaps in the order of their commits. size: lines
-- of the row. body of a release or a refusal: one order per line, "id lines buyer" with the lines as in the record; of other
-- kinds: one SKU per line, "sku units number limit". change_key: of a row of stock_changes, empty without one.
CREATE TABLE outbox (
  sale_id TEXT NOT NULL,
  bucket INTEGER NOT NULL,
  number INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  kind TEXT NOT NULL,
  size INTEGER NOT NULL,
  change_key TEXT NOT NULL DEFAULT '',
  body TEXT NOT NULL,
  PRIMARY KEY (sale_id, bucket, number)
) WITHOUT ROWID;

-- Stock changes of operators by their idempotency keys. open_rows: takes of the outbox that are not decided. loaded: units of
-- the SKU when the change was last looked at.
CREATE TABLE stock_changes (
  sale_id TEXT NOT NULL,
  sku TEXT NOT NULL,
  change_key TEXT NOT NULL,
  asked INTEGER NOT NULL,
  added INTEGER NOT NULL,
  open_rows INTEGER NOT NULL,
  loaded INTEGER NOT NULL,
  done INTEGER NOT NULL,
  PRIMARY KEY (sale_id, sku, change_key)
) WITHOUT ROWID;

-- Sales whose end came: archived_at and the books of every SKU as JSON. dropped: nothing of the sale is left in Redis, and no
-- list of its buyers here.
CREATE TABLE IF NOT EXISTS archives (
  sale_id TEXT NOT NULL PRIMARY KEY,
  archived_at TEXT NOT NULL,
  books TEXT NOT NULL,
  dropped INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX IF NOT EXISTS archives_dropped ON archives (dropped);

-- Events of orders that are not published yet: a row per transaction and status, order ids separated by commas.
CREATE TABLE events (
  event_id INTEGER PRIMARY KEY AUTOINCREMENT,
  status TEXT NOT NULL,
  at TEXT NOT NULL,
  order_ids TEXT NOT NULL
);

-- The progress of settlement in the orders topic, committed with the rows.
CREATE TABLE positions (
  partition_id INTEGER NOT NULL PRIMARY KEY,
  topic_id TEXT NOT NULL,
  next_offset INTEGER NOT NULL
);

-- One row: the id of this database for the other stores.
CREATE TABLE engine (
  id INTEGER NOT NULL PRIMARY KEY,
  engine_id TEXT NOT NULL
);

INSERT INTO engine (id, engine_id) VALUES (1, lower(hex(randomblob(16))));
