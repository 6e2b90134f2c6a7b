package sale

import "errors"

// Store names a store that the engine needs, for the operators who restore it.
type Store string

// The stores. An error without a store is the database's, because calls of every other store use Away.
const (
	StoreDatabase   Store = "the database"
	StoreRedis      Store = "Redis"
	StoreKafka      Store = "Kafka"
	StoreSettlement Store = "settlement" // not a store, but a rebuild waits for it like for one
)

// AwayError names the store that failed. Its text is that of its cause.
type AwayError struct {
	Store Store
	Err   error
}

// Error returns the text of the cause.
func (e *AwayError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *AwayError) Unwrap() error { return e.Err }

// Away adds a store to an error. It returns nil for nil, and err itself if err names a store already.
func Away(store Store, err error) error {
	var named *AwayError
	if err == nil || errors.As(err, &named) {
		return err
	}
	return &AwayError{Store: store, Err: err}
}

// AwayStore returns the store that an error names, the database when it names none.
func AwayStore(err error) Store {
	var named *AwayError
	if errors.As(err, &named) {
		return named.Store
	}
	return StoreDatabase
}
