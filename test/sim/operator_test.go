package sim

import (
	"context"
	"time"

	"flashsale/sale"
	"flashsale/scripts"
)

// pause pauses the sale as the operators' API does, the database first and then Redis, and resumes it after a while. From
// the answer to the resumption nothing may be taken.
func (w *world) pause(d time.Duration) {
	w.work.Go(func() {
		w.pausing <- struct{}{} // one operator at a time
		defer func() { <-w.pausing }()
		w.move(sale.StatePaused)
		w.watch.setPaused(true)
		time.Sleep(d)
		w.watch.setPaused(false)
		w.move(sale.StateOpen)
	})
}

// move sets the sale's state in the database and in Redis, and returns when that is answered. When the process dies
// half-way, the operator asks another one.
func (w *world) move(to sale.State) {
	p := w.newProcess("operator")
	moved, err := w.database.SetState(context.Background(), saleID, to, sale.StateOpen, sale.StatePaused)
	if err != nil {
		panic(err)
	}
	stored := w.database.Snapshot()
	var buckets []sale.Bucket
	for _, row := range stored.SortedBuckets() {
		buckets = append(buckets, row.Bucket)
	}
	for window := sale.WindowOf(&moved); !w.over(); {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err := scripts.NewRedis(p.redisClient(), scripts.Options{Namespace: namespace}).ApplyWindow(ctx, buckets, window)
		cancel()
		switch {
		case err == nil:
			p.crash()
			return
		case p.dead():
			p = w.newProcess("operator")
		}
		time.Sleep(50 * time.Millisecond)
	}
}
