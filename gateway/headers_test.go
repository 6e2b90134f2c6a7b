package gateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func TestIdempotencyKeys(t *testing.T) {
	s := newScene(t).open(autumn())
	for header, key := range map[string]string{
		`"abc"`: "abc", "abc": "abc", `"with space"`: "with space", "with space": "with space", "!#~{}/": "!#~{}/",
		strings.Repeat("k", 128): strings.Repeat("k", 128), `"` + strings.Repeat("k", 128) + `"`: strings.Repeat("k", 128),
		"a,b": "a,b", `" padded"`: " padded", "1": "1",
	} {
		require.Equal(t, http.StatusAccepted, s.press("ann", "", "Idempotency-Key: "+header).status, header)
		asked := s.stock.purchases()
		require.Equal(t, key, asked[len(asked)-1].Key, header)
	}
	for _, bad := range []string{
		"", `""`, `"`, `"a`, `a"`, `a"b`, `"a"b"`, `"a\"b"`, `a\b`, "ключ", "a\x80", strings.Repeat("k", 129),
		`"` + strings.Repeat("k", 129) + `"`, `"a";p=1`,
		`" "`, `"   "`, `"a "`, `" padded "`,
	} {
		got := s.press("ann", "", "Idempotency-Key: "+bad)
		s.refused(got, sale.OutcomeMalformed, map[string]any{"field": "Idempotency-Key"})
		require.Equal(t, formOfKey, got.members(t)["detail"])
	}
	s.refused(s.press("ann", "", "Idempotency-Key: a", "idempotency-key: a"), sale.OutcomeMalformed,
		map[string]any{"field": "Idempotency-Key"})
}

func TestPressWithoutAKeyHasNone(t *testing.T) {
	s := newScene(t).open(autumn())
	s.press("ann", "")
	require.Empty(t, s.stock.purchases()[0].Key)
}

func TestReadHeaders(t *testing.T) {
	h := readHeaders([]byte("Host: a\r\nIDEMPOTENCY-KEY:\t k \t\r\nauthorization: Bearer x\r\nContent-Length: " +
		"1\r\nIdempotency: no\r\n\r\n"))
	require.Equal(t, "k", string(h.key))
	require.Equal(t, 1, h.keys)
	require.Equal(t, "x", string(h.bearer()))
	require.True(t, h.length)
	require.False(t, h.broken())
	require.True(t, func() bool { h := readHeaders([]byte("a: b\r\n c\r\n")); return h.broken() }())
	require.True(t, func() bool { h := readHeaders([]byte("a: b\n\tc\n")); return h.broken() }())
	require.True(t, func() bool {
		h := readHeaders([]byte("Content-Length: 0\r\nTransfer-Encoding: identity\r\n"))
		return h.broken()
	}())
}

// FuzzHeaders feeds the header scanner any bytes; every result is a part of the input.
func FuzzHeaders(f *testing.F) {
	for _, seed := range []string{"", "\n", "Authorization: Bearer x\r\n\r\n", "Idempotency-Key", "idempotency-key:\r\nA: b",
		" folded\r\n", "\t\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		h := readHeaders(raw)
		require.Contains(t, string(raw), string(h.key))
		require.Contains(t, string(raw), string(h.bearer()))
		if key, ok := h.idempotencyKey(); ok && h.keys > 0 {
			require.True(t, sale.ValidKey(key))
		}
	})
}
