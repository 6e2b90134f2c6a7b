package bugs

// scriptBugs are the bugs in the Lua files.
var scriptBugs = []Bug{
	{
		Name: "epoch-not-compared", What: "the script sells in whatever epoch it is in",
		Seeds: []Replacement{
			instead("scripts/reserve.lua", `if epoch ~= ARGV[1] then return nothing('fenced', 'epoch') end`, ""),
		},
		Checks: []Check{check("reserve", "^TestLossIsFencedAndReported$")},
	},
	{
		Name: "replid-not-compared", What: "a promoted node sells on",
		Seeds: []Replacement{
			instead("scripts/reserve.lua", `if wrong_replid() then return nothing('fenced', 'replid') end`, ""),
			instead("scripts/release.lua", `if wrong_replid() then return answer('fenced', 'replid') end`, ""),
			instead("scripts/transfer.lua", `if wrong_replid() then return nothing('fenced', 'replid') end`, ""),
		},
		Checks: []Check{check("reserve", "^TestLossIsFencedAndReported$")},
	},
	{
		Name: "sequence-not-compared", What: "a Redis that went back sells on",
		Seeds: []Replacement{
			instead("scripts/reserve.lua", `if sequence < tonumber(ARGV[2]) then return nothing('fenced', 'sequence') end`, ""),
		},
		Checks: []Check{check("reserve", "^TestLossIsFencedAndReported$")},
	},
	{
		Name: "window-ignored", What: "units are taken outside the sale's window",
		Seeds:  []Replacement{instead("scripts/reserve.lua", `local window = closed_window()`, `local window = nil`)},
		Checks: []Check{check("reserve", "^TestEngineWindows$"), simulated()},
	},
	{
		Name: "limit-per-press", What: "the limit counts one press, not the buyer",
		Seeds: []Replacement{instead("scripts/reserve.lua", `if bought[line] + quantity_of[line] > limit then`,
			`if quantity_of[line] > limit then`)},
		Checks: []Check{check("reserve", "^TestEngineAnswers$"), simulated()},
	},
	{
		Name: "cancellations-unbounded", What: "every cancelled order of a buyer is remembered and read at each press",
		Seeds: []Replacement{
			instead("scripts/reserve.lua", `if released >= 8 then`, `if false then`),
			instead("scripts/release.lua", `if released <= 8 then`, `if true then`),
		},
		Checks: []Check{
			check("reserve", "^TestCancelledOrdersOfABuyerAreBounded$"),
			check("reserve", "^TestSeveralOrdersCancelledAreBounded$"),
		},
	},
	{
		Name: "grief-ignored", What: "a buyer who never pays is never refused",
		Seeds:  []Replacement{instead("scripts/reserve.lua", `unpaid_max > 0 and recent >=`, `false and recent >=`)},
		Checks: []Check{check("reserve", "^TestGriefIsRefused$")},
	},
	{
		Name: "key-forgotten", What: "entries keep no idempotency key",
		Seeds: []Replacement{
			instead("scripts/reserve.lua", `local entry = head .. stamp`, `local entry = match(head, '^%w+,[^,]+,') .. stamp`),
		},
		Checks: []Check{check("reserve", "^TestEngineAnswers$")},
	},
	{
		Name: "trim-by-number", What: "trimming deletes everything up to the entry, not the entry",
		Seeds: []Replacement{
			instead("scripts/reserve.lua", `call('XDEL', journal_key, ARGV[at]) == 1`,
				`call('XTRIM', journal_key, 'MINID', match(ARGV[at], '^%d+') + 1) > 0`),
			instead("scripts/trim.lua", `redis.call('XDEL', KEYS[2], ARGV[at]) == 1`,
				`redis.call('XTRIM', KEYS[2], 'MINID', string.match(ARGV[at], '^%d+') + 1) > 0`),
		},
		Checks: []Check{check("scripts", "^TestModelAgreesWithRedis$")},
	},
	{
		Name: "journal-counted-as-sold", What: "a rebuild takes journaled orders for sold",
		Seeds: []Replacement{
			before("scripts/load.lua", `call('HSET', KEYS[2], '', string.rep(' ', 65), unpack(ARGV, 3))`, `for i = 4, #ARGV, 2 do
  local n, rest = string.match(ARGV[i], '^(%d+)( .*)$')
  ARGV[i] = math.max(n - call('XLEN', KEYS[4]), 0) .. rest
end`),
		},
		Checks: []Check{check("recovery", "^TestJournalIsNeverCounted$")},
	},
	{
		Name: "load-not-counted", What: "a bucket opens without buyers that were loaded",
		Seeds:  []Replacement{instead("scripts/load.lua", `call('HLEN', KEYS[2]) ~= tonumber(ARGV[3])`, `false`)},
		Checks: []Check{check("scripts", "^TestLoadStepsAreFenced$")},
	},
	{
		Name: "release-applied-twice", What: "an outbox row that was applied is applied again",
		Seeds: []Replacement{
			instead("scripts/release.lua", `if first <= outbox then`, `if false then`),
			instead("scripts/release.lua", `if not from or sub(entries, to + 1, to + 1) == '-' then`, `if not from then`),
		},
		Checks: []Check{check("recovery", "^TestOutboxApplierAppliesARowOnce$")},
	},
	{
		Name: "release-in-later-epoch", What: "a row of an earlier epoch is applied",
		Seeds: []Replacement{
			instead("scripts/release.lua", `then return answer('older', '') end`, `then first = outbox + 1 end`),
		},
		Checks: []Check{check("recovery", "^TestOutboxApplierAppliesInTheRowsEpochOnly$")},
	},
	{
		Name: "release-of-unknown-order", What: "an order that Redis does not have gives units back",
		Seeds: []Replacement{
			instead("scripts/release.lua", `if not entries then return answer('fenced', 'order') end`, `entries = entries or ''`),
			instead("scripts/release.lua",
				`if not from or sub(entries, to + 1, to + 1) == '-' then return answer('fenced', 'order') end`,
				`if not from then entries = entries .. '"' .. id .. ',1,,0,0'; `+
					`from, to = find(entries, '"' .. id .. ',', 1, true) end`),
		},
		Checks: []Check{check("recovery", "^TestOutboxApplierReportsLoss$")},
	},
	{
		Name: "transfer-not-journaled", What: "a transfer leaves no journal entry",
		Seeds:  []Replacement{instead("scripts/transfer.lua", `call('XADD', journal_key, entry_id, 'r', record)`, "")},
		Checks: []Check{check("reserve", "^TestTransferOfADeadGatewayIsRelayed$")},
	},
	{
		Name: "sale-limit-of-one-sku", What: "the limit of the sale counts the units of one SKU",
		Seeds: []Replacement{
			instead("scripts/reserve.lua", `if sale_limit > 0 and total + units > sale_limit then`,
				`if sale_limit > 0 and bought[1] + units > sale_limit then`),
		},
		Checks: []Check{check("scripts", "^TestModelAgreesWithRedis$"), simulated()},
	},
	{
		Name: "key-of-sku", What: "a key counts for one set of lines and not for the sale",
		Seeds: []Replacement{
			instead("scripts/reserve.lua", `if lines ~= wanted then return 'K ' .. id end`,
				`if lines ~= wanted then return nil end`),
		},
		Checks: []Check{check("reserve", "^TestAKeyBelongsToTheLines$"), check("scripts", "^TestAKeyOfAnOrderOfSeveralLines$")},
	},
	{
		Name: "raise-applied-twice", What: "a raise that was applied is applied again",
		Seeds: []Replacement{
			instead("scripts/release.lua", `if first <= outbox then`, `if first <= outbox and (takes or n > 0) then`),
		},
		Checks: []Check{check("scripts", "^TestModelAgreesWithRedis$"), simulatedFor(1000)},
	},
	{
		Name: "take-repeated", What: "a take that was applied takes units back again",
		Seeds:  []Replacement{instead("scripts/release.lua", `if first <= outbox then`, `if first <= outbox and not takes then`)},
		Checks: []Check{check("scripts", "^TestTakes$"), check("scripts", "^TestModelAgreesWithRedis$")},
	},
	{
		Name: "take-of-sold-units", What: "a take finds as many units as it asks, whatever is unsold",
		Seeds:  []Replacement{instead("scripts/release.lua", `units = -math.min(units, tonumber(available))`, `units = -units`)},
		Checks: []Check{check("scripts", "^TestTakes$")},
	},
}
