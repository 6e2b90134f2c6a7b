-- Purpose: decide a batch of purchases of one bucket, in order, and write the taken ones as one journal entry.
--
-- KEYS[1] {bucket}:meta     hash    epoch, counters and window of the bucket. Field `held` is the variable journaled,
--                                   the orders in the journal: a field keeps its name, because gateways of two
--                                   releases share a bucket while a release is rolled out
-- KEYS[2] {bucket}:buyers   hash    buyer -> entries joined by `"`; an entry is `id,quantity,key,sequence,dt`: all but
--                                   quantity and key in base 36, key "" = none, sequence 0 = from the database, dt =
--                                   created_ms - base_ms of meta; a minus before the quantity = released: its units do
--                                   not count, its key still answers. At most 8 of a buyer's entries are released
-- KEYS[3] {bucket}:journal  stream  entry id `<epoch><sequence, 10 digits>-<batch id>`; field h, then field r = the
--                                   record's bytes: its first line and the lines of the orders
--
-- ARGV[1]  epoch            the bucket's epoch in the database, decimal
-- ARGV[2]  sequence         the highest one that this gateway has seen in that epoch
-- ARGV[3]  deadline_ms      Unix ms by Redis's clock: a call that arrives later decides nothing
-- ARGV[4]  asked again      1 when an earlier call with the same order ids had an unknown outcome, else 0
-- ARGV[5]  journal maximum  orders that the journal may hold
-- ARGV[6]  record head      `SALE SKU NUMBER`
-- ARGV[7]  trims            number of acknowledged entries to delete, 0 to 64
-- ARGV[8]  n                purchases, 0 to 1000; 0 = run the fence checks only
-- ARGV[9]  quantities       1 when the column is there, 0 = every quantity is 1
-- ARGV[10] lines            of the record, n of them: `decimal id quantity buyer[ key]` and a newline
-- ARGV[11] unpaid           a buyer with so many released orders made within the window is refused; 0 = no limit
-- ARGV[12] window_ms        the window before now; longer than the operators' by the time that an order may stay unpaid
-- then pairs (entry id, orders in it) for the trims, then the columns, n values each: buyers, heads of their entries
-- (`id,quantity,key`), quantities. The lines repeat all of them in the record's form, as one value: when the whole
-- batch is taken, as most are, the script writes the lines into the journal unchanged.
--
-- Reply, always ten values: code, detail, epoch, sequence, now_ms, available, entry id, head and lines of the record,
-- verdicts
--   ok      decided; entry id, head and lines are "" when nothing was taken; verdicts are `all` when everything was
--           taken, and lines is "" then, because the caller has them; otherwise one for each purchase, joined by a
--           newline:
--           T  taken
--           A sequence created_ms  taken by the earlier call
--           R id quantity sequence created_ms journaled(0|1)  replayed; sequence and created_ms 0 = in the database
--             (ids in base 36)
--           K id  key reused                 L limit  over the limit
--           B limit bought id  already bought, id is the latest
--           C limit unpaid  too many cancellations: unpaid orders of the buyer were released, limit are too many
--           E available  not enough          S  sold out
--           J  journal full                  W  window closed, see detail
--   window  detail not_started, ended or paused: the sale does not sell at Redis's time; nothing written
--   late    the deadline has passed; nothing written
--   fenced  detail missing, epoch, state, replid or sequence: the stock is in doubt; nothing written
--
-- Invariant: available + taken - returned of one epoch never changes; one entry, one sequence number and one write of
-- meta for all that a call takes. The script makes every check before its first write, because Redis does not roll a
-- script back.
-- Cost: six commands, O(n), and one INFO every 50 ms; measured by BenchmarkReserveScript.

local meta_key, buyers_key, journal_key = KEYS[1], KEYS[2], KEYS[3]
local call, match, find, concat = redis.call, string.match, string.find, table.concat
local asked_again, journal_max = ARGV[4] == '1', tonumber(ARGV[5])
local trims, n = tonumber(ARGV[7]), tonumber(ARGV[8])
local unpaid_max = tonumber(ARGV[11])
local trims_at = 12
local buyers_at = trims_at + 2 * trims
local heads_at = buyers_at + n
local quantities_at = ARGV[9] == '1' and heads_at + n

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local since = now - tonumber(ARGV[12])
local meta = call('HMGET', meta_key, 'epoch', 'replid', 'checked_ms', 'base_ms', 'available', 'seq', 'taken',
  'held', 'state', 'starts_ms', 'ends_ms', 'limit', 'loaded_state')
