package scripts

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
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
		return m.repeated(p, answer("done", ""))
	case p.First > m.outbox+1:
		return answer("fenced", "outbox")
	case !m.knows(p):
		return answer("fenced", "sku")
	case !m.sold(p.Orders):
		return answer("fenced", "order")
	}
	m.gain(p)
	took := m.takeBack(p)
	m.seq, m.outbox = m.seq+1, p.First+int64(p.Rows)-1
	m.outboxSeq = m.seq
	reply := answer("done", "")
	reply.Took = took
	return reply
}

// repeated answers a page that is applied already.
func (m *stockModel) repeated(p *ReleasePage, reply ReleaseReply) ReleaseReply {
	text, found, _ := strings.Cut(m.took, ":")
	number, err := strconv.ParseInt(cmp.Or(text, "0"), 10, 64)
	if err != nil {
		panic(err)
	}
	switch {
	case len(p.Take) == 0 || number > p.First:
	case number < p.First:
		reply.Code, reply.Detail = CodeFenced, "took"
		return reply
	default:
		for i, units := range strings.Split(found, ",") {
			n, err := strconv.ParseInt(units, 10, 64)
			if err != nil {
				panic(err)
			}
			reply.Took = append(reply.Took, sale.SKUUnits{SKU: p.Take[i].SKU, Units: n})
		}
	}
	reply.Sequence = m.outboxSeq
	return reply
}

// knows reports whether every SKU of a page is in the stock, or begins with it.
func (m *stockModel) knows(p *ReleasePage) bool {
	begins := map[string]bool{}
	for _, line := range p.Gains {
		begins[line.SKU] = true
	}
	for _, o := range p.Orders {
		for _, line := range o.Lines {
			if m.shelves[line.SKU] == nil && !begins[line.SKU] {
				return false
			}
		}
	}
	return !slices.ContainsFunc(p.Take, func(l sale.OutboxLine) bool { return m.shelves[l.SKU] == nil })
}

// gain adds the units of a page's credits, raises and orders.
func (m *stockModel) gain(p *ReleasePage) {
	add := func(sku string, units int64) {
		m.shelves[sku].available += units
		m.shelves[sku].returned += units
	}
	for _, line := range p.Gains {
		if m.shelves[line.SKU] == nil {
			m.shelves[line.SKU] = &modelShelf{limit: line.Limit, number: line.Number}
			m.began++
		}
		add(line.SKU, line.Units)
	}
	for _, o := range p.Orders {
		if m.entryOf(o.ReleasedOrder).released = true; o.Refused {
			m.forgetRefused(o.ReleasedOrder)
		}
		for _, line := range o.Lines {
			add(line.SKU, int64(line.Quantity))
		}
	}
	for _, o := range p.Orders {
		if len(m.buyers[o.Buyer]) > 0 {
			m.forgotten += m.forgetOldest(o.Buyer)
		}
	}
}

// takeBack removes what a take asks, or what is left.
func (m *stockModel) takeBack(p *ReleasePage) (took []sale.SKUUnits) {
	var found []string
	for _, line := range p.Take {
		shelf := m.shelves[line.SKU]
		units := min(line.Units, shelf.available)
		if units < line.Units {
			m.emptied++
		}
		shelf.available -= units
		shelf.returned -= units
		took = append(took, sale.SKUUnits{SKU: line.SKU, Units: units})
		found = append(found, strconv.FormatInt(units, 10))
	}
	if len(p.Take) > 0 {
		m.took = fmt.Sprintf("%d:%s", p.First, strings.Join(found, ","))
	}
	return took
}

