package doctor

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// judgeRedis judges every server.
func judgeRedis(facts redisFacts, sales salesFacts, o Options) []Finding {
	f := &findings{store: Redis}
	judgeSentinels(f, facts.sentinels, o.Sentinel.Master)
	masters := 0
	for _, n := range facts.nodes {
		if n.isPrimary() {
			masters++
		}
	}
	for _, n := range facts.nodes {
		j := nodeJudge{findings: f, redisNode: n, options: o}
		if n.err != nil {
			f.add(Danger, "answers", "Nothing is sold while Redis does not answer.", j.cli("PING"), "%v", n.err)
			continue
		}
		f.add(OK, "answers", "Nothing is sold while Redis does not answer.", "", "%s: Redis answers", n.addr)
		j.judge(sales, max(masters, 1))
	}
	return f.all
}

// isPrimary reports whether a node has stock of its own.
func (n *redisNode) isPrimary() bool {
	return n.err == nil && n.role != "slave" && n.info["role"] != "slave"
}

// nodeJudge judges one server.
type nodeJudge struct {
	*findings
	*redisNode
	options Options
}

func (j nodeJudge) judge(sales salesFacts, masters int) {
	j.judgeProxy()
	j.judgeRights()
	if j.info != nil {
		j.judgeVersion()
		j.judgePersistence()
		j.judgeDisk()
		j.judgeEviction()
		j.judgeMemory(sales, masters)
		j.judgeExpiring()
	}
	j.judgeReplication()
	j.judgeCluster()
	j.judgeConnections()
	j.judgeScripts()
}

// cli is a line for redis-cli on this server.
func (j nodeJudge) cli(command string) string {
	host, port, _ := net.SplitHostPort(j.addr)
	line := "redis-cli -h " + host + " -p " + port
	if j.options.RedisTLS != nil {
		line += " --tls" // and --cacert, --cert and --key, where the settings name files
	}
	if j.options.RedisUsername != "" {
		line += " --user " + j.options.RedisUsername
	}
	if j.options.RedisPassword != "" {
		line += " --askpass"
	}
	return line + " " + command
}

func (j nodeJudge) set(name, value string) string { return j.cli("CONFIG SET " + name + " " + value) }

// user is the ACL user that the engine logs in as.
func (j nodeJudge) user() string {
	if j.options.RedisUsername == "" {
		return "default"
	}
	return j.options.RedisUsername
}

// note adds a finding about this server.
func (j nodeJudge) note(level Level, check, why, mend, found string, args ...any) {
	j.add(level, check, why, mend, "%s", j.addr+": "+fmt.Sprintf(found, args...))
}

// setting returns a value of CONFIG GET. Without it, known is false and the check is added as unknown.
func (j nodeJudge) setting(name, check, why string) (value string, known bool) {
	if value, known = j.config[name]; known {
		return value, true
	}
	cause := j.refuse["CONFIG"]
	if cause == nil {
		cause = fmt.Errorf("the server has no setting %s", name)
	}
	mend := "look up " + name + " in the parameters of the service that runs Redis"
	if strings.HasPrefix(cause.Error(), "NOPERM") {
		mend = j.allow("+config|get")
	}
	j.note(Unknown, check, why, mend, "%s cannot be read: %v", name, cause)
	return "", false
}

func (j nodeJudge) number(field string) int64 {
	n, err := strconv.ParseInt(j.info[field], 10, 64)
	if err != nil {
		return 0 // the server does not tell it
	}
	return n
}

// oldestRedis is the oldest version that the engine is tested with.
const oldestRedis = 7

func (j nodeJudge) judgeVersion() {
	const why = "The engine is tested with Redis 7.0 and 8.0 and Valkey 9."
	version := j.info["redis_version"]
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	if err != nil {
		j.note(Unknown, "version", why, j.cli("INFO server"), "INFO has no version")
		return
	}
	name := "Redis " + version
	if valkey := j.info["valkey_version"]; valkey != "" {
		name = "Valkey " + valkey
	}
	j.note(either(n < oldestRedis, Warning), "version", why, "apt-get install redis-server  # of Debian 12 or later", "%s", name)
}

