-- The units that were paid, by SKU.

-- +goose Up

-- Units and orders of the SKU that are paid, in 16 slots (order_id modulo 16), so that payments of one SKU at the same time
-- rarely wait for each other. paid_at: time of the slot's last payment. A SKU without a payment has no row.
CREATE TABLE IF NOT EXISTS paid_units (
  sale_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  sku VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  slot TINYINT NOT NULL,
  units BIGINT NOT NULL,
  orders BIGINT NOT NULL,
  paid_at DATETIME(3) NOT NULL,
  PRIMARY KEY (sale_id, sku, slot)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- REPLACE, because a migration that died may have filled the table before.
REPLACE INTO paid_units (sale_id, sku, slot, units, orders, paid_at)
SELECT o.sale_id, COALESCE(l.sku, o.sku), o.order_id % 16, SUM(COALESCE(l.quantity, o.quantity)), COUNT(*), MAX(o.updated_at)
FROM orders o LEFT JOIN order_lines l ON l.order_id = o.order_id AND o.line_count > 1
WHERE o.status = 'paid'
GROUP BY o.sale_id, COALESCE(l.sku, o.sku), o.order_id % 16;
