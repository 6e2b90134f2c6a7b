package sale

import "errors"

// Store names what the engine stands on, for those who have to bring it back.
type Store string

// The stores. An error that names none is the database's: nothing else is asked without saying so.
const (
	StoreDatabase   Store = "the database"
	StoreRedis      Store = "Redis"
	StoreKafka      Store = "Kafka"
	StoreSettlement Store = "settlement" // no store, but a rebuild waits for it as for one
)

// AwayError says which store did not do its part. It adds no words to its cause.
type AwayError struct {
	Store Store
	Err   error
}

// Error returns what the cause says.
func (e *AwayError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *AwayError) Unwrap() error { return e.Err }

// Away marks an error with its store, unless one that is further down has been named already.
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
