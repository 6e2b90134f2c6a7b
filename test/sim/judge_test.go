package sim

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"flashsale/reserve"
	"flashsale/sale"
	"flashsale/test/memory"
)

// judge looks at a sale that is at rest: every store is read, and compared with what everybody was told.
type judge struct {
	*world
	crowd  *crowd
	redis  *reserve.Redis
	stored memory.Tables // the database, at the moment that is judged
}

func newJudge(w *world, c *crowd) *judge {
	p := w.newProcess("judge")
	return &judge{world: w, crowd: c, redis: reserve.NewRedis(p.redisClient(), reserve.Options{Namespace: namespace})}
}

// stocks reads every bucket, the database and Redis in the same moment: nothing else may run now.
func (j *judge) stocks() (stocks []sale.Stock, rows []*memory.Row) {
	j.stored = j.database.Snapshot()
	var buckets []sale.Bucket
	for _, row := range j.stored.SortedStock() {
		buckets = append(buckets, row.Bucket)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	readings, err := j.redis.Readings(ctx, buckets)
	j.stored = j.database.Snapshot()
	rows = j.stored.SortedStock()
	if err != nil {
		return nil, rows
	}
	for i, r := range readings {
		row := rows[i]
		if r.Epoch != row.Epoch {
			return nil, rows
		}
		stocks = append(stocks, sale.Stock{
			Loaded: row.Loaded, Available: r.Available, Settled: row.Settled, Released: row.Released,
			InFlight: r.Taken - row.SettledEpoch + row.GivenEpoch - r.Returned,
		})
	}
	return stocks, rows
}

// quiet reports why the sale is not at rest, "" when it is.
func (j *judge) quiet() string {
	stocks, rows := j.stocks()
	now := j.database.now().UnixMilli()
	if waiting, _ := lettersWait(&j.stored); waiting {
		return "a dead letter waits"
	}
	for _, row := range rows {
		if row.State != sale.BucketOpen {
			return "bucket " + row.Bucket.String() + " is " + string(row.State)
		}
		if len(j.stored.Outbox[row.Bucket]) > 0 {
			return "outbox rows of " + row.Bucket.String() + " wait"
		}
	}
	for _, o := range j.stored.Orders {
		if o.Status == sale.StatusConfirmed && o.PayBy != nil && o.PayBy.UnixMilli() <= now+2000 {
			return "order " + o.OrderID.String() + " is about to expire"
		}
	}
	if stocks == nil {
		return "redis is in other epochs than the database"
	}
	for i, s := range stocks {
		if s.InFlight != 0 {
			return strconv.FormatInt(s.InFlight, 10) + " units of " + rows[i].Bucket.String() + " are in flight"
		}
	}
	return j.unsettled()
}

func (j *judge) unsettled() string {
	for _, f := range j.gateways() {
		if f.publishes() { // nobody else may know of it any more
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

// rest waits until the sale is at rest; when that does not happen in a minute, something is stuck.
func (j *judge) rest() bool {
	why := ""
	for range 600 {
		if why = j.quiet(); why == "" {
			time.Sleep(300 * time.Millisecond) // what is on its way arrives
			if why = j.quiet(); why == "" {
				return true
			}
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
	for _, row := range j.stored.SortedStock() {
		j.trace.add("STATE", fmt.Sprintf("%+v, outbox %+v", row.Row, j.stored.Outbox[row.Bucket]))
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

// verdict checks everything that must hold at rest.
func (j *judge) verdict() {
	stocks, rows := j.stocks()
	left := int64(0)
	for i, s := range stocks {
		left += s.Available
		if !s.Holds() {
			j.watch.fault("bucket %s: the stock equation is off by %d: %+v", rows[i].Bucket, s.Difference(), s)
		}
	}
	if left != 0 {
		j.watch.fault("undersold: %d units are left after a buyer was told sold out", left)
	}
	j.told()
	for _, id := range j.watch.late {
		if !j.surplus(id) {
			j.watch.fault("order %s was taken after pause had been answered, by a redis that had lost it and was noticed", id)
		}
	}
	j.rowsWereAsked()
	j.keysAnswer()
	j.grieved()
	j.ungrieved()
	j.owners()
	for id := range j.watch.pays {
		if o := j.stored.Orders[id]; o == nil || o.Status != sale.StatusPaid {
			j.watch.fault("order %s was answered paid and is not", id)
		}
	}
	if _, junk := lettersWait(&j.stored); junk != j.queue.junk {
		j.watch.fault("%d records became dead letters, %d cannot settle", junk, j.queue.junk)
	}
}

// told checks every answer against the database.
func (j *judge) told() {
	for _, p := range j.crowd.presses {
		id, ok := p.took()
		if !ok {
			continue
		}
		o := j.stored.Orders[id]
		switch {
		case o == nil && p.acknowledged():
			j.watch.fault("%s was told queued for order %s, which has no row", p.buyer, id)
		case o == nil && !j.watch.couldBeLost(id, false):
			j.watch.fault("%s was told held for order %s, which has no row though redis has not lost it", p.buyer, id)
		case o == nil:
		case o.BuyerID != p.buyer || o.Quantity != p.quantity || o.Key != p.key:
			j.watch.fault("%s was told order %s, whose row is of %s, %d units, key %q", p.buyer, id, o.BuyerID, o.Quantity, o.Key)
		case o.Reason == sale.ReasonDeadLetter:
		case o.Status == sale.StatusRefused && !j.surplus(id) && !j.watch.couldBeLost(id, true):
			j.watch.fault("%s was told %v for order %s, which was refused (%s) though redis had not lost it before it was in the log",
				p.buyer, p.Outcome, id, o.Reason)
		}
	}
}

// surplus reports whether an order was taken by a Redis that had gone back before the engine could notice.
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

// looksAgain is how long a script goes on before it looks at the replication id again, and a little.
const looksAgain = 60 * time.Millisecond

// rowsWereAsked checks that every row comes from a press, and that no key has two orders that count.
func (j *judge) rowsWereAsked() {
	told := map[sale.OrderID]bool{}
	perhaps := map[string]int{}
	for _, p := range j.crowd.presses {
		if id, ok := p.took(); ok {
			told[id] = true
		} else if p.open() {
			perhaps[p.buyer]++
		}
	}
	counted := map[[2]string]sale.OrderID{}
	for _, o := range j.stored.SortedOrders() {
		if !told[o.OrderID] && !j.plan.back { // set back, the clock revives a call that was given up: see the reserve script's deadline
			if perhaps[o.BuyerID]--; perhaps[o.BuyerID] < 0 {
				j.watch.fault("order %s of %s was never asked for: every press of his was answered otherwise", o.OrderID, o.BuyerID)
			}
		}
		name := [2]string{o.BuyerID, o.Key}
		if o.Key == "" || o.Status == sale.StatusRefused {
			continue
		}
		if other, twice := counted[name]; twice {
			j.watch.fault("key %q of %s has two orders, %s and %s", o.Key, o.BuyerID, other, o.OrderID)
		}
		counted[name] = o.OrderID
	}
}

// keysAnswer checks that whoever was told of an order and presses again with the same key hears of the same one, also when
// nothing is left, unless the order was refused.
func (j *judge) keysAnswer() {
	if j.unnoticed() {
		return
	}
	for _, first := range j.crowd.presses {
		id, ok := first.took()
		if o := j.stored.Orders[id]; !ok || first.key == "" || o == nil || o.Status == sale.StatusRefused {
			continue
		}
		for _, p := range j.crowd.presses {
			if p.buyer != first.buyer || p.key != first.key || p.called <= first.returned || p.perhaps {
				continue
			}
			switch p.Outcome {
			case sale.OutcomeFenced, sale.OutcomeUnavailable, sale.OutcomeOverloaded, sale.OutcomePaused, sale.OutcomeNotStarted,
				sale.OutcomeUnknown, sale.OutcomeSaleNotFound:
			case sale.OutcomeReplayed:
				if p.OrderID != id {
					j.watch.fault("%s pressed again with key %q of order %s and got order %s", p.buyer, p.key, id, p.OrderID)
				}
			default:
				j.watch.fault("%s pressed again with key %q of order %s and heard %v", p.buyer, p.key, id, p.Outcome)
			}
		}
	}
}

// grieved checks that whoever was told of too many cancellations has had as many orders that ended so.
func (j *judge) grieved() {
	ended := map[string]int{}
	for _, o := range j.stored.Orders {
		if o.Status == sale.StatusCancelled || o.Status == sale.StatusExpired {
			ended[o.BuyerID]++
		}
	}
	for _, p := range j.crowd.presses {
		if p.Outcome == sale.OutcomeTooManyCancellations && !p.perhaps {
			j.counter.count("buyers: refused after cancellations", 1)
			if p.Limit < 1 || p.Unpaid < p.Limit || p.Unpaid > ended[p.buyer] {
				j.watch.fault("%s heard of %d orders too many, %d cancelled or expired, and has %d", p.buyer, p.Limit, p.Unpaid, ended[p.buyer])
			}
		}
	}
}

// ungrieved checks that the rule against grief refuses whom it should: an order that is taken after others of its buyer
// ended within the window, before their time to pay was over, is one too many. With one unit for each buyer Redis has heard
// of those others, unless it lost them.
func (j *judge) ungrieved() {
	rule, ttl := j.shape.grief, j.shape.ttl
	if rule.Unpaid == 0 || ttl == 0 || j.shape.limit > 1 || j.shape.faults > 0 {
		return
	}
	for _, o := range j.stored.Orders {
		if o.Status == sale.StatusRefused {
			continue
		}
		count, taken := 0, o.CreatedAt.UnixMilli()
		for _, other := range j.stored.Orders {
			ended := other.Status == sale.StatusCancelled || other.Status == sale.StatusExpired
			if at := other.UpdatedAt.UnixMilli(); ended && other.BuyerID == o.BuyerID && at <= taken &&
				at >= taken-rule.WindowS*1000 && at <= other.CreatedAt.UnixMilli()+ttl*1000 {
				count++
			}
		}
		if count >= rule.Unpaid {
			j.watch.fault("%s was given order %s after %d that ended within %d s", o.BuyerID, o.OrderID, count, rule.WindowS)
		}
	}
}

// owners checks that Redis knows as owners exactly the buyers whose orders count.
func (j *judge) owners() {
	server := j.cache.active()
	server.mu.Lock()
	defer server.mu.Unlock()
	data := server.data
	for _, row := range j.stored.SortedStock() {
		var known, owned []string
		entries, _ := data.keys[namespace+":{"+row.Bucket.String()+"}:buyers"].(hash)
		for buyer, value := range entries {
			for _, entry := range strings.Split(value, `"`) {
				fields := strings.Split(entry, ",")
				id, err := strconv.ParseInt(fields[0], 36, 64)
				if o := j.stored.Orders[sale.OrderID(id)]; o != nil && o.Status == sale.StatusRefused {
					j.watch.fault("bucket %s: redis remembers order %d, which was refused: %s", row.Bucket, id, entry)
				} else if err == nil && !strings.HasPrefix(fields[1], "-") {
					known = append(known, buyer+" "+strconv.FormatInt(id, 10)+" "+fields[1])
				}
			}
		}
		for _, o := range j.stored.Orders {
			if o.Bucket() == row.Bucket && o.Counts() {
				owned = append(owned, o.BuyerID+" "+o.OrderID.String()+" "+strconv.Itoa(o.Quantity))
			}
		}
		slices.SortFunc(known, cmp.Compare[string])
		slices.SortFunc(owned, cmp.Compare[string])
		if !slices.Equal(known, owned) {
			j.watch.fault("bucket %s: redis knows the owners %v, the database has %v", row.Bucket, known, owned)
		}
	}
}
