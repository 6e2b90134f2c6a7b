package scripts

import (
	"errors"
	"net"

	"github.com/redis/rueidis"
)

// ErrNotSent says that the call certainly did not reach Redis.
var ErrNotSent = errors.New("the call was not sent")

// notSent reports whether an error means that Redis certainly did not receive the call: no connection could be made.
func notSent(err error) bool {
	if errors.Is(err, ErrNotSent) || errors.Is(err, rueidis.ErrNoSlot) {
		return true
	}
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// Definite reports whether a failed call certainly changed nothing: it was never sent, or Redis answered with an error, which
// it does before the script's first write.
func Definite(err error) bool {
	_, redisSaid := rueidis.IsRedisErr(err)
	return redisSaid || notSent(err)
}
