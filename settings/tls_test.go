package settings

import (
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"syscall"
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

// The ends of the files that a command uses are known: of a client's certificate as it is renewed, of authorities as they were at
// the start.
func TestEndsOfCertificates(t *testing.T) {
	ca := harness.NewAuthority(t, "ca")
	soon, later := time.Now().Add(time.Hour).Truncate(time.Second), time.Now().Add(48*time.Hour).Truncate(time.Second)
	own, next := ca.Client("first", soon), ca.Client("second", later)
	s := mustLoad(t, "gateway", nil, withValues(secured(ca.File, own), nil))
	ends := func() map[string]time.Time {
		found := map[string]time.Time{}
		for _, c := range s.Certificates() {
			found[c.Store+" "+c.Kind] = c.Ends()
		}
		return found
	}
	require.Len(t, ends(), 6)
	assert.True(t, soon.Equal(ends()["kafka client"]))
	assert.WithinDuration(t, time.Now().Add(time.Hour), ends()["mysql authority"], time.Minute)
	require.NoError(t, os.Rename(next.Cert, own.Cert))
	require.NoError(t, os.Rename(next.Key, own.Key))
	require.NoError(t, os.Remove(ca.File))
	assert.True(t, later.Equal(ends()["redis client"]), "no connection was made meanwhile")
	assert.WithinDuration(t, time.Now().Add(time.Hour), ends()["redis authority"], time.Minute)
	require.Len(t, mustLoad(t, "migrate", nil, withValues(secured(own.Cert, own), nil)).Certificates(), 4,
		"migrate does not use Redis")
	require.Empty(t, mustLoad(t, "gateway", nil, append(complete(), "FLASHSALE_REDIS_TLS=true")).Certificates())
}

// A file of several authorities ends with the first that is not over; a chain ends with its first certificate.
func TestEndsOfSeveralCertificates(t *testing.T) {
	ca := harness.NewAuthority(t, "ca")
	old, soon, later := time.Now().Add(-time.Hour), time.Now().Add(time.Hour), time.Now().Add(48*time.Hour)
	var bundle []byte
	for _, until := range []time.Time{later, old, soon} {
		text, err := os.ReadFile(ca.Client("one", until).Cert)
		require.NoError(t, err)
		bundle = append(bundle, text...)
	}
	ends := endsOf(string(bundle))
	require.Len(t, ends, 3)
	assert.WithinDuration(t, soon, next(ends), time.Second)
	assert.WithinDuration(t, old, next(ends[:1]), time.Second, "all are over")

	own, above := ca.Client("leaf", later), ca.Client("above", soon)
	text, err := os.ReadFile(above.Cert)
	require.NoError(t, err)
	file, err := os.OpenFile(own.Cert, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.Write(text)
	require.NoError(t, errors.Join(err, file.Close()))
	s := mustLoad(t, "gateway", nil, withValues(secured(ca.File, own), nil))
	for _, c := range s.Certificates() {
		assert.WithinDuration(t, time.Now().Add(time.Hour), c.Ends(), time.Minute, c.Kind)
	}
}

func TestTLSFilesThatCannotBeUsed(t *testing.T) {
	ca := harness.NewAuthority(t, "ca")
	own, other := ca.Client("engine", time.Now().Add(time.Hour)), ca.Client("other", time.Now().Add(time.Hour))
	empty := filepath.Join(t.TempDir(), "empty.pem")
	require.NoError(t, os.WriteFile(empty, []byte("nothing\n"), 0o600))
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	for _, c := range []struct {
		name    string
		changes map[string]string
		fault   string
	}{
		{"a pipe", map[string]string{"FLASHSALE_MYSQL_TLS_CA_FILE": pipe},
			"mysql.tls_ca_file: " + pipe + " is not a regular file"},
		{"a folder", map[string]string{"FLASHSALE_REDIS_TLS_CA_FILE": "/"}, "redis.tls_ca_file: / is not a regular file"},
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
		{"unreadable key", map[string]string{"FLASHSALE_KAFKA_TLS_KEY_FILE": t.TempDir()}, " is not a regular file"},
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
