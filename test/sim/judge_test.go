package sim

import (
	"fmt"
	"strconv"
	"time"

	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/test/check"
	"flashsale/test/memory"
)

// judge checks a sale that is at rest: it reads every store and compares them with all answers.
type judge struct {
	*world
	crowd  *crowd
	redis  *scripts.Redis
	stored memory.Tables // the database, at the moment that is judged
}

func newJudge(w *world, c *crowd) *judge {
	p := w.newProcess("judge")
	return &judge{world: w, crowd: c, redis: scripts.NewRedis(p.redisClient(), scripts.Options{Namespace: namespace})}
}

// quiet reports why the sale is not at rest, "" when it is.
func (j *judge) quiet() string {
	j.stored = j.database.Snapshot()
	now := j.database.now().UnixMilli()
	if waiting, _ := lettersWait(&j.stored); waiting {
		return "a dead letter waits"
	}
	for _, c := range j.stored.Changes {
		if !c.Done {
			return "the stock change " + c.Key + " is not done"
		}
	}
	for _, row := range j.stored.SortedBuckets() {
		if row.State != sale.BucketOpen {
			return "bucket " + row.Bucket.String() + " is " + string(row.State)
		}
		if len(j.stored.Outbox[row.Bucket]) > 0 {
			return "outbox rows of " + row.Bucket.String() + " wait"
		}
	}
	if j.frozen() {
		return "the holds are frozen"
	}
	for _, o := range j.stored.Orders {
		if o.Status == sale.StatusConfirmed && o.PayBy != nil && o.PayBy.UnixMilli() <= now+2000 {
			return "order " + o.OrderID.String() + " is about to expire"
		}
	}
	if why := j.unsettled(); why != "" {
		return why
	}
	return j.inFlight()
}

// inFlight reports units that are nowhere at rest.
func (j *judge) inFlight() string {
	buckets := j.read()
	if buckets == nil {
		return "redis is in other epochs than the database"
	}
	for _, b := range buckets {
		for _, shelf := range b.Shelves {
			if shelf.InFlight != 0 {
				return fmt.Sprintf("%d units of %s in bucket %d are in flight", shelf.InFlight, shelf.SKU, b.Number)
			}
		}
	}
	return ""
}

func (j *judge) unsettled() string {
	for _, f := range j.gateways() {
		if f.publishes() { // the record may exist nowhere else
			return "records of " + f.name + " wait for kafka"
		}
	}
	server := j.cache.active()
	server.mu.Lock()
	defer server.mu.Unlock()
	data := server.data
	for key, value := range data.keys {
		if s, is := value.(*stream); is && len(s.entries) > 0 {
			return key + " has entries"
		}
	}
	for partition := range j.shape.partitions {
		if end := j.queue.end(partition); end > 0 && j.stored.Positions[partition].Next < end {
			return "records wait in partition " + strconv.Itoa(int(partition))
		}
	}
	return ""
}

// rest waits until the sale is at rest, at most a minute: after that something is stuck.
func (j *judge) rest() bool {
	why := ""
	for tries := range 600 {
		if why = j.quiet(); why == "" {
			time.Sleep(300 * time.Millisecond) // messages under way arrive
			if why = j.quiet(); why == "" {
				return true
			}
		}
		if tries%200 == 199 {
			j.thawAgain(tries)
		}
		time.Sleep(100 * time.Millisecond)
	}
	j.watch.fault("no rest within a minute: %s", why)
	j.describe()
	return false
}

// describe adds the state of every store to the trace.
func (j *judge) describe() {
	j.stored = j.database.Snapshot()
	for _, row := range j.stored.SortedBuckets() {
		j.trace.add("STATE", fmt.Sprintf("%+v, outbox %+v", row.Row, j.stored.Outbox[row.Bucket]))
		for _, units := range j.stored.Shelves(row.Bucket) {
			j.trace.add("STATE", fmt.Sprintf("%s %+v", row.Bucket, *units))
		}
	}
	server := j.cache.active()
	server.mu.Lock()
	defer server.mu.Unlock()
	data := server.data
	for key, value := range data.keys {
		if s, is := value.(*stream); is {
			value = *s
		}
		j.trace.add("STATE", fmt.Sprintf("%s %+v", key, value))
	}
	j.trace.add("STATE", fmt.Sprintf("positions %+v, committed %v", j.stored.Positions, j.queue.committed))
}

// verdict checks everything that must hold at rest: the checks of test/check, which every suite shares, and those that need
// a simulated sale.
func (j *judge) verdict() {
	buckets := j.read()
	if buckets == nil {
		j.watch.fault("redis is in other epochs than the database")
	}
	for _, fault := range check.Judge(j.evidence(buckets)).Faults {
		j.watch.fault("%s: %s", fault.Check, fault.Text)
	}
	for _, id := range j.watch.late {
		if !j.surplus(id) {
			j.watch.fault("order %s was taken after pause had been answered, by a redis that had lost it and was noticed", id)
		}
	}
	j.grieved()
	j.ungrieved()
	j.priced()
	j.numbered()
	j.stocked()
	if _, junk := lettersWait(&j.stored); junk != j.queue.junk {
		j.watch.fault("%d records became dead letters, %d cannot settle", junk, j.queue.junk)
	}
}

// surplus reports whether an order was taken by a Redis that had gone back before the engine could detect it.
func (j *judge) surplus(id sale.OrderID) bool {
	if j.plan.silently {
		return true
	}
	for _, e := range j.watch.byID[j.watch.of[id].batch] {
		if bounced := j.plan.bounced; !bounced.IsZero() && e.at < time.Duration(bounced.Add(looksAgain).UnixNano()) {
			return true
		}
	}
	return false
}

// unnoticed reports whether Redis may have sold for a while after it had gone back.
func (w *world) unnoticed() bool { return !w.plan.bounced.IsZero() || w.plan.silently }

// looksAgain is the longest time for which a script relies on its last look at the replication id, and a little more.
const looksAgain = 60 * time.Millisecond
