package scripts

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/test/harness"
)

// release returns the reply that release.lua must give.
func (m *stockModel) release(p *ReleasePage, highest int64) ReleaseReply {
	answer := func(code, detail string) ReleaseReply {
		return ReleaseReply{Code: code, Detail: detail, epoch: m.epoch, Sequence: m.seq, Number: m.outbox}
	}
	switch {
	case !m.here:
		return answer("fenced", "missing")
	case m.epoch > p.Epoch:
		return answer("older", "")
	case m.epoch < p.Epoch:
		return answer("later", "epoch")
	case m.loaded != "open":
		return answer("later", "state")
	case m.replid != "" && m.replid != m.realReplid:
		return answer("fenced", "replid")
	case m.seq < highest:
		return answer("fenced", "sequence")
	case p.First <= m.outbox:
		reply := answer("done", "")
		reply.Sequence = m.outboxSeq
		return reply
	case p.First > m.outbox+1:
		return answer("fenced", "outbox")
	case !m.sold(p.Orders):
		return answer("fenced", "order")
	}
	units := p.Credits
	for _, o := range p.Orders {
		if m.entryOf(o.ReleasedOrder).released = true; o.Refused {
			m.forgetRefused(o.ReleasedOrder)
		}
		units += int64(o.Quantity)
	}
	for _, o := range p.Orders {
		m.forgotten += m.forgetOldest(o.Buyer)
	}
	m.available, m.returned, m.seq = m.available+units, m.returned+units, m.seq+1
	m.outbox, m.outboxSeq = p.First+int64(p.Rows)-1, m.seq
	return answer("done", "")
}

// sold reports whether every order is in its buyer's entries, unreleased and with its quantity, and no order occurs twice.
func (m *stockModel) sold(orders []PageOrder) bool {
	seen := map[sale.OrderID]bool{}
	for _, o := range orders {
		entry := m.entryOf(o.ReleasedOrder)
		if entry == nil || entry.released || entry.quantity != o.Quantity || seen[o.OrderID] {
			return false
		}
		seen[o.OrderID] = true
	}
	return true
}

// forgetRefused deletes the entry of an order that an operator refused, and the buyer when it was the last entry.
func (m *stockModel) forgetRefused(o sale.ReleasedOrder) {
	m.buyers[o.Buyer] = slices.DeleteFunc(m.buyers[o.Buyer], func(e buyerEntry) bool { return e.orderID == o.OrderID })
	if len(m.buyers[o.Buyer]) == 0 {
		delete(m.buyers, o.Buyer)
	}
	m.refused++
}

func (m *stockModel) entryOf(o sale.ReleasedOrder) *buyerEntry {
	for i, entry := range m.buyers[o.Buyer] {
		if entry.orderID == o.OrderID {
			return &m.buyers[o.Buyer][i]
		}
	}
	return nil
}

// release applies a page that is usually valid: existing orders, the next number, the present epoch.
func (m *modelRun) release() {
	m.done++
	page := ReleasePage{Bucket: m.bucket, Epoch: m.model.epoch, First: m.model.outbox + 1, Orders: m.someSold()}
	page.Rows = 1 + m.random.IntN(len(page.Orders)+1)
	if m.one(3) {
		page.Credits = 1 + m.random.Int64N(20)
	}
	highest := m.random.Int64N(m.model.seq + 1)
	switch m.random.IntN(24) {
	case 0, 1:
		page.Epoch += int64(m.random.IntN(3)) - 1
	case 2:
		highest = m.model.seq + 1
	case 3, 4:
		page.First += int64(m.random.IntN(3)) - 1
	case 5:
		unknown := sale.ReleasedOrder{OrderID: m.nextID + 1, Quantity: 1, Buyer: "nobody"}
		page.Orders = append(page.Orders, PageOrder{unknown, m.one(2)})
	case 6:
		if len(page.Orders) > 0 {
			page.Orders[0].Quantity++
		}
	case 7:
		if len(page.Orders) > 0 {
			page.Orders = append(page.Orders, page.Orders[0])
		}
	}
	got, err := decodeRelease(m.redis.do(context.Background(), func(c rueidis.Client) rueidis.Completed {
		return c.B().Evalsha().Sha1(m.releaseSHA).Numkeys(2).Key(m.keys.Meta, m.keys.Buyers).Arg(page.Args(highest)...).Build()
	}))
	require.NoError(m.t, err)
	require.Equal(m.t, m.model.release(&page, highest), got, "after %d operations: %+v", m.done, page)
	m.seen[strings.TrimSpace("release "+got.Code+" "+got.Detail)]++
	m.seen["forgotten"], m.seen["refused"] = m.model.forgotten, m.model.refused
}

