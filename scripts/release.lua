-- Purpose: apply a page of a bucket's outbox rows, once: add the units of released orders, credits and raises to the
-- stock, or take back units that are unsold.
--
-- KEYS[1] {bucket}:meta    hash  epoch and counters of the bucket; outbox, the highest row applied; outbox_seq, the
--                                sequence of the write that applied it; took, `number:units,units...` of the last take
-- KEYS[2] {bucket}:stock   hash  SKU -> `available taken limit number moved returned`, see reserve.lua; returned, the
--                                units added so in this epoch, less those taken back
-- KEYS[3] {bucket}:buyers  hash  buyer -> entries, see reserve.lua; a released entry has a minus before its lines, and
--                                stays while it is among the buyer's newest 8 of any of its SKUs
--
-- ARGV[1] epoch     of the rows, decimal
-- ARGV[2] sequence  the highest one that the caller has seen in that epoch
-- ARGV[3] first     number of the first row of the page
-- ARGV[4] rows      in the page, one number after the other, 1 to 1000
-- ARGV[5] take      1 = the page is one row that takes units back, 0 = its rows add units
-- ARGV[6] s         distinct SKUs of the rows, 0 to 10000
-- ARGV[7] n         orders of the releases and refusals among the rows, 0 to 1000
-- then s SKUs; s numbers of units, those to take or the sums of those to add; s texts `limit number`, with which a SKU
-- of a credit or raise begins if it is not here, and "" for others; n buyers; n ids of the orders in base 36, a minus
-- before the id of an order that an operator refused: its entry is deleted, as a rebuild would not load it either
--
-- Reply, always six values: code, detail, epoch, sequence, number, took
--   done    the rows up to number are applied, the last of them by the write that took sequence; took = of a take the
--           units found of each SKU, joined by a comma: as many as asked, or all that are available; "" when a later
--           take is applied too: an applier marks a page before it sends the next one, so the caller has stalled
--   older   Redis is in a later epoch, whose load has absorbed the rows
--   later   Redis is in an earlier epoch or does not sell yet: ask again
--   fenced  detail missing, replid, sequence, outbox (a row before these was lost), sku (the stock hash lacks a SKU),
--           order (the buyers hash lacks one of the orders) or took (the row that is applied was no take):
--           the stock is in doubt; nothing written
--
-- Invariant: available + taken - returned of a SKU never changes in one epoch; a row is applied once, in its epoch,
-- after the rows before it. The script makes every check before its first write, because Redis does not roll a script
-- back.
-- Cost: at most six commands for each 1000 SKUs, and one INFO; O(SKUs), and O(orders) times the length of a buyer's
-- value, which is bounded.

local meta_key, stock_key, buyers_key = KEYS[1], KEYS[2], KEYS[3]
local call, find, sub, match = redis.call, string.find, string.sub, string.match
local first, rows, takes = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1'
local s, n = tonumber(ARGV[6]), tonumber(ARGV[7])
local skus_at, chunk = 7, 1000
local units_at, begins_at, buyers_at = skus_at + s, skus_at + 2 * s, skus_at + 3 * s
local ids_at = buyers_at + n

local meta = call('HMGET', meta_key, 'epoch', 'replid', 'seq', 'outbox', 'outbox_seq', 'loaded_state', 'took')
local epoch, sequence, outbox = meta[1] or '0', tonumber(meta[3] or 0), tonumber(meta[4] or 0)

local function answer(code, detail, took)
  return {code, detail, epoch, sequence, outbox, took or ''}
end

local function wrong_replid()
  if meta[2] == '' then return false end
  local info = redis.pcall('INFO', 'replication')
  return type(info) ~= 'string' or match(info, 'master_replid:(%x+)') ~= meta[2]
end

if not meta[1] then return answer('fenced', 'missing') end
if tonumber(epoch) > tonumber(ARGV[1]) then return answer('older', '') end -- rule: release-in-epoch
if tonumber(epoch) < tonumber(ARGV[1]) then return answer('later', 'epoch') end
if meta[6] ~= 'open' or not meta[4] then return answer('later', 'state') end
if wrong_replid() then return answer('fenced', 'replid') end
if sequence < tonumber(ARGV[2]) then return answer('fenced', 'sequence') end
if first <= outbox then -- rule: release-once
  local number, took = match(meta[7] or '', '^(%d+):(.*)$')
  number = tonumber(number or 0)
  if takes and number < first then return answer('fenced', 'took') end
  sequence = tonumber(meta[5])
  return answer('done', '', takes and number == first and took) -- rule: take-reports-found