local epoch, replid, checked, base = meta[1] or '0', meta[2], tonumber(meta[3] or 0), tonumber(meta[4] or 0)
local available, sequence = tonumber(meta[5] or 0), tonumber(meta[6] or 0)
local taken, journaled, limit = tonumber(meta[7] or 0), tonumber(meta[8] or 0), tonumber(meta[12] or 0)

local function nothing(code, detail)
  return {code, detail, epoch, sequence, now, available, '', '', '', ''}
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

if now > tonumber(ARGV[3]) then return nothing('late', '') end -- rule: call-deadline
if not meta[1] then return nothing('fenced', 'missing') end
if epoch ~= ARGV[1] then return nothing('fenced', 'epoch') end -- rule: epoch-from-database
if meta[13] ~= 'open' then return nothing('fenced', 'state') end -- rule: state-compared
if wrong_replid() then return nothing('fenced', 'replid') end -- rule: replid-compared
if sequence < tonumber(ARGV[2]) then return nothing('fenced', 'sequence') end -- rule: sequence-compared
local window = closed_window()
if window and not asked_again then return nothing('window', window) end
if n == 0 then return nothing('ok', '') end

-- Base 36 keeps the entry of a buyer with a key of 36 characters within 64 bytes of memory.
local digits = '0123456789abcdefghijklmnopqrstuvwxyz'
local function base36(number)
  local text, rest = '', math.abs(number)
  repeat
    local digit = rest % 36
    text, rest = string.sub(digits, digit + 1, digit + 1) .. text, (rest - digit) / 36
  until rest == 0
  return number < 0 and '-' .. text or text
end

local entry_cache = {}
-- Whether the entry of a sequence number of this epoch is in the journal, or this call is about to write it: '1' or '0'
-- (rule: held-while-journaled).
local function in_journal(seq)
  if seq == sequence + 1 then return '1' end
  if journaled == 0 or seq == 0 then return '0' end
  if not entry_cache[seq] then
    local id = epoch .. string.format('%010.0f', seq)
    entry_cache[seq] = #call('XRANGE', journal_key, id, id, 'COUNT', 1) > 0 and '1' or '0'
  end
  return entry_cache[seq]
end

-- Sequence number of an order, and when it was taken by Redis's clock, 0 for an order from the database.
local function taken_at(seq, sign, dt)
  seq, dt = tonumber(seq, 36), tonumber(dt, 36)
  return seq, seq == 0 and 0 or base + (sign == '' and dt or -dt)
end

-- Whether the order of a released entry was made in the window. For an order from the database the time is in its id,
-- by the clock of the gateway that made it: milliseconds since 2026, above 22 other bits.
local function recently(entries, at)
  local id, seq, sign, dt = match(entries, '^(%w+),[^"]*,(%w+),(%-?)(%w+)"', at)
  local number, made = taken_at(seq, sign, dt)
  if number == 0 then made = math.floor(tonumber(id, 36) / 4194304) + 1767225600000 end
  return made >= since
end

-- Returns, from a buyer's entries: units bought, latest order id, number of released orders, and number of those made
-- in the window; and a verdict when one of the entries is this purchase itself: by its order id
-- (rule: same-ids-asked-again) or by its key, released or not (rules: key-answers-once, key-answers-after-release). The
-- units of a released order do not count (rule: released-counts-not). A buyer may have some hundred entries: each costs
-- two searches.
local function judge(entries, head, count)
  local bought, latest, released, recent, verdict = 0, 0, 0, 0, nil
  local own, key = match(head, '^(%w+),%d+,(.*)$')
  entries = '"' .. entries .. '"'
  local at = find(entries, '"' .. own .. ',', 1, true)
  if at then
    local seq, created = taken_at(match(entries, ',(%w+),(%-?)(%w+)"', at))
    return 0, own, 0, 0, 'A ' .. seq .. ' ' .. created, true
  end
  if key ~= '' and find(entries, ',' .. key .. ',', 1, true) then
    local literally = string.gsub(key, '%W', '%%%0')
    local id, qty, seq, sign, dt = match(entries, '"(%w+),%-?(%d+),' .. literally .. ',(%w+),(%-?)(%w+)"')
    if id and tonumber(qty) ~= count then verdict = 'K ' .. id
    elseif id then
      local number, created = taken_at(seq, sign, dt)
      verdict = concat({'R', id, qty, number, created, in_journal(number)}, ' ')
    end
  end
  at = 2
  while at <= #entries do
    local qty = tonumber(match(entries, '^%w+,(%-?%d+),', at))
    if qty > 0 then bought, latest = bought + qty, at
    else
      released = released + 1
      if unpaid_max > 0 and recently(entries, at) then recent = recent + 1 end
    end
    at = find(entries, '"', at, true) + 1
  end
  return bought, match(entries, '^%w+', latest) or '', released, recent, verdict, false
