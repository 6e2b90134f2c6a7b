package scripts

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"flashsale/sale"
)

// CheckNamespaceRights tries whether the user may write keys of this namespace. It unlinks a key that never exists, so it
// writes nothing. The error wraps sale.ErrRights and names the line that grants the right.
func (r *Redis) CheckNamespaceRights(ctx context.Context) error {
	key := r.options.Namespace + ":rights"
	err := r.do(ctx, func(c rueidis.Client) rueidis.Completed { return c.B().Unlink().Key(key).Build() }).Error()
	switch {
	case err == nil:
		return nil
	case isDenied(err):
		user := r.options.Username
		if user == "" {
			user = "default"
		}
		return fmt.Errorf("%w: redis at %s: %w. Type on each node: ACL SETUSER %s ~%s:*", sale.ErrRights,
			strings.Join(r.options.Addrs, ", "), err, user, r.options.Namespace)
	}
	return fmt.Errorf("try to write keys of namespace %s: %w", r.options.Namespace, sale.Away(sale.StoreRedis, err))
}

// Owner returns the id of the engine that the namespace belongs to, empty where nothing has claimed it.
func (r *Redis) Owner(ctx context.Context) (string, error) {
	key := r.OwnerKey()
	found, err := r.do(ctx, func(c rueidis.Client) rueidis.Completed { return c.B().Get().Key(key).Build() }).ToString()
	if rueidis.IsRedisNil(err) {
		return "", nil
	}
	return found, claimed(key, err)
}

// DropShadow deletes every key of a rehearsal: those of its sales, and those of its engine. The client's namespace must be the
// shadow's; engine is the id of the shadow's database. A namespace that another engine owns is not touched: sale.ErrForeign.
// It is repeatable: the key that names the owner goes last.
func (r *Redis) DropShadow(ctx context.Context, names sale.Shadow, engine string, sales []sale.Sale) error {
	if err := names.GuardNamespace(r.options.Namespace); err != nil {
		return err
	}
	owner, err := r.Owner(ctx)
	if err != nil || owner == "" {
		return err // an engine claims the namespace before it writes any other key
	}
	if owner != engine {
		return fmt.Errorf("%w: key %s says %s, and the rehearsal's database is %s. Nothing of it was deleted", sale.ErrForeign,
			r.OwnerKey(), owner, engine)
	}
	for i := range sales {
		if err := r.dropSale(ctx, &sales[i]); err != nil {
			return err
		}
	}
	if err := r.drop(ctx, []string{r.PulseKey()}); err != nil {
		return err
	}
	return r.drop(ctx, []string{r.OwnerKey()})
}

func (r *Redis) dropSale(ctx context.Context, s *sale.Sale) error {
	for _, bucket := range s.BucketNames() {
		if err := r.DropBucket(ctx, bucket); err != nil {
			return err
		}
	}
	versions := make([]int64, s.ListVersion)
	for i := range versions {
		versions[i] = int64(i) + 1
	}
	return r.DropLists(ctx, s.ID, versions)
}

// Memory is the memory of one Redis server in bytes. Max is 0 where the server has no bound.
type Memory struct {
	Addr      string `json:"addr"`
	Used, Max int64
}

// Memory returns the memory of every server, by address.
func (r *Redis) Memory(ctx context.Context) ([]Memory, error) {
	client, err := r.connected()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var all []Memory
	nodes := client.Nodes()
	for _, addr := range slices.Sorted(maps.Keys(nodes)) {
		node := nodes[addr]
		text, err := node.Do(ctx, node.B().Info().Section("memory").Build()).ToString()
		if err != nil {
			return nil, fmt.Errorf("read the memory of redis at %s: %w", addr, err)
		}
		one := Memory{Addr: addr}
		one.Used, err = infoNumber(text, "used_memory")
		if err == nil {
			one.Max, err = infoNumber(text, "maxmemory")
		}
		if err != nil {
			return nil, fmt.Errorf("read the memory of redis at %s: %w", addr, err)
		}
		all = append(all, one)
	}
	return all, nil
}

// infoNumber reads a field of INFO.
func infoNumber(info, field string) (int64, error) {
	for line := range strings.Lines(info) {
		if value, found := strings.CutPrefix(line, field+":"); found {
			return strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		}
	}
	return 0, errors.New("INFO has no field " + field)
}
