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

// EngineIDs returns the id of the engine that a database belongs to.
type EngineIDs interface {
	EngineID(ctx context.Context) (string, error)
}

const (
	identityEvery   = time.Second
	identityTimeout = 5 * time.Second
)

// Identity prevents two engines from using one namespace of Redis. The first process writes the id of its database under a key
// of the namespace, and every process compares it once a second. Without it, two databases would rebuild the same buckets
// alternately, each with its own stock.
type Identity struct {
	redis     *scripts.Redis
	databases EngineIDs
	log       *slog.Logger

	mu sync.Mutex
	id string // of the database; read once, because it never changes
}

// NewIdentity returns an identity. From now on nothing is done with this Redis until Check has succeeded.
func NewIdentity(redis *scripts.Redis, databases EngineIDs, log *slog.Logger) *Identity {
	unknown := fmt.Errorf("%w or to none: it was not asked yet", sale.ErrForeign)
	redis.SetDoubt(unknown)
	return &Identity{redis: redis, databases: databases, log: log}
}

// Check claims the namespace of this Redis for the database, or compares the owner. Its error wraps sale.ErrForeign when the
// namespace belongs to another database, and sale.ErrRights when a server denies a command whose denial no call reports. Every
// other error means that a store did not answer, and changes nothing.
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

// isDoubt reports whether an error means that nothing may be done with this Redis. Other errors say nothing about its owner.
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
			return "", err
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

// Doubt returns why nothing is sold now, nil when this Redis is known to belong to this engine.
func (i *Identity) Doubt() error { return i.redis.Doubt() }

// Run checks once a second until ctx ends. It logs when nothing may be sold, and when Redis serves this engine again.
func (i *Identity) Run(ctx context.Context) {
	logged := ""
	loop := role.Loop{Name: "identity", Every: identityEvery, Log: i.log, Unit: func(ctx context.Context) error {
		err := i.Check(ctx)
		switch {
		case isDoubt(err) && err.Error() != logged:
			logged = err.Error()
			i.log.Error("nothing is sold", "error", err)
		case err == nil && logged != "":
			logged = ""
			i.log.Info("redis serves this engine again", "key", i.redis.OwnerKey())
		}
		return nil // the roles that need a store report that it does not answer
	}}
	loop.Run(ctx)
}
