-- The same as in ../mysql. SQLite rolls back a migration that died.

-- +goose Up

ALTER TABLE orders ADD COLUMN due_at TEXT NULL; -- pay_by while the order is confirmed, NULL otherwise
CREATE INDEX orders_due ON orders (due_at);

-- sequence: highest settled or applied write of the present epoch. moved_epoch: units of settled_epoch that
-- transfers took. given_epoch: units of the present epoch's outbox rows. outbox_number: of the bucket's last outbox row.
ALTER TABLE stock ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stock ADD COLUMN moved_epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stock ADD COLUMN given_epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stock ADD COLUMN outbox_number INTEGER NOT NULL DEFAULT 0;

UPDATE orders SET due_at = pay_by WHERE status = 'confirmed' AND pay_by IS NOT NULL;

UPDATE stock SET sequence = (SELECT COALESCE(MAX(b.sequence), 0) FROM batches b WHERE b.sale_id = stock.sale_id
  AND b.sku = stock.sku AND b.bucket = stock.bucket AND b.epoch = stock.epoch);

-- Changes of a bucket's stock that Redis has not applied yet, numbered without gaps in the order of their commits. body:
-- one order per line for a release, "id quantity buyer"; empty for a credit.
CREATE TABLE outbox (
  sale_id TEXT NOT NULL,
  sku TEXT NOT NULL,
  bucket INTEGER NOT NULL,
  number INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  kind TEXT NOT NULL,
  units INTEGER NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (sale_id, sku, bucket, number)
) WITHOUT ROWID;

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
