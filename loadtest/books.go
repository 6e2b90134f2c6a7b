package loadtest

import (
	"context"
	"maps"
	"slices"
	"time"

	"flashsale/sale"
)

// BooksReading is one reading of a sale's books during a rush.
type BooksReading struct {
	After time.Duration // since the start of the rush
	Stock sale.Stock    // of all SKUs
	Off   []string      // SKUs whose stock equation does not hold, ascending
	Err   error         // why there is no stock
}

// readBooks reads the books until the caller calls the function that it returns. That function waits until nothing is in
// flight, or the options' wait is over, and returns the readings.
func (r *rush) readBooks(ctx context.Context, start time.Time) (stop func() []BooksReading) {
	if r.opts.Books == nil {
		return func() []BooksReading { return nil }
	}
	var readings []BooksReading
	last, ended := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer close(ended)
		ticker := time.NewTicker(booksEvery)
		defer ticker.Stop()
		for {
			final := isClosed(last)
			reading := r.readOnce(ctx, start)
			if ctx.Err() != nil {
				return // an interrupted reading says nothing
			}
			readings = append(readings, reading)
			if final && reading.Err == nil && reading.Stock.InFlight == 0 || len(readings) == maxReadings {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	}()
	return func() []BooksReading {
		defer cancel()
		close(last)
		wait := time.NewTimer(r.opts.BooksWait)
		defer wait.Stop()
		select {
		case <-ended:
		case <-wait.C:
			cancel()
			<-ended
		}
		return readings
	}
}

func (r *rush) readOnce(ctx context.Context, start time.Time) BooksReading {
	stock, err := r.opts.Books(ctx)
	reading := BooksReading{After: time.Since(start), Stock: sumStock(stock), Err: err}
	for _, sku := range slices.Sorted(maps.Keys(stock)) {
		if !stock[sku].Holds() {
			reading.Off = append(reading.Off, sku)
		}
	}
	return reading
}

// maxReadings bounds the readings of one rush: two hours of them.
const maxReadings = 2 * 60 * 60 * 2

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
