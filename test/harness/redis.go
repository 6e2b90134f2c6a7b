package harness

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// RedisServer is a Redis that serves tests. Addr is host:port.
type RedisServer struct {
	server
	Addr string
	tls  *tls.Config // nil: without TLS
}

// Redis starts a private Redis with an append-only file (everysec) and noeviction; args are further options of
// redis-server, such as "--appendfsync", "always", and win over these.
func Redis(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	s, err := newRedis(t, args)
	if err != nil {
		t.Fatal(err)
	}
	s.begin(t)
	return s
}

// RedisRelease is a server of Redis's protocol in a release of Debian.
type RedisRelease releasedProgram

// Redis8 is the Redis of Debian 13.
func Redis8() RedisRelease { return RedisRelease{"trixie", "redis-server", "redis-server"} }

// Valkey9 is the Valkey that Debian is preparing for its next release.
func Valkey9() RedisRelease { return RedisRelease{"sid", "valkey-server", "valkey-server"} }

// RedisOf is Redis with a server of another release, which it fetches at the first use: for comparisons outside of tests,
// which never depend on it.
func RedisOf(t testing.TB, release RedisRelease, args ...string) *RedisServer {
	t.Helper()
	command, err := releasedProgram(release).command()
	if err != nil {
		t.Fatal(err)
	}
	s, err := newRedisBy(t, command, args)
	if err != nil {
		t.Fatal(err)
	}
	s.begin(t)
	return s
}

func newRedis(t testing.TB, args []string) (*RedisServer, error) {
	path, err := program("redis-server", "redis-server", "FLASHSALE_TEST_REDIS=host:port")
	if err != nil {
		return nil, err
	}
	return newRedisBy(t, []string{path}, args)
}

// newRedisBy prepares a server that a command line starts.
func newRedisBy(t testing.TB, command, args []string) (*RedisServer, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &RedisServer{Addr: loopback(port)}
	s.Dir = folder(t, "redis")
	options := slices.Concat(command[1:], []string{
		"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", s.Dir, "--save", "", "--loglevel", "notice",
		"--appendonly", "yes", "--appendfsync", "everysec", "--auto-aof-rewrite-min-size", "512mb",
		"--maxmemory-policy", "noeviction",
	}, args)
	s.process = &Process{Dir: s.Dir, path: command[0], args: options, name: "redis-server", tb: t}
	s.ready = func() error {
		answer, err := s.Do("PING")
		if err == nil && answer != "PONG" {
			err = fmt.Errorf("PING: %v", answer)
		}
		return err
	}
	return s, nil
}

// Do sends one command and returns the reply: string, int64, nil, or []any of these. An error reply is an error.
func (s *RedisServer) Do(args ...string) (any, error) { return redisDo(s.Addr, s.tls, args) }

// MustDo is Do for commands that have to succeed.
func (s *RedisServer) MustDo(t testing.TB, args ...string) any {
	t.Helper()
	answer, err := s.Do(args...)
	if err != nil {
		t.Fatalf("redis %s: %v", strings.Join(args, " "), err)
	}
	return answer
}

// Info returns the fields of one section of INFO.
func (s *RedisServer) Info(t testing.TB, section string) map[string]string {
	t.Helper()
	text, is := s.MustDo(t, "INFO", section).(string)
	if !is {
		t.Fatalf("redis INFO %s: not a text", section)
	}
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
			fields[name] = value
		}
	}
	return fields
}

// CPU returns the seconds of CPU that the server has used.
func (s *RedisServer) CPU(t testing.TB) float64 {
	t.Helper()
	fields := s.Info(t, "cpu")
	var total float64
	for _, name := range []string{"used_cpu_user", "used_cpu_sys"} {
		seconds, err := strconv.ParseFloat(fields[name], 64)
		if err != nil {
			t.Fatalf("redis INFO cpu: %s: %v", name, err)
		}
		total += seconds
	}
	return total
}

const hashSlots = 16384

// RedisCluster starts a cluster of masters that share the hash slots evenly, and waits until every node reports the
// complete cluster.
func RedisCluster(t testing.TB, nodes int, args ...string) []*RedisServer {
	t.Helper()
	cluster := make([]*RedisServer, nodes)
	for i := range cluster {
		bus, err := freePort()
		if err != nil {
			t.Fatal(err)
		}
		cluster[i] = Redis(t, append([]string{
			"--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus), "--cluster-node-timeout", "2000",
		}, args...)...)
		first, last := hashSlots*i/nodes, hashSlots*(i+1)/nodes-1
		cluster[i].MustDo(t, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(last))
		cluster[i].MustDo(t, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		meet(t, cluster[0], cluster[i], bus)
	}
	for _, node := range cluster {
		node.ready = func() error { return knowsCluster(node, nodes) }
		if err := node.process.until(node.ready); err != nil {
			t.Fatal(err)
		}
	}
	return cluster
}

func meet(t testing.TB, first, node *RedisServer, bus int) {
	t.Helper()
	if first == node {
		return
	}
	host, port, _ := strings.Cut(node.Addr, ":")
	first.MustDo(t, "CLUSTER", "MEET", host, port, strconv.Itoa(bus))
}

func knowsCluster(node *RedisServer, nodes int) error {
	info, err := node.Do("CLUSTER", "INFO")
	if err != nil {
		return err
	}
	text, _ := info.(string)
	if strings.Contains(text, "cluster_state:ok") && strings.Contains(text, fmt.Sprintf("cluster_size:%d\r", nodes)) {
		return nil
	}
	return errors.New("the cluster is not complete")
}
