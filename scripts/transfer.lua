-- Purpose: take units out of one bucket, for another bucket of the same SKU, as one journal entry.
--
-- KEYS[1] {bucket}:meta     hash    epoch, counters and window of the giving bucket
-- KEYS[2] {bucket}:journal  stream  entry id `<epoch><sequence, 10 digits>-<transfer id>`, field r = the record's bytes
--
-- ARGV[1] epoch            the bucket's epoch in the database, decimal
-- ARGV[2] sequence         the highest one that this gateway has seen in that epoch
-- ARGV[3] deadline_ms      Unix ms by Redis's clock: a call that arrives later takes nothing
-- ARGV[4] journal maximum  orders that the journal may hold; a transfer counts as one
-- ARGV[5] record head      `SALE SKU NUMBER`
-- ARGV[6] transfer id      made like an order id, decimal
-- ARGV[7] to               number of the receiving bucket
-- ARGV[8] asked            units that the receiving bucket needs at least
-- ARGV[9] kept             units that stay here, for waiting buyers of this bucket
--
-- Reply, always nine values: code, detail, epoch, sequence, now_ms, units, moved, entry id, record
--   ok      taken: of the units beyond kept, half, rounded up, or as many as asked if that is more, up to all of them
--   none    no units beyond kept; nothing written
--   full    the journal is full; nothing written
--   window  detail not_started, ended or paused: the sale does not sell at Redis's time; nothing written
--   late    the deadline has passed; nothing written
--   fenced  detail missing, epoch, state, replid or sequence: the stock is in doubt; nothing written
--
-- Invariant: available + taken - returned of one epoch never changes; moved is the part of taken that transfers took.
-- The receiving bucket is not touched here: the database credits it when the entry settles.
-- The script makes every check before its first write, because Redis does not roll a script back.
-- Cost: four commands, O(1), and one INFO every 50 ms.

local meta_key, journal_key = KEYS[1], KEYS[2]
local call, match = redis.call, string.match

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local meta = call('HMGET', meta_key, 'epoch', 'replid', 'checked_ms', 'available', 'seq', 'taken', 'held', 'moved',
  'state', 'starts_ms', 'ends_ms', 'loaded_state')
local epoch, replid, checked = meta[1] or '0', meta[2], tonumber(meta[3] or 0)
local available, sequence = tonumber(meta[4] or 0), tonumber(meta[5] or 0)
local taken, journaled, moved = tonumber(meta[6] or 0), tonumber(meta[7] or 0), tonumber(meta[8] or 0)

local function nothing(code, detail)
  return {code, detail, epoch, sequence, now, 0, moved, '', ''}
end

-- Compares the replication id: at most every 50 ms, and whenever the clock went back.
local function wrong_replid()
  if replid == '' or (now >= checked and now - checked < 50) then return false end
  local info = redis.pcall('INFO', 'replication')
  checked = now
  return type(info) ~= 'string' or match(info, 'master_replid:(%x+)') ~= replid
end

local function closed_window()
  local state = meta[9]
  if state == 'draft' or state == 'preloaded' or now < tonumber(meta[10]) then return 'not_started' end
  if state == 'closed' or now >= tonumber(meta[11]) then return 'ended' end
  if state ~= 'open' then return 'paused' end
end

if now > tonumber(ARGV[3]) then return nothing('late', '') end
if not meta[1] then return nothing('fenced', 'missing') end
if epoch ~= ARGV[1] then return nothing('fenced', 'epoch') end
if meta[12] ~= 'open' then return nothing('fenced', 'state') end
if wrong_replid() then return nothing('fenced', 'replid') end
if sequence < tonumber(ARGV[2]) then return nothing('fenced', 'sequence') end
local window = closed_window()
if window then return nothing('window', window) end
if journaled >= tonumber(ARGV[4]) then return nothing('full', '') end
local spare = available - tonumber(ARGV[9])
if spare <= 0 then return nothing('none', '') end

local units = math.min(spare, math.max(tonumber(ARGV[8]), math.ceil(spare / 2)))
sequence = sequence + 1
local entry_id = epoch .. string.format('%010.0f', sequence) .. '-' .. ARGV[6]
local record = table.concat({'fs1 transfer', ARGV[5], epoch, sequence, ARGV[6], now, ARGV[7], units}, ' ') .. '\n'
call('XADD', journal_key, entry_id, 'r', record) -- rule: transfer-journaled
call('HSET', meta_key, 'available', available - units, 'seq', sequence, 'taken', taken + units, 'moved', moved + units,
  'held', journaled + 1, 'checked_ms', checked)
return {'ok', '', epoch, sequence, now, units, moved + units, entry_id, record}
