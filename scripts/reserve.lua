-- Purpose: decide a batch of purchases of one bucket, in order, and write the taken ones as one journal entry. A
-- purchase has lines of distinct SKUs, and is taken whole or not at all.
--
-- KEYS[1] {bucket}:meta     hash    epoch, counters and window of the bucket. Field `held` is the variable journaled,
--                                   the orders in the journal; sale_limit = units per buyer over all SKUs, 0 = no limit
-- KEYS[2] {bucket}:stock    hash    SKU -> `available taken limit number moved returned`, decimal: limit = units per
--                                   buyer, number = short name of the SKU, moved = the part of taken that transfers
--                                   took, returned = units that outbox rows added
-- KEYS[3] {bucket}:buyers   hash    buyer -> entries joined by `"`; an entry is `id,lines,key,sequence,dt`. Lines are
--                                   joined by `+` and rise by number; a line is a SKU's number, and `:quantity` unless
--                                   that is 1. All but quantity and key are in base 36; key "" = none, sequence 0 =
--                                   from the database, dt = created_ms - base_ms of meta; a minus before the lines =
--                                   released: its units do not count, its key still answers. Of a buyer's released
--                                   entries those stay that are among the newest 8 of any of their SKUs
-- KEYS[4] {bucket}:journal  stream  entry id `<epoch><sequence, 10 digits>-<batch id>`; field h, then field r = the
--                                   record's bytes: its first line and the lines of the orders
--
-- ARGV[1]  epoch            the bucket's epoch in the database, decimal
-- ARGV[2]  sequence         the highest one that this gateway has seen in that epoch
-- ARGV[3]  deadline_ms      Unix ms by Redis's clock: a call that arrives later decides nothing
-- ARGV[4]  asked again      1 when an earlier call with the same order ids had an unknown outcome, else 0
-- ARGV[5]  journal maximum  orders that the journal may hold
-- ARGV[6]  record head      `SALE NUMBER`
-- ARGV[7]  trims            number of acknowledged entries to delete, 0 to 64
-- ARGV[8]  n                purchases, 0 to 1000; 0 = run the fence checks only
-- ARGV[9]  m                distinct SKUs of the purchases, 1 to 2000; 0 when n is 0
-- ARGV[10] counts           lines of each purchase, 1 to 20, as one digit each; "" = every purchase has one line
-- ARGV[11] specs            of each line, in the order of the purchases and of their lines, four digits: two of the
--                           index of its SKU, from 1, and two of its quantity; "" = every line is one unit of SKU 1.
--                           These digits have base 64 and begin with the character `0`
-- ARGV[12] lines            of the record, n of them: `decimal id SKU:quantity:price[,...] buyer[ key]` and a newline
-- ARGV[13] unpaid           a buyer with so many released orders made within the window is refused; 0 = no limit
-- ARGV[14] window_ms        the window before now; longer than the operators' by the time that an order may stay unpaid
-- ARGV[15] repeats          1 when a buyer has more than one of the purchases, else 0
-- then pairs (entry id, orders in it) for the trims, m SKUs, n buyers, and n heads of their entries (`id,lines,key`).
-- The record's lines repeat them in the record's form, as one value: when the whole batch is taken, as most are, the
-- script writes the lines into the journal unchanged.
--
-- Reply, always nine values: code, detail, epoch, sequence, now_ms, entry id, head and lines of the record, verdicts
--   ok      decided; entry id, head and lines are "" when nothing was taken; verdicts are `all` when everything was
--           taken, and lines is "" then, because the caller has them; otherwise one for each purchase, joined by a
--           newline, where line is the first line at fault, from 1:
--           T  taken
--           A sequence created_ms  taken by the earlier call
--           R id sequence created_ms journaled(0|1)  replayed; sequence and created_ms 0 = in the database
--             (ids in base 36)
--           K id  key reused with other lines
--           L line limit  over the limit of the SKU    l limit  over the limit of the sale
--           B line limit bought id  already bought, id is the latest of that SKU
--           b limit bought id  the same for the sale, or 1000 orders of the buyer are here
--           C line limit unpaid  too many cancellations: unpaid orders of the buyer were released, limit are too many;
--             line is 1 when they are of another SKU and the purchase has a key
--           E line available  not enough               S line  sold out
--           J  journal full                            W  window closed, see detail
--   window  detail not_started, ended or paused: the sale does not sell at Redis's time; nothing written
--   late    the deadline has passed; nothing written
--   fenced  detail missing, epoch, state, replid, sequence or sku (the stock hash lacks a SKU): the stock is in doubt;
--           nothing written
--
-- Invariant: available + taken - returned of a SKU never changes in one epoch; one entry, one sequence number and one
-- write of each hash for all that a call takes. The script makes every check before its first write, because Redis does
-- not roll a script back.
-- Cost: eight commands, O(lines + m), and one INFO every 50 ms; measured by BenchmarkReserveScript.