end
if first > outbox + 1 then return answer('fenced', 'outbox') end -- rule: release-in-order

-- The new values of the stock hash, in chunks of pairs, because unpack takes no more than some thousand; and what a
-- take finds.
local stock, found = {}, {}
for from = 1, s, chunk do
  local to, fields = math.min(from + chunk - 1, s), {}
  local known = call('HMGET', stock_key, unpack(ARGV, skus_at + from, skus_at + to))
  for i = from, to do
    local units, begins = tonumber(ARGV[units_at + i]), ARGV[begins_at + i]
    local value = known[i - from + 1] or (not takes and begins ~= '' and '0 0 ' .. begins .. ' 0 0') or ''
    local available, others, returned = match(value, '^(%d+) (%d+ %d+ %d+ %d+) (%-?%d+)$')
    if not available then return answer('fenced', 'sku') end
    if takes then -- rule: take-unsold
      units = -math.min(units, tonumber(available))
      found[i] = -units .. '' -- a text: the embedded server answers a table of one number with a number
    end
    fields[#fields + 1] = ARGV[skus_at + i]
    fields[#fields + 1] = available + units .. ' ' .. others .. ' ' .. returned + units
  end
  stock[#stock + 1] = fields
end

-- Each order must be among its buyer's entries, which quotation marks separate. A released order is marked
-- (rule: release-known); the entry of a refused one is deleted (rule: refused-forgotten).
local changed, order_of_buyers = {}, {}
local known = n > 0 and call('HMGET', buyers_key, unpack(ARGV, buyers_at + 1, buyers_at + n)) or {}
for i = 1, n do
  local buyer, sign, id = ARGV[buyers_at + i], match(ARGV[ids_at + i], '^(%-?)(%w+)$')
  local entries = changed[buyer] or (known[i] and '"' .. known[i])
  if not entries then return answer('fenced', 'order') end
  local from, to = find(entries, '"' .. id .. ',', 1, true)
  if not from or sub(entries, to + 1, to + 1) == '-' then return answer('fenced', 'order') end
  if not changed[buyer] then order_of_buyers[#order_of_buyers + 1] = buyer end
  if sign == '' then
    changed[buyer] = sub(entries, 1, to) .. '-' .. sub(entries, to + 1)
  else
    local after = find(entries, '"', to, true) or #entries + 1
    changed[buyer] = sub(entries, 1, from - 1) .. sub(entries, after)
  end
end

-- Keeps those of a buyer's released entries that are among the newest 8 of any of their SKUs, and deletes the others: a
-- buyer with several orders may have more of them released. A purchase with the key of a deleted entry is refused from
-- then on (rule: released-bounded).
local function bounded(entries)
  local _, released = string.gsub(entries, '"%w+,%-', '')
  if released <= 8 then return entries end
  local all, count = {}, {}
  for entry in string.gmatch(entries, '"[^"]*') do all[#all + 1] = entry end
  for i = #all, 1, -1 do
    local lines = match(all[i], '^"%w+,%-([^,]*)')
    local newest = not lines
    for number in string.gmatch(lines or '', '(%w+):?%d*') do
      count[number] = (count[number] or 0) + 1
      newest = newest or count[number] <= 8
    end
    if not newest then all[i] = '' end
  end
  return table.concat(all)
end

local writes, gone = {}, {}
for _, buyer in ipairs(order_of_buyers) do
  if changed[buyer] == '' then gone[#gone + 1] = buyer
  else
    writes[#writes + 1] = buyer
    writes[#writes + 1] = sub(bounded(changed[buyer]), 2)
  end
end
sequence, outbox = sequence + 1, first + rows - 1 -- rule: release-sequence
for _, fields in ipairs(stock) do call('HSET', stock_key, unpack(fields)) end
if #gone > 0 then call('HDEL', buyers_key, unpack(gone)) end
if #writes > 0 then call('HSET', buyers_key, unpack(writes)) end
call('HSET', meta_key, 'seq', sequence, 'outbox', outbox, 'outbox_seq', sequence)
local took = table.concat(found, ',')
if takes then call('HSET', meta_key, 'took', first .. ':' .. took) end
return answer('done', '', took)