// judgeProxy finds a proxy that hides what the scripts need to tell a server from its successor.
func (j nodeJudge) judgeProxy() {
	const why = "The scripts tell by INFO's replication id whether Redis has lost data, and the engine tells by ROLE a replica " +
		"from " +
		"a primary; without them it fences every bucket and sells nothing."
	direct := "FLASHSALE_REDIS_ADDRS=HOST:PORT  # of the server itself, past the proxy"
	grant := j.allow("+info", "+role")
	denied := func(err error) bool { return err != nil && strings.HasPrefix(err.Error(), "NOPERM") }
	switch info, role := j.refuse["INFO"], j.refuse["ROLE"]; {
	case denied(info) || denied(role):
		j.note(Danger, "proxy", why, grant, "INFO or ROLE is refused to user %s", j.user())
	case info != nil:
		j.note(Danger, "proxy", why, direct, "INFO is refused, so a proxy stands before Redis: %v", info)
	case role != nil:
		j.note(Danger, "proxy", why, direct, "ROLE is refused, so a proxy stands before Redis: %v", role)
	case j.info["master_replid"] == "":
		j.note(Danger, "proxy", why, direct, "INFO has no replication id, so a proxy answers for Redis")
	case len(j.runIDs) == 2 && j.runIDs[0] != j.runIDs[1]:
		j.note(Danger, "proxy", why, direct, "two connections are served by two servers, so a proxy spreads them")
	default:
		j.note(OK, "proxy", why, "", "INFO and ROLE are those of one server")
	}
}

func (j nodeJudge) judgeExpiring() {
	const why = "No key of the engine expires by itself: one that does takes stock or buyers with it."
	keyspace := j.info["db0"]
	refused := j.refuse["SCAN"] != nil || j.refuse["PTTL"] != nil
	switch {
	case len(j.expiring) > 0:
		j.note(Danger, "expiring_keys", why, j.cli("PERSIST "+j.expiring[0]), "keys of the namespace expire: %s",
			strings.Join(j.expiring, ", "))
	case refused && strings.Contains(keyspace, "expires="):
		j.note(Unknown, "expiring_keys", why, j.allow("+scan", "+pttl"),
			"the server has keys that expire, and SCAN or PTTL is refused")
	default:
		j.note(OK, "expiring_keys", why, "", "no key of the namespace expires")
	}
}

// Bounds of the time after which Redis answers BUSY, in milliseconds.
const (
	shortestScript = 100
	usualScript    = 1000
)

func (j nodeJudge) judgeScripts() {
	const why = "While a script runs longer than this, Redis answers others BUSY: too early, and a slow disk refuses " +
		"purchases; " +
		"never, and a stalled script stalls all without a sign."
	value, known := j.setting("lua-time-limit", "script_time", why)
	if !known {
		return
	}
	ms, err := strconv.Atoi(value)
	level := either(err != nil || ms < shortestScript, Warning)
	j.note(level, "script_time", why, j.set("lua-time-limit", strconv.Itoa(usualScript)), "lua-time-limit %s ms", value)
}

func (j nodeJudge) judgeConnections() {
	const idle = "Redis closes connections that are idle, and a gateway has to connect again in the first second of a sale."
	if value, known := j.setting("timeout", "idle_timeout", idle); known {
		j.note(either(value != "0", Warning), "idle_timeout", idle, j.set("timeout", "0"), "timeout %s", value)
	}
	const alive = "Connections of a killed gateway stay half open for hours."
	if value, known := j.setting("tcp-keepalive", "keepalive", alive); known {
		j.note(either(value == "0", Warning), "keepalive", alive, j.set("tcp-keepalive", "60"), "tcp-keepalive %s", value)
	}
}
