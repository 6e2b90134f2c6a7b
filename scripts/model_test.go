package scripts

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"flashsale/sale"
)

// stockModel states the rules of the scripts in Go, for one bucket, without Redis. Its caller passes what the model cannot
// know: Redis's clock.
type stockModel struct {
	here                             bool // the meta hash exists
	epoch                            int64
	loaded                           string // loaded_state
	replid, realReplid               string
	checked, base                    int64
	available, seq, taken, journaled int64
	moved                            int64 // part of taken, by transfers
	returned                         int64 // by the outbox
	outbox, outboxSeq                int64 // the highest row applied, and the sequence of the write that applied it
	version                          int64
	state                            sale.State
	starts, ends                     int64
	limit                            int
	buyers                           map[string][]buyerEntry
	forgotten                        int // released orders that were deleted because the buyer had more than sale.MaxReleased
	refused                          int // orders that an operator refused
	journal                          []modelJournal
	head                             string
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
		return ReserveReply{Code: code, Detail: detail, Epoch: m.epoch, Sequence: m.seq, NowMS: now, available: m.available}
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
	reply := refuse("ok", window)
	m.decide(c, now, window, &reply)
	for _, t := range c.Trims {
		m.trim(t)
	}
	if reply.EntryID != "" || len(c.Trims) > 0 || checked != m.checked {
		m.checked = checked
	}
	reply.Sequence, reply.available = m.seq, m.available
	return reply
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
	for i := range c.Purchases {
		p, id := *c.Purchases[i], c.OrderIDs[i]
		unpaid := m.tooMany(p.Buyer, c.Grief, now)
		full := journaledBefore+int64(len(batch.Orders)) >= int64(c.MaxJournal)
		verdict := m.ladder(p, id, window, unpaid, full, before, journaledBefore)
		if verdict == "T" {
			batch.Orders = append(batch.Orders, sale.RecordOrder{OrderID: id, Quantity: p.Quantity, Buyer: p.Buyer, Key: p.Key})
			m.buyers[p.Buyer] = append(m.buyers[p.Buyer], buyerEntry{
				orderID: id, quantity: p.Quantity, sequence: m.seq + 1, sinceMS: now - m.base, key: p.Key,
			})
			m.available -= int64(p.Quantity)
			m.taken += int64(p.Quantity)
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

// ladder decides one purchase: the first rule that applies, one line each.
func (m *stockModel) ladder(p sale.Purchase, id sale.OrderID, window, unpaid string, full bool, journal []modelJournal,
	journaled int64,
) string {
	entries := m.buyers[p.Buyer]
	bought, latest := 0, sale.OrderID(0)
	var same *buyerEntry
	for i := range entries {
		e := &entries[i]
		if e.orderID == id {
			return fmt.Sprintf("A %d %d", e.sequence, m.created(*e))
		}
		if p.Key != "" && e.key == p.Key && same == nil {
			same = e
		}
		if !e.released {
			bought, latest = bought+e.quantity, e.orderID
		}
	}
	switch {
	case window != "":
		return "W"
	case full:
		return "J"
	case same != nil && same.quantity != p.Quantity:
		return "K " + base36(same.orderID)
	case same != nil:
		kept := slices.ContainsFunc(journal, func(j modelJournal) bool { return j.epoch == m.epoch && j.seq == same.sequence })
		kept = kept && journaled > 0 || same.sequence == m.seq+1
		return fmt.Sprintf("R %s %d %d %d %s", base36(same.orderID), same.quantity, same.sequence, m.created(*same), flag(kept))
	case p.Quantity > m.limit:
		return fmt.Sprintf("L %d", m.limit)
	case bought+p.Quantity > m.limit:
		return fmt.Sprintf("B %d %d %s", m.limit, bought, base36(latest))
	case unpaid != "":
		return unpaid
	case m.available == 0:
		return "S"
	case m.available < int64(p.Quantity):
		return fmt.Sprintf("E %d", m.available)
	}
	return "T"
}

// tooMany returns the refusal of a buyer with too many released orders, "" when the buyer has fewer.
func (m *stockModel) tooMany(buyer string, grief sale.Grief, now int64) string {
	released, recent := 0, 0
	for _, e := range m.buyers[buyer] {
		if !e.released {
			continue
		}
		released++
		made := m.base + e.sinceMS
		if e.sequence == 0 {
			made = int64(float64(e.orderID)/(1<<22)) + sale.IDEpoch
		}
		if made >= now-1000*grief.WindowS {
			recent++
		}
	}
	switch {
	case grief.Unpaid > 0 && recent >= grief.Unpaid:
		return fmt.Sprintf("C %d %d", grief.Unpaid, recent)
	case released >= sale.MaxReleased:
		return fmt.Sprintf("C %d %d", sale.MaxReleased, released)
	}
	return ""
}

// forgetOldest drops the oldest released orders beyond sale.MaxReleased.
func (m *stockModel) forgetOldest(buyer string) (dropped int) {
	for count := m.released(buyer); count > sale.MaxReleased; count-- {
		oldest := slices.IndexFunc(m.buyers[buyer], func(e buyerEntry) bool { return e.released })
		m.buyers[buyer] = slices.Delete(m.buyers[buyer], oldest, oldest+1)
		dropped++
	}
	return dropped
}

func (m *stockModel) released(buyer string) (count int) {
	for _, e := range m.buyers[buyer] {
		if e.released {
			count++
		}
	}
	return count
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
	m.version, m.state, m.starts, m.ends, m.limit = w.Version, w.State, w.StartsMS, w.EndsMS, w.Limit
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
	m.available, m.seq, m.taken, m.moved, m.returned, m.replid = l.Available, 0, 0, 0, 0, ""
	m.outbox, m.outboxSeq = l.Outbox, 0
	if watched {
		m.replid = m.realReplid
	}
	m.buyers = map[string][]buyerEntry{}
	for _, o := range l.Owners {
		m.buyers[o.Buyer] = append(m.buyers[o.Buyer], buyerEntry{orderID: o.OrderID, quantity: o.Quantity, key: o.Key})
	}
	for _, o := range l.Released {
		entry := buyerEntry{orderID: o.OrderID, quantity: o.Quantity, released: true, key: o.Key}
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
	*m = stockModel{realReplid: m.realReplid, head: m.head, forgotten: m.forgotten, refused: m.refused,
		buyers: map[string][]buyerEntry{}}
}

// image is the whole state as text, for comparison with Redis's.
func (m *stockModel) image() []string {
	var lines []string
	if m.here {
		lines = append(lines,
			fmt.Sprintf("meta epoch=%d state=%s replid=%s checked=%d base=%d available=%d seq=%d taken=%d journaled=%d "+
				"moved=%d returned=%d outbox=%d outbox_seq=%d version=%d sale=%s starts=%d ends=%d limit=%d",
				m.epoch, m.loaded, m.replid, m.checked, m.base, m.available, m.seq, m.taken, m.journaled,
				m.moved, m.returned, m.outbox, m.outboxSeq, m.version, m.state, m.starts, m.ends, m.limit))
	}
	for buyer, entries := range m.buyers {
		var value []string
		for _, e := range entries {
			sign := map[bool]string{true: "-"}[e.released]
			value = append(value, fmt.Sprintf("%s,%s%d,%s,%s,%s", base36(e.orderID), sign, e.quantity, e.key, base36(e.sequence),
				base36(e.sinceMS)))
		}
		lines = append(lines, "buyer "+buyer+" "+strings.Join(value, `"`))
	}
	for _, j := range m.journal {
		lines = append(lines, "entry "+j.id()+" "+strconv.Quote(j.record))
	}
	slices.Sort(lines)
	return lines
}

func base36[N ~int64](n N) string { return strconv.FormatInt(int64(n), 36) }

func bucketOfHead(head string) sale.Bucket {
	fields := strings.Fields(head)
	number, err := strconv.Atoi(fields[2])
	if err != nil {
		panic(err)
	}
	return sale.Bucket{Sale: fields[0], SKU: fields[1], Number: number}
}
