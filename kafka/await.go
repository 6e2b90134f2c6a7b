package kafka

import "context"

// Await runs a call of sarama, whose calls have no contexts, and returns early with the cause of ctx when ctx ends
// first. The call then ends by sarama's own timeouts, and its result is dropped.
func Await(ctx context.Context, call func() error) error {
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
