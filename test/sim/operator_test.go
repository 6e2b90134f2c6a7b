package sim

import (
	"context"
	"time"

	"flashsale/reserve"
	"flashsale/sale"
)

// pause pauses the sale as the operators' API does, the database first and then Redis, and resumes it after a while. From
// the answer to the resumption nothing may be taken.
func (w *world) pause(d time.Duration) {
	p := w.newProcess("operator")
	redis := reserve.NewRedis(p.redisClient(), reserve.Options{Namespace: namespace})
	w.work.Go(func() {
		w.move(p, redis, sale.StatePaused)
		w.watch.setPaused(true)
		time.Sleep(d)
		w.watch.setPaused(false)
		w.move(p, redis, sale.StateOpen)
		p.crash()
	})
}

// move gives the sale another state everywhere, and returns when that is answered.
func (w *world) move(p *process, redis *reserve.Redis, to sale.State) {
	for w.books.change(func(s *sale.Sale) { s.State = to }); !w.over(); {
		w.books.mu.Lock()
		window := sale.WindowOf(&w.books.sale)
		var buckets []sale.Bucket
		for _, row := range w.books.sorted() {
			buckets = append(buckets, row.Bucket)
		}
		w.books.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err := redis.ApplyWindow(ctx, buckets, window)
		cancel()
		if err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}
