package crash

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

const (
	secret     = "0123456789abcdef0123456789abcdef-crash"
	adminToken = "operators-token-crash"
	shopToken  = "the-shops-token-crash"
	patience   = 2 * time.Minute // for anything that heals by itself; far above what a loaded machine needs
	pollEvery  = 20 * time.Millisecond
)

// part is one of our processes: armed at first, and started again without the crash point when it has died there.
type part struct {
	*harness.Process
	name  string
	ready string // URL
	armed bool
}

// world is one deployment with a Redis of its own; Kafka and the database are shared.
type world struct {
	t       *testing.T
	bin     string
	env     []string
	arming  []string
	killed  string // what a process says that dies as it should
	name    string // namespace and schema
	redis   *harness.RedisServer
	db      *sql.DB
	gateway *part
	settle  *part
	buyers  string // URL
	admin   string // URL
	died    string // the part that died at the point
	client  *http.Client
}

// newWorld makes the database of a deployment; start starts its processes.
func newWorld(t *testing.T, bin string, point Point, times int) *world {
	t.Helper()
	w := &world{t: t, bin: bin, redis: harness.Redis(t), client: &http.Client{Timeout: 10 * time.Second},
		name:   "crash-" + strconv.FormatInt(time.Now().UnixNano(), 36),
		arming: []string{"FLASHSALE_CRASH_POINT=" + point.Name, "FLASHSALE_CRASH_TIME=" + strconv.Itoa(times)},
		killed: fmt.Sprintf("killed at crash point %s, time %d\n", point.Name, times)}
	t.Cleanup(w.client.CloseIdleConnections)
	kafka, mariadb := harness.SharedKafka(t), harness.SharedMariaDB(t)
	buyers, admin, own := harness.Address(t), harness.Address(t), harness.Address(t)
	w.buyers, w.admin = "http://"+buyers, "http://"+admin
	w.env = []string{
		"FLASHSALE_NAMESPACE=" + w.name, "FLASHSALE_REDIS_ADDRS=" + w.redis.Addr, "FLASHSALE_KAFKA_PARTITIONS=2",
		"FLASHSALE_KAFKA_BROKERS=" + strings.Join(kafka.Brokers, ","), "FLASHSALE_MYSQL_DSN=" + mariadb.DSN(w.name),
		"FLASHSALE_ADMIN_TOKEN=" + adminToken, "FLASHSALE_SHOP_TOKEN=" + shopToken,
		"FLASHSALE_AUTH_HS256_SECRET=" + secret, "FLASHSALE_ADMIN_URL=" + w.admin,
		"FLASHSALE_GATEWAY_LISTEN=" + buyers, "FLASHSALE_ADMIN_LISTEN=" + admin, "FLASHSALE_SETTLE_LISTEN=" + own,
	}
	migrated := w.insist(1, w.arming, "migrate")
	if w.diedOf(migrated) {
		w.died = "migrate"
		migrated = w.insist(1, nil, "migrate")
	}
	require.Zero(t, migrated.Code, migrated.Stderr)
	w.db = mariadb.Open(t, w.name)
	w.gateway = &part{name: "gateway", ready: w.buyers + "/readyz", armed: true}
	w.settle = &part{name: "settle", ready: "http://" + own + "/readyz", armed: true}
	return w
}

func (w *world) start() {
	for _, p := range w.parts() {
		p.Process = harness.Start(w.t, w.bin, append(append([]string{}, w.env...), w.arming...), p.name)
	}
}

func (w *world) parts() []*part { return []*part{w.gateway, w.settle} }

// mend starts again whatever has died. Only an armed process may die, and only where it should.
func (w *world) mend() {
	w.t.Helper()
	for _, p := range w.parts() {
		if p.Running() {
			continue
		}
		require.True(w.t, p.armed && p.ExitCode() < 0 && strings.Contains(p.Stderr(), w.killed), "%s ended by itself:\n%s", p.name, tail(p.Stderr()))
		w.died, p.armed = p.name, false
		p.Process = harness.Start(w.t, w.bin, w.env, p.name)
	}
}

