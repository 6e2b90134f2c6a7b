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

// withBugs returns a script's source, with the chosen bug in it when this is a build of the fault tests.
func withBugs(script, source string) string {
	switch {
	case faults.Bug("epoch-not-compared"):
		return change(script, source, seeded{"reserve", "if epoch ~= ARGV[1] then return nothing('fenced', 'epoch') end", ""})
	case faults.Bug("replid-not-compared"):
		return change(script, source,
			seeded{"reserve", "if wrong_replid() then return nothing('fenced', 'replid') end", ""},
			seeded{"release", "if wrong_replid() then return answer('fenced', 'replid') end", ""},
			seeded{"transfer", "if wrong_replid() then return nothing('fenced', 'replid') end", ""})
	case faults.Bug("sequence-not-compared"):
		return change(script, source, seeded{"reserve", "if sequence < tonumber(ARGV[2]) then", "if false then"})
	case faults.Bug("window-ignored"):
		return change(script, source, seeded{"reserve", "local window = closed_window()", "local window = nil"})
	case faults.Bug("limit-per-press"):
		return change(script, source, seeded{"reserve", "elseif bought + count > limit then", "elseif count > limit then"})
	case faults.Bug("key-forgotten"):
		return change(script, source, seeded{"reserve", "if key ~= '' then entry = entry .. ',' .. key end", ""})
	}
	return withStockBugs(script, source)
}

func withStockBugs(script, source string) string {
	switch {
	case faults.Bug("trim-by-number"): // up to an entry, not the entry
		return change(script, source,
			seeded{"reserve", "call('XDEL', journal_key, ARGV[at]) == 1", "call('XTRIM', journal_key, 'MINID', match(ARGV[at], '^%d+') + 1) > 0"},
			seeded{"trim", "redis.call('XDEL', KEYS[2], ARGV[at]) == 1", "redis.call('XTRIM', KEYS[2], 'MINID', string.match(ARGV[at], '^%d+') + 1) > 0"})
	case faults.Bug("journal-counted-as-sold"):
		return change(script, source, seeded{"load", "'available', ARGV[3],", "'available', ARGV[3] - call('XLEN', KEYS[3]),"})
	case faults.Bug("release-applied-twice"):
		return change(script, source,
			seeded{"release", "if first <= outbox then", "if false then"},
			seeded{"release", "'\"' .. head .. ',', 1, true)", "'\"' .. string.gsub(head, ',', ',%%-?', 1) .. ',')"})
	case faults.Bug("release-in-later-epoch"):
		return change(script, source,
			seeded{"release", "then return answer('older', '') end", "then first = outbox + 1 end"})
	case faults.Bug("release-of-unknown-order"):
		return change(script, source,
			seeded{"release", "if not entries then return answer('fenced', 'order') end", "entries = entries or ''"},
			seeded{"release", "if not from then return answer('fenced', 'order') end", "if not from then entries = entries .. '\"' .. head .. ',0,0'; " +
				"from, to = string.find(entries, '\"' .. head .. ',', 1, true) end"})
	case faults.Bug("transfer-not-journaled"):
		return change(script, source, seeded{"transfer", "call('XADD', journal_key, entry_id, 'r', record)", ""})
	}
	return source
}

// change applies the changes of one script. A piece that does not stand there exactly once is a bug that would not be
// seeded, and so a check that would prove nothing.
func change(script, source string, changes ...seeded) string {
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
