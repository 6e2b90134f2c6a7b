package dsn

import (
	"crypto/tls"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNamesOfSeveralServers(t *testing.T) {
	for text, want := range map[string]struct {
		addrs, text string
		timeout     time.Duration
	}{
		"u:p@tcp(a:1)/d":                    {"a:1", "u:p@tcp(a:1)/d", 0},
		"u:p@tcp(a:1,b:2)/d":                {"a:1,b:2", "u:p@tcp(a:1,b:2)/d?timeout=1s", time.Second},
		"u:p@tcp(a, b:2)/d?timeout=5s":      {"a:3306,b:2", "u:p@tcp(a:3306,b:2)/d?timeout=5s", 5 * time.Second},
		"u:(x,y)@z/@tcp([::1]:1,[::2]:2)/d": {"[::1]:1,[::2]:2", "u:(x,y)@z/@tcp([::1]:1,[::2]:2)/d?timeout=1s", time.Second},
		"u:a,b@tcp(h:1)/d?charset=x%2Cy":    {"h:1", "", 0},
		"u@unix(/a,b)/d":                    {"", "", 0},
		"/d":                                {"127.0.0.1:3306", "tcp(127.0.0.1:3306)/d", 0},
	} {
		n, err := Parse(text)
		if want.addrs == "" {
			require.Error(t, err, text)
			continue
		}
		require.NoError(t, err, text)
		assert.Equal(t, want.addrs, n.Addrs(), text)
		assert.Equal(t, want.timeout, n.Config.Timeout, text)
		assert.Equal(t, "d", n.Config.DBName, text)
		if want.text != "" {
			assert.Equal(t, want.text, n.Text(), text)
		}
		again, err := Parse(n.Text())
		require.NoError(t, err)
		assert.Equal(t, n.Config, again.Config)
		assert.Equal(t, n.addrs, again.addrs)
	}
	for _, bad := range []string{"u:secret@tcp(a:1,,b:2)/d", "u:secret@tcp(a:1,b:2/d", "u:secret@unix(/x,/y)/d", "secret"} {
		_, err := Parse(bad)
		require.Error(t, err, bad)
		assert.NotContains(t, err.Error(), "secret")
	}
}

// Each server of a list is named alone too, with the settings of the list.
func TestServersOfAList(t *testing.T) {
	n, err := Parse("u:p@tcp(a:1,b:2)/d?timeout=5s")
	require.NoError(t, err)
	n.Config.ReadTimeout = time.Second
	var texts []string
	for _, server := range n.Servers() {
		assert.Equal(t, time.Second, server.Config.ReadTimeout)
		texts = append(texts, server.Text())
	}
	assert.Equal(t, []string{"u:p@tcp(a:1)/d?readTimeout=1s&timeout=5s", "u:p@tcp(b:2)/d?readTimeout=1s&timeout=5s"}, texts)
}

// Each server proves its own name, whichever way TLS was asked for.
func TestEachServerProvesItsName(t *testing.T) {
	for _, text := range []string{"u@tcp(a:1,b:2)/d?tls=true", "u@tcp(a:1,b:2)/d"} {
		n, err := Parse(text)
		require.NoError(t, err)
		given := &tls.Config{MinVersion: tls.VersionTLS12}
		if n.Config.TLS == nil {
			n.Secure(given)
		}
		configs, err := n.configs()
		require.NoError(t, err)
		require.Len(t, configs, 2)
		assert.Equal(t, "a", configs[0].TLS.ServerName)
		assert.Equal(t, "b", configs[1].TLS.ServerName)
		assert.Empty(t, given.ServerName)
	}
}
