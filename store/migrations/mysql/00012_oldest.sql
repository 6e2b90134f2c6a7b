-- Which processes may start on a schema that is newer than they are.

-- +goose Up

-- One row of each migration from this one on, which the migration adds itself. oldest: the lowest version of the schema whose
-- processes may start, and go on, after the migration. A migration that only adds what they do not need names one below its own.
CREATE TABLE IF NOT EXISTS schema_oldest (
  version_id BIGINT NOT NULL PRIMARY KEY,
  oldest BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

INSERT INTO schema_oldest (version_id, oldest) VALUES (12, 12) ON DUPLICATE KEY UPDATE oldest = 12;
