package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// tlsWorld is a deployment on servers that let in only clients with a certificate.
type tlsWorld struct {
	*stack
	ca  *harness.Authority
	own harness.Pair
}

// tlsStores starts the servers and returns the settings by which the engine reaches them.
func tlsStores(t *testing.T, name string, ca *harness.Authority, own harness.Pair) servers {
	t.Helper()
	with := servers{Name: name, Redis: []*harness.RedisServer{harness.RedisTLS(t, ca)}, Kafka: harness.KafkaTLS(t, ca),
		MariaDB: harness.MariaDBTLS(t, ca)}
	(&stack{t: t}).exec(with.MariaDB.Open(t, name), "CREATE USER engine@'%' IDENTIFIED BY 'word' REQUIRE X509",
		"GRANT ALL PRIVILEGES ON `%`.* TO engine@'%'")
	with.Env = append(tlsFiles(ca.File, own), "FLASHSALE_REDIS_TLS=true", "FLASHSALE_KAFKA_TLS=true",
		"FLASHSALE_MYSQL_DSN="+dsnOf(t, with.MariaDB, name, with.MariaDB.Addr))
	return with
}

// dsnOf is the DSN of the account that needs a certificate, at an address.
func dsnOf(t *testing.T, mariadb *harness.MariaDBServer, name, address string) string {
	t.Helper()
	config, err := mysql.ParseDSN(mariadb.DSN(name))
	require.NoError(t, err)
	config.User, config.Passwd, config.Addr = "engine", "word", address
	return config.FormatDSN()
}

// tlsFiles are the settings that name the same files for every store.
func tlsFiles(ca string, own harness.Pair) (env []string) {
	for _, store := range []string{"REDIS", "KAFKA", "MYSQL"} {
		env = append(env, "FLASHSALE_"+store+"_TLS_CA_FILE="+ca, "FLASHSALE_"+store+"_TLS_CERT_FILE="+own.Cert,
			"FLASHSALE_"+store+"_TLS_KEY_FILE="+own.Key)
	}
	return env
}

// TestTLSToEveryStore: with an authority of one's own and a client's certificate, every process and command reaches Redis, Kafka
// and the database, and orders settle. With a wrong authority, an expired certificate, none, or another server's name, the
// gateway says at which store it fails and why.
func TestTLSToEveryStore(t *testing.T) {
	ca := harness.NewAuthority(t, "stores")
	own := ca.Client("engine", time.Now().Add(time.Hour))
	name := fmt.Sprintf("tls-%x", time.Now().UnixMilli())
	w := &tlsWorld{newStack(t, tlsStores(t, name, ca, own)), ca, own}
	w.run(1, 1)
	w.create("rush", lasting(phone(100)))
	w.rehearses("rush")
	w.move("rush", "preload")
	w.move("rush", "open")
	w.eventuallyState(w.Gateways[0], "rush", "open")
	for i := range 5 {
		o := w.taken(ask{buyer: fmt.Sprintf("buyer-%d", i)})
		w.waited(o.OrderID, fmt.Sprintf("buyer-%d", i))
	}
	w.audit("rush")
	for _, process := range []string{w.Gateways[0].Operators, w.Settles[0].Listen} {
		shown := w.metrics(process)
		for _, store := range []string{"redis", "kafka", "mysql"} {
			for _, kind := range []string{"client", "authority"} {
				ends := shown[`flashsale_certificate_not_after_seconds{kind="`+kind+`",store="`+store+`"}`]
				assert.InDelta(t, time.Now().Add(time.Hour).Unix(), ends, 600, "%s %s", store, kind)
			}
		}
	}
	examined := w.Command("doctor")
	assert.Contains(t, examined.Stdout, "certificates: redis.tls_ca_file: "+ca.File+" ends at ")
	assert.Contains(t, []int{0, 1}, examined.Code, "%s", examined.Stderr)
	for _, unreachable := range []string{"redis reach", "kafka reach", "database reach"} {
		assert.NotContains(t, strings.Join(strings.Fields(examined.Stdout), " "), unreachable, "%s", examined.Stdout)
	}

	expired := ca.Client("engine", time.Now().Add(-time.Hour))
	stranger := harness.NewAuthority(t, "stranger")
	for _, store := range []struct{ name, check, without string }{
		{"REDIS", "redis", "certificate required"}, {"KAFKA", "topics", "bad certificate"},
		{"MYSQL", "database", "Access denied"},
	} {
		files := "FLASHSALE_" + store.name + "_TLS_"
		w.refusedWith(store.check, "unknown authority", files+"CA_FILE="+stranger.File)
		w.refusedWith(store.check, "has expired at", files+"CERT_FILE="+expired.Cert, files+"KEY_FILE="+expired.Key)
		w.refusedWith(store.check, store.without, files+"CERT_FILE=", files+"KEY_FILE=")
		if store.name == "MYSQL" {
			at := strings.Replace(w.MariaDB.Addr, "127.0.0.1", "localhost", 1)
			w.refusedWith(store.check, "not localhost", "FLASHSALE_MYSQL_DSN="+dsnOf(t, w.MariaDB, name, at))
		} else {
			w.refusedWith(store.check, "not another.example", files+"SERVER_NAME=another.example")
		}
	}
}