local meta_key, stock_key, buyers_key, journal_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local call, concat, format = redis.call, table.concat, string.format
local match, gmatch, find, byte = string.match, string.gmatch, string.find, string.byte
local asked_again = ARGV[4] == '1'
local trims, n, m = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local unpaid_max = tonumber(ARGV[13])
local repeats = ARGV[15] == '1'
local trims_at = 15
local skus_at = trims_at + 2 * trims
local buyers_at = skus_at + m
local heads_at = buyers_at + n

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local since = now - tonumber(ARGV[14])
local meta = call('HMGET', meta_key, 'epoch', 'replid', 'checked_ms', 'base_ms', 'seq', 'held', 'state', 'starts_ms',
  'ends_ms', 'sale_limit', 'loaded_state')
local epoch, replid, checked, base = meta[1] or '0', meta[2], tonumber(meta[3] or 0), tonumber(meta[4] or 0)
local sequence, journaled, sale_limit = tonumber(meta[5] or 0), tonumber(meta[6] or 0), tonumber(meta[10] or 0)

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
  local state = meta[7]
  if state == 'draft' or state == 'preloaded' or now < tonumber(meta[8]) then return 'not_started' end
  if state == 'closed' or now >= tonumber(meta[9]) then return 'ended' end
  if state ~= 'open' then return 'paused' end
end

if now > tonumber(ARGV[3]) then return nothing('late', '') end -- rule: call-deadline
if not meta[1] then return nothing('fenced', 'missing') end
if epoch ~= ARGV[1] then return nothing('fenced', 'epoch') end -- rule: epoch-from-database
if meta[11] ~= 'open' then return nothing('fenced', 'state') end -- rule: state-compared
if wrong_replid() then return nothing('fenced', 'replid') end -- rule: replid-compared
if sequence < tonumber(ARGV[2]) then return nothing('fenced', 'sequence') end -- rule: sequence-compared
local window = closed_window()
if window and not asked_again then return nothing('window', window) end
if n == 0 then return nothing('ok', '') end

-- The stock of the batch's SKUs, by their index: units available before this call and now, units taken before it, and
-- the rest of the value, of which only a check that needs it reads a part.
local before, available, taken, rest = {}, {}, {}, {}
local stock = call('HMGET', stock_key, unpack(ARGV, skus_at + 1, skus_at + m))
for k = 1, m do
  local left, gone, others = match(stock[k] or '', '^(%d+) (%d+)( .*)$')
  if not left then return nothing('fenced', 'sku') end
  left = left + 0
  before[k], available[k], taken[k], rest[k] = left, left, gone, others
end

-- Base 36 keeps the entry of a buyer with a key of 36 characters within 64 bytes of memory.
local digits = '0123456789abcdefghijklmnopqrstuvwxyz'
local function base36(number)
  local text, left = '', math.abs(number)
  repeat
    local digit = left % 36
    text, left = string.sub(digits, digit + 1, digit + 1) .. text, (left - digit) / 36
  until left == 0
  return number < 0 and '-' .. text or text
end

local limits, numbers = {}, {}
-- A SKU's units per buyer.
local function limit_of(k)
  if not limits[k] then limits[k] = tonumber(match(rest[k], '^ (%d+)')) end
  return limits[k]
end