end

-- Returns the verdict that refuses a buyer with so many released orders, nil when there are fewer. Redis keeps eight
-- per buyer: a ninth would delete the oldest, and a purchase with that key would count as a new one
-- (rule: released-bounded).
local function too_many(released, recent)
  if unpaid_max > 0 and recent >= unpaid_max then return 'C ' .. unpaid_max .. ' ' .. recent end
  if released >= 8 then return 'C 8 ' .. released end
end

local known = call('HMGET', buyers_key, unpack(ARGV, buyers_at + 1, buyers_at + n))
local stamp = ',' .. base36(sequence + 1) .. ',' .. base36(now - base)
local verdicts, fresh, writes = {}, {}, {}
local took, units = 0, 0

for i = 1, n do
  local buyer, head = ARGV[buyers_at + i], ARGV[heads_at + i]
  local count = quantities_at and tonumber(ARGV[quantities_at + i]) or 1
  local entries = fresh[buyer] or known[i]
  local bought, latest, released, recent, verdict, mine = 0, '', 0, 0, nil, false
  if entries then bought, latest, released, recent, verdict, mine = judge(entries, head, count) end
  if mine then verdicts[i] = verdict
  elseif window then verdicts[i] = 'W'
  elseif journaled + took >= journal_max then verdicts[i] = 'J'
  elseif verdict then verdicts[i] = verdict
  elseif bought + count > limit then
    verdicts[i] = count > limit and 'L ' .. limit or concat({'B', limit, bought, latest}, ' ')
  elseif too_many(released, recent) then verdicts[i] = too_many(released, recent)
  elseif available < count then verdicts[i] = available == 0 and 'S' or 'E ' .. available
  else
    took, units, available = took + 1, units + count, available - count
    local entry = head .. stamp
    if entries then entry = entries .. '"' .. entry end
    verdicts[i], fresh[buyer], writes[2 * took - 1], writes[2 * took] = 'T', entry, buyer, entry
  end
end

local function lines_taken()
  if took == n then return ARGV[10] end
  local at, kept = 0, {}
  for line in string.gmatch(ARGV[10], '[^\n]*\n') do
    at = at + 1
    if verdicts[at] == 'T' then kept[#kept + 1] = line end
  end
  return concat(kept)
end

local entry_id, head, lines = '', '', ''
if took > 0 then
  sequence = sequence + 1
  lines = lines_taken()
  local batch_id = match(lines, '^%d+')
  entry_id = epoch .. string.format('%010.0f', sequence) .. '-' .. batch_id
  head = concat({'fs1 batch', ARGV[6], epoch, sequence, batch_id, now, took}, ' ') .. '\n'
  call('XADD', journal_key, entry_id, 'h', head, 'r', lines)
  call('HSET', buyers_key, unpack(writes))
end
for at = trims_at + 1, buyers_at, 2 do -- rule: trim-exact
  if call('XDEL', journal_key, ARGV[at]) == 1 then journaled = journaled - ARGV[at + 1] end
end
if took > 0 or trims > 0 or checked ~= tonumber(meta[3]) then
  call('HSET', meta_key, 'available', available, 'seq', sequence, 'taken', taken + units,
    'held', math.max(journaled + took, 0), 'checked_ms', checked)
end
if took == n then return {'ok', '', epoch, sequence, now, available, entry_id, head, '', 'all'} end
return {'ok', window or '', epoch, sequence, now, available, entry_id, head, lines, concat(verdicts, '\n')}
