package scripts

import (
	"slices"
	"strings"

	"flashsale/sale"
)

// stockModel states the rules of the scripts in Go, for one bucket, without Redis. Its caller passes what the model cannot
// know: Redis's clock.
type stockModel struct {
	here                    bool // the meta hash exists
	epoch                   int64
	loaded                  string // loaded_state
	replid, realReplid      string
	checked, base           int64
	seq, journaled          int64
	outbox, outboxSeq       int64  // the highest row applied, and the sequence of the write that applied it
	took                    string // number of the last take, and what it found
	version                 int64
	state                   sale.State
	starts, ends            int64
	saleLimit               int
	shelves                 map[string]*modelShelf
	buyers                  map[string][]buyerEntry
	forgotten               int // released orders that were deleted because the buyer had more than sale.MaxReleased
	refused, began, emptied int // orders that an operator refused; SKUs that a page began; takes that found less than asked
	journal                 []modelJournal
	head                    string
}

// modelShelf is a field of the stock hash.
type modelShelf struct {
	available, taken, moved, returned int64
	limit, number                     int
}

type modelJournal struct {
	epoch, seq int64
	batchID    sale.OrderID
	record     string
	orders     int
}

func (j modelJournal) id() string { return EntryID(j.epoch, j.seq, j.batchID) }

// reserve returns the reply that reserve.lua must give at Redis's time now.
func (m *stockModel) reserve(c *ReserveCall, now int64) ReserveReply {
	refuse := func(code, detail string) ReserveReply {
		return ReserveReply{Code: code, Detail: detail, Epoch: m.epoch, Sequence: m.seq, NowMS: now}
	}
	if doubt, late := m.fence(c, now); late {
		return refuse("late", "")
	} else if doubt != "" {
		return refuse("fenced", doubt)
	}
	checked := m.checkedAt(now)
	if checked != m.checked && m.replid != m.realReplid {
		return refuse("fenced", "replid")
	}
	if m.seq < c.Highest {
		return refuse("fenced", "sequence")
	}
	window := m.window(now)
	if window != "" && !c.AskedAgain {
		return refuse("window", window)
	}
	if len(c.Purchases) == 0 {
		return refuse("ok", "")
	}
	if m.lacks(c.Purchases) {
		return refuse("fenced", "sku")
	}
	reply := refuse("ok", window)
	m.decide(c, now, window, &reply)
	for _, t := range c.Trims {
		m.trim(t)
	}
	if reply.EntryID != "" || len(c.Trims) > 0 || checked != m.checked {
		m.checked = checked
	}
	reply.Sequence = m.seq
	return reply
}

// lacks reports whether the stock hash lacks a SKU of the purchases.
func (m *stockModel) lacks(purchases []*sale.Purchase) bool {
	return slices.ContainsFunc(purchases, func(p *sale.Purchase) bool {
		return slices.ContainsFunc(p.Lines, func(l sale.Line) bool { return m.shelves[l.SKU] == nil })
	})
}

func (m *stockModel) fence(c *ReserveCall, now int64) (doubt string, late bool) {
	switch {
	case now > c.DeadlineMS:
		return "", true
	case !m.here:
		return "missing", false
	case m.epoch != c.Epoch:
		return "epoch", false
	case m.loaded != "open":
		return "state", false
	}
	return "", false
}

func (m *stockModel) checkedAt(now int64) int64 {
	if m.replid == "" || (now >= m.checked && now-m.checked < 50) {
		return m.checked
	}
	return now
}

func (m *stockModel) window(now int64) string {
	switch {
	case m.state == sale.StateDraft || m.state == sale.StatePreloaded || now < m.starts:
		return "not_started"
	case m.state == sale.StateClosed || now >= m.ends:
		return "ended"
	case m.state == sale.StatePaused:
		return "paused"
	}
	return ""
}

// decide goes through the batch in order. A replay compares with the journal before this call, and with what the call itself
// takes.
func (m *stockModel) decide(c *ReserveCall, now int64, window string, reply *ReserveReply) {
	before := slices.Clone(m.journal)
	journaledBefore := m.journaled
	var verdicts []string
	var batch sale.Batch
	for i, p := range c.Purchases {
		id := c.OrderIDs[i]
		judged := modelPurchase{
			Purchase: p, id: id, window: window, grief: c.Grief, now: now, journal: before, journaled: journaledBefore,
			full: journaledBefore+int64(len(batch.Orders)) >= int64(c.MaxJournal),
		}
		verdict := m.ladder(&judged)
		if verdict == "T" {
			batch.Orders = append(batch.Orders, sale.RecordOrder{OrderID: id, Lines: p.Lines, Buyer: p.Buyer, Key: p.Key})
			m.buyers[p.Buyer] = append(m.buyers[p.Buyer], buyerEntry{
				orderID: id, lines: p.Lines, sequence: m.seq + 1, sinceMS: now - m.base, key: p.Key,
			})
			for _, line := range p.Lines {
				m.shelves[line.SKU].available -= int64(line.Quantity)
				m.shelves[line.SKU].taken += int64(line.Quantity)
			}
		}
		verdicts = append(verdicts, verdict)
	}
	if reply.Verdicts = strings.Join(verdicts, "\n"); len(batch.Orders) == len(verdicts) {
		reply.Verdicts = AllTaken
	}
	if len(batch.Orders) == 0 {
		return
	}
	m.seq++
	batch.Bucket = bucketOfHead(m.head)
	batch.Epoch, batch.Sequence, batch.BatchID, batch.CreatedMS = m.epoch, m.seq, batch.Orders[0].OrderID, now
	reply.Record = string(sale.AppendBatch(nil, &batch))
	entry := modelJournal{epoch: m.epoch, seq: m.seq, batchID: batch.BatchID, record: reply.Record, orders: len(batch.Orders)}
	reply.EntryID = entry.id()
	m.journal = append(m.journal, entry)
	m.journaled += int64(entry.orders)
}

