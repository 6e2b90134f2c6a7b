package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"flashsale/test/check/gather"
	"flashsale/test/harness"
	"flashsale/test/stack"
	"flashsale/test/stack/link"
)

// redisPair is a primary and its replica, with the wire of the replication between them. A failover leads the wires of the
// clients to the other one. Every write is on the disk before it is answered, so that a plain kill loses nothing and an
// order refused after one is a fault of the engine.
type redisPair struct {
	w       *world
	primary *harness.RedisServer
	replica *harness.RedisServer
	stream  *link.Link // from the replica to the primary
}

func newRedisPair(w *world) *redisPair {
	start := func() *harness.RedisServer {
		return harness.Redis(w.t, "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0",
			"--repl-diskless-sync-delay", "0", "--repl-timeout", "5", "--repl-ping-replica-period", "1")
	}
	p := &redisPair{w: w, primary: start(), replica: start()}
	stream, err := link.New(harness.Address(w.t), p.primary.Addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = stream.Close() }) // at the end of everything
	p.stream = stream
	p.follow()
	return p
}

// follow makes the replica replicate through the stream.
func (p *redisPair) follow() {
	p.stream.Lead(p.primary.Addr)
	p.stream.Heal()
	host, port, _ := strings.Cut(p.stream.Addr(), ":")
	p.replica.MustDo(p.w.t, "REPLICAOF", host, port)
}

// synced waits until the replica has everything that was written before the call; an earlier failover would promote a node
// that is not yet a replica, and would lose more than the lag.
func (p *redisPair) synced() {
	deadline := time.Now().Add(2 * time.Minute)
	written := gather.Number(p.primary.Info(p.w.t, "replication")["master_repl_offset"])
	for {
		replica := p.replica.Info(p.w.t, "replication")
		behind := gather.Number(replica["slave_repl_offset"]) - written
		if replica["master_link_status"] == "up" && behind >= 0 {
			return
		}
		if time.Now().After(deadline) {
			p.w.t.Fatalf("the replica of Redis does not follow: %d bytes", behind)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// lead makes the replica the primary and leads every client to it.
func (p *redisPair) lead() {
	for _, c := range p.w.wires.To(stack.ToRedis) {
		c.Set(link.Cut, 0)
	}
	p.replica.MustDo(p.w.t, "REPLICAOF", "NO", "ONE")
	p.primary, p.replica = p.replica, p.primary
	p.reconnect()
}

func (p *redisPair) reconnect() {
	for _, c := range p.w.wires.To(stack.ToRedis) {
		c.Lead(p.primary.Addr)
		c.Heal()
	}
}

// appendOnly returns the part of the append-only file that grows.
func (p *redisPair) appendOnly() (string, int64, error) {
	names, err := filepath.Glob(filepath.Join(p.primary.Dir, "appendonlydir", "*.incr.aof"))
	if err != nil || len(names) == 0 {
		return "", 0, fmt.Errorf("no append-only file in %s: %w", p.primary.Dir, err)
	}
	newest := names[len(names)-1]
	info, err := os.Stat(newest)
	if err != nil {
		return "", 0, err
	}
	return newest, info.Size(), nil
}
