-- Payments of orders that have no row yet: the transaction that writes the row pays it.

-- +goose Up

CREATE TABLE IF NOT EXISTS remembered_payments (
  order_id BIGINT NOT NULL PRIMARY KEY,
  payment_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  noted_ms BIGINT NOT NULL,
  KEY remembered_payments_noted (noted_ms)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
