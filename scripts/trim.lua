-- Purpose: delete acknowledged journal entries of one bucket, exactly those named.
--
-- KEYS[1] {bucket}:meta     hash    counter `held` of the orders in the journal
-- KEYS[2] {bucket}:journal  stream  entry id `<epoch><sequence, 10 digits>-<batch id>`
--
-- ARGV    pairs (entry id, orders in it), 1 to 64 of them
--
-- Reply: number of entries deleted, 0 when others were faster
--
-- Invariant: held falls by the orders of deleted entries and by nothing else. Any epoch, any state: an entry id is an
-- identity, so a late trim cannot hit another life of the bucket.
-- Cost: O(pairs).

local deleted, orders = 0, 0
for at = 1, #ARGV, 2 do -- rule: trim-exact
  if redis.call('XDEL', KEYS[2], ARGV[at]) == 1 then
    deleted, orders = deleted + 1, orders + ARGV[at + 1]
  end
end
local held = redis.call('HGET', KEYS[1], 'held')
if held and orders > 0 then
  redis.call('HSET', KEYS[1], 'held', math.max(held - orders, 0))
end
return deleted
