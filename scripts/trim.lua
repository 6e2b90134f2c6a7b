-- Purpose: delete acknowledged journal entries of one bucket, exactly those named.
--
-- KEYS[1] {bucket}:meta     hash    counter `held`: the orders in the journal
-- KEYS[2] {bucket}:journal  stream  entry id `<epoch><sequence, 10 digits>-<batch id>`
--
-- ARGV    pairs (entry id, orders in it), 1 to 64 of them
--
-- Reply: number of entries deleted, 0 when other calls have deleted them all before
--
-- Invariant: the counter `held` falls by the orders of deleted entries and by nothing else. The script runs in any
-- epoch and state: an entry id names one entry of one epoch, so a late trim cannot delete an entry of another epoch.
-- Cost: O(pairs).

local deleted, orders = 0, 0
for at = 1, #ARGV, 2 do -- rule: trim-exact
  if redis.call('XDEL', KEYS[2], ARGV[at]) == 1 then
    deleted, orders = deleted + 1, orders + ARGV[at + 1]
  end
end
local journaled = redis.call('HGET', KEYS[1], 'held')
if journaled and orders > 0 then
  redis.call('HSET', KEYS[1], 'held', math.max(journaled - orders, 0))
end
return deleted
