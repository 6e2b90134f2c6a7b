package reserve

// Publisher sends records to the orders topic. It calls done once, from another goroutine: nil when every replica has the
// record; an error leaves open whether the log has it, and the caller publishes the same bytes again. Publish never blocks.
type Publisher interface {
	Publish(partition int32, key, value []byte, done func(error))
}