-- A SKU's number as entries have it.
local function number_of(k)
  if not numbers[k] then numbers[k] = base36(tonumber(match(rest[k], '^ %d+ (%d+)'))) end
  return numbers[k]
end

local entry_cache = {}
-- Whether the entry of a sequence number of this epoch is in the journal, or this call is about to write it: '1' or '0'
-- (rule: held-while-journaled).
local function in_journal(seq)
  if seq == sequence + 1 then return '1' end
  if journaled == 0 or seq == 0 then return '0' end
  if not entry_cache[seq] then
    local id = epoch .. format('%010.0f', seq)
    entry_cache[seq] = #call('XRANGE', journal_key, id, id, 'COUNT', 1) > 0 and '1' or '0'
  end
  return entry_cache[seq]
end

-- Sequence number of an order, and when it was taken by Redis's clock, 0 for an order from the database.
local function taken_at(seq, sign, dt)
  seq, dt = tonumber(seq, 36), tonumber(dt, 36)
  return seq, seq == 0 and 0 or base + (sign == '' and dt or -dt)
end

-- Whether the order of a released entry, whose key follows `at`, was made in the window. For an order from the database
-- the time is in its id, by the clock of the gateway that made it: milliseconds since 2026, above 22 other bits.
local function recently(entries, id, at)
  local seq, sign, dt = match(entries, '^[^"]*,(%w+),(%-?)(%w+)"', at)
  local number, made = taken_at(seq, sign, dt)
  if number == 0 then made = math.floor(tonumber(id, 36) / 4194304) + 1767225600000 end
  return made >= since
end

-- Returns a verdict when the purchase has the key of one of its buyer's entries, of whatever SKUs, released or not
-- (rules: key-of-sale, key-answers-once, key-answers-after-release).
local function replay(entries, wanted, key)
  if key == '' or not find(entries, ',' .. key .. ',', 1, true) then return nil end
  local literally = string.gsub(key, '%W', '%%%0')
  local id, lines, seq, sign, dt = match(entries, '"(%w+),%-?([%w:+]+),' .. literally .. ',(%w+),(%-?)(%w+)"')
  if not id then return nil end
  if lines ~= wanted then return 'K ' .. id end
  local number, created = taken_at(seq, sign, dt)
  return concat({'R', id, number, created, in_journal(number)}, ' ')
end

-- Returns how many released orders of one SKU a buyer has: of the SKU with the most, or 0 when the buyer has fewer than
-- eight in all.
local function most_released(entries)
  local most, count = 0, {}
  local _, released = string.gsub(entries, '"%w+,%-', '')
  if released < 8 then return 0 end
  for lines in gmatch(entries, '"%w+,%-([%w:+]+)') do
    for number in gmatch(lines, '(%w+):?%d*') do
      count[number] = (count[number] or 0) + 1
      most = math.max(most, count[number])
    end
  end
  return most
end

-- Whether one of a buyer's entries may be this purchase of one unit, have its key, or count against a limit. Plain
-- searches find too much at times and never too little, and cost a fraction of counting. The entry that an earlier call
-- wrote of this purchase has its SKU. An entry has 8 bytes or more, so 1000 are longer than 8000; a released one has 9,
-- and with the quotation marks between them 8 of these are longer than 78.
local function concerned(entries, head, shelf)
  if sale_limit > 0 or #entries > 8000 or find(entries, '+', 1, true) then return true end
  local key = match(head, '^%w+,[^,]+(,.*)$')
  if key ~= ',' and find(entries, key .. ',', 1, true) then return true end
  if key ~= ',' and #entries > 78 and most_released('"' .. entries) >= 8 then return true end
  local number = number_of(shelf)
  return find(entries, ',' .. number .. ',', 1, true) or find(entries, ',' .. number .. ':', 1, true)
    or find(entries, ',-' .. number, 1, true)
end

-- The purchase that is decided: its lines' SKUs by index, and their quantities.
local shelf_of, quantity_of = {}, {}

