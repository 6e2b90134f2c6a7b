package scripts

import (
	"strings"

	"flashsale/faults"
)

// seeded is a bug that the fault tests can put into a script: one piece of its text for another.
type seeded struct {
	script   string
	old, new string
}

// bugs are the seeded bugs of the scripts by name, as FLASHSALE_BUG chooses them.
var bugs = map[string][]seeded{
	"epoch-not-compared": {
		{"reserve", "if epoch ~= ARGV[1] then return nothing('fenced', 'epoch') end", ""},
	},
	"replid-not-compared": {
		{"reserve", "if wrong_replid() then return nothing('fenced', 'replid') end", ""},
		{"release", "if wrong_replid() then return answer('fenced', 'replid') end", ""},
		{"transfer", "if wrong_replid() then return nothing('fenced', 'replid') end", ""},
	},
	"sequence-not-compared": {
		{"reserve", "if sequence < tonumber(ARGV[2]) then return nothing('fenced', 'sequence') end", ""},
	},
	"window-ignored": {
		{"reserve", "local window = closed_window()", "local window = nil"},
	},
	"limit-per-press": {
		{"reserve", "elseif bought + count > limit then", "elseif count > limit then"},
	},
	"cancellations-unbounded": {
		{"reserve", "if released >= 8 then", "if false then"},
		{"release", "if released <= 8 then", "if true then"},
	},
	"grief-ignored": {
		{"reserve", "unpaid_max > 0 and recent >=", "false and recent >="},
	},
	"key-forgotten": {
		{"reserve", "local entry = head .. stamp", "local entry = match(head, '^%w+,%d+,') .. stamp"},
	},
	"trim-by-number": { // everything up to the entry, not the entry
		{"reserve", "call('XDEL', journal_key, ARGV[at]) == 1",
			"call('XTRIM', journal_key, 'MINID', match(ARGV[at], '^%d+') + 1) > 0"},
		{"trim", "redis.call('XDEL', KEYS[2], ARGV[at]) == 1",
			"redis.call('XTRIM', KEYS[2], 'MINID', string.match(ARGV[at], '^%d+') + 1) > 0"},
	},
	"journal-counted-as-sold": {
		{"load", "'available', ARGV[3],", "'available', math.max(ARGV[3] - call('XLEN', KEYS[3]), 0),"},
	},
	"load-not-counted": {
		{"load", "call('HLEN', KEYS[2]) ~= tonumber(ARGV[3])", "false"},
	},
	"release-applied-twice": {
		{"release", "if first <= outbox then", "if false then"},
		{"release", "string.find(entries, '\"' .. head .. ',', 1, true)",
			"string.find(entries, '\"' .. string.gsub(head, ',', ',%%-?', 1) .. ',')"},
	},
	"release-in-later-epoch": {
		{"release", "then return answer('older', '') end", "then first = outbox + 1 end"},
	},
	"release-of-unknown-order": {
		{"release", "if not entries then return answer('fenced', 'order') end", "entries = entries or ''"},
		{"release", "if not from then return answer('fenced', 'order') end",
			"if not from then entries = entries .. '\"' .. head .. ',0,0'; " +
				"from, to = string.find(entries, '\"' .. head .. ',', 1, true) end"},
	},
	"transfer-not-journaled": {
		{"transfer", "call('XADD', journal_key, entry_id, 'r', record)", ""},
	},
}

// withBugs returns a script's source, with the chosen bug in it when this is a build of the fault tests.
func withBugs(script, source string) string {
	if !faults.Built {
		return source // the constant keeps the table out of the binary
	}
	for name, changes := range bugs {
		if faults.Bug(name) {
			source = change(script, source, changes)
		}
	}
	return source
}

// change applies the changes of one script. A piece that does not stand there exactly once is a bug that would not be
// seeded, and so a check that would prove nothing.
func change(script, source string, changes []seeded) string {
	for _, c := range changes {
		if c.script != script {
			continue
		}
		if strings.Count(source, c.old) != 1 {
			panic("the script " + script + " has no single place for a seeded bug: " + c.old)
		}
		source = strings.Replace(source, c.old, c.new, 1)
	}
	return source
}
