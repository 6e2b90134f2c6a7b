package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// sentinelFacts is what one Sentinel said of the primary.
type sentinelFacts struct {
	addr    string
	err     error             // it did not answer, or it does not know the primary
	primary map[string]string // fields of SENTINEL MASTER
}

// lookAtSentinels asks every configured Sentinel, and returns the primaries and replicas that they name.
func lookAtSentinels(ctx context.Context, o Options) (facts []sentinelFacts, addrs []string) {
	known := map[string]bool{}
	for _, addr := range o.RedisAddrs {
		s := sentinelFacts{addr: addr}
		var servers []map[string]string
		if servers, s.err = askSentinel(ctx, o, addr); s.err == nil {
			s.primary = servers[0]
		}
		facts = append(facts, s)
		for _, server := range servers {
			if at := net.JoinHostPort(server["ip"], server["port"]); !known[at] {
				known[at] = true
				addrs = append(addrs, at)
			}
		}
	}
	return facts, addrs
}

// askSentinel returns the primary, then its replicas.
func askSentinel(ctx context.Context, o Options, addr string) ([]map[string]string, error) {
	of := o
	of.RedisUsername, of.RedisPassword = o.Sentinel.Username, o.Sentinel.Password
	client, err := redisClient(of, addr)
	if err != nil {
		return nil, fmt.Errorf("connect to the sentinel at %s: %w", addr, err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	primary, err := client.Do(ctx, client.B().Arbitrary("SENTINEL", "MASTER", o.Sentinel.Master).Build()).AsStrMap()
	if err != nil {
		return nil, fmt.Errorf("ask the sentinel at %s for %s: %w", addr, o.Sentinel.Master, err)
	}
	replicas, err := client.Do(ctx, client.B().Arbitrary("SENTINEL", "REPLICAS", o.Sentinel.Master).Build()).ToArray()
	if err != nil {
		return nil, fmt.Errorf("ask the sentinel at %s for the replicas: %w", addr, err)
	}
	found := []map[string]string{primary}
	for _, replica := range replicas {
		fields, err := replica.AsStrMap()
		if err != nil {
			return nil, fmt.Errorf("read the replicas from the sentinel at %s: %w", addr, err)
		}
		found = append(found, fields)
	}
	return found, nil
}

const (
	whySentinels = "Sentinels that cannot agree make no replica the primary, and nothing is sold until an operator does."
	// fewestSentinels is the number with which a majority outlives the loss of one.
	fewestSentinels = 3
	// longestDown is how long an unreachable primary may stay in place before the Sentinels act.
	longestDown = 10 * time.Second
)

// judgeSentinels judges each Sentinel, and whether they know of each other.
func judgeSentinels(f *findings, facts []sentinelFacts, name string) {
	for _, s := range facts {
		host, port, _ := net.SplitHostPort(s.addr)
		cli := func(command string) string { return "redis-cli -h " + host + " -p " + port + " " + command }
		if s.err != nil {
			f.add(Warning, "sentinels", whySentinels, cli("SENTINEL MASTER "+name), "%v", s.err)
			continue
		}
		others, err := strconv.Atoi(s.primary["num-other-sentinels"])
		quorum, bad := strconv.Atoi(s.primary["quorum"])
		down, unread := strconv.Atoi(s.primary["down-after-milliseconds"])
		level, found := OK, fmt.Sprintf("%s: %d sentinels, quorum %d, down after %d ms, %s", s.addr, others+1, quorum, down,
			s.primary["flags"])
		mend := cli("SENTINEL CKQUORUM " + name)
		switch {
		case errors.Join(err, bad, unread) != nil:
			level, found = Unknown, s.addr+": SENTINEL MASTER lacks num-other-sentinels, quorum or down-after-milliseconds"
		case strings.Contains(s.primary["flags"], "down"), quorum > others+1:
			level = Danger
		case others+1 < fewestSentinels:
			level = Warning
		case time.Duration(down)*time.Millisecond > longestDown:
			level, mend = Warning, cli("SENTINEL SET "+name+" down-after-milliseconds 5000")
		}
		f.add(level, "sentinels", whySentinels, mend, "%s", found)
	}
	if len(facts) > 0 && allFailed(facts) {
		host, port, _ := net.SplitHostPort(facts[0].addr)
		f.add(Danger, "answers", "Nothing is sold while Redis does not answer.", "redis-cli -h "+host+" -p "+port+
			" SENTINEL MASTER "+name, "no sentinel names the primary %s", name)
	}
}

func allFailed(facts []sentinelFacts) bool {
	for _, s := range facts {
		if s.err == nil {
			return false
		}
	}
	return true
}
