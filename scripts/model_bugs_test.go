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
	r := dial(t, Options{Namespace: namespace(t), Addrs: []string{harness.SharedRedis(t).Addr}})
	replid, seed := replidOf(t, r), modelSeed(t)
	for name, change := range reserveBugs() {
		t.Run(name, func(t *testing.T) {
			source := ReserveScript().Source
			require.Equal(t, 1, strings.Count(source, change[0]), "the place of the bug")
			spoilt := strings.Replace(source, change[0], change[1], 1)
			found := false
			for _, releases := range []bool{false, true} { // many released orders of a buyer are rare in the first run
				found = found || runWithBug(t, r.options, replid, seed, spoilt, func(run *modelRun, sha string) {
					run.installScript()
					run.arguments.sha, run.mostlyReleases = sha, releases
				})
			}
			require.True(t, found, "twice 200,000 operations agreed with a script that has this bug")
		})
	}
}

// reserveBugs are replacements in reserve.lua, by what they do. Runs rarely reach the exact bound of a buyer's released orders:
// TestAForgottenKey finds scripts with another one.
func reserveBugs() map[string][2]string {
	return map[string][2]string{
		"a line costs one unit": {"available[shelf] - quantity_of[line]", "available[shelf] - 1"},
		"only the first line is taken": {"for line = 1, verdict and 0 or lines do",
			"for line = 1, verdict and 0 or 1 do"},
		"a refused order takes units":      {"for line = 1, verdict and 0 or lines do", "for line = 1, lines do"},
		"one unit is free":                 {"available[shelf] = available[shelf] - 1 --", "--"},
		"the limit is not kept in a batch": {"repeats and fresh[buyer] or known[i]", "known[i]"},
		"the limit of the SKU is one too high": {"bought[line] + quantity_of[line] > limit",
			"bought[line] + quantity_of[line] > limit + 1"},
		"the limit of the sale is one too high":  {"total + units > sale_limit", "total + units > sale_limit + 1"},
		"the sale's limit is that of a line":     {"total + units > sale_limit", "total + quantity_of[1] > sale_limit"},
		"no order is over the sale's limit":      {"sale_limit > 0 and units > sale_limit", "false"},
		"other SKUs do not count":                {"total = total + quantity", "total = total + (line and quantity or 0)"},
		"an order counts one unit":               {"add(line_of[number], tonumber(quantity) or 1,", "add(line_of[number], 1,"},
		"the second line is not counted":         {"'(%w+):?(%d*)') do\n        add", "'^(%w+):?(%d*)') do\n        add"},
		"oversells a rest":                       {"if left < quantity_of[line] then", "if false then"},
		"sells nothing at all":                   {"if left == 0 then return 'S '", "if left < 0 then return 'S '"},
		"a replay is taken again":                {"local verdict = entries and replay(entries, wanted, key)", "local verdict"},
		"other lines are a replay":               {"if lines ~= wanted then", "if false then"},
		"an asked batch is taken again":          {"    if at then\n", "    if false then\n"},
		"the key is forgotten":                   {"entry = head .. stamp", "entry = match(head, '^%w+,[^,]+,') .. stamp"},
		"the second order replaces":              {"entry = entries .. '\"' .. entry", "entry = entry"},
		"the journal has no bound":               {"and took < room and", "and took <= room and"},
		"the count of the journal does not grow": {"math.max(journaled + took, 0)", "math.max(journaled, 0)"},
		"trims count nothing":                    {"journaled = journaled - ARGV[at + 1]", "journaled = journaled"},
		"taken does not grow":                    {"taken[k] + was - left", "taken[k]"},
		"limit and number are lost":              {"taken[k] + was - left) .. rest[k]", "taken[k] + was - left) .. ' 5 1 0 0'"},
		"an older sequence passes":               {"if sequence < tonumber(ARGV[2])", "if sequence < 0"},
		"another epoch passes":                   {"if epoch ~= ARGV[1]", "if false"},
		"a closed bucket sells":                  {"if meta[11] ~= 'open'", "if false"},
		"a late call is served":                  {"if now > tonumber(ARGV[3])", "if false"},
		"another server's data is sold from":     {"if wrong_replid()", "if false and wrong_replid()"},
		"a paused sale sells":                    {"if state ~= 'open' then return 'paused' end", ""},
		"an ended sale sells":                    {"state == 'closed' or now >= tonumber(meta[9])", "state == 'closed'"},
		"a SKU that is not there is free":        {"match(stock[k] or '',", "match(stock[k] or '9 0 9 9 0 0',"},
		"a part of a key is the key":             {".. literally .. ',(%w+)", ".. literally .. '.-,(%w+)"},
		"grief is not checked":                   {"unpaid_max > 0 and recent >=", "false and recent >="},
		"cancellations of any SKU count": {"    elseif line then\n      released",
			"    else\n      line = line or 1\n      released"},
		"the window is not looked at":       {"return made >= since", "return true"},
		"an order from the database is old": {"if number == 0 then made", "if false then made"},
		"grief comes before the limit": {"    local limit = limit_of(shelf_of[line])\n",
			"    if too_many(line, released[line], recent[line]) then return too_many(line, released[line], recent[line]) end\n" +
				"    local limit = limit_of(shelf_of[line])\n"},
		"a released order counts":      {"if sign == '' then\n      total", "if true then\n      total"},
		"a released order has no key":  {"'\"(%w+),%-?([%w:+]+),' .. literally", "'\"(%w+),([%w:+]+),' .. literally"},
		"a replay always says queued":  {"> 0 and '1' or '0'", "> 0 and '0' or '0'"},
		"concerned: not by its key":    {"if key ~= ',' and find(entries, key .. ',', 1, true) then return true end", ""},
		"concerned: not by one unit":   {"find(entries, ',' .. number .. ',', 1, true) or", ""},
		"concerned: not by more units": {"or find(entries, ',' .. number .. ':', 1, true)", ""},
		"concerned: not by a release":  {"    or find(entries, ',-' .. number, 1, true)\n", ""},
		"concerned: not by lines":      {"or find(entries, '+', 1, true) then", "then"},
		"concerned: not by the sale":   {"if sale_limit > 0 or #entries", "if #entries"},
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
	run.until(200_000)
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
