package chaos

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/check"
	"flashsale/test/harness"
	"flashsale/test/stack"
)

const (
	healsWithin = 2 * time.Minute // for anything that heals by itself; far above what a loaded machine needs
	lookEvery   = 20 * time.Millisecond
)

// doomed is a small deployment whose processes die at a crash point: one gateway, one settle process and a Redis of its
// own; Kafka and the database are shared. A process that died is started again without the point.
type doomed struct {
	*world
	t       *testing.T
	at      stack.CrashPoint
	died    string       // the process or command that died at the point; "" until then
	death   int          // the outage that the death began
	alive   time.Time    // when all processes were last seen alive
	outages []check.Span // in which something was broken
}

// newDoomed prepares a deployment with its database and its processes, without starting them.
func newDoomed(t *testing.T, at stack.CrashPoint) *doomed {
	t.Helper()
	redis := harness.Redis(t)
	w := &world{t: t, dir: t.TempDir(), partitions: 2}
	w.redis = &redisPair{w: w, primary: redis}
	w.Stack = stack.New(t, stack.Options{Name: "crash-" + strconv.FormatInt(time.Now().UnixNano(), 36), Build: withPoints(),
		Redis: []*harness.RedisServer{redis}, Armed: &at,
		Env: []string{"FLASHSALE_KAFKA_PARTITIONS=" + strconv.Itoa(w.partitions)}})
	d := &doomed{world: w, t: t, at: at, alive: time.Now()}
	migrated := d.insist(1, func() harness.Result { return w.CommandArmed(at, "migrate") })
	if d.diedOf(migrated) {
		d.dies("migrate")
		migrated = d.insist(1, func() harness.Result { return w.Command("migrate") })
		d.mended()
	}
	require.Zero(t, migrated.Code, migrated.Stderr)
	w.db = w.DB()
	w.from = map[string]map[int32]int64{w.ordersTopic(): {0: 0, 1: 0}, w.eventsTopic(): {0: 0, 1: 0}} // they are new
	w.NewGateway()
	w.NewSettle()
	return d
}

// doomedProcesses returns the armed processes. A story may add gateways, which die in other ways.
func (d *doomed) doomedProcesses() []*stack.Process {
	return []*stack.Process{d.Gateways[0], d.Settles[0]}
}

func (d *doomed) start() {
	for _, p := range d.doomedProcesses() {
		p.Start()
	}
}

// dies notes what died. The outage begins at the moment at which everything was last seen alive.
func (d *doomed) dies(who string) {
	d.died, d.death = who, len(d.outages)
	d.outages = append(d.outages, check.Span{FromUS: d.alive.UnixMicro()})
}

// mended ends the outage.
func (d *doomed) mended() {
	for i := range d.outages {
		if d.outages[i].ToUS == 0 {
			d.outages[i].ToUS = time.Now().UnixMicro() + recoveryUS
		}
	}
}

// mend starts again whatever has died. Only an armed process may die, and only at its point.
func (d *doomed) mend() {
	d.t.Helper()
	for _, p := range d.doomedProcesses() {
		if p.Running() {
			continue
		}
		require.True(d.t, p.Killed(), "%s ended by itself:\n%s", p.Name, harness.Tail(p.Stderr()))
		d.dies(p.Name)
		p.Armed = nil
		p.Start()
	}
	d.alive = time.Now()
}

// ready waits until both processes are.
func (d *doomed) ready() {
	d.t.Helper()
	for _, p := range d.doomedProcesses() {
		d.await(p.Name+" is ready", func() bool { return isReady(p) })
	}
}

// await polls a condition, and mends meanwhile.
func (d *doomed) await(what string, done func() bool) {
	d.t.Helper()
	require.True(d.t, d.within(healsWithin, done), "%s: not within %s\ngateway:\n%s\nsettle:\n%s", what, healsWithin,
		harness.Tail(d.Gateways[0].Stderr()), harness.Tail(d.Settles[0].Stderr()))
}

func (d *doomed) within(most time.Duration, done func() bool) bool {
	d.t.Helper()
	for began := time.Now(); ; <-time.After(lookEvery) {
		d.mend()
		if done() {
			return true
		}
		if time.Since(began) > most {
			return false
		}
	}
}

// operate repeats an operator's request until it is answered with 200 or 201.
func (d *doomed) operate(method, path, body string) {
	d.t.Helper()
	d.await(method+" "+path, func() bool {
		status, _, err := d.Operate(method, path, body)
		return err == nil && (status == 200 || status == 201)
	})
}

// insist runs a command until its exit code is not the one for an unavailable server: on a loaded machine a broker is
// unavailable for moments.
func (d *doomed) insist(away int, run func() harness.Result) harness.Result {
	d.t.Helper()
	for began := time.Now(); ; <-time.After(lookEvery) {
		ended := run()
		if ended.Code != away || time.Since(began) > healsWithin {
			return ended
		}
	}
}

// diedOf reports whether a command died at the crash point; dying otherwise fails the test.
func (d *doomed) diedOf(ended harness.Result) bool {
	d.t.Helper()
	if ended.Code >= 0 {
		return false
	}
	require.True(d.t, d.at.In(ended.Stderr), ended.Stderr)
	return true
}

// count asks the database for one number.
func (d *doomed) count(query string, args ...any) int {
	d.t.Helper()
	var n int
	require.NoError(d.t, d.db.QueryRow(query, args...).Scan(&n), query)
	return n
}

// meta reads fields of a bucket's meta in Redis, "" where absent.
func (d *doomed) meta(k int, fields ...string) []string {
	d.t.Helper()
	values := make([]string, len(fields))
	for i, field := range fields {
		value, err := d.redis.primary.Do("HGET", d.key(k, "meta"), field)
		require.NoError(d.t, err)
		if value != nil {
			values[i] = fmt.Sprint(value)
		}
	}
	return values
}

func (d *doomed) key(k int, name string) string {
	return fmt.Sprintf("%s:{s:%d}:%s", d.Name, k, name)
}
