-- The same as in ../mysql. SQLite takes a migration back as a whole when it dies half-way.

-- +goose Up

ALTER TABLE orders ADD COLUMN due_at TEXT NULL; -- pay_by while the order is confirmed, NULL otherwise
CREATE INDEX orders_due ON orders (due_at);

-- sequence: highest write of the present epoch that settled or was applied. moved_epoch: units of settled_epoch that
-- transfers took. given_epoch: units of the present epoch's outbox rows. outbox_number: of the bucket's last outbox row.
ALTER TABLE stock ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stock ADD COLUMN moved_epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stock ADD COLUMN given_epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stock ADD COLUMN outbox_number INTEGER NOT NULL DEFAULT 0;

UPDATE orders SET due_at = pay_by WHERE status = 'confirmed' AND pay_by IS NOT NULL;

UPDATE stock SET sequence = (SELECT COALESCE(MAX(b.sequence), 0) FROM batches b WHERE b.sale_id = stock.sale_id
  AND b.sku = stock.sku AND b.bucket = stock.bucket AND b.epoch = stock.epoch);

-- Changes of a bucket's stock that are decided here and still to be applied in Redis, numbered without gaps in the order
-- of their commits. body: of a release an order a line, "id quantity buyer"; of a credit nothing.
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

-- What happened to orders and is still to be told: a row per transaction and status, order ids with commas between.
CREATE TABLE events (
  event_id INTEGER PRIMARY KEY AUTOINCREMENT,
  status TEXT NOT NULL,
  at TEXT NOT NULL,
  order_ids TEXT NOT NULL
);

-- Where settlement stands in the orders topic, committed with the rows.
CREATE TABLE positions (
  partition_id INTEGER NOT NULL PRIMARY KEY,
  topic_id TEXT NOT NULL,
  next_offset INTEGER NOT NULL
);

-- One row: who this database is to the other stores.
CREATE TABLE engine (
  id INTEGER NOT NULL PRIMARY KEY,
  engine_id TEXT NOT NULL
);

INSERT INTO engine (id, engine_id) VALUES (1, lower(hex(randomblob(16))));
