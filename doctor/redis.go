package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"flashsale/socket"
)

// redisFacts is what Redis said. err is set when no server answered.
type redisFacts struct {
	nodes     []*redisNode
	sentinels []sentinelFacts
	err       error
}

// redisNode is one server.
type redisNode struct {
	addr   string
	err    error             // it did not answer
	info   map[string]string // fields of INFO; nil when it is refused
	refuse map[string]error  // by command: why it is not allowed here

	config    map[string]string // of CONFIG GET
	role      string            // master, slave or sentinel
	runIDs    []string          // of two connections to the address
	rights    redisRights
	expiring  []string // keys of the namespace with a time to live
	clock     clockReading
	cluster   map[string]string // fields of CLUSTER INFO, nil outside of a cluster
	clustered []string          // addresses of the cluster's other nodes
}

// settings that CONFIG GET is asked for.
func redisSettings() []string {
	return []string{"appendonly", "appendfsync", "no-appendfsync-on-rewrite", "save", "aof-load-truncated", "maxmemory-policy",
		"min-replicas-to-write", "timeout", "tcp-keepalive", "lua-time-limit"}
}

// lookAtRedis reads every configured address, and every other node of their cluster.
func lookAtRedis(ctx context.Context, o Options) redisFacts {
	var facts redisFacts
	known, addrs := map[string]bool{}, o.RedisAddrs
	if o.Sentinel.Master != "" {
		facts.sentinels, addrs = lookAtSentinels(ctx, o)
	}
	for waiting := addrs; len(waiting) > 0; waiting = waiting[1:] {
		if known[waiting[0]] {
			continue
		}
		known[waiting[0]] = true
		node := lookAtNode(ctx, o, waiting[0])
		facts.nodes = append(facts.nodes, node)
		waiting = append(waiting[:len(waiting):len(waiting)], node.clustered...)
	}
	var failed []error
	for _, s := range facts.sentinels {
		failed = append(failed, s.err)
	}
	for _, n := range facts.nodes {
		if n.err == nil {
			return facts
		}
		failed = append(failed, n.err)
	}
	facts.err = errors.Join(failed...)
	return facts
}

func redisClient(o Options, addr string) (rueidis.Client, error) {
	option := rueidis.ClientOption{
		InitAddress: []string{addr}, Username: o.RedisUsername, Password: o.RedisPassword, ClientName: "flashsale-doctor",
		TLSConfig: o.RedisTLS,
		Dialer:    net.Dialer{Timeout: dialTimeout}, ConnWriteTimeout: callTimeout, DisableCache: true, DisableRetry: true,
		ForceSingleClient: true, ClientSetInfo: rueidis.DisableClientSetInfo,
	}
	if o.RedisTLS != nil {
		option.DialCtxFn = socket.DialTLS
	}
	return rueidis.NewClient(option)
}

func lookAtNode(ctx context.Context, o Options, addr string) *redisNode {
	n := &redisNode{addr: addr, refuse: map[string]error{}}
	if ctx.Err() != nil { // the client's own dialing does not end with it
		n.err = fmt.Errorf("connect to redis at %s: there was no time left after other servers: %w", addr, ctx.Err())
		return n
	}
	client, err := redisClient(o, addr)
	if err != nil {
		n.err = fmt.Errorf("connect to redis at %s: %w", addr, err)
		return n
	}
	defer client.Close()
	r := &redisReader{client: client, node: n}
	r.readClock(ctx)
	r.readInfo(ctx)
	r.readConfig(ctx)
	r.readRole(ctx)
	r.readRunIDs(ctx)
	r.readCluster(ctx)
	r.readRights(ctx, o.Namespace)
	r.readExpiring(ctx, o.Namespace)
	return n
}

// redisReader fills the facts of a node. A server that stops answering ends the reading with the node's err.
type redisReader struct {
	client rueidis.Client
	node   *redisNode
}

// do sends a command. ok is false when the server refused it, which do notes by the command's name, or did not answer.
func (r *redisReader) do(ctx context.Context, words ...string) (answer rueidis.RedisMessage, ok bool) {
	if r.node.err != nil {
		return answer, false
	}
	answer, err := r.client.Do(ctx, r.client.B().Arbitrary(words...).Build()).ToMessage()
	if err == nil || rueidis.IsRedisNil(err) {
		return answer, err == nil
	}
	if _, refused := rueidis.IsRedisErr(err); refused {
		r.node.refuse[words[0]] = err
	} else {
		r.node.err = fmt.Errorf("ask redis at %s for %s: %w", r.node.addr, words[0], err)
	}
	return answer, false
}

func (r *redisReader) readInfo(ctx context.Context) {
	for _, section := range []string{"server", "memory", "persistence", "replication", "keyspace", "cluster"} {
		answer, ok := r.do(ctx, "INFO", section)
		text, err := answer.ToString()
		if !ok || err != nil {
			continue
		}
		if r.node.info == nil {
			r.node.info = map[string]string{}
		}
		for name, value := range fieldsOf(text) {
			r.node.info[name] = value
		}
	}
}

