package reserve

import (
	"context"
	"fmt"

	"flashsale/sale"
)

// Publisher sends records to the orders topic. done is called once, from another goroutine: nil when every replica has
// the record; an error means unknown, the record may be in the log, and the caller publishes the same bytes again.
// Publish never blocks.
type Publisher interface {
	Publish(partition int32, key, value []byte, done func(error))
}

// publishAndWait publishes a record until it is acknowledged or ctx ends.
func publishAndWait(ctx context.Context, p Publisher, partition int32, key, value []byte) error {
	for {
		result := make(chan error, 1)
		p.Publish(partition, key, value, func(err error) { result <- err })
		select {
		case err := <-result:
			if err == nil {
				return nil
			}
			pause(ctx, republishFirst)
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return sale.Away(sale.StoreKafka, fmt.Errorf("publish to partition %d: %w", partition, ctx.Err()))
		}
	}
}