-- Counts a buyer's entries against the limits. Returns the units bought of all SKUs and the latest order, the number of
-- entries, and by line of the purchase: units bought and the latest order of its SKU, released orders and those of them
-- made in the window. The units of a released order do not count (rule: released-counts-not).
local function history(entries, lines)
  local total, latest, count = 0, '', 0
  local line_of, bought, last, released, recent = {}, {}, {}, {}, {}
  for line = 1, lines do
    line_of[number_of(shelf_of[line])], bought[line], released[line], recent[line] = line, 0, 0, 0
  end
  local function add(line, quantity, sign, id, at)
    if sign == '' then
      total = total + quantity
      if line then bought[line], last[line] = bought[line] + quantity, id end
    elseif line then
      released[line] = released[line] + 1
      if unpaid_max > 0 and recently(entries, id, at) then recent[line] = recent[line] + 1 end
    end
  end
  for id, sign, what, at in gmatch(entries, '"(%w+),(%-?)([%w:+]+)(),[^"]*') do
    count = count + 1
    if sign == '' then latest = id end
    if line_of[what] then add(line_of[what], 1, sign, id, at) -- most entries: one unit
    else
      for number, quantity in gmatch(what, '(%w+):?(%d*)') do
        add(line_of[number], tonumber(quantity) or 1, sign, id, at)
      end
    end
  end
  return total, latest, count, bought, last, released, recent
end

-- Returns the verdict about a buyer with so many released orders of a SKU, nil when there are fewer. Redis keeps eight:
-- a ninth would delete the oldest, and a purchase with that key would count as a new one (rule: released-bounded).
local function too_many(line, released, recent)
  if unpaid_max > 0 and recent >= unpaid_max then return concat({'C', line, unpaid_max, recent}, ' ') end
  if released >= 8 then return concat({'C', line, 8, released}, ' ') end
end

-- Returns the verdict when the purchase goes beyond what its buyer may have, by the buyer's entries. An order with its
-- key may be forgotten, whatever its SKUs, when eight newer ones of one SKU are released.
local function beyond(entries, lines, units, key)
  local total, latest, count, bought, last, released, recent = history(entries, lines)
  for line = 1, lines do
    local limit = limit_of(shelf_of[line])
    if bought[line] + quantity_of[line] > limit then
      return concat({'B', line, limit, bought[line], last[line]}, ' ')
    end
  end
  -- rule: sale-limit
  if sale_limit > 0 and total + units > sale_limit then return concat({'b', sale_limit, total, latest}, ' ') end
  if count >= 1000 then return concat({'b', 1000, count, match(entries, '"(%w+),[^"]*"$')}, ' ') end
  for line = 1, lines do
    local verdict = too_many(line, released[line], recent[line])
    if verdict then return verdict end
  end
  local most = key ~= '' and most_released(entries) or 0 -- rule: key-not-forgotten
  if most >= 8 then return 'C 1 8 ' .. most end
end

-- Decides a purchase, whose lines are in shelf_of and quantity_of: returns nil when it may be taken, otherwise its
-- verdict. A purchase that is among its buyer's entries already has been asked before (rule: same-ids-asked-again).
local function refusal(entries, head, lines, full)
  local wanted, key
  if entries then
    local own
    own, wanted, key = match(head, '^(%w+),([^,]+),(.*)$')
    entries = '"' .. entries .. '"'
    local at = find(entries, '"' .. own .. ',', 1, true)
    if at then
      local seq, created = taken_at(match(entries, ',(%w+),(%-?)(%w+)"', at))
      return 'A ' .. seq .. ' ' .. created
    end
  end
  if window then return 'W' end
  if full then return 'J' end
  local verdict = entries and replay(entries, wanted, key)
  if verdict then return verdict end
  local units = 0
  for line = 1, lines do
    local shelf, quantity = shelf_of[line], quantity_of[line]
    if quantity > 1 and quantity > limit_of(shelf) then return 'L ' .. line .. ' ' .. limit_of(shelf) end
    units = units + quantity
  end
  if sale_limit > 0 and units > sale_limit then return 'l ' .. sale_limit end
  verdict = entries and beyond(entries, lines, units, key)
  if verdict then return verdict end
  for line = 1, lines do -- rule: lines-whole
    local left = available[shelf_of[line]]
    if left == 0 then return 'S ' .. line end
    if left < quantity_of[line] then return 'E ' .. line .. ' ' .. left end
  end
