-- Ids are ascii with binary collation: case counts, an index entry is one byte a character. Times are UTC.
-- Every statement is repeatable: MySQL commits each DDL statement on its own, so a migration that died must be able to
-- run again.

-- +goose Up

-- One row: the version of the last committed change of the catalogue. A transaction that changes sales, buckets or rules
-- updates and locks it until the commit, so versions become visible in their order.
CREATE TABLE IF NOT EXISTS catalogue (
  id TINYINT NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS sales (
  sale_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  state VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name VARCHAR(200) NOT NULL,
  starts_at DATETIME(3) NOT NULL,
  ends_at DATETIME(3) NOT NULL,
  currency VARCHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  per_buyer_limit INT NOT NULL, -- units per buyer and SKU
  per_buyer_sale_limit INT NOT NULL, -- units per buyer over all SKUs, 0 = none
  payment_ttl_s BIGINT NOT NULL,
  buckets INT NOT NULL,
  eligibility VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  reason VARCHAR(255) NOT NULL DEFAULT '',
  list_version BIGINT NOT NULL DEFAULT 0, -- the present list of buyers
  list_started BIGINT NOT NULL DEFAULT 0, -- the newest list whose upload has begun
  list_size BIGINT NOT NULL DEFAULT 0,
  version BIGINT NOT NULL,
  KEY sales_version (version)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS items (
  sale_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  sku VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  number INT NOT NULL, -- Redis' name of the SKU: 1, 2, 3, ... in the order in which the items came, never changed
  place INT NOT NULL, -- index in the operator's definition
  stock BIGINT NOT NULL,
  price_cents BIGINT NOT NULL,
  name VARCHAR(200) NOT NULL,
  per_buyer_limit INT NULL, -- NULL: the sale's
  PRIMARY KEY (sale_id, sku)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- A bucket is a slice of a sale. Every transaction that changes units, orders or limits of a bucket locks this row first and
-- counts itself in writes, so that a cluster of several writers finds two of them as a conflict. Currency, payment time and
-- limit are copies of the sale's from the first preload, so that settling reads and locks one row.
CREATE TABLE IF NOT EXISTS buckets (
  sale_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  bucket INT NOT NULL,
  epoch BIGINT NOT NULL DEFAULT 0,
  state VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  closed_reason VARCHAR(255) NOT NULL DEFAULT '',
  partition_id INT NOT NULL,
  sequence BIGINT NOT NULL DEFAULT 0, -- highest settled or applied write of the present epoch
  outbox_number BIGINT NOT NULL DEFAULT 0, -- of the bucket's last outbox row
  writes BIGINT NOT NULL DEFAULT 0,
  orders BIGINT NOT NULL DEFAULT 0, -- orders that have ever been confirmed in the bucket
  currency VARCHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  payment_ttl_s BIGINT NOT NULL,
  sale_limit INT NOT NULL, -- units per buyer over all SKUs, 0 = none
  version BIGINT NOT NULL,
  PRIMARY KEY (sale_id, bucket),
  KEY buckets_version (version)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- The units of a SKU in a bucket. The lock of the bucket's row covers these rows. The counters that end in epoch begin at 0
-- with each epoch of the bucket.
CREATE TABLE IF NOT EXISTS stock (
  sale_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  bucket INT NOT NULL,
  sku VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  number INT NOT NULL, -- of the item
  per_buyer_limit INT NOT NULL,
  loaded BIGINT NOT NULL,
  settled BIGINT NOT NULL DEFAULT 0,
  released BIGINT NOT NULL DEFAULT 0,
  settled_epoch BIGINT NOT NULL DEFAULT 0, -- units of the epoch's batches and transfers, refused orders included
  moved_epoch BIGINT NOT NULL DEFAULT 0, -- of these, units that transfers took
  given_epoch BIGINT NOT NULL DEFAULT 0, -- units of the epoch's outbox rows, less those that were taken back
  PRIMARY KEY (sale_id, bucket, sku)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS buyers (
  sale_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  list_version BIGINT NOT NULL,
  buyer_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (sale_id, list_version, buyer_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- An order of several lines has them in order_lines, and neither sku nor unit_price_cents. quantity: units of all lines.
-- orders_buyer ends with order_id, so that the orders of a buyer
-- are read in the order of their ids.
CREATE TABLE IF NOT EXISTS orders (
  order_id BIGINT NOT NULL PRIMARY KEY,
  sale_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  sku VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  buyer_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  quantity INT NOT NULL,
  status VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  reason VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  unit_price_cents BIGINT NULL,
  total_cents BIGINT NOT NULL,
  line_count TINYINT NOT NULL,
  currency VARCHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  payment_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  created_at DATETIME(3) NOT NULL,
  updated_at DATETIME(3) NOT NULL,
  pay_by DATETIME(3) NULL,
  bucket INT NOT NULL,
  idempotency_key VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  KEY orders_buyer (sale_id, buyer_id, order_id),
  KEY orders_updated (updated_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- The lines of orders of several lines.
CREATE TABLE IF NOT EXISTS order_lines (
  order_id BIGINT NOT NULL,
  line TINYINT NOT NULL, -- 1, 2, 3, ... as the buyer wrote them
  sku VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  quantity INT NOT NULL,
  unit_price_cents BIGINT NOT NULL,
  PRIMARY KEY (order_id, line)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- The marker of a settled batch. A second batch at the same sequence is a fork: its insert fails here, and it gets a row
-- in forks.
CREATE TABLE IF NOT EXISTS batches (
  sale_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  bucket INT NOT NULL,
  epoch BIGINT NOT NULL,
  sequence BIGINT NOT NULL,
  batch_id BIGINT NOT NULL,
  PRIMARY KEY (sale_id, bucket, epoch, sequence)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS forks (
  sale_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  bucket INT NOT NULL,
  epoch BIGINT NOT NULL,
  sequence BIGINT NOT NULL,
  batch_id BIGINT NOT NULL,
  PRIMARY KEY (sale_id, bucket, epoch, sequence, batch_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS fences (
  token VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  passed_ms BIGINT NOT NULL,
  KEY fences_passed (passed_ms)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS dead_letters (
  dead_letter_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  reason VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  detail VARCHAR(1000) NOT NULL,
  state VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  partition_id INT NOT NULL,
  record_offset BIGINT NOT NULL,
  record LONGBLOB NOT NULL,
  KEY dead_letters_state (state, partition_id, record_offset)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- The orders of waiting dead letters, so that their buyers find them; deleted when the operator has decided.
CREATE TABLE IF NOT EXISTS dead_letter_orders (
  dead_letter_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  place INT NOT NULL,
  order_id BIGINT NOT NULL,
  sale_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  buyer_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- as in the record: SKU:QUANTITY:PRICE joined by a comma
  order_lines VARCHAR(2000) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (dead_letter_id, place),
  KEY dead_letter_orders_order (order_id),
  KEY dead_letter_orders_buyer (sale_id, buyer_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS leases (
  name VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  holder VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  expires_ms BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS node_leases (
  node_id INT NOT NULL PRIMARY KEY,
  holder VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  expires_ms BIGINT NOT NULL,
  high_water_ms BIGINT NOT NULL,
  KEY node_leases_free (expires_ms, node_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS rules (
  id TINYINT NOT NULL PRIMARY KEY,
  rules_version BIGINT NOT NULL, -- the version that operators see: one more with every change
  body MEDIUMTEXT NOT NULL,
  version BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

INSERT INTO catalogue (id, version) VALUES (1, 0) ON DUPLICATE KEY UPDATE id = id;
INSERT INTO rules (id, rules_version, body, version) VALUES (1, 0, '{}', 0) ON DUPLICATE KEY UPDATE id = id;

-- The 1024 node ids of the order id generator, all free.
INSERT INTO node_leases (node_id, holder, expires_ms, high_water_ms)
SELECT a.n + 4 * b.n + 16 * c.n + 64 * d.n + 256 * e.n, '', 0, 0
FROM (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) AS a
CROSS JOIN (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) AS b
CROSS JOIN (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) AS c
CROSS JOIN (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) AS d
CROSS JOIN (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) AS e
WHERE 1 = 1 -- without it the parser takes the ON below for the join's
ON DUPLICATE KEY UPDATE holder = node_leases.holder;
