package sim

import (
	"context"
	"sync"
	"time"

	"flashsale/sale"
	"flashsale/test/memory"
)

// stockRows are the outbox rows that raise stock or take it back, as a witness in the database has seen them.
type stockRows struct {
	lock sync.Mutex
	all  []*stockRow
	last map[sale.Bucket]int64                     // number of the last row seen
	took map[sale.Bucket]map[int64][]sale.SKUUnits // what Redis has found, by the number of a take
	puts map[string]int64                          // units that puts have added, by SKU
	lost map[string]bool                           // SKUs of which a rebuild has decided a take of a put
}

// stockRow is one of them.
type stockRow struct {
	sale.OutboxRow
	at       time.Duration // when it was written
	done     time.Duration // when Redis had applied it, 0 = never
	took     []sale.SKUUnits
	absorbed bool // a rebuild has decided it
}

func newStockRows() *stockRows {
	return &stockRows{last: map[sale.Bucket]int64{}, took: map[sale.Bucket]map[int64][]sale.SKUUnits{},
		puts: map[string]int64{}, lost: map[string]bool{}}
}

// noteRows looks for new rows. The database is locked.
func (s *stockRows) noteRows(t *memory.Tables) {
	s.lock.Lock()
	defer s.lock.Unlock()
	for bucket, rows := range t.Outbox {
		for _, row := range rows {
			if row.Number > s.last[bucket] && (row.Kind == sale.OutboxRaise || row.Kind == sale.OutboxTake) {
				s.all = append(s.all, &stockRow{OutboxRow: row, at: virtualNow()})
				s.notePut(&row)
			}
			s.last[bucket] = max(s.last[bucket], row.Number)
		}
	}
}

// notePut counts what a put raises.
func (s *stockRows) notePut(row *sale.OutboxRow) {
	for _, line := range row.Lines {
		if row.Kind == sale.OutboxRaise && row.Change == "" {
			s.puts[line.SKU] += line.Units
		}
	}
}

// noteDone notes that a row has been applied. The database is locked.
func (s *stockRows) noteDone(applied *sale.OutboxRow) {
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, row := range s.all {
		if row.Bucket != applied.Bucket || row.Number != applied.Number {
			continue
		}
		row.done = virtualNow()
		if row.Kind != sale.OutboxTake {
			continue
		}
		row.took = s.took[row.Bucket][row.Number]
		for _, found := range row.took {
			if row.Change == "" {
				s.puts[found.SKU] -= found.Units
			}
		}
	}
}

// noteAbsorbed notes that a rebuild has decided the rows of a bucket. The database is locked.
func (s *stockRows) noteAbsorbed(bucket sale.Bucket) {
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, row := range s.all {
		if row.Bucket != bucket || row.done != 0 || row.absorbed {
			continue
		}
		row.absorbed = true
		if row.Kind == sale.OutboxTake && row.Change == "" {
			for _, line := range row.Lines {
				s.lost[line.SKU] = true
			}
		}
	}
}

// OutboxDone remembers what Redis has found of a take before the database decides it.
func (d *database) OutboxDone(ctx context.Context, applied []sale.Applied) error {
	d.lock.Lock()
	for _, a := range applied {
		if a.Took != nil {
			if d.stockRows.took[a.Bucket] == nil {
				d.stockRows.took[a.Bucket] = map[int64][]sale.SKUUnits{}
			}
			d.stockRows.took[a.Bucket][a.Number] = a.Took
		}
	}
	d.lock.Unlock()
	return d.Database.OutboxDone(ctx, applied)
}
