package reserve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"flashsale/faults"
	"flashsale/sale"
)

// EngineIDs tells which engine a database belongs to.
type EngineIDs interface {
	EngineID(ctx context.Context) (string, error)
}

const (
	identityEvery   = time.Second
	identityTimeout = 5 * time.Second
)

// owner is whose Redis this is, as far as it is known. Nothing is sold, loaded, released or published while it is not
// known to be ours.
type owner struct{ doubt atomic.Pointer[error] }

// check returns why nothing may be done with this Redis, nil when it is ours.
func (o *owner) check() error {
	if doubt := o.doubt.Load(); doubt != nil {
		return *doubt
	}
	return nil
}

// Identity keeps two engines off one Redis: the first to come writes its database's id under a key of the namespace, and
// every process compares it once a second. Without it, two databases would rebuild the same buckets in turn, each with
// its own stock.
type Identity struct {
	redis     *Redis
	databases EngineIDs
	log       *slog.Logger

	mu sync.Mutex
	id string // read once: it never changes
}

// NewIdentity returns an identity. From now on nothing is done with this Redis until Check has succeeded.
func NewIdentity(redis *Redis, databases EngineIDs, log *slog.Logger) *Identity {
	unknown := fmt.Errorf("%w or to none: it was not asked yet", sale.ErrForeign)
	redis.owner.doubt.Store(&unknown)
	return &Identity{redis: redis, databases: databases, log: log}
}

// Check claims the namespace of this Redis for the database, or compares. Its error is sale.ErrForeign when it belongs to
// another one, and sale.ErrRights when a server withholds what would be missed in silence; every other error says that a
// store did not answer, and changes nothing.
func (i *Identity) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	id, err := i.ours(ctx)
	if err != nil {
		return err
	}
	err = i.redis.checkRights(ctx)
	found := ""
	if err == nil {
		found, err = i.redis.claim(ctx, id)
	}
	if isDoubt(err) {
		i.redis.owner.doubt.Store(&err)
	}
	if err != nil {
		return err
	}
	if found == id {
		i.redis.owner.doubt.Store(nil)
		return nil
	}
	err = i.foreign(id, found)
	i.redis.owner.doubt.Store(&err)
	return err
}

// isDoubt reports whether an error says that nothing may be done with this Redis. Any other says nothing about it.
func isDoubt(err error) bool {
	return errors.Is(err, sale.ErrForeign) || errors.Is(err, sale.ErrRights)
}

// reasonOf is the doubt in one word, for the answer to a purchase.
func reasonOf(doubt error) string {
	if errors.Is(doubt, sale.ErrRights) {
		return "rights"
	}
	return "foreign"
}

// ours returns the id of the database.
func (i *Identity) ours(ctx context.Context) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.id == "" {
		id, err := i.databases.EngineID(ctx)
		if err != nil {
			return "", fmt.Errorf("read the engine's id: %w", err)
		}
		i.id = id
	}
	return i.id, nil
}

func (i *Identity) foreign(id, found string) error {
	return fmt.Errorf("%w: key %s holds %.64q, and the id of this database is %q. Two engines on one Redis need two "+
		"namespaces: change the setting namespace of one of them. If the other engine is gone for good, stop all processes, "+
		"delete the key and start them again; every bucket is then rebuilt from this database. Nothing is sold until then",
		sale.ErrForeign, i.redis.ownerKey(), found, id)
}

// Doubt returns why nothing is sold now, nil when this Redis is known to be ours.
func (i *Identity) Doubt() error { return i.redis.owner.check() }

// Run compares until ctx ends.
func (i *Identity) Run(ctx context.Context) error {
	said := ""
	for ctx.Err() == nil {
		err := i.Check(ctx)
		switch {
		case isDoubt(err) && err.Error() != said:
			said = err.Error()
			i.log.Error("nothing is sold", "error", err)
		case err == nil && said != "":
			said = ""
			i.log.Info("redis serves this engine again", "key", i.redis.ownerKey())
		}
		pause(ctx, identityEvery)
	}
	return nil
}

// ownerKey holds the id of the engine whose Redis this is.
func (r *Redis) ownerKey() string { return r.options.Namespace + ":engine" }

// claim writes the id when nobody's stands there, and returns the one that does.
func (r *Redis) claim(ctx context.Context, id string) (string, error) {
	key := r.ownerKey()
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
