package gateway

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// usualHeaders are those of identity providers: with a key id, a type, and members that do not affect the signature.
var usualHeaders = []string{
	`{"alg":"HS256"}`, `{"alg":"HS256","typ":"JWT"}`, `{"typ":"JWT","alg":"HS256"}`,
	`{"alg":"HS256","kid":"2026-11","typ":"JWT"}`,
	`{"kid":"2026-11","typ":"at+jwt","alg":"HS256"}`,
	`{"alg":"HS256","typ":"JWT","x5t":"dGh1bWI","cty":"","jku":"https://id.example/keys","iat":1}`,
	"{ \"typ\" : \"JWT\",\n \"alg\" : \"HS256\", \"kid\" : \"\" }",
}

// TestUsualHeadersTakeTheFastPath: a new token of any identity provider costs no allocation.
func TestUsualHeadersTakeTheFastPath(t *testing.T) {
	for _, header := range usualHeaders {
		token := []byte(signAs(secret, header, claimsAt(noon.Add(time.Minute))))
		known := tokensWith(t)
		var who buyerID
		harness.NoAllocations(t, 100, func() {
			who = buyerID{}
			if _, fault := known.verify(token, &who); fault != 0 {
				panic("refused")
			}
		}, header)
		require.Equal(t, "ann", who.String())
	}
}

// TestNothingIsDecodedBeforeTheSignature: without a key, a token of many members costs as little as any other.
func TestNothingIsDecodedBeforeTheSignature(t *testing.T) {
	var members strings.Builder
	for i := range 150 {
		fmt.Fprintf(&members, `"m%d":[{}],`, i)
	}
	other := []byte("another secret of thirty-two byte")
	claims := claimsAt(noon.Add(time.Minute))
	for name, token := range map[string]string{
		"claims": sign(other, "{"+members.String()+claims[1:]),
		"header": signAs(other, "{"+members.String()+`"alg":"HS256"}`, claims),
		"both":   signAs(other, `{"jwk":{},"alg":"HS256"}`, `{"a":[],`+claims[1:]),
	} {
		require.LessOrEqual(t, len(token), maxTokenBytes)
		known, forged := tokensWith(t), []byte(token)
		harness.NoAllocations(t, 100, func() {
			if _, fault := known.buyer(forged, noon); fault == 0 {
				panic("believed")
			}
		}, name)
	}
}

// askedKeys notes the key ids that it is asked for.
type askedKeys struct{ ids []string }

func (k *askedKeys) Keys(_ string, keyID []byte) [][]byte {
	k.ids = append(k.ids, string(keyID))
	return [][]byte{secret}
}

func TestKeyIDReachesTheSource(t *testing.T) {
	for header, want := range map[string][]string{
		`{"alg":"HS256","kid":"k7"}`: {"k7"}, `{"alg":"HS256"}`: {""}, `{"alg":"HS256","kid":7}`: {"", ""},
		`{"alg":"HS256","jwk":{},"kid":"k7"}`: {"", "k7"}, `{"alg":"HS384","kid":"k7"}`: nil,
	} {
		source := &askedKeys{}
		known := tokensWith(t, func(o *Options) { o.Keys = source })
		_, fault := known.buyer([]byte(signAs(secret, header, claimsAt(noon.Add(time.Minute)))), noon)
		require.Equal(t, want != nil, fault == 0, header)
		require.Equal(t, want, source.ids, header)
	}
}

// TestHeaderReadLastIsNotTheNext: a verifier remembers one header, and no other takes its place by being none.
func TestHeaderReadLastIsNotTheNext(t *testing.T) {
	var v verifier
	encode := base64.RawURLEncoding.EncodeToString
	for _, c := range []struct {
		encoded, keyID string
		usual, ok      bool
	}{
		{encode([]byte(`{"alg":"HS256","kid":"a"}`)), "a", true, true},
		{encode([]byte(`{"alg":"HS256","kid":"a"}`)), "a", true, true},
		{encode([]byte(`{"alg":"HS256","kid":"b"}`)), "b", true, true}, {"!", "", false, false},
		{encode([]byte(`{"alg":"HS256","kid":"b"}`)), "b", true, true}, {encode([]byte(`{"alg":"HS384"}`)), "", true, false},
		{encode([]byte(`{"alg":"HS384"}`)), "", true, false}, {encode([]byte(`{"jwk":{}}`)), "", false, true},
		{"", "", false, true},
		{encode([]byte(`{"alg":"HS256","kid":"a"}`)), "a", true, true}, {encode(make([]byte, headerBytes)), "", false, true},
	} {
		keyID, usual, fault := v.readHeader([]byte(c.encoded))
		require.Equal(t, c.keyID, string(keyID), c.encoded)
		require.Equal(t, c.usual, usual, c.encoded)
		require.Equal(t, c.ok, fault == 0, c.encoded)
	}
}

func TestMoreKeysThanAreKept(t *testing.T) {
	source := &countingKeys{}
	for i := range 2 * maxMACs {
		source.keys = append(source.keys, []byte(fmt.Sprintf("%032d", i)))
	}
	known := tokensWith(t, func(o *Options) { o.Keys = source })
	for range 3 {
		for _, key := range source.keys {
			buyer, fault := known.buyer([]byte(sign(key, claimsAt(noon.Add(time.Minute)))), noon)
			require.Zero(t, fault)
			require.Equal(t, "ann", buyer)
		}
	}
}

func TestScanHeaderLeavesTheRestAlone(t *testing.T) {
	for _, header := range []string{
		``, `{`, `[]`, `null`, `{"alg"}`, `{"alg":"HS256"`, `{"alg":"HS256",}`, `{"alg":"HS256"} x`,
		`{"alg":"HS256","alg":"HS256"}`,
		`{"alg":"HS256","kid":"a","kid":"b"}`, `{"alg":256}`, `{"alg":"HS256","kid":null}`, `{"alg":"HS256","jwk":{}}`,
		`{"\u0061lg":"HS256"}`,
	} {
		_, ok := scanHeader([]byte(header))
		require.False(t, ok, header)
	}
}

// TestHeaderOverTheBound is decoded in general, once it is signed.
func TestHeaderOverTheBound(t *testing.T) {
	for _, pad := range []int{headerBytes, 2 * headerBytes} {
		header := fmt.Sprintf(`{"alg":"HS256","x":%q}`, strings.Repeat("x", pad))
		token := signAs(secret, header, claimsAt(noon.Add(time.Minute)))
		_, fault := tokensWith(t).buyer([]byte(token), noon)
		require.Zero(t, fault)
	}
	stray := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"} `))
	_, fault := tokensWith(t).buyer([]byte("!"+stray+".e30."+strings.Repeat("A", 43)), noon)
	require.NotZero(t, fault, "not base64")
}
