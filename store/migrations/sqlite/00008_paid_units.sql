-- The same as in ../mysql.

-- +goose Up

-- Units and orders of the SKU that are paid, in 16 slots (order_id modulo 16), so that payments of one SKU at the same time
-- rarely wait for each other. paid_at: time of the slot's last payment. A SKU without a payment has no row.
CREATE TABLE paid_units (
  sale_id TEXT NOT NULL,
  sku TEXT NOT NULL,
  slot INTEGER NOT NULL,
  units INTEGER NOT NULL,
  orders INTEGER NOT NULL,
  paid_at TEXT NOT NULL,
  PRIMARY KEY (sale_id, sku, slot)
);

REPLACE INTO paid_units (sale_id, sku, slot, units, orders, paid_at)
SELECT o.sale_id, COALESCE(l.sku, o.sku), o.order_id % 16, SUM(COALESCE(l.quantity, o.quantity)), COUNT(*), MAX(o.updated_at)
FROM orders o LEFT JOIN order_lines l ON l.order_id = o.order_id AND o.line_count > 1
WHERE o.status = 'paid'
GROUP BY o.sale_id, COALESCE(l.sku, o.sku), o.order_id % 16;
