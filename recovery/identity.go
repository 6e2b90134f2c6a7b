package recovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"flashsale/role"
	"flashsale/sale"
	"flashsale/scripts"
)

// EngineIDs tells which engine a database belongs to.
type EngineIDs interface {
	EngineID(ctx context.Context) (string, error)
}

const (
	identityEvery   = time.Second
	identityTimeout = 5 * time.Second
)

// Identity keeps two engines off one Redis: the first to come writes its database's id under a key of the namespace, and
// every process compares it once a second. Without it, two databases would rebuild the same buckets in turn, each with
// its own stock.
type Identity struct {
	redis     *scripts.Redis
	databases EngineIDs
	log       *slog.Logger

	mu sync.Mutex
	id string // read once: it never changes
}

// NewIdentity returns an identity. From now on nothing is done with this Redis until Check has succeeded.
func NewIdentity(redis *scripts.Redis, databases EngineIDs, log *slog.Logger) *Identity {
	unknown := fmt.Errorf("%w or to none: it was not asked yet", sale.ErrForeign)
	redis.SetDoubt(unknown)
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
	err = i.redis.CheckRights(ctx)
	found := ""
	if err == nil {
		found, err = i.redis.Claim(ctx, id)
	}
	if isDoubt(err) {
		i.redis.SetDoubt(err)
	}
	if err != nil {
		return err
	}
	if found == id {
		i.redis.SetDoubt(nil)
		return nil
	}
	err = i.foreign(id, found)
	i.redis.SetDoubt(err)
	return err
}

// isDoubt reports whether an error says that nothing may be done with this Redis. Any other says nothing about it.
func isDoubt(err error) bool {
	return errors.Is(err, sale.ErrForeign) || errors.Is(err, sale.ErrRights)
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
		sale.ErrForeign, i.redis.OwnerKey(), found, id)
}

// Doubt returns why nothing is sold now, nil when this Redis is known to be ours.
func (i *Identity) Doubt() error { return i.redis.Doubt() }

// Run compares until ctx ends. It logs when nothing may be sold and when Redis serves this engine again.
func (i *Identity) Run(ctx context.Context) {
	said := ""
	loop := role.Loop{Name: "identity", Every: identityEvery, Log: i.log, Unit: func(ctx context.Context) error {
		err := i.Check(ctx)
		switch {
		case isDoubt(err) && err.Error() != said:
			said = err.Error()
			i.log.Error("nothing is sold", "error", err)
		case err == nil && said != "":
			said = ""
			i.log.Info("redis serves this engine again", "key", i.redis.OwnerKey())
		}
		return nil // a store that does not answer is named by the roles that need it
	}}
	loop.Run(ctx)
}
