package settings

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// secured are the settings of a gateway whose stores all use TLS with files.
func secured(ca string, own harness.Pair) map[string]string {
	return map[string]string{
		"FLASHSALE_REDIS_TLS": "true", "FLASHSALE_KAFKA_TLS": "true",
		"FLASHSALE_REDIS_TLS_CA_FILE": ca, "FLASHSALE_KAFKA_TLS_CA_FILE": ca, "FLASHSALE_MYSQL_TLS_CA_FILE": ca,
		"FLASHSALE_REDIS_TLS_CERT_FILE": own.Cert, "FLASHSALE_KAFKA_TLS_CERT_FILE": own.Cert,
		"FLASHSALE_MYSQL_TLS_CERT_FILE": own.Cert,
		"FLASHSALE_REDIS_TLS_KEY_FILE":  own.Key, "FLASHSALE_KAFKA_TLS_KEY_FILE": own.Key,
		"FLASHSALE_MYSQL_TLS_KEY_FILE":    own.Key,
		"FLASHSALE_REDIS_TLS_SERVER_NAME": "redis.internal", "FLASHSALE_KAFKA_TLS_SERVER_NAME": "kafka.internal",
	}
}

func withValues(values, changes map[string]string) []string {
	environ := complete()
	for name, value := range values {
		if changed, is := changes[name]; is {
			value = changed
		}
		environ = append(environ, name+"="+value)
	}
	for name, value := range changes {
		if _, is := values[name]; !is {
			environ = append(environ, name+"="+value)
		}
	}
	return environ
}

func TestTLSFiles(t *testing.T) {
	ca := harness.NewAuthority(t, "ca")
	own := ca.Client("engine", time.Now().Add(time.Hour))
	s := mustLoad(t, "gateway", nil, withValues(secured(ca.File, own), nil))
	require.Empty(t, s.Warnings())
	assert.Equal(t, "redis.internal", s.RedisTLS().ServerName)
	assert.Equal(t, "kafka.internal", s.KafkaTLS().ServerName)
	assert.Empty(t, s.DatabaseTLS().ServerName, "the DSN has it")
	text, err := os.ReadFile(ca.File)
	require.NoError(t, err)
	trusted := x509.NewCertPool()
	require.True(t, trusted.AppendCertsFromPEM(text))
	for _, config := range []interface {
		Equal(*x509.CertPool) bool
	}{s.RedisTLS().RootCAs, s.KafkaTLS().RootCAs, s.DatabaseTLS().RootCAs} {
		assert.True(t, config.Equal(trusted), "and no other authority")
	}
	shown, err := s.DatabaseTLS().GetClientCertificate(nil)
	require.NoError(t, err)
	assert.Equal(t, "engine", shown.Leaf.Subject.CommonName)

	plain := mustLoad(t, "gateway", nil, append(complete(), "FLASHSALE_REDIS_TLS=true"))
	assert.NotNil(t, plain.RedisTLS())
	assert.Nil(t, plain.RedisTLS().RootCAs, "the system's")
	assert.Nil(t, plain.KafkaTLS())
	assert.Nil(t, plain.DatabaseTLS())
}

// A certificate that is renewed in place is shown to the next connection; a half-written pair is not.
func TestRenewedCertificateNeedsNoRestart(t *testing.T) {
	ca := harness.NewAuthority(t, "ca")
	own, next := ca.Client("first", time.Now().Add(time.Hour)), ca.Client("second", time.Now().Add(time.Hour))
	s := mustLoad(t, "gateway", nil, withValues(secured(ca.File, own), nil))
	name := func() string {
		shown, err := s.RedisTLS().GetClientCertificate(nil)
		require.NoError(t, err)
		return shown.Leaf.Subject.CommonName
	}
	require.Equal(t, "first", name())
	require.NoError(t, os.Rename(next.Cert, own.Cert))
	require.Equal(t, "first", name(), "its key is still the first one's")
	require.NoError(t, os.Rename(next.Key, own.Key))
	require.Equal(t, "second", name())
	require.NoError(t, os.Remove(own.Key))
	require.Equal(t, "second", name())
}

