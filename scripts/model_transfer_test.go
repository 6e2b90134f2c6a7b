package scripts

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

// transfer returns the reply that transfer.lua must give at Redis's time now.
func (m *stockModel) transfer(c *TransferCall, now int64) TransferReply {
	refuse := func(code, detail string) TransferReply {
		return TransferReply{Code: code, Detail: detail, Epoch: m.epoch, Sequence: m.seq, NowMS: now}
	}
	if doubt, late := m.fence(&ReserveCall{Epoch: c.Epoch, DeadlineMS: c.DeadlineMS}, now); late {
		return refuse("late", "")
	} else if doubt != "" {
		return refuse("fenced", doubt)
	}
	checked := m.checkedAt(now)
	switch window := m.window(now); {
	case checked != m.checked && m.replid != m.realReplid:
		return refuse("fenced", "replid")
	case m.seq < c.Highest:
		return refuse("fenced", "sequence")
	case window != "":
		return refuse("window", window)
	case m.journaled >= int64(c.MaxJournal):
		return refuse("full", "")
	case slices.ContainsFunc(c.Wants, func(w TransferWant) bool { return m.shelves[w.SKU] == nil }):
		return refuse("fenced", "sku")
	}
	units, moved := m.give(c.Wants)
	if len(units) == 0 {
		return refuse("none", "")
	}
	m.seq, m.journaled, m.checked = m.seq+1, m.journaled+1, checked
	bucket := bucketOfHead(m.head)
	record := sale.AppendTransfer(nil, &sale.Transfer{
		Bucket: bucket, Epoch: m.epoch, Sequence: m.seq, TransferID: c.ID, CreatedMS: now, To: c.To, Units: units,
	})
	entry := modelJournal{epoch: m.epoch, seq: m.seq, batchID: c.ID, record: string(record), orders: 1}
	m.journal = append(m.journal, entry)
	reply := refuse("ok", "")
	reply.Units, reply.Moved, reply.EntryID, reply.Record = units, moved, entry.id(), entry.record
	return reply
}

// give takes units of each SKU that has more than it keeps.
func (m *stockModel) give(wants []TransferWant) (units, moved []sale.SKUUnits) {
	for _, want := range wants {
		shelf := m.shelves[want.SKU]
		if shelf.available <= want.Kept {
			continue
		}
		n := transferred(shelf.available-want.Kept, want.Asked)
		shelf.available, shelf.taken, shelf.moved = shelf.available-n, shelf.taken+n, shelf.moved+n
		units = append(units, sale.SKUUnits{SKU: want.SKU, Units: n})
		moved = append(moved, sale.SKUUnits{SKU: want.SKU, Units: shelf.moved})
	}
	return units, moved
}

// transferred is half of the spare units, rounded up, or as many as asked if that is more, up to all of them.
func transferred(spare, asked int64) int64 { return min(spare, max(asked, (spare+1)/2)) }

// transfer calls the script, usually with valid arguments.
func (m *modelRun) transfer() {
	m.done++
	m.nextID += 1 + sale.OrderID(m.random.IntN(1<<20))
	call := TransferCall{
		Keys: m.keys, Head: m.model.head, Epoch: m.model.epoch, Highest: m.random.Int64N(m.model.seq + 1),
		DeadlineMS: farDeadline, MaxJournal: 100_000, ID: m.nextID, To: m.random.IntN(3),
	}
	for _, item := range m.random.Perm(len(catalogue))[:1+m.random.IntN(3)] {
		if sku := catalogue[item].SKU; m.model.shelves[sku] != nil || m.one(10) {
			want := TransferWant{SKU: sku, Asked: m.random.Int64N(20), Kept: max(0, m.random.Int64N(9)-5)}
			call.Wants = append(call.Wants, want)
		}
	}
	if len(call.Wants) == 0 {
		return
	}
	switch m.random.IntN(20) {
	case 0:
		call.Epoch += int64(m.random.IntN(3)) - 1
	case 1:
		call.Highest = m.model.seq + 1
	case 2:
		call.DeadlineMS = 1
	case 3:
		call.MaxJournal = m.random.IntN(20)
	}
	got, err := decodeTransfer(m.redis.do(context.Background(), func(c rueidis.Client) rueidis.Completed {
		return c.B().Evalsha().Sha1(m.transferSHA).Numkeys(3).Key(call.Keys.Meta, call.Keys.Stock, call.Keys.Journal).
			Arg(call.arguments()...).Build()
	}))
	require.NoError(m.t, err)
	require.Equal(m.t, m.model.transfer(&call, got.NowMS), got, "after %d operations: %+v", m.done, call)
	if m.seen["transfer "+got.Code]++; got.Code == CodeFenced || got.Code == CodeWindow {
		m.seen["transfer "+got.Detail]++
	}
}