end

local known = call('HMGET', buyers_key, unpack(ARGV, buyers_at + 1, buyers_at + n))
local stamp = ',' .. base36(sequence + 1) .. ',' .. base36(now - base)
local verdicts, fresh, writes = {}, {}, {}
local took, room = 0, tonumber(ARGV[5]) - journaled
local counts, specs = ARGV[10] ~= '' and ARGV[10], ARGV[11] ~= '' and ARGV[11]
local spec_at = 1

-- Reads the SKU, by index, and the quantity of the next line.
local function next_line()
  local a, b, c, d = byte(specs, spec_at, spec_at + 3)
  spec_at = spec_at + 4
  return 64 * a + b - 3120, 64 * c + d - 3120
end

for i = 1, n do
  local buyer, head = ARGV[buyers_at + i], ARGV[heads_at + i]
  local entries, lines, shelf, quantity, verdict = repeats and fresh[buyer] or known[i], 1, 1, 1, nil
  if counts then lines = byte(counts, i) - 48 end
  if specs then shelf, quantity = next_line() end
  if lines == 1 and quantity == 1 and took < room and not window and available[shelf] > 0
    and not (entries and concerned(entries, head, shelf)) then
    available[shelf] = available[shelf] - 1 -- most purchases: one unit, and no limit is lower
  else
    shelf_of[1], quantity_of[1] = shelf, quantity
    for line = 2, lines do shelf_of[line], quantity_of[line] = next_line() end
    verdict = refusal(entries, head, lines, took >= room)
    for line = 1, verdict and 0 or lines do
      shelf = shelf_of[line]
      available[shelf] = available[shelf] - quantity_of[line]
    end
  end
  if verdict then verdicts[i] = verdict
  else
    took = took + 1
    local entry = head .. stamp
    if entries then entry = entries .. '"' .. entry end
    writes[2 * took - 1], writes[2 * took] = buyer, entry
    if repeats then fresh[buyer] = entry end
  end
end

local function lines_taken()
  if took == n then return ARGV[12] end
  local at, kept = 0, {}
  for line in gmatch(ARGV[12], '[^\n]*\n') do
    at = at + 1
    if not verdicts[at] then kept[#kept + 1] = line end
  end
  return concat(kept)
end

-- The fields of the stock hash that change, and their values.
local function stock_taken()
  local fields, at = {}, 0
  for k = 1, m do
    local left, was = available[k], before[k]
    if left ~= was then
      fields[at + 1], fields[at + 2] = ARGV[skus_at + k], format('%d %d', left, taken[k] + was - left) .. rest[k]
      at = at + 2
    end
  end
  return fields
end

local entry_id, head, lines = '', '', ''
if took > 0 then
  sequence = sequence + 1
  lines = lines_taken()
  local batch_id = match(lines, '^%d+')
  entry_id = epoch .. format('%010.0f', sequence) .. '-' .. batch_id
  head = concat({'fs2 batch', ARGV[6], epoch, sequence, batch_id, now, took}, ' ') .. '\n'
  call('XADD', journal_key, entry_id, 'h', head, 'r', lines)
  call('HSET', buyers_key, unpack(writes))
  call('HSET', stock_key, unpack(stock_taken()))
end
for at = trims_at + 1, skus_at, 2 do -- rule: trim-exact
  if call('XDEL', journal_key, ARGV[at]) == 1 then journaled = journaled - ARGV[at + 1] end
end
if took > 0 or trims > 0 or checked ~= tonumber(meta[3]) then
  call('HSET', meta_key, 'seq', sequence, 'held', math.max(journaled + took, 0), 'checked_ms', checked)
end
if took == n then return {'ok', '', epoch, sequence, now, entry_id, head, '', 'all'} end
for i = 1, n do verdicts[i] = verdicts[i] or 'T' end
return {'ok', window or '', epoch, sequence, now, entry_id, head, lines, concat(verdicts, '\n')}
