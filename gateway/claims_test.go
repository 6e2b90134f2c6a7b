package gateway

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestScanClaimsTakesUsualPayloads(t *testing.T) {
	for payload, want := range map[string]struct {
		subject, issuer, audience string
		expires, begins           int64
	}{
		`{}`:                                  {},
		` { } `:                               {},
		`{"sub":"ann"}`:                       {subject: "ann"},
		`{"exp":9,"sub":"a","nbf":0}`:         {subject: "a", expires: 9},
		`{"iss":"i","aud":"u","nbf":7}`:       {issuer: "i", audience: "u", begins: 7},
		`{"aud":[ "u" ],"exp":1}`:             {audience: "u", expires: 1},
		`{"exp":999999999999999}`:             {expires: 999_999_999_999_999},
		`{"x":true,"y":false,"z":null,"n":0}`: {},
		`{"x":"{\u007d"}`:                     {},
		"{\n\t\"sub\"\r: \"a\" }":             {subject: "a"},
	} {
		c, ok := scanClaims([]byte(payload))
		if strings.Contains(payload, `\u`) {
			require.False(t, ok, "an escape is for the general decoder")
			continue
		}
		require.True(t, ok, payload)
		require.Equal(t, want.subject, string(c.subject.of([]byte(payload))), payload)
		require.Equal(t, want.issuer, string(c.issuer.of([]byte(payload))))
		require.Equal(t, want.audience, string(c.audience.of([]byte(payload))))
		require.Equal(t, want.expires, c.expires)
		require.Equal(t, want.begins, c.begins)
	}
}

// TestScanClaimsLeavesTheRestAlone: it leaves every other payload, valid or not, to the general decoder.
func TestScanClaimsLeavesTheRestAlone(t *testing.T) {
	for _, payload := range []string{
		``, `{`, `}`, `[]`, `"sub"`, `{"sub"}`, `{"sub":}`, `{"sub":"ann"`, `{"sub":"ann",}`, `{"sub":"ann"}}`, `{"sub":"ann"} x`,
		`{sub:"ann"}`, `{"sub":ann}`, `{"sub":"a","sub":"b"}`, `{"exp":1,"exp":2}`, `{"exp":01}`, `{"exp":1.5}`, `{"exp":1e3}`,
		`{"exp":-1}`, `{"exp":1234567890123456}`, `{"exp":"1"}`, `{"sub":1}`, `{"x":{}}`, `{"x":[]}`, `{"x":tru}`, `{"x":"é"}`,
		"{\"x\":\"\x00\"}", `{"x":"\n"}`, `{"x":-1}`, `{"x":1.5}`, `{"x":`, `{"x":"`, `{"nbf":00}`,
		`{"aud":[]}`, `{"aud":["a","b"]}`, `{"aud":["a"}`, `{"aud":[["a"]]}`, `{"sub":["a"]}`,
	} {
		_, ok := scanClaims([]byte(payload))
		require.False(t, ok, payload)
	}
}

// FuzzClaims compares the scanner with encoding/json on everything that it takes.
func FuzzClaims(f *testing.F) {
	for _, seed := range []string{`{"sub":"ann","exp":1}`, `{}`, `{"a":null,"b":true}`, `{"exp":0,"nbf":12}`,
		`{"sub":"a","x":"y","iss":"z"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, ok := scanClaims(payload)
		if !ok {
			return
		}
		var members map[string]any
		require.NoError(t, json.Unmarshal(payload, &members), "%q", payload)
		for name, got := range map[string][]byte{"sub": c.subject.of(payload), "iss": c.issuer.of(payload),
			"aud": c.audience.of(payload)} {
			want, _ := members[name].(string)
			if list, ok := members[name].([]any); ok && len(list) == 1 {
				want, _ = list[0].(string)
			}
			require.Equal(t, want, string(got))
		}
		for name, got := range map[string]int64{"exp": c.expires, "nbf": c.begins} {
			want, _ := members[name].(float64)
			require.Equal(t, int64(want), got)
		}
	})
}
