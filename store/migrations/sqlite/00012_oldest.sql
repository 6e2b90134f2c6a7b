-- The same as in ../mysql.

-- +goose Up

-- One row of each migration from this one on, which the migration adds itself. oldest: the lowest version of the schema whose
-- processes may start, and go on, after the migration. A migration that only adds what they do not need names one below its own.
CREATE TABLE schema_oldest (
  version_id INTEGER NOT NULL PRIMARY KEY,
  oldest INTEGER NOT NULL
);

INSERT INTO schema_oldest (version_id, oldest) VALUES (12, 12);
