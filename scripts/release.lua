-- Purpose: apply a page of a bucket's outbox rows, once: add the units of released orders and of credits to available.
--
-- KEYS[1] {bucket}:meta    hash  epoch and counters of the bucket; outbox, the highest row applied; outbox_seq, the
--                                sequence of the write that applied it; returned, the units added so in this epoch
-- KEYS[2] {bucket}:buyers  hash  buyer -> entries, see reserve.lua; a released entry has a minus before its quantity,
--                                and a buyer has at most 8 of them, the latest
--
-- ARGV[1] epoch     of the rows, decimal
-- ARGV[2] sequence  the highest one that the caller has seen in that epoch
-- ARGV[3] first     number of the first row of the page
-- ARGV[4] rows      in the page, one number after the other, 1 to 1000
-- ARGV[5] credits   units of the transfers among the rows
-- then buyers, as many heads of their entries (`id,quantity`), as many quantities: one of each for every order of the
-- releases and refusals among the rows, 0 to 1000 orders. A quantity below 0 marks an order that an operator refused:
-- its entry is deleted, as a rebuild would not load it either
--
-- Reply, always five values: code, detail, epoch, sequence, number
--   done    the rows up to number are applied, the last of them by the write that took sequence
--   older   Redis is in a later epoch, whose load has absorbed the rows
--   later   Redis is in an earlier epoch or does not sell yet: ask again
--   fenced  detail missing, replid, sequence, outbox (a row before these was lost) or order (the buyers hash lacks one
--           of the orders): the stock is in doubt; nothing written
--
-- Invariant: available + taken - returned of one epoch never changes; a row is applied once, in its epoch, after the
-- rows before it. The script makes every check before its first write, because Redis does not roll a script back.
-- Cost: at most six commands and one INFO; O(orders) times the length of a buyer's value, which is bounded.

local meta_key, buyers_key = KEYS[1], KEYS[2]
local call = redis.call
local first, rows, units = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local n = (#ARGV - 5) / 3

local meta = call('HMGET', meta_key, 'epoch', 'replid', 'available', 'seq', 'returned', 'outbox', 'outbox_seq',
  'loaded_state')
local epoch, sequence, outbox = meta[1] or '0', tonumber(meta[4] or 0), tonumber(meta[6] or 0)

local function answer(code, detail)
  return {code, detail, epoch, sequence, outbox}
end

local function wrong_replid()
  if meta[2] == '' then return false end
  local info = redis.pcall('INFO', 'replication')
  return type(info) ~= 'string' or string.match(info, 'master_replid:(%x+)') ~= meta[2]
end

if not meta[1] then return answer('fenced', 'missing') end
if tonumber(epoch) > tonumber(ARGV[1]) then return answer('older', '') end -- rule: release-in-epoch
if tonumber(epoch) < tonumber(ARGV[1]) then return answer('later', 'epoch') end
if meta[8] ~= 'open' or not meta[6] then return answer('later', 'state') end
if wrong_replid() then return answer('fenced', 'replid') end
if sequence < tonumber(ARGV[2]) then return answer('fenced', 'sequence') end
if first <= outbox then -- rule: release-once
  sequence = tonumber(meta[7])
  return answer('done', '')
end
if first > outbox + 1 then return answer('fenced', 'outbox') end -- rule: release-in-order

-- Each order must be among its buyer's entries, which quotation marks separate. A released order is marked
-- (rule: release-known); the entry of a refused one is deleted (rule: refused-forgotten).
local changed, order_of_buyers = {}, {}
local known = n > 0 and call('HMGET', buyers_key, unpack(ARGV, 6, 5 + n)) or {}
for i = 1, n do
  local buyer, head = ARGV[5 + i], ARGV[5 + n + i]
  local entries = changed[buyer] or (known[i] and '"' .. known[i])
  if not entries then return answer('fenced', 'order') end
  local from, to = string.find(entries, '"' .. head .. ',', 1, true)
  if not from then return answer('fenced', 'order') end
  if not changed[buyer] then order_of_buyers[#order_of_buyers + 1] = buyer end
  local quantity = tonumber(ARGV[5 + 2 * n + i])
  if quantity > 0 then
    changed[buyer] = string.sub(entries, 1, from) .. string.gsub(head, ',', ',-', 1) .. string.sub(entries, to)
  else
    local after = string.find(entries, '"', to, true) or #entries + 1
    changed[buyer] = string.sub(entries, 1, from - 1) .. string.sub(entries, after)
  end
  units = units + math.abs(quantity)
end

-- Keeps the 8 latest of a buyer's released entries, and deletes older ones: a buyer with several orders may have more
-- of them released. A purchase with the key of a deleted entry is refused from then on (rule: released-bounded).
local function bounded(entries)
  local _, released = string.gsub(entries, '"%w+,%-', '')
  if released <= 8 then return entries end
  return (string.gsub(entries, '"%w+,%-[^"]*', '', released - 8))
end

local writes, gone = {}, {}
for _, buyer in ipairs(order_of_buyers) do
  if changed[buyer] == '' then gone[#gone + 1] = buyer
  else
    writes[#writes + 1] = buyer
    writes[#writes + 1] = string.sub(bounded(changed[buyer]), 2)
  end
end
sequence, outbox = sequence + 1, first + rows - 1 -- rule: release-sequence
if #gone > 0 then call('HDEL', buyers_key, unpack(gone)) end
if #writes > 0 then call('HSET', buyers_key, unpack(writes)) end
call('HSET', meta_key, 'available', tonumber(meta[3]) + units, 'seq', sequence, 'returned', tonumber(meta[5]) + units,
  'outbox', outbox, 'outbox_seq', sequence)
return answer('done', '')
