package scripts

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"

	"flashsale/faults"
	"flashsale/sale"
)

// InstallFenced loads the fenced scripts on the server of a bucket, the reserve script last, so a server that has it has them
// all. It calls first, which may be nil, after it has connected and before it loads anything: a server that restarts meanwhile
// ends the connection, so when the scripts arrive, the effect of first still holds. Only a rebuild calls it.
func (r *Redis) InstallFenced(ctx context.Context, b sale.Bucket, first func() error) error {
	client, err := r.connected()
	if err != nil {
		return err
	}
	err = client.Dedicated(func(c rueidis.DedicatedClient) error {
		// The first command carries the bucket's key: it binds the connection to the server of that bucket.
		if err := onConnection(ctx, c, c.B().Exists().Key(r.Keys(b).Meta).Build()); err != nil {
			return err
		}
		if first != nil {
			if err := first(); err != nil {
				return err
			}
		}
		for _, script := range Fenced() {
			if err := onConnection(ctx, c, c.B().ScriptLoad().Script(script.Source).Build()); err != nil {
				return fmt.Errorf("%s: %w", script.Name, err)
			}
			faults.Point("rebuild.script-loaded")
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("load the fenced scripts for bucket %s: %w", b, err)
	}
	return nil
}

func onConnection(ctx context.Context, c rueidis.DedicatedClient, command rueidis.Completed) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return c.Do(ctx, command).Error()
}

// LacksScript reports whether any master lacks the reserve script: it restarted, was promoted, or never had a bucket.
func (r *Redis) LacksScript(ctx context.Context) (bool, error) {
	client, err := r.connected()
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	for addr, node := range client.Nodes() {
		if !r.options.Embedded {
			master, err := isMaster(ctx, node)
			if err != nil {
				return false, r.rightsError(addr, err)
			}
			if !master {
				continue
			}
		}
		found, err := node.Do(ctx, node.B().ScriptExists().Sha1(ReserveScript().SHA).Build()).AsIntSlice()
		if err != nil {
			return false, fmt.Errorf("ask %s for the reserve script: %w", addr, err)
		}
		if len(found) != 1 || found[0] != 1 {
			return true, nil
		}
	}
	return false, nil
}

// isMaster returns false only when the server says that it is a replica. A server that does not answer counts as a master: the
// question for its script then reports the error. isMaster's error means that the server denies the command.
func isMaster(ctx context.Context, node rueidis.Client) (bool, error) {
	role, err := node.Do(ctx, node.B().Role().Build()).ToArray()
	if isDenied(err) {
		return false, fmt.Errorf("ask for the role: %w", err)
	}
	word := "master"
	if len(role) > 0 {
		if first, err := role[0].ToString(); err == nil {
			word = first
		}
	}
	return word == "master", nil
}
