package settings

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	testSecret = "0123456789abcdef0123456789abcdef"
	testToken  = "operators-token-1"
	testDSN    = "root:pw@tcp(127.0.0.1:3306)/shop"
)

// complete is an environment with which every command starts.
func complete(more ...string) []string {
	return append([]string{
		"FLASHSALE_AUTH_HS256_SECRET=" + testSecret,
		"FLASHSALE_ADMIN_TOKEN=" + testToken,
		"FLASHSALE_MYSQL_DSN=" + testDSN,
		"PATH=/bin",
	}, more...)
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func mustLoad(t *testing.T, command string, args, environ []string) *Settings {
	t.Helper()
	source, rest, err := FromCommandLine(args, environ)
	require.NoError(t, err)
	require.Empty(t, rest)
	s, err := source.Load(command)
	require.NoError(t, err)
	return s
}

func faultsOf(t *testing.T, command string, args, environ []string) []string {
	t.Helper()
	source, _, err := FromCommandLine(args, environ)
	require.NoError(t, err)
	s, err := source.Load(command)
	require.Error(t, err)
	require.NotNil(t, s)
	var faults *Faults
	require.ErrorAs(t, err, &faults)
	return faults.Lines
}

func TestDefaults(t *testing.T) {
	s := mustLoad(t, "gateway", nil, complete())
	assert.Equal(t, "flashsale", s.Namespace)
	assert.Equal(t, "127.0.0.1:8080", s.Gateway.Listen)
	assert.Equal(t, "127.0.0.1:8081", s.Admin.Listen)
	assert.Equal(t, "127.0.0.1:8082", s.Settle.Listen)
	assert.Equal(t, "http://127.0.0.1:8081", s.Admin.URL)
	assert.Equal(t, []string{"127.0.0.1:6379"}, s.Redis.Addrs)
	assert.Equal(t, []string{"127.0.0.1:9092"}, s.Kafka.Brokers)
	assert.Equal(t, 8, s.Kafka.Partitions)
	assert.Equal(t, 1, s.Kafka.Replication)
	assert.Equal(t, time.Second, s.Gateway.AckTimeout)
	assert.Equal(t, 100_000, s.Reserve.JournalMaxOrders)
	assert.Empty(t, s.Gateway.TrustedProxies)
	assert.Empty(t, s.Auth.Issuer)
	assert.False(t, s.Redis.TLS)
	assert.Equal(t, 2, s.Redis.Connections)
	assert.Zero(t, s.Kafka.Linger)
	assert.Empty(t, s.Warnings())
}

// Every setting is read from each of its three spellings, and the stronger source wins.
func TestPrecedenceOfEverySetting(t *testing.T) {
	samples := map[string][3]string{ // by type: values for file, environment, flag
		"text":          {"filed", "envied", "flagged"},
		"secret":        {strings.Repeat("f", 40), strings.Repeat("e", 40), strings.Repeat("g", 40)},
		"list":          {"a:1,b:2", "c:3", "d:4,e:5"},
		"networks":      {"10.0.0.0/8", "10.1.0.0/16,::1/128", "192.168.0.0/24"},
		"true or false": {"true", "false", "true"},
		"number":        {"5", "6", "7"},
		"duration":      {"2s", "3s", "1s"},
	}
	special := map[string][3]string{
		"log.level":              {"debug", "warn", "error"},
		"gateway.listen":         {":1", ":2", ":3"},
		"admin.listen":           {":1", ":2", ":3"},
		"settle.listen":          {":1", ":2", ":3"},
		"admin.tokens":           {"a:viewer:0123456789abcdef", "b:shop:0123456789abcdef", "c:admin:0123456789:bcdef"},
		"admin.hosts":            {"a.example", "b,c.example", "d"},
		"admin.url":              {"http://a", "https://b:1", "http://c/x"},
		"mysql.dsn":              {"a@/a", "b@tcp(x:1,y:2)/b", "c@/c"},
		"mysql.read_dsn":         {"a@/a", "b@tcp(x:1)/b", "c@/c"},
		"settle.batch_max_bytes": {"2000", "3000", "4000"},
		"gateway.gc_percent":     {"50", "200", "400"},
		"settle.gc_percent":      {"50", "200", "400"},
		"kafka.linger":           {"0s", "2ms", "100ms"},
		"kafka.retention":        {"1h", "0s", "720h"},
		"reserve.batch_max_wait": {"0s", "5ms", "100ms"},
		"kafka.sasl_mechanism":   {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"},
	}
	for _, setting := range All() {
		t.Run(setting.Name, func(t *testing.T) {
			values, found := special[setting.Name]
			if !found {
				values = samples[setting.Type()]
			}
			environ := []string{"FLASHSALE_KAFKA_SASL_MECHANISM=PLAIN", "FLASHSALE_KAFKA_SASL_USERNAME=u",
				"FLASHSALE_KAFKA_SASL_PASSWORD=p", "FLASHSALE_REDIS_SENTINEL_MASTER=stock"}
			file := write(t, "c.yaml", yamlOf(setting.Name, values[0]))
			args := []string{"--config", file}
			assertText(t, setting, values[0], mustLoad(t, "config", args, without(environ, setting)))
			environ = append(without(environ, setting), setting.Env()+"="+values[1])
			assertText(t, setting, values[1], mustLoad(t, "config", args, environ))
			args = append(args, setting.Flag()+"="+values[2])
			assertText(t, setting, values[2], mustLoad(t, "config", args, environ))
		})
	}
}

func without(environ []string, setting Setting) []string {
	var kept []string
	for _, entry := range environ {
		if !strings.HasPrefix(entry, setting.Env()+"=") {
			kept = append(kept, entry)
		}
	}
	return kept
}

func yamlOf(name, value string) string {
	section, member, nested := strings.Cut(name, ".")
	if !nested {
		return fmt.Sprintf("%s: %q\n", name, value)
	}
	return fmt.Sprintf("%s:\n  %s: %q\n", section, member, value)
}

func assertText(t *testing.T, setting Setting, want string, s *Settings) {
	t.Helper()
	if secret, ok := setting.bind(s).(*Secret); ok {
		assert.Equal(t, want, secret.Reveal())
		return
	}
	assert.Equal(t, want, format(setting.bind(s)))
}

func TestSpellings(t *testing.T) {
	s := mustLoad(t, "config", []string{"--kafka-brokers", " b1:9092 , b2:9093", "--redis-tls",
		"--gateway-trusted-proxies=10.9.8.7/8,fd00::1"}, nil)
	assert.Equal(t, []string{"b1:9092", "b2:9093"}, s.Kafka.Brokers)
	assert.True(t, s.Redis.TLS)
	assert.Equal(t, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::1/128")},
		s.Gateway.TrustedProxies)

	file := write(t, "c.yaml",
		"kafka:\n  brokers: [b1:1, b2:2]\n  tls: true\ngateway:\n  trusted_proxies:\n    - 10.0.0.0/8\n  ack_timeout: "+
			"250ms\nredis:\nadmin:\n  token: 1234567890123456\n  listen:\n")
	s = mustLoad(t, "config", []string{"--config=" + file}, nil)
	assert.Equal(t, []string{"b1:1", "b2:2"}, s.Kafka.Brokers)
	assert.True(t, s.Kafka.TLS)
	assert.Equal(t, 250*time.Millisecond, s.Gateway.AckTimeout)
	assert.Equal(t, "1234567890123456", s.Admin.Token.Reveal(), "a scalar is taken as it is written")
	assert.Equal(t, "127.0.0.1:8081", s.Admin.Listen, "a member without value counts as not set")
}

func TestEveryFaultIsNamedAtOnce(t *testing.T) {
	file := write(t, "c.yaml", strings.Join([]string{
		"kafka:",
		"  broker: a:1",
		"  partitions: many",
		"  brokers: {a: 1}",
		"redis: 6379",
		"gateway:",
		"  ack_timeout: 9s",
		"  ack_timeout: 1s",
		"  trusted_proxies: [10.0.0.0/8, [1]]",
		"telemetry:",
		"  url: x",
		"? [a]",
		": b",
	}, "\n"))
	faults := faultsOf(t, "gateway", []string{"--config", file, "--log-level", "loud", "--kafka-sasl-username=u",
		"--redis-sentinel-username=u"}, []string{
		"FLASHSALE_ADMIN_TOKEN=short",
		"FLASHSALE_RESERVE_BATCH_MAX_ORDERS=0",
		"FLASHSALE_GATEWAY_LISTEN=8080",
		"FLASHSALE_MYSQL_DSN=nonsense",
		"FLASHSALE_REDIS_TLS=perhaps",
		"FLASHSALE_GATEWAY_SHUTDOWN_TIMEOUT=20",
		"FLASHSALE_ADMIN_URL=127.0.0.1:8081",
		"FLASHSALE_NAMESPACE={x}",
	})
	for _, want := range []string{
		"c.yaml line 2: unknown key kafka.broker",
		"kafka.partitions: must be a whole number (file",
		"c.yaml line 4: kafka.brokers must be one value",
		"c.yaml line 5: the section redis must hold members",
		"gateway.ack_timeout: given twice, by file",
		"gateway.ack_timeout: must be 10ms to 4s (file",
		"c.yaml line 9: item 2 of gateway.trusted_proxies must be one value",
		"c.yaml line 10: unknown key telemetry",
		"c.yaml line 12: a key must be text",
		"log.level: must be one of debug, info, warn and error (flag --log-level)",
		"kafka.sasl_mechanism: set mechanism, username and password together or none of them",
		"redis.sentinel_master: redis.sentinel_username and redis.sentinel_password have no effect without it",
		"admin.token: must be 16 characters or more (environment FLASHSALE_ADMIN_TOKEN)",
		"reserve.batch_max_orders: must be 1 to 1000 (environment",
		"gateway.listen: must be host:port",
		"mysql.dsn: must be in the driver's form",
		"redis.tls: must be true or false",
		"gateway.shutdown_timeout: must be a duration such as",
		"admin.url: must be an http or https URL",
		"namespace: must be 1 to 64 letters",
		"auth.hs256_secret: gateway needs it; set FLASHSALE_AUTH_HS256_SECRET or FLASHSALE_AUTH_HS256_SECRET_FILE",
	} {
		assert.True(t, strings.Contains(strings.Join(faults, "\n"), want), "missing: %s", want)
	}
	assert.Len(t, faults, 21, "%s", strings.Join(faults, "\n"))
}

func TestUnreadableConfigurationFiles(t *testing.T) {
	for name, text := range map[string]string{
		"broken":        "kafka: [",
		"two documents": "namespace: a\n---\nnamespace: b\n",
		"a list":        "- namespace\n",
		"a text":        "namespace\n",
		"too large":     "# " + strings.Repeat("x", maxConfigBytes),
	} {
		t.Run(name, func(t *testing.T) {
			assert.Len(t, faultsOf(t, "config", []string{"--config", write(t, "c.yaml", text)}, nil), 1)
		})
	}
	t.Run("absent", func(t *testing.T) {
		assert.Contains(t, faultsOf(t, "config", []string{"--config", "/nowhere/c.yaml"}, nil)[0], "/nowhere/c.yaml")
	})
	t.Run("empty files are fine", func(t *testing.T) {
		for _, text := range []string{"", "# nothing\n", "---\n", "kafka:\n"} {
			mustLoad(t, "config", []string{"--config", write(t, "c.yaml", text)}, nil)
		}
	})
	t.Run("an anchor may be used again", func(t *testing.T) {
		s := mustLoad(t, "config", []string{"--config", write(t, "c.yaml", "redis:\n  tls: &on true\nkafka:\n  tls: *on\n")}, nil)
		assert.True(t, s.Kafka.TLS)
	})
}

func TestNeededByCommand(t *testing.T) {
	needs := map[string][]string{
		"gateway": {"mysql.dsn", "admin.token", "auth.hs256_secret"}, "settle": {"mysql.dsn"}, "migrate": {"mysql.dsn"},
		"deadletter list": {"admin.token"}, "deadletter replay": {"admin.token"}, "orders": {"admin.token"},
		"orders show": {"admin.token"},
		"sale open":   {"admin.token"}, "rules put": {"admin.token"}, "audit": {"admin.token"},
		"load verdict": {"mysql.dsn", "admin.token"}, "rehearse": {"mysql.dsn"},
		"token": {"auth.hs256_secret"}, "load rush": {"auth.hs256_secret"}, "load targets": {"auth.hs256_secret"},
		"dev": nil, "config": nil, "version": nil, "gatewayish": nil,
	}
	for command, names := range needs {
		t.Run(command, func(t *testing.T) {
			mustLoad(t, command, nil, complete())
			if names == nil {
				mustLoad(t, command, nil, nil)
				return
			}
			faults := faultsOf(t, command, nil, []string{"FLASHSALE_MYSQL_DSN="}) // an empty variable counts as not set
			require.Len(t, faults, len(names))
			for i, name := range names {
				assert.True(t, strings.HasPrefix(faults[i], name+": "+command+" needs it"), faults[i])
			}
		})
	}
}

// Records that are deleted cannot be read again, so a retention that is too short to be meant is refused by its name.
func TestRetentionsThatAreRefused(t *testing.T) {
	for value, fault := range map[string]string{
		"-1h": "must be 0s, or 1h to 87600h", "59m59s": "must be 0s, or 1h to 87600h", "1ms": "must be 0s, or 1h to 87600h",
		"87601h": "must be 0s, or 1h to 87600h", "week": "must be a duration such as", "30d": "must be a duration such as",
		"-1": "must be a duration such as", "604800": "must be a duration such as",
	} {
		t.Run(value, func(t *testing.T) {
			faults := faultsOf(t, "settle", nil, complete("FLASHSALE_KAFKA_RETENTION="+value))
			require.Len(t, faults, 1)
			assert.True(t, strings.HasPrefix(faults[0], "kafka.retention: "+fault), faults[0])
		})
	}
	for value, want := range map[string]time.Duration{"": 0, "0s": 0, "0": 0, "1h": time.Hour, "87600h": 87600 * time.Hour} {
		assert.Equal(t, want, mustLoad(t, "settle", nil, complete("FLASHSALE_KAFKA_RETENTION="+value)).Kafka.Retention, value)
	}
}

func TestValuesThatExcludeEachOther(t *testing.T) {
	faults := faultsOf(t, "gateway", []string{"--shop-token", testToken}, complete())
	assert.Equal(t, []string{"shop.token: must differ from admin.token, or the shop may do all that operators may do"}, faults)
	faults = faultsOf(t, "config", []string{"--kafka-sasl-mechanism=PLAIN", "--kafka-sasl-username=u"}, nil)
	assert.Contains(t, faults[0], "PLAIN needs kafka.sasl_username and kafka.sasl_password")
	faults = faultsOf(t, "config", []string{"--kafka-sasl-mechanism=PLAIN"}, nil)
	assert.Contains(t, faults[0], "together or none of them")
	s := mustLoad(t, "config", []string{"--kafka-sasl-mechanism=SCRAM-SHA-512", "--kafka-sasl-username=u",
		"--kafka-sasl-password=p"}, nil)
	assert.Equal(t, "p", s.Kafka.SASLPassword.Reveal())
}

func TestUnknownVariablesAreWarnings(t *testing.T) {
	s := mustLoad(t, "settle", nil, complete("FLASHSALE_PORT_8080_TCP=tcp://10.0.0.1:8080", "FLASHSALE_NAMESPACE=a",
		"FLASHSALE_NAMESPACE=b", "OTHER=1", "FLASHSALE_BROKEN"))
	assert.Equal(t, []string{"unknown environment variable FLASHSALE_PORT_8080_TCP"}, s.Warnings())
	assert.Equal(t, "b", s.Namespace)
}

func TestOrigins(t *testing.T) {
	secret := write(t, "secret", "shops-token-16-chars")
	config := write(t, "c.yaml", "\nlog:\n  level: warn\n")
	s := mustLoad(t, "config", []string{"--config", config, "--namespace=shop", "--shop-token-file", secret}, complete())
	origins := map[string]Value{}
	for _, value := range s.Values() {
		origins[value.Setting.Name] = value
	}
	assert.Equal(t, "flag --namespace", origins["namespace"].Origin)
	assert.Equal(t, "shop", origins["namespace"].Text)
	assert.Equal(t, "file "+config+" line 3", origins["log.level"].Origin)
	assert.Equal(t, "environment FLASHSALE_ADMIN_TOKEN", origins["admin.token"].Origin)
	assert.Equal(t, "flag --shop-token-file, which names "+secret, origins["shop.token"].Origin)
	assert.Equal(t, "default", origins["kafka.brokers"].Origin)
	assert.Len(t, s.Values(), len(All()))
}
