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

// owner is whose Redis this is, as far as it is known. Nothing is sold, loaded, released or published while it is not
// known to be ours.
type owner struct{ doubt atomic.Pointer[error] }

// Doubt returns why nothing may be done with this Redis, nil when it is ours.
func (r *Redis) Doubt() error {
	if doubt := r.owner.doubt.Load(); doubt != nil {
		return *doubt
	}
	return nil
}

// SetDoubt says why nothing may be done with this Redis from now on; nil says that it is ours.
func (r *Redis) SetDoubt(doubt error) {
	if doubt == nil {
		r.owner.doubt.Store(nil)
		return
	}
	r.owner.doubt.Store(&doubt)
}

// ownerKey holds the id of the engine whose Redis this is.
func (r *Redis) OwnerKey() string { return r.options.Namespace + ":engine" }

// claim writes the id when nobody's stands there, and returns the one that does.
func (r *Redis) Claim(ctx context.Context, id string) (string, error) {
	key := r.OwnerKey()
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
	found, err := r.do(ctx, func(c rueidis.Client) rueidis.Completed { return c.B().Get().Key(key).Build() }).ToString()
	if err != nil {
		return "", fmt.Errorf("read key %s, which is to hold an engine's id: %w", key, foreignKind("key "+key, err))
	}
	return found, nil
}

// foreignKind turns Redis's complaint about a key of another kind into one that says what to do. keys says which it may be.
func foreignKind(keys string, err error) error {
	if redisErr, ok := rueidis.IsRedisErr(err); ok && strings.Contains(redisErr.Error(), "WRONGTYPE") {
		return fmt.Errorf("%w: %w", foreignKey(keys), err)
	}
	return err
}

// foreignKey is the error of a key that somebody else has written where the engine has its own.
func foreignKey(keys string) error {
	return fmt.Errorf("%w: %s is not what the engine writes there, so somebody else has written it. Give the engine a "+
		"namespace of its own, or delete the key", sale.ErrForeign, keys)
}

// DoubtReason is the doubt in one word, for the answer to a purchase.
func DoubtReason(doubt error) string {
	if errors.Is(doubt, sale.ErrRights) {
		return "rights"
	}
	return "foreign"
}
