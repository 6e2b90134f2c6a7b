-- The same as in ../mysql.

-- +goose Up

CREATE TABLE remembered_payments (
  order_id INTEGER NOT NULL PRIMARY KEY,
  payment_id TEXT NOT NULL,
  noted_ms INTEGER NOT NULL
);
CREATE INDEX remembered_payments_noted ON remembered_payments (noted_ms);
