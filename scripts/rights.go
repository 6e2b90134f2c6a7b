package scripts

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redis/rueidis"

	"flashsale/sale"
)

// right is a command that a script or the client uses without reporting that Redis denied it. The denial of any other
// command is an error of the call that needs it.
type right struct {
	command string
	missed  string // what happens without it
	ask     func(rueidis.Client) rueidis.Completed
}

func silentRights() []right {
	return []right{
		{"INFO", "no script sees the replication id, so every bucket is taken for one that was promoted and fenced",
			func(c rueidis.Client) rueidis.Completed { return c.B().Info().Section("replication").Build() }},
		{"ROLE", "a replica passes for a primary",
			func(c rueidis.Client) rueidis.Completed { return c.B().Role().Build() }},
	}
}

// CheckRights tries, on every server, the commands whose denial no call would report. Its error wraps sale.ErrRights when a
// server denies one; a server that does not answer causes no error.
func (r *Redis) CheckRights(ctx context.Context) error {
	if r.options.Embedded {
		return nil // it has neither access control nor replicas
	}
	client, err := r.connected()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var refused []error
	nodes := client.Nodes()
	for _, addr := range slices.Sorted(maps.Keys(nodes)) { // sorted: equal errors are logged once
		node := nodes[addr]
		rights := silentRights()
		var asks []rueidis.Completed
		for _, right := range rights {
			asks = append(asks, right.ask(node))
		}
		for i, answer := range node.DoMulti(ctx, asks...) {
			if err := answer.Error(); isDenied(err) {
				refused = append(refused, r.rightsError(addr, fmt.Errorf("%s is refused, and without it %s: %w",
					rights[i].command, rights[i].missed, err)))
			}
		}
	}
	return errors.Join(refused...)
}

// rightsError adds the server's address and the command that grants the rights.
func (r *Redis) rightsError(addr string, err error) error {
	user := r.options.Username
	if user == "" {
		user = "default"
	}
	return fmt.Errorf("%w: redis at %s: %w. Type ACL SETUSER %s +info +role there (docs/operations.md has the whole line); "+
		"nothing is sold until then", sale.ErrRights, addr, err, user)
}

// isDenied reports whether Redis's access control list refused a command.
func isDenied(err error) bool {
	redisErr, ok := rueidis.IsRedisErr(err)
	return ok && strings.HasPrefix(redisErr.Error(), "NOPERM")
}