// everyTransfer is what a long run must see.
var everyTransfer = []string{
	"transfer ok", "transfer none", "transfer full", "transfer late", "transfer not_started", "transfer ended",
	"transfer paused", "transfer epoch", "transfer state", "transfer sequence", "transfer sku",
}

// The comparison finds seeded bugs of the transfer script, each within a short run.
func TestModelFindsBugsOfTransfers(t *testing.T) {
	bugs := map[string][2]string{
		"takes what is kept":                     {"available - ARGV[7 + 2 * n + i]", "available - 0"},
		"takes more than it has":                 {"math.min(spare, ", "math.max(0, "},
		"takes too little":                       {"math.max(tonumber(ARGV[7 + n + i]), ", "math.max(0, "},
		"rounds down":                            {"math.ceil", "math.floor"},
		"the units stay":                         {"{available - some, ", "{available, "},
		"taken does not grow":                    {"taken + some", "taken"},
		"moved does not grow":                    {"limit, moved + some", "limit, moved"},
		"the count of the journal does not grow": {"'held', journaled + 1", "'held', journaled"},
		"no sequence number of its own":          {"sequence = sequence + 1", ""},
		"not journaled":                          {"call('XADD', journal_key, entry_id, 'r', record)", ""},
		"an older sequence passes":               {"if sequence < tonumber(ARGV[2])", "if false"},
		"another epoch passes":                   {"if epoch ~= ARGV[1]", "if false"},
		"a closed bucket gives":                  {"if meta[9] ~= 'open'", "if false"},
		"a late call is served":                  {"if now > tonumber(ARGV[3])", "if false"},
		"another server's data is used":          {"if wrong_replid()", "if false and wrong_replid()"},
		"a paused sale gives":                    {"if state ~= 'open' then return 'paused' end", ""},
		"the journal has no bound":               {"if journaled >= tonumber(ARGV[4])", "if false"},
		"returned is lost":                       {"moved + some, returned}", "moved + some, 0}"},
		"a SKU that is not there gives nothing": {"if not available then return nothing('fenced', 'sku') end",
			"if not available then return nothing('none', '') end"},
		"the totals are those of before":   {"sku .. ':' .. some, moved + some ..", "sku .. ':' .. some, moved .."},
		"only the first SKU gives":         {"if spare > 0 then", "if spare > 0 and #units == 0 then"},
		"the look at the server is undone": {"'checked_ms', checked", "'checked_ms', 0"},
	}
	r := dial(t, Options{Namespace: namespace(t), Addrs: []string{harness.SharedRedis(t).Addr}})
	replid, seed := replidOf(t, r), modelSeed(t)
	for name, change := range bugs {
		t.Run(name, func(t *testing.T) {
			source := TransferScript().Source
			require.Equal(t, 1, strings.Count(source, change[0]), "the place of the bug")
			found := runWithBug(t, r.options, replid, seed, strings.Replace(source, change[0], change[1], 1),
				func(run *modelRun, sha string) {
					run.installScript()
					run.transferSHA, run.mostlyTransfers = sha, true
				})
			require.True(t, found, "200,000 operations agreed with a script that has this bug")
		})
	}
}