// TestTLSToSentinels: Sentinels and the servers that they watch speak TLS alone and ask for a client's certificate. The engine
// finds the primary, sells, and sells again after a failover; with a wrong authority, an expired certificate, none, or another
// name it says so.
func TestTLSToSentinels(t *testing.T) {
	ca := harness.NewAuthority(t, "stores")
	own := ca.Client("engine", time.Now().Add(time.Hour))
	sentinels := harness.SentinelSetTLS(t, ca, 1, "--appendfsync", "always")
	const files = "FLASHSALE_REDIS_TLS_"
	w := &tlsWorld{newStack(t, servers{Sentinels: sentinels, Env: []string{"FLASHSALE_REDIS_TLS=true",
		files + "CA_FILE=" + ca.File, files + "CERT_FILE=" + own.Cert, files + "KEY_FILE=" + own.Key}}), ca, own}
	w.run(1, 1)
	w.open("rush", lasting(phone(10)))
	ann := w.taken(ask{buyer: "ann"})
	w.waited(ann.OrderID, "ann")
	examined := w.Command("doctor")
	assert.Regexp(t, "ok .*sentinels", examined.Stdout)
	assert.NotContains(t, examined.Stdout, "sentinels: ", "none of them is a finding")

	old := sentinels.Primary()
	require.NotNil(t, old)
	old.Kill()
	w.sells(0, "bob")
	require.NotSame(t, old, sentinels.Primary())
	w.audit("rush")

	expired := ca.Client("engine", time.Now().Add(-time.Hour))
	stranger := harness.NewAuthority(t, "stranger")
	w.refusedWith("redis", "unknown authority", files+"CA_FILE="+stranger.File)
	w.refusedWith("redis", "has expired at", files+"CERT_FILE="+expired.Cert, files+"KEY_FILE="+expired.Key)
	w.refusedWith("redis", "certificate required", files+"CERT_FILE=", files+"KEY_FILE=")
	w.refusedWith("redis", "not another.example", files+"SERVER_NAME=another.example")
}

// rehearses tries a sale before it is opened. A rehearsal is refused, and makes nothing, while the coordinator of a broker that
// has just started still loads its offsets.
func (w *tlsWorld) rehearses(id string) {
	w.t.Helper()
	var rehearsed harness.Result
	require.Eventually(w.t, func() bool {
		rehearsed = w.Command("rehearse", id, "--buyers", "50", "--rate", "50")
		return !strings.Contains(rehearsed.Stderr, "coordinator is still loading")
	}, time.Minute, 100*time.Millisecond)
	require.Contains(w.t, rehearsed.Stdout, "50 buyers", "%s", rehearsed.Stderr)
}

// refusedWith starts a gateway with settings of its own, which has to say why a store is away, and so has the doctor.
func (w *tlsWorld) refusedWith(check, reason string, env ...string) {
	w.t.Helper()
	g := w.NewGateway(env...)
	g.Start()
	w.notReady(g, check, reason)
	g.Kill()
	w.Gateways = w.Gateways[:len(w.Gateways)-1]
	examined := harness.Run(w.t, "", w.Bin, slices.Concat(w.Env, env), "doctor")
	assert.Equal(w.t, 1, examined.Code)
	assert.True(w.t, strings.Contains(examined.Stdout, reason), "doctor does not say %q of %s: %s", reason, check,
		dangers(examined.Stdout))
}

// dangers are the lines of what the doctor says that begin a danger.
func dangers(text string) (found []string) {
	for line := range strings.Lines(text) {
		if strings.Contains(line, "danger ") {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}
