package sim

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"flashsale/sale"
	"flashsale/test/buyers/history"
	"flashsale/test/check"
	"flashsale/test/memory"
)

// watcher observes a sale while it runs and keeps its violations.
type watcher struct {
	world *world

	mu     sync.Mutex
	faults []string
	paused bool                      // pause has been answered, resume not asked
	since  time.Duration             // it has
	unheld bool                      // Redis has lost that it has
	late   []sale.OrderID            // taken by a Redis that had lost it
	made   []*entry                  // journal entries, in the order in which Redis wrote them
	byID   map[sale.OrderID][]*entry // by their batch ids
	of     map[sale.OrderID]taking   // by order
	epochs map[sale.Bucket]int64     // of the database
	safe   bool                      // Redis has lost nothing so far
	dues   *dues
	rows   int // orders that have one

	lines map[sale.OrderID][]history.Line // of the orders with rows; used under the lock of the database
}

// taking is an order that Redis has written into its journal.
type taking struct {
	sale.RecordOrder
	batch sale.OrderID
	at    time.Duration
}

// entry is a journal entry of a batch. A batch that is decided in two lives of one epoch has two.
type entry struct {
	batch    sale.OrderID
	at       time.Duration
	lost     time.Duration // when Redis lost it, 0 = never
	inTheLog time.Duration // when its record first was, 0 = never
}

func newWatcher(w *world) *watcher {
	return &watcher{
		world: w, byID: map[sale.OrderID][]*entry{}, of: map[sale.OrderID]taking{},
		epochs: map[sale.Bucket]int64{}, safe: true, lines: map[sale.OrderID][]history.Line{}, dues: newDues(),
	}
}

// fault notes a violation.
func (w *watcher) fault(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.faults) < 20 {
		w.faults = append(w.faults, text)
		w.world.trace.add("CHECK", text)
	}
}

func (w *watcher) found() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.faults
}

// stored checks what must hold after every transaction. The database is locked.
func (w *watcher) stored(t *memory.Tables) {
	w.noteDues(t)
	of := w.world.shape.definition()
	for _, item := range t.Sales[saleID].Items {
		of.Loaded[item.SKU] = item.Stock
	}
	e := &check.Evidence{Buckets: databaseBuckets(t), Sales: map[string]check.Sale{saleID: of}}
	for id, o := range t.Orders {
		lines, known := w.lines[id]
		if !known {
			lines = linesOf(o.Lines)
			w.lines[id] = lines
		}
		e.Rows = append(e.Rows, check.Row{Sale: o.Sale, Buyer: o.BuyerID, Lines: lines, Status: string(o.Status)})
	}
	for _, fault := range check.Moment(e) {
		w.fault("%s: %s", fault.Check, fault.Text)
	}
}

// taken looks at every journal entry that Redis writes.
func (w *watcher) taken(data string) {
	record, err := sale.DecodeRecord([]byte(data))
	if err != nil {
		w.fault("redis writes an entry that is not a record: %v", err)
	}
	if record.Batch == nil {
		return
	}
	w.mu.Lock()
	paused := w.paused && !w.unheld
	over := w.safe && record.Batch.Epoch < w.epochs[record.Batch.Bucket]
	made := &entry{batch: record.Batch.BatchID, at: virtualNow()}
	w.made = append(w.made, made)
	w.byID[made.batch] = append(w.byID[made.batch], made)
	for i := range record.Batch.Orders {
		o := record.Batch.Orders[i]
		w.of[o.OrderID] = taking{o, made.batch, made.at}
		if w.paused && w.unheld {
			w.late = append(w.late, o.OrderID)
		}
	}
	w.mu.Unlock()
	head := strings.SplitN(data, "\n", 2)[0]
	if paused {
		w.fault("taken after pause had been answered: %s", head)
	}
	if over {
		w.fault("taken in an epoch that is over, though redis has lost nothing: %s", head)
	}
	if starts := w.world.starts.UnixMilli(); record.Batch.CreatedMS < starts {
		w.fault("taken %d ms before the sale starts: %s", starts-record.Batch.CreatedMS, head)
	}
}

// lost is called when Redis has lost every write after a moment.
func (w *watcher) lost(after time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.safe = false
	w.unheld = w.unheld || w.since > after
	for _, e := range w.made {
		if e.at > after && e.lost == 0 {
			e.lost = virtualNow()
		}
	}
}

// logged is called for every record that is written to the log.
func (w *watcher) logged(data []byte) {
	record, err := sale.DecodeRecord(data)
	if err != nil || record.Batch == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.byID[record.Batch.BatchID] {
		if e.inTheLog == 0 {
			e.inTheLog = virtualNow()
		}
	}
}

// couldBeLost reports whether Redis lost an order's journal entry before its record was in the log: only then may an order
// that was taken end without a unit. written is whether the order has a row.
func (w *watcher) couldBeLost(id sale.OrderID, written bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.byID[w.of[id].batch] {
		if e.lost > 0 && (e.inTheLog == 0 || written && e.inTheLog > e.lost) {
			return true
		}
	}
	return false
}

// begun is called when a bucket begins a new epoch in the database.
func (w *watcher) begun(bucket sale.Bucket, epoch int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.epochs[bucket] = epoch
}

func (w *watcher) setPaused(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paused, w.since, w.unheld = on, virtualNow(), false
}
