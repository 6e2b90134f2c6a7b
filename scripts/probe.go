package scripts

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"

	"flashsale/faults"
	"flashsale/sale"
)

// farDeadline is later than every clock: a probe takes nothing, so it may come late.
const farDeadline = 1 << 52

// Probe asks the reserve script, without purchases, whether it would sell from each bucket in its row's epoch. It returns
// the reason for the doubt, empty when there is none.
func (r *Redis) Probe(ctx context.Context, rows []sale.BucketRow) ([]string, error) {
	doubts := make([]string, len(rows))
	arguments := NewArgumentBuffer()
	err := r.pipeline(ctx, len(rows), func(c rueidis.Client, i int) rueidis.Completed {
		keys := r.Keys(rows[i].Bucket)
		call := ReserveCall{Epoch: rows[i].Epoch, DeadlineMS: farDeadline, MaxJournal: 1}
		return c.B().Evalsha().Sha1(arguments.sha).Numkeys(3).Key(keys.Meta, keys.Buyers, keys.Journal).
			Arg(arguments.of(&call)...).Build()
	}, func(i int, result rueidis.RedisResult) error {
		reply, err := decodeReserve(result)
		if err == nil && reply.Code == CodeFenced {
			doubts[i] = reply.Detail
		}
		return foreignKind(r.Keys(rows[i].Bucket).any(), err)
	})
	if err != nil {
		return nil, fmt.Errorf("probe %d buckets: %w", len(rows), err)
	}
	return doubts, nil
}

// doubted probes the buckets of rows and returns those in doubt, each with its reason.
func (r *Redis) Doubted(ctx context.Context, rows []sale.BucketRow) (doubted []sale.BucketRow, reasons []string, err error) {
	doubts, err := r.Probe(ctx, rows)
	for i, doubt := range doubts {
		if doubt != "" {
			doubted, reasons = append(doubted, rows[i]), append(reasons, doubt)
		}
	}
	return doubted, reasons, err
}

// installFenced loads the scripts that move stock on the server that holds a bucket, the reserve script last: whoever
// finds it there finds them all. first, which may be nil, runs when the connection is there and before anything is loaded: a
// server that ends meanwhile ends the connection, so what first has done is still so when the scripts arrive. Only the
// Rebuilder calls it.
func (r *Redis) InstallFenced(ctx context.Context, b sale.Bucket, first func() error) error {
	client, err := r.connected()
	if err != nil {
		return err
	}
	err = client.Dedicated(func(c rueidis.DedicatedClient) error {
		// The first command carries the bucket's key, and so binds the connection to the server that holds it.
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

// lacksScript reports whether any master lacks the reserve script: it restarted, was promoted, or never had a bucket.
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

// isMaster is true unless the server says that it is a replica: one that does not answer is asked for its script, and
// that error is reported. Its error is of a server that may not say what it is.
func isMaster(ctx context.Context, node rueidis.Client) (bool, error) {
	role, err := node.Do(ctx, node.B().Role().Build()).ToArray()
	if isDenied(err) {
		return false, fmt.Errorf("ask for the role: %w", err)
	}
	word := "master"
	if len(role) > 0 {
		if said, err := role[0].ToString(); err == nil {
			word = said
		}
	}
	return word == "master", nil
}
