package bench

import (
	"fmt"
	"testing"
	"time"
)

// rebuild measures the time from the loss of everything in Redis until a large sale sells again: a gateway or the watchdog
// notices the loss, the database closes the bucket, and settle loads it.
func rebuild(b *testing.B) []*Figure {
	s := newStack(b, deployment{})
	s.preloadMany("lost", manySKUs)
	s.drive(s.gateway.Listen, s.pressesFor(anyOf(manySKUs), "lost", acceptOrders))
	s.finish("lost")
	figure := &Figure{Unit: "s", Target: 3, Name: fmt.Sprintf(
		"Redis loses a sale of %d SKUs and %d orders: until it sells again", manySKUs, acceptOrders)}
	for range repetitions {
		began := time.Now()
		s.Redis[0].MustDo(b, "FLUSHALL")
		s.untilSold("lost", skuName(0))
		figure.Ours = append(figure.Ours, time.Since(began).Seconds())
		s.finish("lost")
	}
	return []*Figure{figure}
}
