package settings

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestRules(t *testing.T) {
	text := func(s string) any { return &s }
	secret := func(s string) any { v := Secret(s); return &v }
	list := func(s ...string) any { return &s }
	long := strings.Repeat("n", 64)
	for _, c := range []struct {
		name      string
		rule      rule
		good, bad []any
	}{
		{"namespace", namespaceRule, []any{text("a"), text("Shop-1.eu_x"), text(long), text("9")},
			[]any{text(""), text(long + "n"), text(".a"), text("-a"), text("_a"), text("a b"), text("a{b}"), text("ä"),
				text("a/b"), text("a:b")}},
		{"listen", listenRule, []any{text("127.0.0.1:0"), text(":8080"), text("[::1]:65535"), text("host:1")},
			[]any{text(""), text("8080"), text("host"), text("h:65536"), text("h:-1"), text("h:http"), text("::1:80")}},
		{"addresses", addressesRule, []any{list("a:1"), list("10.0.0.1:6379", "[::1]:6379")},
			[]any{list(), list("a"), list("a:1", ":1"), list("a:0"), list("redis://a:1")}},
		{"url", urlRule, []any{text("http://a"), text("https://a:1/x")},
			[]any{text(""), text("a:1"), text("ftp://a"), text("http://"), text("http://a?x=1"), text("http://a#x"),
				text("http://%zz")}},
		{"dsn", dsnRule, []any{secret(""), secret("u:p@tcp(h:1)/db"), secret("u:p?/x@/db?tls=true"), secret("/db")},
			[]any{secret("u:p@tcp(h:1)"), secret("u@/"), secret("u@/?tls=true"), secret("u@tcp(h/db"),
				secret("u@/db?timeout=soon")}},
		{"at least", atLeast(4, "bytes"), []any{secret(""), secret("1234"), secret("ää")}, []any{secret("123")}},
		{"characters", atLeast(4, "characters"), []any{secret(""), secret("ääää")}, []any{secret("ää")}},
		{"one of", oneOf("", "a", "b"), []any{text(""), text("a")}, []any{text("A"), text("a,b")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, value := range c.good {
				assert.False(t, c.rule.broken(value), "%v", format(value))
			}
			for _, value := range c.bad {
				assert.True(t, c.rule.broken(value), "%v", format(value))
			}
			assert.NotEmpty(t, c.rule.text)
		})
	}
	assert.False(t, rule{}.broken(text("anything")))
	assert.Equal(t, "one of a and b", oneOf("", "a", "b").text)
}

func TestBounds(t *testing.T) {
	for n, broken := range map[int]bool{0: true, 1: false, 5: false, 6: true, -1: true} {
		assert.Equal(t, broken, between(1, 5).broken(&n), "%d", n)
	}
	for d, broken := range map[time.Duration]bool{time.Second: false, time.Minute: false, time.Minute + 1: true,
		time.Second - 1: true, -time.Second: true} {
		assert.Equal(t, broken, durations("1s", "1m").broken(&d), "%s", d)
	}
	assert.Panics(t, func() { mustDuration("soon") })
}

func TestListsAndNetworks(t *testing.T) {
	for text, want := range map[string][]string{"": nil, " ": nil, "a": {"a"}, " a , b": {"a", "b"}} {
		got, err := splitList(text)
		require.NoError(t, err)
		assert.Equal(t, want, got, "%q", text)
	}
	for _, text := range []string{",", "a,", ",a", "a,,b", strings.Repeat("a,", maxListItems) + "a"} {
		_, err := splitList(text)
		assert.Error(t, err, "%.20q", text)
	}
	got, err := parseNetworks("10.1.2.3/8,::1")
	require.NoError(t, err)
	assert.Equal(t, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}, got)
	for _, text := range []string{"10.0.0.0/33", "host", "10.0.0.0/8,", "10.0.0"} {
		_, err := parseNetworks(text)
		assert.Error(t, err, text)
	}
}

func TestDurationsPrintAsTheyAreSpelled(t *testing.T) {
	for text, want := range map[string]string{"1s": "1s", "2m": "2m", "120s": "2m", "1h": "1h", "90m": "1h30m",
		"1h0m5s": "1h0m5s", "250ms": "250ms", "0s": "0s", "10m": "10m", "20s": "20s"} {
		d, err := time.ParseDuration(text)
		require.NoError(t, err)
		assert.Equal(t, want, formatDuration(d), text)
	}
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(1000*time.Hour)).Draw(t, "d"))
		back, err := time.ParseDuration(formatDuration(d))
		require.NoError(t, err)
		require.Equal(t, d, back)
	})
}

func TestTypesOutsideTheListPanic(t *testing.T) {
	var odd complex64
	assert.Panics(t, func() { typeOf(&odd) })
	assert.Panics(t, func() { _ = parse("1", &odd) })
	assert.Panics(t, func() { format(&odd) })
}

func TestValuesOfWrongTypeDoNotRepeatTheText(t *testing.T) {
	var number int
	var yes bool
	var wait time.Duration
	for _, target := range []any{&number, &yes, &wait} {
		err := parse("hunter2", target)
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "hunter2")
	}
}
