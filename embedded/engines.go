package embedded

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"
)

// Options are the directory and the ports of the engines.
type Options struct {
	Dir       string // for the files of Kafka and the database, readable by its owner only; Start creates it if it is missing
	RedisPort int    // on 127.0.0.1; 0 takes a free port
	KafkaPort int    // on 127.0.0.1; 0 takes a free port
}

// Engines are the running stores.
type Engines struct {
	RedisAddr    string   // host:port
	KafkaBrokers []string // host:port
	DSN          string   // of the SQLite database; the first connection creates the file

	redis *miniredis.Miniredis
	kafka *kfake.Cluster
	lock  *os.File
}

// PortError reports that a requested port is in use.
type PortError struct {
	Engine string
	Addr   string
	Err    error
}

// Error names the engine and the address.
func (e *PortError) Error() string {
	return fmt.Sprintf("%s cannot listen on %s: %v", e.Engine, e.Addr, e.Err)
}

// Unwrap returns the cause.
func (e *PortError) Unwrap() error { return e.Err }

// Start starts the engines on the directory and locks it; the error of a second process names the directory. If a port is in
// use, the error is a *PortError.
func Start(o Options) (*Engines, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("data directory %s: %w", o.Dir, err)
	}
	if err := makePrivate(dir); err != nil {
		return nil, err
	}
	e := &Engines{DSN: sqliteDSN(filepath.Join(dir, databaseName))}
	if e.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	if err := e.startRedis(o.RedisPort); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	if err := e.startKafka(filepath.Join(dir, "kafka"), o.KafkaPort); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// Close stops the engines. The caller must close every client before. The content of Redis is lost.
func (e *Engines) Close() error {
	if e.kafka != nil {
		e.kafka.Close()
	}
	if e.redis != nil {
		e.redis.Close()
	}
	if err := e.lock.Close(); err != nil {
		return fmt.Errorf("release the data directory: %w", err)
	}
	return nil
}

func (e *Engines) startRedis(port int) error {
	e.redis = miniredis.NewMiniRedis()
	// Keys expire by the clock, as on a real server. Without ClockTTL they expire only by calls of tests.
	e.redis.ClockTTL(true)
	addr := loopback(port)
	if err := e.redis.StartAddr(addr); err != nil {
		e.redis = nil
		return listenError("redis", addr, err)
	}
	e.RedisAddr = e.redis.Addr()
	return nil
}

func (e *Engines) startKafka(dir string, port int) error {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(dir))
	if err != nil {
		return listenError("kafka", loopback(port), err)
	}
	e.kafka = cluster
	e.KafkaBrokers = cluster.ListenAddrs()
	return nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func listenError(engine, addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return &PortError{Engine: engine, Addr: addr, Err: err}
	}
	return fmt.Errorf("start embedded %s: %w", engine, err)
}
