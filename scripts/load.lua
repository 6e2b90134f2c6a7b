-- Purpose: load a bucket's new epoch, one step a call: begin, then stock and buyers in chunks, then open.
--
-- KEYS[1] {bucket}:meta     hash    the life, counters and window of the bucket
-- KEYS[2] {bucket}:stock    hash    SKU -> counters of its units, see reserve.lua
-- KEYS[3] {bucket}:buyers   hash    buyer -> entries, see reserve.lua
-- KEYS[4] {bucket}:journal  stream  not changed: the relay publishes the entries that are left in it
--
-- ARGV[1] step   begin, stock, buyers or open
-- ARGV[2] epoch  the new epoch, which the database began for this load alone
-- with begin:
-- ARGV[3] version, ARGV[4] state, ARGV[5] starts_ms, ARGV[6] ends_ms, ARGV[7] sale_limit: as in window.lua
-- ARGV[8] watch   1 = remember the replication id and compare it, 0 = this server hides it (embedded)
-- ARGV[9] outbox  number of the last outbox row that the stock includes
-- with stock: from ARGV[3] on, pairs (SKU, value of the stock hash), at most 500
-- with buyers: from ARGV[3] on, pairs (buyer, entries), at most 500
-- with open:
-- ARGV[3] skus    number of SKUs that the load has sent
-- ARGV[4] buyers  number of buyers that the load has sent
--
-- Reply: done | older, Redis is in this epoch already or in a later one | lost, the load's begin or some of its SKUs or
-- buyers are gone: start over | foreign meta, foreign stock, foreign buyers or foreign journal: another program has
-- written that key, nothing is written
--
-- Invariant: the bucket sells only after open; a step of an older load changes nothing; the load never replaces a newer
-- window. Each step may be sent twice.
-- Cost: begin O(1) with the old stock and buyers freed in the background, stock and buyers O(pairs), open O(1).

local step, epoch = ARGV[1], ARGV[2]
local call = redis.call

local function hidden_or_replid(watch)
  if watch ~= '1' then return '' end
  local info = redis.pcall('INFO', 'replication')
  return type(info) == 'string' and string.match(info, 'master_replid:(%x+)') or ''
end

-- Returns the first key whose type is not the engine's, or that is a hash of another program; nil when there is none.
local function foreign_key()
  local kinds = {}
  for i = 1, 4 do kinds[i] = call('TYPE', KEYS[i]).ok end
  if kinds[1] ~= 'none' and (kinds[1] ~= 'hash' or call('HEXISTS', KEYS[1], 'epoch') == 0) then return 'meta' end
  if kinds[2] ~= 'none' and kinds[2] ~= 'hash' then return 'stock' end
  if kinds[3] ~= 'none' and kinds[3] ~= 'hash' then return 'buyers' end
  if kinds[4] ~= 'none' and kinds[4] ~= 'stream' then return 'journal' end
end

local stranger = step == 'begin' and foreign_key()
if stranger then return 'foreign ' .. stranger end

local m = call('HMGET', KEYS[1], 'epoch', 'loaded_state', 'version', 'held')
local present = tonumber(m[1] or 0)

if step == 'begin' then
  -- rule: load-conditional
  if present > tonumber(epoch) or (present == tonumber(epoch) and m[2] ~= 'loading') then return 'older' end
  local time = call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local journaled = call('XLEN', KEYS[4]) > 0 and m[4] or 0
  call('UNLINK', KEYS[2], KEYS[3]) -- but not the journal (rules: journal-stays, journal-not-counted)
  call('HSET', KEYS[1], 'epoch', epoch, 'loaded_state', 'loading', 'base_ms', now, 'seq', 0, 'outbox', ARGV[9],
    'outbox_seq', 0, 'took', '', 'held', journaled or 0, 'replid', hidden_or_replid(ARGV[8]), 'checked_ms', 0)
  if tonumber(m[3] or -1) < tonumber(ARGV[3]) then
    call('HSET', KEYS[1], 'version', ARGV[3], 'state', ARGV[4], 'starts_ms', ARGV[5], 'ends_ms', ARGV[6],
      'sale_limit', ARGV[7])
  end
  return 'done'
end

if present > tonumber(epoch) then return 'older' end
if present ~= tonumber(epoch) then return 'lost' end
if step == 'open' and m[2] == 'open' then return 'done' end
if m[2] ~= 'loading' then return 'lost' end
if step == 'stock' then
  -- Redis keeps a small hash as a list and searches each field from its start: a batch over 256 SKUs would cost
  -- half as much again. A value of more than 64 bytes makes it a hash table, which it stays.
  call('HSET', KEYS[2], '', string.rep(' ', 65), unpack(ARGV, 3))
  call('HDEL', KEYS[2], '')
elseif step == 'buyers' then
  call('HSET', KEYS[3], unpack(ARGV, 3))
elseif call('HLEN', KEYS[2]) ~= tonumber(ARGV[3]) or call('HLEN', KEYS[3]) ~= tonumber(ARGV[4]) then
  return 'lost' -- rule: load-counted
else
  call('HSET', KEYS[1], 'loaded_state', 'open')
end
return 'done'