// ready waits until both parts are.
func (w *world) ready() {
	w.t.Helper()
	for _, p := range w.parts() {
		w.until(p.name+" is ready", func() bool {
			answer, err := w.client.Get(p.ready)
			if err != nil {
				return false
			}
			defer answer.Body.Close()
			return answer.StatusCode == http.StatusOK
		})
	}
}

// until asks again and again, and mends meanwhile.
func (w *world) until(what string, done func() bool) {
	w.t.Helper()
	require.True(w.t, w.within(patience, done), "%s: not within %s\ngateway:\n%s\nsettle:\n%s", what, patience,
		tail(w.gateway.Stderr()), tail(w.settle.Stderr()))
}

func (w *world) within(most time.Duration, done func() bool) bool {
	w.t.Helper()
	for began := time.Now(); ; <-time.After(pollEvery) {
		w.mend()
		if done() {
			return true
		}
		if time.Since(began) > most {
			return false
		}
	}
}

func tail(log string) string { return log[max(0, len(log)-3000):] }

// answer is a JSON answer; status 0 means that there was none.
type answer struct {
	status int
	body   map[string]any
}

func (a answer) text(member string) string {
	text, _ := a.body[member].(string) // absent is ""
	return text
}

// ask sends a request once.
func (w *world) ask(method, url, token, key, body string) answer {
	w.t.Helper()
	request, err := http.NewRequest(method, url, bytes.NewReader([]byte(body)))
	require.NoError(w.t, err)
	request.Header.Set("Authorization", "Bearer "+token)
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	got, err := w.client.Do(request)
	if err != nil {
		return answer{}
	}
	defer got.Body.Close()
	content, err := io.ReadAll(got.Body)
	if err != nil {
		return answer{}
	}
	a := answer{status: got.StatusCode}
	if json.Unmarshal(content, &a.body) != nil {
		a.body = nil // the list of buyers is answered, and nothing else is asked, as JSON
	}
	return a
}

// operate repeats an operator's or the shop's request until it is answered with 200 or 201.
func (w *world) operate(method, path, body string) answer {
	w.t.Helper()
	var a answer
	w.until(method+" "+path, func() bool {
		a = w.ask(method, w.admin+path, adminToken, "", body)
		return a.status == http.StatusOK || a.status == http.StatusCreated
	})
	return a
}

// command runs a command of the binary.
func (w *world) command(env []string, args ...string) harness.Result {
	w.t.Helper()
	return harness.Run(w.t, "", w.bin, append(append([]string{}, w.env...), env...), args...)
}

// insist runs a command until it ends otherwise than with the code by which it says that a server is away: on a machine
// that does much else a broker is, for moments.
func (w *world) insist(away int, env []string, args ...string) harness.Result {
	w.t.Helper()
	for began := time.Now(); ; <-time.After(pollEvery) {
		ended := w.command(env, args...)
		if ended.Code != away || time.Since(began) > patience {
			return ended
		}
	}
}

// diedOf reports whether a command died at the crash point; dying otherwise is a fault.
func (w *world) diedOf(ended harness.Result) bool {
	w.t.Helper()
	if ended.Code >= 0 {
		return false
	}
	require.True(w.t, strings.Contains(ended.Stderr, w.killed), ended.Stderr)
	return true
}

// count asks the database for one number.
func (w *world) count(query string, args ...any) int {
	w.t.Helper()
	var n int
	require.NoError(w.t, w.db.QueryRow(query, args...).Scan(&n), query)
	return n
}

// meta reads fields of a bucket's meta in Redis, "" where absent.
func (w *world) meta(k int, fields ...string) []string {
	w.t.Helper()
	values := make([]string, len(fields))
	for i, field := range fields {
		value, err := w.redis.Do("HGET", w.key(k, "meta"), field)
		require.NoError(w.t, err)
		if value != nil {
			values[i] = fmt.Sprint(value)
		}
	}
	return values
}

func (w *world) key(k int, name string) string {
	return fmt.Sprintf("%s:{s:phone:%d}:%s", w.name, k, name)
}

// tokenOf signs a buyer's token.
func tokenOf(buyer string) string {
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." +
		encode(fmt.Appendf(nil, `{"sub":%q,"exp":%d}`, buyer, time.Now().Add(time.Hour).Unix()))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + encode(mac.Sum(nil))
}
