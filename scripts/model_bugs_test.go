package scripts

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// disagreement stands in for the test of a run that is expected to fail.
type disagreement struct{ found bool }

type disagreed struct{}

func (d *disagreement) Errorf(string, ...any) { d.found = true }
func (d *disagreement) FailNow()              { panic(disagreed{}) }

// The comparison of model and script finds seeded bugs of the script, each within a short run.
func TestModelFindsSeededBugs(t *testing.T) {
	bugs := map[string][2]string{
		"a batch costs one unit":                 {"available - count", "available - 1"},
		"the limit is not kept in a batch":       {"fresh[buyer] or known[i]", "known[i]"},
		"the limit is one too high":              {"bought + count > limit", "bought + count > limit + 1"},
		"oversells a rest":                       {"elseif available < count then", "elseif available == 0 then"},
		"a replay is taken again":                {"elseif verdict then verdicts[i] = verdict\n", ""},
		"an asked batch is taken again":          {"  if at then\n", "  if false then\n"},
		"the key is forgotten":                   {"entry = head .. stamp", "entry = match(head, '^%w+,%d+,') .. stamp"},
		"the second order replaces":              {"entry = entries .. '\"' .. entry", "entry = entry"},
		"the journal has no bound":               {"journaled + took >= journal_max", "journaled + took > journal_max"},
		"the count of the journal does not grow": {"math.max(journaled + took, 0)", "math.max(journaled, 0)"},
		"trims count nothing":                    {"journaled = journaled - ARGV[at + 1]", "journaled = journaled"},
		"taken counts orders":                    {"taken + units", "taken + took"},
		"an older sequence passes":               {"if sequence < tonumber(ARGV[2])", "if sequence < 0"},
		"another epoch passes":                   {"if epoch ~= ARGV[1]", "if false"},
		"a closed bucket sells":                  {"if meta[13] ~= 'open'", "if false"},
		"a late call is served":                  {"if now > tonumber(ARGV[3])", "if false"},
		"another server's data is sold from":     {"if wrong_replid()", "if false and wrong_replid()"},
		"a paused sale sells":                    {"if state ~= 'open' then return 'paused' end", ""},
		"an ended sale sells":                    {"state == 'closed' or now >= tonumber(meta[11])", "state == 'closed'"},
		"the ninth cancelled order":              {"if released >= 8 then", "if released >= 9 then"},
		"a part of a key is the key":             {".. literally .. ',(%w+)", ".. literally .. '.-,(%w+)"},
		"grief is not checked":                   {"unpaid_max > 0 and recent >=", "false and recent >="},
		"the window is not looked at":            {"return made >= since", "return true"},
		"an order from the database is old":      {"if number == 0 then made", "if false then made"},
		"grief comes before the limit": {"elseif bought + count > limit then",
			"elseif not too_many(released, recent) and bought + count > limit then"},
		"a released order counts": {"if qty > 0 then bought, latest = bought + qty",
			"if true then bought, latest = bought + math.abs(qty)"},
		"a released order has no key": {"'\"(%w+),%-?(%d+),' .. literally", "'\"(%w+),(%d+),' .. literally"},
		"a replay always says queued": {"> 0 and '1' or '0'", "> 0 and '0' or '0'"},
	}
	r := dial(t, Options{Namespace: namespace(t), Addrs: []string{harness.SharedRedis(t).Addr}})
	replid, seed := replidOf(t, r), modelSeed(t)
	for name, change := range bugs {
		t.Run(name, func(t *testing.T) {
			source := ReserveScript().Source
			require.Equal(t, 1, strings.Count(source, change[0]), "the place of the bug")
			found := runWithBug(t, r.options, replid, seed, strings.Replace(source, change[0], change[1], 1),
				func(run *modelRun, sha string) { run.arguments.sha = sha })
			require.True(t, found, "60,000 operations agreed with a script that has this bug")
		})
	}
}

// runWithBug runs the comparison against another source of a script until it disagrees, and reports whether it did. use
// makes a run call that source.
func runWithBug(t *testing.T, o Options, replid string, seed uint64, source string, use func(run *modelRun, sha string)) bool {
	o.Namespace = namespace(t)
	r := dial(t, o)
	require.NoError(t, r.do(context.Background(), func(c rueidis.Client) rueidis.Completed {
		return c.B().ScriptLoad().Script(source).Build()
	}).Error())
	var d disagreement
	run := newModelRun(&d, r, replid, seed)
	sum := sha1.Sum([]byte(source))
	use(run, hex.EncodeToString(sum[:]))
	run.until(60_000)
	return d.found
}

// until runs some operations, or fewer when model and script disagree before.
func (m *modelRun) until(operations int) {
	defer func() {
		if cause := recover(); cause != nil {
			if _, expected := cause.(disagreed); !expected {
				panic(cause)
			}
		}
	}()
	for m.done < operations {
		m.step()
	}
	m.compareState()
}
