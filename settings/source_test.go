package settings

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFromCommandLineLeavesTheRest(t *testing.T) {
	for _, c := range []struct {
		name       string
		args, rest []string
		namespace  string
	}{
		{"none", nil, nil, "flashsale"},
		{"before and after the command", []string{"--namespace", "a", "sale", "open", "x", "--redis-tls", "-f", "-"},
			[]string{"sale", "open", "x", "-f", "-"}, "a"},
		{"the last wins", []string{"--namespace=a", "--namespace", "b"}, nil, "b"},
		{"other flags stay with their values", []string{"token", "--buyer", "x", "--ttl=1h"},
			[]string{"token", "--buyer", "x", "--ttl=1h"}, "flashsale"},
		{"one dash is no flag of ours", []string{"-namespace", "a"}, []string{"-namespace", "a"}, "flashsale"},
		{"after two dashes all is left", []string{"--", "--namespace", "a"}, []string{"--", "--namespace", "a"}, "flashsale"},
		{"a true or false takes no next argument", []string{"--redis-tls", "false"}, []string{"false"}, "flashsale"},
		{"names with dots are not flags", []string{"--kafka.brokers", "a"}, []string{"--kafka.brokers", "a"}, "flashsale"},
		{"an empty value counts", []string{"--auth-issuer=", "--namespace", "n"}, nil, "n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			source, rest, err := FromCommandLine(c.args, nil)
			require.NoError(t, err)
			assert.Equal(t, c.rest, rest)
			s, err := source.Load("config")
			require.NoError(t, err)
			assert.Equal(t, c.namespace, s.Namespace)
		})
	}
}

func TestFromCommandLineNamesFlagsWithoutValue(t *testing.T) {
	_, rest, err := FromCommandLine([]string{"gateway", "--config", "--namespace", "--mysql-dsn"}, nil)
	var faults *Faults
	require.ErrorAs(t, err, &faults)
	assert.Equal(t, []string{"--config needs a value", "--namespace needs a value", "--mysql-dsn needs a value"}, faults.Lines)
	assert.Equal(t, []string{"gateway"}, rest)
	assert.Equal(t,
		"wrong settings, 3 faults:\n  --config needs a value\n  --namespace needs a value\n  --mysql-dsn needs a value",
		err.Error())
	assert.Equal(t, "wrong settings: a", (&Faults{Lines: []string{"a"}}).Error())
}

func TestTheEnvironmentIsCopied(t *testing.T) {
	environ := []string{"FLASHSALE_NAMESPACE=a"}
	source, _, err := FromCommandLine(nil, environ)
	require.NoError(t, err)
	environ[0] = "FLASHSALE_NAMESPACE=b"
	s, err := source.Load("config")
	require.NoError(t, err)
	assert.Equal(t, "a", s.Namespace)
}

func FuzzFromCommandLine(f *testing.F) {
	f.Add("--namespace", "a", "gateway", "A=B")
	f.Add("--config=/dev/null", "--redis-tls", "--", "FLASHSALE_REDIS_TLS=x")
	f.Add("--", "--namespace", "=", "FLASHSALE_")
	f.Fuzz(func(t *testing.T, a, b, c, variable string) {
		if a == "--config" || len(a) > 9 && a[:9] == "--config=" || b == "--config" || c == "--config" {
			return // it would read a file of this machine
		}
		source, rest, err := FromCommandLine([]string{a, b, c}, []string{variable})
		if err != nil || source.configFile != "" {
			return
		}
		require.LessOrEqual(t, len(rest), 3)
		for name := range source.flags { // no files of this machine
			if _, companion := newIndex().secretOf(name); companion {
				return
			}
		}
		if s, err := source.Load("gateway"); err != nil {
			var faults *Faults
			require.ErrorAs(t, err, &faults)
			require.NotEmpty(t, faults.Lines)
		} else {
			require.NotEmpty(t, s.Namespace)
		}
	})
}
