-- Purpose: stop one bucket from selling before a rebuild, unless Redis is already in a later epoch.
--
-- KEYS[1] {bucket}:meta  hash  epoch, loaded_state
--
-- ARGV[1] epoch  the bucket's epoch in the database
--
-- Reply: closed | absent, Redis does not know the bucket | newer, Redis is in a later epoch and keeps selling
--
-- Invariant: a closed bucket answers every reserve call with fenced until load.lua opens a later epoch.
-- Cost: O(1).

local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then return 'absent' end
if tonumber(epoch) > tonumber(ARGV[1]) then return 'newer' end -- rule: close-conditional
redis.call('HSET', KEYS[1], 'loaded_state', 'closed')
return 'closed'
