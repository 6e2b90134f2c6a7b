-- Purpose: give one bucket the state, window and sale limit of its sale, unless it has newer ones.
--
-- KEYS[1] {bucket}:meta  hash  version, state, starts_ms, ends_ms, sale_limit
--
-- ARGV[1] version     catalogue version of the sale
-- ARGV[2] state       draft, preloaded, open, paused or closed
-- ARGV[3] starts_ms   Unix ms by Redis's clock
-- ARGV[4] ends_ms     Unix ms by Redis's clock
-- ARGV[5] sale_limit  units per buyer over all SKUs, 0 = no limit
--
-- Reply: applied | newer, the bucket has this version or a later one | absent, Redis does not know the bucket
--
-- Invariant: versions only rise. An absent bucket sells nothing and needs no window: its rebuild reads the window from
-- the database.
-- Cost: O(1).

local version = redis.call('HGET', KEYS[1], 'version')
if not version then return 'absent' end
if tonumber(version) >= tonumber(ARGV[1]) then return 'newer' end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'state', ARGV[2], 'starts_ms', ARGV[3], 'ends_ms', ARGV[4],
  'sale_limit', ARGV[5])
return 'applied'
