package crash

import "fmt"

// row is an order as the database has it.
type row struct {
	ID, Buyer, Key, Status string
	Bucket, Quantity       int
}

func (r *row) stands() bool { return r.Status == "confirmed" || r.Status == "paid" }

// bucket is what the database and Redis know of one bucket.
type bucket struct {
	Loaded, Settled, Released          int
	State                              string
	Epoch, RedisEpoch                  int
	RedisState                         string
	Available, Held, Entries, Refunded int // Entries, Refunded: units in buyers' entries that count, and that were given back
}

// said is the last word that a buyer had about one key.
type said struct {
	Buyer, Key string
	Order      string // "" when refused
}

// books is everything that is judged when a sale is over.
type books struct {
	Stock, Limit           int
	Rows                   []row
	Buckets                []bucket
	Said                   []said
	OutboxRows, EventsRows int
}

// judge names every breach of the promise.
func judge(b books) []string {
	j := &judgement{books: b, rows: map[string]*row{}, ofKey: map[string]*row{}, units: map[string]int{}}
	j.readRows()
	j.hear()
	j.count()
	return j.faults
}

type judgement struct {
	books
	rows   map[string]*row
	ofKey  map[string]*row // "buyer key" to the row that stands or stood
	units  map[string]int  // of a buyer
	faults []string
}

func (j *judgement) fault(format string, args ...any) {
	j.faults = append(j.faults, fmt.Sprintf(format, args...))
}

func (j *judgement) readRows() {
	for i := range j.Rows {
		r := &j.Rows[i]
		j.rows[r.ID] = r
		if r.Status == "refused" {
			j.fault("order %s of %s was refused although no store lost anything", r.ID, r.Buyer)
			continue
		}
		if other := j.ofKey[r.Buyer+" "+r.Key]; other != nil {
			j.fault("orders %s and %s of %s have one key", other.ID, r.ID, r.Buyer)
		}
		j.ofKey[r.Buyer+" "+r.Key] = r
		if r.stands() {
			if j.units[r.Buyer] += r.Quantity; j.units[r.Buyer] > j.Limit {
				j.fault("%s has %d units, the limit is %d", r.Buyer, j.units[r.Buyer], j.Limit)
			}
		}
	}
}

func (j *judgement) hear() {
	for _, s := range j.Said {
		r := j.ofKey[s.Buyer+" "+s.Key]
		switch {
		case s.Order == "" && r != nil:
			j.fault("%s was refused and has order %s", s.Buyer, r.ID)
		case s.Order != "" && r == nil:
			j.fault("%s was told of order %s, which is lost", s.Buyer, s.Order)
		case s.Order != "" && r.ID != s.Order:
			j.fault("%s was told of order %s and has %s", s.Buyer, s.Order, r.ID)
		}
	}
}

// count checks each bucket's books against its rows and against Redis.
func (j *judgement) count() {
	loaded, available := 0, 0
	stands, back := make([]int, len(j.Buckets)), make([]int, len(j.Buckets))
	for i := range j.Rows {
		switch r := &j.Rows[i]; {
		case r.stands():
			stands[r.Bucket] += r.Quantity
		case r.Status != "refused":
			back[r.Bucket] += r.Quantity
		}
	}
	for k := range j.Buckets {
		b := &j.Buckets[k]
		loaded, available = loaded+b.Loaded, available+b.Available
		j.countBucket(k, b, stands[k], back[k])
	}
	if loaded != j.Stock {
		j.fault("%d units are loaded, it were %d", loaded, j.Stock)
	}
	if available != 0 {
		j.fault("%d units are left although more were asked for", available)
	}
	if j.OutboxRows+j.EventsRows > 0 {
		j.fault("%d outbox rows and %d events wait", j.OutboxRows, j.EventsRows)
	}
}

func (j *judgement) countBucket(k int, b *bucket, stands, back int) {
	if b.Settled-b.Released != stands || b.Released != back {
		j.fault("bucket %d: settled %d, released %d, but its rows are %d that stand and %d given back", k, b.Settled, b.Released, stands, back)
	}
	if b.State != "open" || b.RedisState != "open" || b.Epoch != b.RedisEpoch {
		j.fault("bucket %d is %s in epoch %d, in Redis %s in epoch %d", k, b.State, b.Epoch, b.RedisState, b.RedisEpoch)
	}
	if b.Loaded-b.Settled+b.Released != b.Available {
		j.fault("bucket %d: loaded %d, settled %d, released %d, but available %d", k, b.Loaded, b.Settled, b.Released, b.Available)
	}
	if b.Held != 0 || b.Entries != stands {
		j.fault("bucket %d: %d orders journaled, %d units in entries, %d in rows", k, b.Held, b.Entries, stands)
	}
}
