-- The same tables and columns as in ../mysql. Text compares by bytes, so ids are case-sensitive. Times are text in the
-- form of MySQL's DATETIME(3), so they sort and read alike. SQLite does not enforce types: in tables with data of records a
-- CHECK refuses what MySQL refuses by its type.

-- +goose Up

-- One row: the version of the last committed change of the catalogue. A transaction that changes sales, buckets or rules
-- updates and locks it until the commit, so versions become visible in their order.
CREATE TABLE IF NOT EXISTS catalogue (
  id INTEGER NOT NULL PRIMARY KEY,
  version INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS sales (
  sale_id TEXT NOT NULL PRIMARY KEY,
  state TEXT NOT NULL,
  name TEXT NOT NULL,
  starts_at TEXT NOT NULL,
  ends_at TEXT NOT NULL,
  currency TEXT NOT NULL,
  per_buyer_limit INTEGER NOT NULL, -- units per buyer and SKU
  per_buyer_sale_limit INTEGER NOT NULL, -- units per buyer over all SKUs, 0 = none
  payment_ttl_s INTEGER NOT NULL,
  buckets INTEGER NOT NULL,
  eligibility TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '',
  list_version INTEGER NOT NULL DEFAULT 0, -- the present list of buyers
  list_started INTEGER NOT NULL DEFAULT 0, -- the newest list whose upload has begun
  list_size INTEGER NOT NULL DEFAULT 0,
  version INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS sales_version ON sales (version);

CREATE TABLE IF NOT EXISTS items (
  sale_id TEXT NOT NULL,
  sku TEXT NOT NULL,
  number INTEGER NOT NULL, -- Redis' name of the SKU: 1, 2, 3, ... in the order in which the items came, never changed
  place INTEGER NOT NULL, -- index in the operator's definition
  stock INTEGER NOT NULL,
  price_cents INTEGER NOT NULL,
  name TEXT NOT NULL,
  per_buyer_limit INTEGER NULL, -- NULL: the sale's
  PRIMARY KEY (sale_id, sku)
) WITHOUT ROWID;

-- A bucket is a slice of a sale. Every transaction that changes units, orders or limits of a bucket locks this row first and
-- counts itself in writes, so that a cluster of several writers finds two of them as a conflict. Currency, payment time and
-- limit are copies of the sale's from the first preload, so that settling reads and locks one row.
CREATE TABLE IF NOT EXISTS buckets (
  sale_id TEXT NOT NULL,
  bucket INTEGER NOT NULL,
  epoch INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL,
  closed_reason TEXT NOT NULL DEFAULT '',
  partition_id INTEGER NOT NULL,
  sequence INTEGER NOT NULL DEFAULT 0, -- highest settled or applied write of the present epoch
  outbox_number INTEGER NOT NULL DEFAULT 0, -- of the bucket's last outbox row
  writes INTEGER NOT NULL DEFAULT 0,
  orders INTEGER NOT NULL DEFAULT 0, -- orders that have ever been confirmed in the bucket
  currency TEXT NOT NULL,
  payment_ttl_s INTEGER NOT NULL,
  sale_limit INTEGER NOT NULL, -- units per buyer over all SKUs, 0 = none
  version INTEGER NOT NULL,
  PRIMARY KEY (sale_id, bucket)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS buckets_version ON buckets (version);

-- The units of a SKU in a bucket. The lock of the bucket's row covers these rows. The counters that end in epoch begin at 0
-- with each epoch of the bucket.
CREATE TABLE IF NOT EXISTS stock (
  sale_id TEXT NOT NULL,
  bucket INTEGER NOT NULL,
  sku TEXT NOT NULL,
  number INTEGER NOT NULL, -- of the item
  per_buyer_limit INTEGER NOT NULL,
  loaded INTEGER NOT NULL,
  settled INTEGER NOT NULL DEFAULT 0,
  released INTEGER NOT NULL DEFAULT 0,
  settled_epoch INTEGER NOT NULL DEFAULT 0, -- units of the epoch's batches and transfers, refused orders included
  moved_epoch INTEGER NOT NULL DEFAULT 0, -- of these, units that transfers took
  given_epoch INTEGER NOT NULL DEFAULT 0, -- units of the epoch's outbox rows, less those that were taken back
  PRIMARY KEY (sale_id, bucket, sku)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS buyers (
  sale_id TEXT NOT NULL,
  list_version INTEGER NOT NULL,
  buyer_id TEXT NOT NULL,
  PRIMARY KEY (sale_id, list_version, buyer_id)
) WITHOUT ROWID;

-- An order of several lines has them in order_lines, and neither sku nor unit_price_cents. quantity: units of all lines.
-- orders_buyer ends with order_id, so that the orders of a buyer
-- are read in the order of their ids.
CREATE TABLE IF NOT EXISTS orders (
  order_id INTEGER NOT NULL PRIMARY KEY,
  sale_id TEXT NOT NULL,
  sku TEXT NULL,
  buyer_id TEXT NOT NULL CHECK (length(buyer_id) <= 64),
  quantity INTEGER NOT NULL,
  status TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '',
  unit_price_cents INTEGER NULL,
  total_cents INTEGER NOT NULL,
  line_count INTEGER NOT NULL,
  currency TEXT NOT NULL,
  payment_id TEXT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  pay_by TEXT NULL,
  bucket INTEGER NOT NULL,
  idempotency_key TEXT NOT NULL DEFAULT '' CHECK (length(idempotency_key) <= 128)
);
CREATE INDEX IF NOT EXISTS orders_buyer ON orders (sale_id, buyer_id, order_id);
CREATE INDEX IF NOT EXISTS orders_updated ON orders (updated_at);

-- The lines of orders of several lines.
CREATE TABLE IF NOT EXISTS order_lines (
  order_id INTEGER NOT NULL,
  line INTEGER NOT NULL, -- 1, 2, 3, ... as the buyer wrote them
  sku TEXT NOT NULL,
  quantity INTEGER NOT NULL,
  unit_price_cents INTEGER NOT NULL,
  PRIMARY KEY (order_id, line)
) WITHOUT ROWID;

-- The marker of a settled batch. A second batch at the same sequence is a fork: its insert fails here, and it gets a row
-- in forks.
CREATE TABLE IF NOT EXISTS batches (
  sale_id TEXT NOT NULL,
  bucket INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  batch_id INTEGER NOT NULL,
  PRIMARY KEY (sale_id, bucket, epoch, sequence)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS forks (
  sale_id TEXT NOT NULL,
  bucket INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  batch_id INTEGER NOT NULL,
  PRIMARY KEY (sale_id, bucket, epoch, sequence, batch_id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS fences (
  token TEXT NOT NULL PRIMARY KEY,
  passed_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS fences_passed ON fences (passed_ms);

CREATE TABLE IF NOT EXISTS dead_letters (
  dead_letter_id TEXT NOT NULL PRIMARY KEY,
  reason TEXT NOT NULL,
  detail TEXT NOT NULL,
  state TEXT NOT NULL,
  partition_id INTEGER NOT NULL,
  record_offset INTEGER NOT NULL,
  record BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS dead_letters_state ON dead_letters (state, partition_id, record_offset);

-- The orders of waiting dead letters, so that their buyers find them; deleted when the operator has decided.
CREATE TABLE IF NOT EXISTS dead_letter_orders (
  dead_letter_id TEXT NOT NULL,
  place INTEGER NOT NULL,
  order_id INTEGER NOT NULL,
  sale_id TEXT NOT NULL,
  buyer_id TEXT NOT NULL,
  order_lines TEXT NOT NULL, -- as in the record: SKU:QUANTITY:PRICE joined by a comma
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (dead_letter_id, place)
);
CREATE INDEX IF NOT EXISTS dead_letter_orders_order ON dead_letter_orders (order_id);
CREATE INDEX IF NOT EXISTS dead_letter_orders_buyer ON dead_letter_orders (sale_id, buyer_id);

CREATE TABLE IF NOT EXISTS leases (
  name TEXT NOT NULL PRIMARY KEY,
  holder TEXT NOT NULL,
  expires_ms INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS node_leases (
  node_id INTEGER NOT NULL PRIMARY KEY,
  holder TEXT NOT NULL,
  expires_ms INTEGER NOT NULL,
  high_water_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS node_leases_free ON node_leases (expires_ms, node_id);

CREATE TABLE IF NOT EXISTS rules (
  id INTEGER NOT NULL PRIMARY KEY,
  rules_version INTEGER NOT NULL, -- the version that operators see: one more with every change
  body TEXT NOT NULL,
  version INTEGER NOT NULL
);

INSERT INTO catalogue (id, version) VALUES (1, 0) ON CONFLICT DO NOTHING;
INSERT INTO rules (id, rules_version, body, version) VALUES (1, 0, '{}', 0) ON CONFLICT DO NOTHING;

-- The 1024 node ids of the order id generator, all free.
INSERT INTO node_leases (node_id, holder, expires_ms, high_water_ms)
SELECT a.n + 4 * b.n + 16 * c.n + 64 * d.n + 256 * e.n, '', 0, 0
FROM (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) AS a
CROSS JOIN (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) AS b
CROSS JOIN (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) AS c
CROSS JOIN (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) AS d
CROSS JOIN (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) AS e
WHERE true -- without it the parser takes the ON below for the join's
ON CONFLICT DO NOTHING;
