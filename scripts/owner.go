package scripts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/redis/rueidis"

	"flashsale/faults"
	"flashsale/sale"
)

// owner is what this process knows of the namespace's owner. While it does not know that the namespace is its own, nothing is
// sold, loaded, released or published.
type owner struct{ doubt atomic.Pointer[error] }

// Doubt returns why nothing may be done with this Redis, nil when it is known to be this engine's.
func (r *Redis) Doubt() error {
	if doubt := r.owner.doubt.Load(); doubt != nil {
		return *doubt
	}
	return nil
}

// SetDoubt sets the result of Doubt.
func (r *Redis) SetDoubt(doubt error) {
	if doubt == nil {
		r.owner.doubt.Store(nil)
		return
	}
	r.owner.doubt.Store(&doubt)
}

// OwnerKey is the key that contains the id of the engine that this namespace belongs to.
func (r *Redis) OwnerKey() string { return r.options.Namespace + ":engine" }

// Claim writes an engine's id under OwnerKey if the key is absent, and returns the id that the key has afterwards.
func (r *Redis) Claim(ctx context.Context, id string) (string, error) {
	key := r.OwnerKey()
	read := func() (string, error) {
		return r.do(ctx, func(c rueidis.Client) rueidis.Completed { return c.B().Get().Key(key).Build() }).ToString()
	}
	found, err := read()
	if !rueidis.IsRedisNil(err) {
		return found, claimed(key, err)
	}
	taken, err := r.do(ctx, func(c rueidis.Client) rueidis.Completed {
		return c.B().Setnx().Key(key).Value(id).Build()
	}).AsBool()
	if err != nil {
		return "", fmt.Errorf("claim key %s: %w", key, err)
	}
	if taken {
		faults.Point("identity.claimed")
		return id, nil
	}
	found, err = read()
	return found, claimed(key, err)
}

// claimed is the error of reading the owner's key, nil for nil.
func claimed(key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("read key %s, which is to hold an engine's id: %w", key, foreignKind("key "+key, err))
}

// foreignKind turns Redis's error about a key of another type into one that says what to do. keys says which keys it may be.
func foreignKind(keys string, err error) error {
	if redisErr, ok := rueidis.IsRedisErr(err); ok && strings.Contains(redisErr.Error(), "WRONGTYPE") {
		return fmt.Errorf("%w: %w", foreignKey(keys), err)
	}
	return err
}

// foreignKey is the error of a key that another program has written where the engine has its own.
func foreignKey(keys string) error {
	return fmt.Errorf("%w: %s is not what the engine writes there, so another program has written it. Give the engine a "+
		"namespace of its own, or delete the key", sale.ErrForeign, keys)
}

// DoubtReason is the doubt in one word, for the answer to a purchase: rights or foreign.
func DoubtReason(doubt error) string {
	if errors.Is(doubt, sale.ErrRights) {
		return "rights"
	}
	return "foreign"
}
