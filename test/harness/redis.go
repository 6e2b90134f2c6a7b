package harness

import (
	"cmp"
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
	Addr    string
	bus     int         // port of the cluster bus; 0 outside of clusters
	tls     *tls.Config // nil: without TLS
	loading []string    // what comes before the options of the server on its command line
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

// RedisOf is Redis with the kind of that name, whatever the environment chooses: for comparisons.
func RedisOf(t testing.TB, kind string, args ...string) *RedisServer {
	t.Helper()
	found, err := kindOf(RoleRedis, kind)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newRedisOf(t, found, args)
	if err != nil {
		t.Fatal(err)
	}
	s.begin(t)
	return s
}

// newRedis prepares one server of the chosen kind, a single one also where the kind is a cluster.
func newRedis(t testing.TB, args []string) (*RedisServer, error) {
	kind, err := Chosen(RoleRedis)
	if err != nil {
		return nil, err
	}
	return newRedisOf(t, kind, args)
}

// redisReleases are the kinds that are not this machine's own package.
var redisReleases = map[string]releasedProgram{
	"redis-8.0":  {"trixie", "redis-server", "usr/bin/redis-server"},
	"valkey-9.1": {"sid", "valkey-server", "usr/bin/valkey-server"},
}

func newRedisOf(t testing.TB, kind Kind, args []string) (*RedisServer, error) {
	name := kind.base()
	var command []string
	if released, is := redisReleases[name]; is {
		found, err := released.command()
		if err != nil {
			return nil, err
		}
		command = found
	} else {
		path, err := program("redis-server", "redis-server", "FLASHSALE_TEST_REDIS=host:port")
		if err != nil {
			return nil, err
		}
		command = []string{path}
	}
	s, err := newRedisBy(t, command, args)
	if err == nil {
		s.verify = func() error { return kind.suits(s.version()) }
	}
	return s, err
}

// version returns what the server reports, without the product: "" when it does not answer. Valkey has a field of its own
// beside the version of Redis whose protocol it speaks.
func (s *RedisServer) version() string {
	fields, err := s.fields("server")
	if err != nil {
		return ""
	}
	return cmp.Or(fields["valkey_version"], fields["redis_version"])
}

// newRedisBy prepares a server that a command line starts.
func newRedisBy(t testing.TB, command, args []string) (*RedisServer, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &RedisServer{Addr: loopback(port), loading: command[1:]}
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
	fields, err := s.fields(section)
	if err != nil {
		t.Fatalf("redis INFO %s: %v", section, err)
	}
	return fields
}

func (s *RedisServer) fields(section string) (map[string]string, error) {
	answer, err := s.Do("INFO", section)
	if err != nil {
		return nil, err
	}
	text, is := answer.(string)
	if !is {
		return nil, errors.New("the answer is not a text")
	}
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
			fields[name] = value
		}
	}
	return fields, nil
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
