-- Purpose: take units of one or more SKUs out of one bucket, for another bucket of the sale, as one journal entry.
--
-- KEYS[1] {bucket}:meta     hash    epoch, counters and window of the giving bucket
-- KEYS[2] {bucket}:stock    hash    SKU -> `available taken limit number moved returned`, see reserve.lua
-- KEYS[3] {bucket}:journal  stream  entry id `<epoch><sequence, 10 digits>-<transfer id>`, field r = the record's bytes
--
-- ARGV[1] epoch            the bucket's epoch in the database, decimal
-- ARGV[2] sequence         the highest one that this gateway has seen in that epoch
-- ARGV[3] deadline_ms      Unix ms by Redis's clock: a call that arrives later takes nothing
-- ARGV[4] journal maximum  orders that the journal may hold; a transfer counts as one
-- ARGV[5] record head      `SALE NUMBER`
-- ARGV[6] transfer id      made like an order id, decimal
-- ARGV[7] to               number of the receiving bucket
-- then n SKUs, 1 to 1000 distinct ones; of each the units that the receiving bucket needs at least (asked); and of each
-- the units that stay here, for waiting buyers of this bucket (kept)
--
-- Reply, always nine values: code, detail, epoch, sequence, now_ms, units, moved, entry id, record
--   ok      taken: of each SKU's units beyond kept, half, rounded up, or as many as asked if that is more, up to all of
--           them; units = `SKU:units` of the SKUs of which any were, joined by a comma; moved = of the same SKUs the
--           units that transfers have taken in this epoch, joined by a comma
--   none    no SKU has units beyond kept; nothing written
--   full    the journal is full; nothing written
--   window  detail not_started, ended or paused: the sale does not sell at Redis's time; nothing written
--   late    the deadline has passed; nothing written
--   fenced  detail missing, epoch, state, replid, sequence or sku (the stock hash lacks a SKU): the stock is in doubt;
--           nothing written
--
-- Invariant: available + taken - returned of a SKU never changes in one epoch; moved is the part of taken that
-- transfers took. The receiving bucket is not touched here: the database credits it when the entry settles.
-- The script makes every check before its first write, because Redis does not roll a script back.
-- Cost: six commands, O(SKUs), and one INFO every 50 ms.

local meta_key, stock_key, journal_key = KEYS[1], KEYS[2], KEYS[3]
local call, match = redis.call, string.match
local n = (#ARGV - 7) / 3

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local meta = call('HMGET', meta_key, 'epoch', 'replid', 'checked_ms', 'seq', 'held', 'state', 'starts_ms', 'ends_ms',
  'loaded_state')
local epoch, replid, checked = meta[1] or '0', meta[2], tonumber(meta[3] or 0)
local sequence, journaled = tonumber(meta[4] or 0), tonumber(meta[5] or 0)

local function nothing(code, detail)
  return {code, detail, epoch, sequence, now, '', '', '', ''}
end

-- Compares the replication id: at most every 50 ms, and whenever the clock went back.
local function wrong_replid()
  if replid == '' or (now >= checked and now - checked < 50) then return false end
  local info = redis.pcall('INFO', 'replication')
  checked = now
  return type(info) ~= 'string' or match(info, 'master_replid:(%x+)') ~= replid
end

local function closed_window()
  local state = meta[6]
  if state == 'draft' or state == 'preloaded' or now < tonumber(meta[7]) then return 'not_started' end
  if state == 'closed' or now >= tonumber(meta[8]) then return 'ended' end
  if state ~= 'open' then return 'paused' end
end

if now > tonumber(ARGV[3]) then return nothing('late', '') end
if not meta[1] then return nothing('fenced', 'missing') end
if epoch ~= ARGV[1] then return nothing('fenced', 'epoch') end
if meta[9] ~= 'open' then return nothing('fenced', 'state') end
if wrong_replid() then return nothing('fenced', 'replid') end
if sequence < tonumber(ARGV[2]) then return nothing('fenced', 'sequence') end
local window = closed_window()
if window then return nothing('window', window) end
if journaled >= tonumber(ARGV[4]) then return nothing('full', '') end

local stock, units, totals, fields = call('HMGET', stock_key, unpack(ARGV, 8, 7 + n)), {}, {}, {}
for i = 1, n do
  local available, taken, limit, moved, returned =
    match(stock[i] or '', '^(%d+) (%d+) (%d+ %d+) (%d+) (%-?%d+)$')
  if not available then return nothing('fenced', 'sku') end
  local sku, spare = ARGV[7 + i], available - ARGV[7 + 2 * n + i]
  if spare > 0 then
    local some = math.min(spare, math.max(tonumber(ARGV[7 + n + i]), math.ceil(spare / 2)))
    units[#units + 1], totals[#totals + 1] = sku .. ':' .. some, moved + some .. ''
    fields[#fields + 1] = sku
    fields[#fields + 1] = table.concat({available - some, taken + some, limit, moved + some, returned}, ' ')
  end
end
if #units == 0 then return nothing('none', '') end

sequence = sequence + 1
local entry_id, what = epoch .. string.format('%010.0f', sequence) .. '-' .. ARGV[6], table.concat(units, ',')
local record = table.concat({'fs2 transfer', ARGV[5], epoch, sequence, ARGV[6], now, ARGV[7], what}, ' ') .. '\n'
call('XADD', journal_key, entry_id, 'r', record) -- rule: transfer-journaled
call('HSET', stock_key, unpack(fields))
call('HSET', meta_key, 'seq', sequence, 'held', journaled + 1, 'checked_ms', checked)
return {'ok', '', epoch, sequence, now, what, table.concat(totals, ','), entry_id, record}