func TestTLSFilesThatCannotBeUsed(t *testing.T) {
	ca := harness.NewAuthority(t, "ca")
	own, other := ca.Client("engine", time.Now().Add(time.Hour)), ca.Client("other", time.Now().Add(time.Hour))
	empty := filepath.Join(t.TempDir(), "empty.pem")
	require.NoError(t, os.WriteFile(empty, []byte("nothing\n"), 0o600))
	for _, c := range []struct {
		name    string
		changes map[string]string
		fault   string
	}{
		{"no such file", map[string]string{"FLASHSALE_REDIS_TLS_CA_FILE": "/nowhere/ca.pem"},
			"redis.tls_ca_file: open /nowhere/ca.pem: no such file or directory"},
		{"no certificate", map[string]string{"FLASHSALE_KAFKA_TLS_CA_FILE": empty},
			"kafka.tls_ca_file: " + empty + " holds no certificate in PEM form"},
		{"no own certificate", map[string]string{"FLASHSALE_MYSQL_TLS_CERT_FILE": own.Key},
			"mysql.tls_cert_file: " + own.Key + " holds no certificate in PEM form"},
		{"no key", map[string]string{"FLASHSALE_MYSQL_TLS_KEY_FILE": empty},
			"mysql.tls_key_file: " + empty + " is not the key of the certificate in " + own.Cert},
		{"another's key", map[string]string{"FLASHSALE_REDIS_TLS_KEY_FILE": other.Key},
			"redis.tls_key_file: " + other.Key + " is not the key of the certificate in " + own.Cert},
		{"unreadable key", map[string]string{"FLASHSALE_KAFKA_TLS_KEY_FILE": t.TempDir()}, "kafka.tls_key_file: read "},
		{"certificate alone", map[string]string{"FLASHSALE_KAFKA_TLS_KEY_FILE": ""},
			"kafka.tls_cert_file: needs kafka.tls_key_file"},
		{"key alone", map[string]string{"FLASHSALE_REDIS_TLS_CERT_FILE": ""}, "redis.tls_key_file: needs redis.tls_cert_file"},
		{"the DSN says otherwise", map[string]string{"FLASHSALE_MYSQL_DSN": "u:p@tcp(h:1)/d?tls=skip-verify"},
			"mysql.dsn: has tls=skip-verify, while mysql.tls_..._file ask for verified TLS"},
		{"several replicas", map[string]string{"FLASHSALE_MYSQL_READ_DSN": "u:p@tcp(a:1,b:1)/d"},
			"mysql.read_dsn: must name one server"},
		{"so does the replica's", map[string]string{"FLASHSALE_MYSQL_READ_DSN": "u:p@tcp(h:1)/d?tls=false"},
			"mysql.read_dsn: has tls=false"},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines := faultsOf(t, "gateway", nil, withValues(secured(ca.File, own), c.changes))
			require.Len(t, lines, 1, "%s", lines)
			assert.Contains(t, lines[0], c.fault)
		})
	}
	off := map[string]string{"FLASHSALE_REDIS_TLS": "false", "FLASHSALE_KAFKA_TLS": "false"}
	lines := faultsOf(t, "settle", nil, withValues(secured(ca.File, own), off))
	for _, member := range []string{"ca_file", "cert_file", "key_file", "server_name"} {
		assert.Contains(t, lines, "redis.tls_"+member+": needs redis.tls, which is false")
		assert.Contains(t, lines, "kafka.tls_"+member+": needs kafka.tls, which is false")
	}
	assert.Len(t, lines, 8)
	mustLoad(t, "token", nil, withValues(secured("/nowhere", own), nil)) // it uses no store, so it reads none of the files
}

func TestAnExpiredCertificateIsAWarning(t *testing.T) {
	ca := harness.NewAuthority(t, "ca")
	own := ca.Client("engine", time.Now().Add(-time.Hour))
	s := mustLoad(t, "migrate", nil, withValues(secured(ca.File, own), nil))
	require.Len(t, s.Warnings(), 2, "migrate uses Kafka and the database: %s", s.Warnings())
	assert.Contains(t, s.Warnings()[0], "kafka.tls_cert_file: the certificate in "+own.Cert+" has expired at ")
	_, err := s.KafkaTLS().GetClientCertificate(nil)
	require.EqualError(t, err, s.Warnings()[0], "every attempt to connect says the same")
}