// sold reports whether every order is in its buyer's entries, unreleased, and no order occurs twice.
func (m *stockModel) sold(orders []PageOrder) bool {
	seen := map[sale.OrderID]bool{}
	for _, o := range orders {
		entry := m.entryOf(o.ReleasedOrder)
		if entry == nil || entry.released || seen[o.OrderID] {
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
	for m.one(3) {
		item := catalogue[m.random.IntN(len(catalogue))]
		page.Gains = append(page.Gains, sale.OutboxLine{
			SKU: item.SKU, Units: m.random.Int64N(20), Number: item.Number, Limit: 3,
		})
	}
	if m.one(5) {
		page = m.takePage(page)
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
		unknown := sale.ReleasedOrder{OrderID: m.nextID + 1, Lines: []sale.Line{{SKU: "phone", Quantity: 1}}, Buyer: "nobody"}
		page.Orders = append(page.Orders, PageOrder{unknown, m.one(2)})
	case 6:
		if len(page.Orders) > 0 {
			page.Orders[0].Lines = []sale.Line{{SKU: "unknown", Quantity: 1}}
		}
	case 7:
		if len(page.Orders) > 0 {
			page.Orders = append(page.Orders, page.Orders[0])
		}
	}
	if len(page.Take) > 0 && strings.HasPrefix(m.model.took, fmt.Sprintf("%d:", page.First)) {
		page = m.lastTake // a row never changes
	}
	got, err := decodeRelease(&page, m.redis.do(context.Background(), func(c rueidis.Client) rueidis.Completed {
		return c.B().Evalsha().Sha1(m.releaseSHA).Numkeys(3).Key(m.keys.Meta, m.keys.Stock, m.keys.Buyers).
			Arg(page.Args(highest)...).Build()
	}))
	require.NoError(m.t, err)
	require.Equal(m.t, m.model.release(&page, highest), got, "after %d operations: %+v", m.done, page)
	m.seen[strings.TrimSpace("release "+got.Code+" "+got.Detail)]++
	if len(page.Take) > 0 {
		m.seen["take "+got.Code]++
		if got.Code == CodeDone && got.Took == nil {
			m.seen["take without its answer"]++
		}
		if got.Code == CodeDone && got.Took != nil {
			m.lastTake = page
		}
	}
	m.seen["forgotten"], m.seen["refused"] = m.model.forgotten, m.model.refused
	m.seen["began"], m.seen["emptied"] = m.model.began, m.model.emptied
}

// takePage makes a page of one take, at times the repeat of the last one.
func (m *modelRun) takePage(page ReleasePage) ReleasePage {
	if m.one(2) && m.lastTake.Rows > 0 {
		m.seen["take repeated"]++
		return m.lastTake
	}
	page.Gains, page.Orders, page.Rows = nil, nil, 1
	for _, item := range m.random.Perm(len(catalogue))[:1+m.random.IntN(3)] {
		if sku := catalogue[item].SKU; m.model.shelves[sku] != nil || m.one(10) {
			page.Take = append(page.Take, sale.OutboxLine{SKU: sku, Units: m.random.Int64N(50), Number: 9, Limit: 9})
		}
	}
	if page.Take == nil {
		page.Take = []sale.OutboxLine{{SKU: "phone", Units: 1}}
	}
	return page
}

// someSold picks up to eight orders of the buyers, some of them released before.
func (m *modelRun) someSold() []PageOrder {
	var found []PageOrder
	buyers := slices.Sorted(maps.Keys(m.model.buyers))
	for at := range buyers {
		buyer := buyers[(at+m.done)%len(buyers)]
		for _, e := range m.model.buyers[buyer] {
			if !e.released || m.one(60) {
				order := sale.ReleasedOrder{OrderID: e.orderID, Lines: withSKUs(e.lines), Buyer: buyer}
				found = append(found, PageOrder{order, m.one(4)})
			}
		}
		if len(found) > m.random.IntN(9) {
			break
		}
	}
	return found
}

// withSKUs returns the lines of an entry with the SKUs of their numbers.
func withSKUs(lines []sale.Line) []sale.Line {
	named := slices.Clone(lines)
	for i := range named {
		at := slices.IndexFunc(catalogue, func(item sale.Line) bool { return item.Number == named[i].Number })
		named[i].SKU = catalogue[at].SKU
	}
	return named
}

// everyRelease is what a long run must see.
var everyRelease = []string{
	"release done", "release older", "release later epoch", "release later state", "release fenced sequence",
	"release fenced outbox", "release fenced order", "release fenced sku", "release fenced took", "take without its answer",
	"forgotten", "refused",
	"began", "emptied", "take done", "take repeated",
}

// The comparison finds seeded bugs of the release script, each within a short run.
func TestModelFindsBugsOfReleases(t *testing.T) {
	bugs := map[string][2]string{
		"applied twice":              {"if first <= outbox then", "if false then"},
		"a lost row is skipped":      {"if first > outbox + 1 then", "if false then"},
		"in a later epoch":           {"then return answer('older', '') end", "then end"},
		"in an earlier epoch":        {"then return answer('later', 'epoch') end", "then end"},
		"into a closed bucket":       {"if meta[6] ~= 'open'", "if false"},
		"into another server's data": {"if wrong_replid()", "if false and wrong_replid()"},
		"an older sequence passes":   {"if sequence < tonumber(ARGV[2])", "if false"},
		"the units stay away":        {"= available + units ..", "= available .."},
		"returned does not grow":     {"' ' .. returned + units", "' ' .. returned"},
		"no sequence of its own":     {"sequence + 1, first", "sequence, first"},
		"a SKU never begins":         {"not takes and begins ~= ''", "false"},
		"a SKU begins with a take":   {"not takes and begins ~= ''", "begins ~= ''"},
		"limit and number change": {"others .. ' ' .. returned",
			"(begins ~= '' and '0 ' .. begins or others) .. ' ' .. returned"},
		"a take takes what is sold": {"-math.min(units, tonumber(available))", "-units"},
		"a take finds what it asks": {"found[i] = -units ..", "found[i] = ARGV[units_at + i] .."},
		"a take adds":               {"found[i] = -units .. ''", "found[i], units = -units .. '', -units"},
		"a take is forgotten": {"if takes then call('HSET', meta_key, 'took'",
			"if false then call('HSET', meta_key, 'took'"},
		"any take answers for any":         {"takes and number == first and took", "takes and took"},
		"a row that was no take answers":   {"if takes and number < first", "if false"},
		"an earlier take is a loss":        {"if takes and number < first", "if takes and number ~= first"},
		"nothing is forgotten":             {"if released <= 8 then", "if true then"},
		"one more is remembered":           {"count[number] <= 8", "count[number] <= 9"},
		"the oldest is remembered":         {"for i = #all, 1, -1 do", "for i = 1, #all do"},
		"a refused one is remembered":      {"if sign == '' then", "if true then"},
		"an empty buyer is kept":           {"if changed[buyer] == '' then", "if false then"},
		"the entries after it go too":      {"find(entries, '\"', to, true) or #entries + 1", "#entries + 1"},
		"the entry still counts":           {".. '-' .. sub(entries, to + 1)", ".. sub(entries, to + 1)"},
		"released twice":                   {"or sub(entries, to + 1, to + 1) == '-'", ""},
		"the second of a buyer replaces":   {"changed[buyer] or (known[i]", "(known[i]"},
		"the number is the first":          {"first + rows - 1", "first"},
		"the marker's sequence is lost":    {"'outbox_seq', sequence", "'outbox_seq', 0"},
		"a repeat names the present write": {"  sequence = tonumber(meta[5])\n", ""},
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
			require.True(t, found, "200,000 operations agreed with a script that has this bug")
		})
	}
}