// forgetOldest drops the released orders that are not among the newest sale.MaxReleased of any of their SKUs.
func (m *stockModel) forgetOldest(buyer string) (dropped int) {
	entries := m.buyers[buyer]
	newer := map[int]int{} // released orders by number
	for at := len(entries) - 1; at >= 0; at-- {
		stays := !entries[at].released
		for _, line := range entries[at].lines {
			if entries[at].released {
				newer[line.Number]++
				stays = stays || newer[line.Number] <= sale.MaxReleased
			}
		}
		if !stays {
			entries = slices.Delete(entries, at, at+1)
			dropped++
		}
	}
	m.buyers[buyer] = entries
	return dropped
}

func (m *stockModel) created(e buyerEntry) int64 {
	if e.sequence == 0 {
		return 0
	}
	return m.base + e.sinceMS
}

// trim is trim.lua for one entry; it reports whether the entry existed.
func (m *stockModel) trim(t Trim) bool {
	at := slices.IndexFunc(m.journal, func(j modelJournal) bool { return j.id() == t.EntryID })
	if at < 0 {
		return false
	}
	m.journal = slices.Delete(m.journal, at, at+1)
	if m.here {
		m.journaled = max(m.journaled-int64(t.Orders), 0)
	}
	return true
}

// applyWindow is window.lua.
func (m *stockModel) applyWindow(w sale.Window) string {
	switch {
	case !m.here:
		return "absent"
	case m.version >= w.Version:
		return "newer"
	}
	m.setWindow(w)
	return "applied"
}

func (m *stockModel) setWindow(w sale.Window) {
	m.version, m.state, m.starts, m.ends, m.saleLimit = w.Version, w.State, w.StartsMS, w.EndsMS, w.Limit
}

// close is close.lua.
func (m *stockModel) close(epoch int64) string {
	switch {
	case !m.here:
		return "absent"
	case m.epoch > epoch:
		return "newer"
	}
	m.loaded = "closed"
	return "closed"
}

// load is load.lua from begin to open, at Redis's time base.
func (m *stockModel) load(l sale.Load, base int64, watched bool) bool {
	if m.here && m.epoch >= l.Epoch {
		return false
	}
	if !m.here || len(m.journal) == 0 {
		m.journaled = 0
	}
	if !m.here || m.version < l.Window.Version {
		m.setWindow(l.Window)
	}
	m.here, m.epoch, m.loaded, m.base, m.checked = true, l.Epoch, "open", base, 0
	m.seq, m.replid = 0, ""
	m.outbox, m.outboxSeq, m.took = l.Outbox, 0, ""
	m.shelves = map[string]*modelShelf{}
	for _, s := range l.Stock {
		m.shelves[s.SKU] = &modelShelf{available: s.Available, limit: s.Limit, number: s.Number}
	}
	if watched {
		m.replid = m.realReplid
	}
	m.buyers = map[string][]buyerEntry{}
	for _, o := range l.Owners {
		m.buyers[o.Buyer] = append(m.buyers[o.Buyer], buyerEntry{orderID: o.OrderID, lines: o.Lines, key: o.Key})
	}
	for _, o := range l.Released {
		entry := buyerEntry{orderID: o.OrderID, lines: o.Lines, released: true, key: o.Key}
		m.buyers[o.Buyer] = append(m.buyers[o.Buyer], entry)
	}
	for buyer, entries := range m.buyers {
		slices.SortFunc(entries, func(a, b buyerEntry) int { return int(a.orderID - b.orderID) })
		m.forgetOldest(buyer)
	}
	return true
}

// forget is the effect of a restart of a server that has saved nothing.
func (m *stockModel) forget() {
	*m = stockModel{
		realReplid: m.realReplid, head: m.head, forgotten: m.forgotten, refused: m.refused, began: m.began,
		emptied: m.emptied, buyers: map[string][]buyerEntry{}, shelves: map[string]*modelShelf{},
	}
}