// fieldsOf parses lines of the form name:value. The client leaves the format of a verbatim text before it.
func fieldsOf(text string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(strings.TrimPrefix(text, "txt:")) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
			fields[name] = value
		}
	}
	return fields
}

// readConfig asks for one setting at a time, because old servers take one pattern.
func (r *redisReader) readConfig(ctx context.Context) {
	for _, name := range redisSettings() {
		answer, ok := r.do(ctx, "CONFIG", "GET", name)
		if !ok {
			return
		}
		if values, err := answer.AsStrMap(); err == nil {
			if r.node.config == nil {
				r.node.config = map[string]string{}
			}
			for name, value := range values {
				r.node.config[name] = value
			}
		}
	}
}

func (r *redisReader) readRole(ctx context.Context) {
	answer, ok := r.do(ctx, "ROLE")
	if !ok {
		return
	}
	parts, err := answer.ToArray()
	if err == nil && len(parts) > 0 {
		r.node.role, err = parts[0].ToString()
	}
	if err != nil {
		r.node.refuse["ROLE"] = fmt.Errorf("an answer of another form: %w", err)
	}
}

// readRunIDs asks two connections which process serves them.
func (r *redisReader) readRunIDs(ctx context.Context) {
	for range 2 {
		if r.node.err != nil || r.node.info == nil {
			return
		}
		// Each Dedicate takes a connection that is free; the first is not given back before the second is taken.
		connection, giveBack := r.client.Dedicate()
		defer giveBack()
		text, err := connection.Do(ctx, connection.B().Info().Section("server").Build()).ToString()
		if id := fieldsOf(text)["run_id"]; err == nil && id != "" {
			r.node.runIDs = append(r.node.runIDs, id)
		}
	}
}

func (r *redisReader) readCluster(ctx context.Context) {
	if r.node.info["cluster_enabled"] != "1" {
		return
	}
	r.node.cluster = map[string]string{}
	if answer, ok := r.do(ctx, "CLUSTER", "INFO"); ok {
		if text, err := answer.ToString(); err == nil {
			r.node.cluster = fieldsOf(text)
		}
	}
	answer, ok := r.do(ctx, "CLUSTER", "SLOTS")
	ranges, err := answer.ToArray()
	if !ok || err != nil {
		return
	}
	own, _, _ := net.SplitHostPort(r.node.addr)
	for _, slots := range ranges {
		parts, err := slots.ToArray()
		if err != nil {
			continue
		}
		for _, server := range parts[min(2, len(parts)):] {
			if addr := addressOf(server, own); addr != "" {
				r.node.clustered = append(r.node.clustered, addr)
			}
		}
	}
}

// addressOf reads a server of CLUSTER SLOTS. An empty host means the one that was asked.
func addressOf(server rueidis.RedisMessage, own string) string {
	parts, err := server.ToArray()
	if err != nil || len(parts) < 2 {
		return ""
	}
	port, err := parts[1].AsInt64()
	if err != nil {
		return ""
	}
	host, err := parts[0].ToString()
	if err != nil || host == "" {
		host = own
	}
	return net.JoinHostPort(host, strconv.FormatInt(port, 10))
}

// Bounds of the search for keys that expire.
const (
	scanCount = 1000
	scanPages = 20
	mostNamed = 3
)

// readExpiring looks for keys of the namespace with a time to live, in the first scanPages pages, when the server has any.
func (r *redisReader) readExpiring(ctx context.Context, namespace string) {
	if !strings.Contains(r.node.info["db0"], "expires=") || strings.Contains(r.node.info["db0"], "expires=0") {
		return
	}
	cursor := "0"
	for range scanPages {
		answer, ok := r.do(ctx, "SCAN", cursor, "MATCH", escaped(namespace)+":*", "COUNT", strconv.Itoa(scanCount))
		page, err := answer.AsScanEntry()
		if !ok || err != nil {
			return
		}
		for _, key := range page.Elements {
			left, ok := r.do(ctx, "PTTL", key)
			if ms, err := left.AsInt64(); ok && err == nil && ms >= 0 && len(r.node.expiring) < mostNamed {
				r.node.expiring = append(r.node.expiring, key)
			}
		}
		if cursor = strconv.FormatUint(page.Cursor, 10); cursor == "0" || len(r.node.expiring) == mostNamed {
			return
		}
	}
}

// escaped quotes the characters of a namespace that a pattern of Redis takes for more than themselves.
func escaped(namespace string) string {
	return strings.NewReplacer("*", `\*`, "?", `\?`, "[", `\[`).Replace(namespace)
}

// readClock reads the time thrice and keeps the reading with the shortest way.
func (r *redisReader) readClock(ctx context.Context) {
	for range clockReadings {
		sent := time.Now()
		answer, ok := r.do(ctx, "TIME")
		parts, err := answer.AsStrSlice()
		if !ok || err != nil || len(parts) != 2 {
			return
		}
		seconds, err := strconv.ParseInt(parts[0], 10, 64)
		micros, bad := strconv.ParseInt(parts[1], 10, 64)
		if err == nil && bad == nil {
			r.node.clock.keep(time.Unix(seconds, micros*1000), sent, time.Now())
		}
	}
}
