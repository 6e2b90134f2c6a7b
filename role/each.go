package role

import "context"

// Each does one unit of work for every item of a channel, in their order, until ctx ends, and notes the results in health.
// The channel stays open.
func Each[T any](ctx context.Context, items <-chan T, health *Health, unit func(ctx context.Context, item T) error) {
	for {
		select {
		case <-ctx.Done():
			return
		case item := <-items:
			health.Note(ctx, unit(ctx, item))
		}
	}
}
