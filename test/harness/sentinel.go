package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// SentinelName is the name under which the Sentinels of the harness know their primary.
const SentinelName = "stock"

// Sentinels are a primary with replicas, and the Sentinels that watch it and replace it.
type Sentinels struct {
	Watchers []*RedisServer // the Sentinels themselves
	Nodes    []*RedisServer // the first is the primary at the start
	t        testing.TB
	ca       *Authority // of the certificates; nil: without TLS
}

// SentinelSet starts three Sentinels, a primary and replicas. args are further options of the servers that they watch. The
// Sentinels take a server for dead after a second, so that a failover takes seconds.
func SentinelSet(t testing.TB, replicas int, args ...string) *Sentinels {
	t.Helper()
	return sentinelSet(&Sentinels{t: t}, replicas, args)
}

// SentinelSetTLS is SentinelSet of servers and Sentinels that speak TLS alone, also with each other, and let in only clients with
// a certificate of the authority.
func SentinelSetTLS(t testing.TB, a *Authority, replicas int, args ...string) *Sentinels {
	t.Helper()
	return sentinelSet(&Sentinels{t: t, ca: a}, replicas, args)
}

func sentinelSet(s *Sentinels, replicas int, args []string) *Sentinels {
	t := s.t
	t.Helper()
	args = append([]string{"--repl-diskless-sync-delay", "0", "--repl-timeout", "5", "--repl-ping-replica-period", "1"}, args...)
	for i := range replicas + 1 {
		s.Nodes = append(s.Nodes, s.node(args))
		if i > 0 {
			host, port, _ := strings.Cut(s.Nodes[0].Addr, ":")
			s.Nodes[i].MustDo(t, "REPLICAOF", host, port)
		}
	}
	s.Synced()
	for range 3 {
		s.Watchers = append(s.Watchers, s.watcher())
	}
	s.await(func() error {
		for _, w := range s.Watchers {
			seen, err := w.Do("SENTINEL", "CKQUORUM", SentinelName)
			if err != nil || !strings.HasPrefix(fmt.Sprint(seen), "OK 3") {
				return fmt.Errorf("the sentinel at %s sees %v: %w", w.Addr, seen, err)
			}
			if n := s.replicasOf(w); n != replicas {
				return fmt.Errorf("the sentinel at %s knows %d replicas", w.Addr, n)
			}
		}
		return nil
	})
	return s
}

func (s *Sentinels) node(args []string) *RedisServer {
	s.t.Helper()
	if s.ca != nil {
		return RedisTLS(s.t, s.ca, args...)
	}
	return Redis(s.t, args...)
}

// watcher starts a Sentinel. It keeps what it learns in its configuration file.
func (s *Sentinels) watcher() *RedisServer {
	s.t.Helper()
	w, err := newRedis(s.t, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	_, port, _ := strings.Cut(w.Addr, ":")
	host, primary, _ := strings.Cut(s.Nodes[0].Addr, ":")
	file := filepath.Join(w.Dir, "sentinel.conf")
	listens := "port " + port + "\n"
	if s.ca != nil {
		listens = "port 0\n" + strings.Join(w.secured(s.ca), "\n") + "\n"
	}
	text := listens + fmt.Sprintf("bind 127.0.0.1\ndir %s\nsentinel monitor %[2]s %s %s 2\n"+
		"sentinel down-after-milliseconds %[2]s 1000\nsentinel failover-timeout %[2]s 5000\n", w.Dir, SentinelName, host, primary)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	w.process.args = append(slices.Clone(w.loading), file, "--sentinel")
	w.process.name = "redis-sentinel"
	w.begin(s.t)
	return w
}

func (s *Sentinels) replicasOf(w *RedisServer) int {
	listed, err := w.Do("SENTINEL", "REPLICAS", SentinelName)
	if found, is := listed.([]any); err == nil && is {
		return len(found)
	}
	return 0
}

// Addrs are the addresses of the Sentinels.
func (s *Sentinels) Addrs() (addrs []string) {
	for _, w := range s.Watchers {
		addrs = append(addrs, w.Addr)
	}
	return addrs
}

// Primary returns the server that runs as primary and that a majority of the Sentinels names; nil while there is none.
func (s *Sentinels) Primary() *RedisServer {
	votes := map[string]int{}
	for _, w := range s.Watchers {
		named, err := w.Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SentinelName)
		if at, is := named.([]any); err == nil && is && len(at) == 2 {
			votes[fmt.Sprintf("%s:%s", at...)]++
		}
	}
	for _, node := range s.Nodes {
		if votes[node.Addr] > len(s.Watchers)/2 && node.Leads() {
			return node
		}
	}
	return nil
}

// Leads reports whether a server answers that it is a primary.
func (s *RedisServer) Leads() bool {
	role, err := s.Do("ROLE")
	words, is := role.([]any)
	return err == nil && is && len(words) > 0 && words[0] == "master"
}

// Synced waits until every server but one follows that one.
func (s *Sentinels) Synced() {
	s.t.Helper()
	s.await(func() error { return Following(s.Nodes, 1) })
}

// Following returns nil when so many servers are primaries and every other one follows one of them.
func Following(nodes []*RedisServer, primaries int) error {
	leading := 0
	for _, node := range nodes {
		info, err := node.Do("INFO", "replication")
		text, _ := info.(string)
		if err != nil {
			return err
		}
		if strings.Contains(text, "role:slave") && !strings.Contains(text, "master_link_status:up") {
			return fmt.Errorf("the replica at %s does not follow", node.Addr)
		}
		if strings.Contains(text, "role:master") {
			leading++
		}
	}
	if leading != primaries {
		return fmt.Errorf("%d servers are primaries", leading)
	}
	return nil
}

func (s *Sentinels) await(reached func() error) {
	s.t.Helper()
	await(s.t, reached)
}

// await polls a state of servers that is sure to come.
func await(t testing.TB, reached func() error) {
	t.Helper()
	deadline := time.Now().Add(readyWithin)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for err := reached(); err != nil; err = reached() {
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-tick.C
	}
}