// someSold picks up to eight orders of the buyers, some of them released before.
func (m *modelRun) someSold() []PageOrder {
	var found []PageOrder
	buyers := slices.Sorted(maps.Keys(m.model.buyers))
	for at := range buyers {
		buyer := buyers[(at+m.done)%len(buyers)]
		for _, e := range m.model.buyers[buyer] {
			if !e.released || m.one(60) {
				order := sale.ReleasedOrder{OrderID: e.orderID, Quantity: e.quantity, Buyer: buyer}
				found = append(found, PageOrder{order, m.one(4)})
			}
		}
		if len(found) > m.random.IntN(9) {
			break
		}
	}
	return found
}

// everyRelease is what a long run must see.
var everyRelease = []string{
	"release done", "release older", "release later epoch", "release later state", "release fenced sequence",
	"release fenced outbox", "release fenced order", "forgotten", "refused",
}

// The comparison finds seeded bugs of the release script, each within a short run.
func TestModelFindsBugsOfReleases(t *testing.T) {
	bugs := map[string][2]string{
		"applied twice":                 {"if first <= outbox then", "if false then"},
		"a lost row is skipped":         {"if first > outbox + 1 then", "if false then"},
		"in a later epoch":              {"then return answer('older', '') end", "then end"},
		"in an earlier epoch":           {"then return answer('later', 'epoch') end", "then end"},
		"into a closed bucket":          {"if meta[8] ~= 'open'", "if false"},
		"into another server's data":    {"if wrong_replid()", "if false and wrong_replid()"},
		"an older sequence passes":      {"if sequence < tonumber(ARGV[2])", "if false"},
		"the units stay away":           {"tonumber(meta[3]) + units", "tonumber(meta[3])"},
		"returned does not grow":        {"tonumber(meta[5]) + units", "tonumber(meta[5])"},
		"no sequence number of its own": {"sequence + 1, first", "sequence, first"},
		"credits are forgotten": {"rows, units = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])",
			"rows, units = tonumber(ARGV[3]), tonumber(ARGV[4]), 0"},
		"an order is one unit":             {"units = units + math.abs(quantity)", "units = units + 1"},
		"nothing is forgotten":             {"if released <= 8 then", "if true then"},
		"one more is remembered":           {"released - 8)", "math.max(released - 9, 1))"},
		"a refused order is remembered":    {"if quantity > 0 then", "if true then"},
		"an empty buyer is kept":           {"if changed[buyer] == '' then", "if false then"},
		"the entries after it go too":      {"string.find(entries, '\"', to, true) or #entries + 1", "#entries + 1"},
		"a refused order takes units":      {"units + math.abs(quantity)", "units + quantity"},
		"the entry still counts":           {"string.gsub(head, ',', ',-', 1)", "head"},
		"the second of a buyer replaces":   {"changed[buyer] or (known[i]", "(known[i]"},
		"the number is the first":          {"first + rows - 1", "first"},
		"the marker's sequence is lost":    {"'outbox_seq', sequence", "'outbox_seq', 0"},
		"an order of another quantity":     {"'\"' .. head .. ','", "'\"' .. string.match(head, '%w+,')"},
		"a repeat names the present write": {"  sequence = tonumber(meta[7])\n", ""},
	}
	r := dial(t, Options{Namespace: namespace(t), Addrs: []string{harness.SharedRedis(t).Addr}})
	replid, seed := replidOf(t, r), modelSeed(t)
	for name, change := range bugs {
		t.Run(name, func(t *testing.T) {
			source := ReleaseScript().Source
			require.Equal(t, 1, strings.Count(source, change[0]), "the place of the bug")
			found := runWithBug(t, r.options, replid, seed, strings.Replace(source, change[0], change[1], 1),
				func(run *modelRun, sha string) {
					run.installScript()
					run.releaseSHA, run.mostlyReleases = sha, true
				})
			require.True(t, found, "60,000 operations agreed with a script that has this bug")
		})
	}
}
