package gateway

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

func tokensWith(t testing.TB, change ...func(*Options)) *tokens {
	t.Helper()
	keys, err := NewSecrets(secret, previous)
	require.NoError(t, err)
	o, err := Options{Keys: keys}.withDefaults()
	require.NoError(t, err)
	for _, c := range change {
		c(&o)
	}
	return newTokens(o)
}

func claimsAt(expires time.Time) string { return fmt.Sprintf(`{"sub":"ann","exp":%d}`, expires.Unix()) }

func TestTokensThatAreBelieved(t *testing.T) {
	soon := noon.Add(time.Minute).Unix()
	for name, token := range map[string]string{
		"plain":            sign(secret, claimsAt(noon.Add(time.Minute))),
		"previous secret":  sign(previous, claimsAt(noon.Add(time.Minute))),
		"other header":     signAs(secret, `{"typ":"JWT","alg":"HS256"}`, claimsAt(noon.Add(time.Minute))),
		"key id":           signAs(secret, `{"alg":"HS256","kid":"k7"}`, claimsAt(noon.Add(time.Minute))),
		"just expired":     sign(secret, claimsAt(noon.Add(-4*time.Second))),
		"not yet, almost":  sign(secret, fmt.Sprintf(`{"sub":"ann","exp":%d,"nbf":%d}`, soon, noon.Add(5*time.Second).Unix())),
		"a whole lifetime": sign(secret, claimsAt(noon.Add(24*time.Hour))),
		"nbf zero":         sign(secret, fmt.Sprintf(`{"sub":"ann","exp":%d,"nbf":0}`, soon)),
		"more claims":      sign(secret, fmt.Sprintf(`{"iat":1,"jti":"x","admin":false,"sub":"ann","exp":%d,"n":null}`, soon)),
		"nested claims":    sign(secret, fmt.Sprintf(`{"roles":["a",{"b":1}],"sub":"ann","exp":%d}`, soon)),
		"fraction":         sign(secret, fmt.Sprintf(`{"sub":"ann","exp":%d.75}`, soon)),
		"escaped":          sign(secret, fmt.Sprintf(`{"s\u0075b":"\u0061nn","exp":%d}`, soon)),
		"long payload":     sign(secret, fmt.Sprintf(`{"pad":%q,"sub":"ann","exp":%d}`, strings.Repeat("x", 1200), soon)),
		"white space":      sign(secret, fmt.Sprintf(" {\n\"sub\" : \"ann\" ,\t\"exp\" : %d } ", soon)),
	} {
		t.Run(name, func(t *testing.T) {
			known := tokensWith(t)
			for range 3 { // twice fresh, then from the cache
				buyer, fault := known.buyer([]byte(token), noon)
				require.Zero(t, fault)
				require.Equal(t, "ann", buyer)
			}
		})
	}
}

func TestTokensThatAreNot(t *testing.T) {
	good := claimsAt(noon.Add(time.Minute))
	soon := noon.Add(time.Minute).Unix()
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(good)) + "."
	valid := sign(secret, good)
	hs384, err := jwt.NewWithClaims(jwt.SigningMethodHS384, jwt.MapClaims{"sub": "ann", "exp": soon}).SignedString(secret)
	require.NoError(t, err)
	for name, token := range map[string]string{
		"empty": "", "one part": "abc", "two parts": "a.b", "four parts": valid + ".x",
		"algorithm none": unsigned, "wrong algorithm": hs384,
		"lies about its algorithm": signAs(secret, `{"alg":"RS256"}`, good),
		"critical extension":       signAs(secret, `{"alg":"HS256","crit":["exp"]}`, good),
		"another key":              sign([]byte("another secret of thirty-two byte"), good),
		"empty key":                sign(nil, good),
		"altered payload":          strings.Replace(valid, ".", ".A", 1),
		"altered signature":        valid[:len(valid)-2] + "AA",
		"cut signature":            valid[:len(valid)-4],
		"no signature":             valid[:strings.LastIndexByte(valid, '.')+1],
		"padded":                   valid + "=",
		"expired":                  sign(secret, claimsAt(noon.Add(-5*time.Second))),
		"not yet valid": sign(secret, fmt.Sprintf(`{"sub":"ann","exp":%d,"nbf":%d}`, soon,
			noon.Add(6*time.Second).Unix())),
		"no exp":                   sign(secret, `{"sub":"ann"}`),
		"exp zero":                 sign(secret, `{"sub":"ann","exp":0}`),
		"exp beyond the last time": sign(secret, `{"sub":"ann","exp":253402300800}`),
		"exp in milliseconds":      sign(secret, fmt.Sprintf(`{"sub":"ann","exp":%d}`, soon*1000)),
		"exp without end":          sign(secret, `{"sub":"ann","exp":9e99}`),
		"nbf that overflows":       sign(secret, fmt.Sprintf(`{"sub":"ann","exp":%d,"nbf":9300000000000001}`, soon)),
		"nbf without end":          sign(secret, fmt.Sprintf(`{"sub":"ann","exp":%d,"nbf":1e300}`, soon)),
		"nbf in milliseconds":      sign(secret, fmt.Sprintf(`{"sub":"ann","exp":%d,"nbf":%d}`, soon, soon*1000-100_000)),
		"nbf negative":             sign(secret, fmt.Sprintf(`{"sub":"ann","exp":%d,"nbf":-1}`, soon)),
		"exp after the lifetime":   sign(secret, claimsAt(noon.Add(24*time.Hour+6*time.Second))),
		"unusual and after it":     sign(secret, fmt.Sprintf(`{"roles":[],"sub":"ann","exp":%d}`, noon.Add(25*time.Hour).Unix())),
		"exp as text":              sign(secret, fmt.Sprintf(`{"sub":"ann","exp":"%d"}`, soon)),
		"exp negative":             sign(secret, `{"sub":"ann","exp":-1}`),
		"no sub":                   sign(secret, fmt.Sprintf(`{"exp":%d}`, soon)),
		"empty sub":                sign(secret, fmt.Sprintf(`{"sub":"","exp":%d}`, soon)),
		"sub of 65":                sign(secret, fmt.Sprintf(`{"sub":%q,"exp":%d}`, strings.Repeat("a", 65), soon)),
		"sub with a slash":         sign(secret, fmt.Sprintf(`{"sub":"a/b","exp":%d}`, soon)),
		"sub with braces":          sign(secret, fmt.Sprintf(`{"sub":"{a}","exp":%d}`, soon)),
		"sub with NUL":             sign(secret, fmt.Sprintf(`{"sub":"a\u0000","exp":%d}`, soon)),
		"sub as number":            sign(secret, fmt.Sprintf(`{"sub":7,"exp":%d}`, soon)),
		"not an object":            sign(secret, `["sub"]`),
		"not JSON":                 sign(secret, `{"sub":"ann",`),
		"oversized": sign(secret, fmt.Sprintf(`{"pad":%q,"sub":"ann","exp":%d}`,
			strings.Repeat("x", maxTokenBytes), soon)),
	} {
		t.Run(name, func(t *testing.T) {
			_, fault := tokensWith(t).buyer([]byte(token), noon)
			require.NotZero(t, fault)
		})
	}
}

func TestBuyerIDsOfOneAndSixtyFourCharacters(t *testing.T) {
	for _, id := range []string{"a", strings.Repeat("Z", 64), "A-Za-z0-9._:@|+-"} {
		buyer, fault := tokensWith(t).buyer([]byte(tokenOf(id)), noon)
		require.Zero(t, fault)
		require.Equal(t, id, buyer)
	}
}

func TestIssuerAndAudienceAreDemanded(t *testing.T) {
	strict := tokensWith(t, func(o *Options) { o.Issuer, o.Audience = "shop", "sale" })
	payload := func(more string) []byte {
		return []byte(sign(secret, fmt.Sprintf(`{"sub":"ann","exp":%d%s}`, noon.Add(time.Hour).Unix(), more)))
	}
	for _, good := range []string{`,"iss":"shop","aud":"sale"`, `,"iss":"shop","aud":["x","sale"]`} {
		_, fault := strict.buyer(payload(good), noon)
		require.Zero(t, fault, good)
	}
	for _, bad := range []string{
		"", `,"iss":"shop"`, `,"aud":"sale"`, `,"iss":"other","aud":"sale"`, `,"iss":"shop","aud":"other"`,
		`,"iss":"shop","aud":["x"]`, `,"iss":["shop"],"aud":"sale"`, `,"iss":"shop","aud":""`,
	} {
		_, fault := strict.buyer(payload(bad), noon)
		require.NotZero(t, fault, bad)
	}
}

func TestCachedTokenExpires(t *testing.T) {
	known := tokensWith(t)
	token := []byte(sign(secret, claimsAt(noon.Add(time.Minute))))
	_, fault := known.buyer(token, noon)
	require.Zero(t, fault)
	_, fault = known.buyer(token, noon)
	require.Zero(t, fault)
	slot, _ := known.cache.at(token)
	require.NotNil(t, slot.find(token))
	_, fault = known.buyer(token, noon.Add(time.Minute+leeway))
	require.NotZero(t, fault, "exp is checked at every use")
	_, fault = known.buyer(token, noon.Add(time.Minute+leeway-time.Second))
	require.Zero(t, fault)
}

// TestLifetimeIsASetting: it counts from now, also if the token has the time of its creation.
func TestLifetimeIsASetting(t *testing.T) {
	known := tokensWith(t, func(o *Options) { o.MaxLifetime = time.Hour })
	token := []byte(sign(secret, fmt.Sprintf(`{"sub":"ann","exp":%d,"iat":%d}`, noon.Add(2*time.Hour).Unix(),
		noon.Add(90*time.Minute).Unix())))
	for range 3 { // also when it is remembered
		_, fault := known.buyer(token, noon)
		require.NotZero(t, fault)
	}
	_, fault := known.buyer(token, noon.Add(time.Hour))
	require.Zero(t, fault)
}

// TestTokenIsRememberedTheSecondTime: the first press of a crowd leaves nothing behind.
func TestTokenIsRememberedTheSecondTime(t *testing.T) {
	source := &countingKeys{keys: [][]byte{secret}}
	known := tokensWith(t, func(o *Options) { o.Keys = source })
	token := []byte(tokenOf("ann"))
	for press := range 5 {
		_, fault := known.buyer(token, noon)
		require.Zero(t, fault)
		require.Equal(t, min(press+1, 2), source.asked, "press %d", press)
		slot, _ := known.cache.at(token)
		require.Equal(t, press > 0, slot.find(token) != nil, "press %d", press)
	}
}

type countingKeys struct {
	keys  [][]byte
	asked int
}

func (k *countingKeys) Keys(string, []byte) [][]byte { k.asked++; return k.keys }

func TestTokenCacheIsBounded(t *testing.T) {
	known := tokensWith(t, func(o *Options) { o.TokenCache = 5 })
	require.Len(t, known.cache.slots, 8)
	for i := range 600 { // each is used three times in a row
		buyer, fault := known.buyer([]byte(tokenOf(fmt.Sprintf("buyer-%d", i/3))), noon)
		require.Zero(t, fault)
		require.Equal(t, fmt.Sprintf("buyer-%d", i/3), buyer)
	}
}

func TestShortKeysAreNeverUsed(t *testing.T) {
	for _, keys := range [][][]byte{{nil}, {[]byte("short")}, {}} {
		known := tokensWith(t, func(o *Options) { o.Keys = &countingKeys{keys: keys} })
		for _, key := range keys {
			_, fault := known.buyer([]byte(sign(key, claimsAt(noon.Add(time.Hour)))), noon)
			require.NotZero(t, fault)
			_, fault = known.buyer([]byte(signAs(key, `{"alg":"HS256","kid":"1"}`, claimsAt(noon.Add(time.Hour)))), noon)
			require.NotZero(t, fault)
		}
	}
	_, err := NewSecrets([]byte("short"), nil)
	require.Error(t, err)
	_, err = NewSecrets(secret, []byte("short"))
	require.Error(t, err)
	single, err := NewSecrets(secret, nil)
	require.NoError(t, err)
	require.Len(t, single.Keys("HS256", nil), 1)
	require.Empty(t, single.Keys("RS256", nil))
}

func TestAuthorizationHeader(t *testing.T) {
	s := newScene(t).open(autumn())
	for _, good := range []string{"authorization: bearer ", "AUTHORIZATION: BEARER ", "Authorization:Bearer  "} {
		require.Equal(t, http.StatusAccepted, s.send(http.MethodPost, phoneOrders, "", good+tokenOf("ann")).status, good)
	}
	for _, bad := range [][]string{
		{"Authorization: " + tokenOf("ann")}, {"Authorization: Token " + tokenOf("ann")}, {"Authorization:"},
		{bearer("ann"), bearer("ann")}, {bearer("ann") + " x"}, {"X-Authorization: Bearer " + tokenOf("ann")},
	} {
		s.refused(s.send(http.MethodPost, phoneOrders, "", bad...), sale.OutcomeUnauthenticated, nil)
	}
}

// FuzzToken signs any payload under any header and compares the verifier with golang-jwt alone.
func FuzzToken(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"alg":"HS256","typ":"JWT"}`, `{"sub":"ann","exp":1794391200}`}, {`{"alg":"HS256"}`, `{"sub":"a","exp":1e10}`},
		{`{"alg":"none"}`, `{"sub":"a","exp":9}`}, {`{"alg":"HS256"}`, `{"sub":"a","sub":"b","exp":1794391200}`},
		{`{"alg":"HS256"}`, `{"sub":"\u0061","exp":1794391200}`},
		{`{"alg":"HS256"}`, `{"exp":1794391200,"nbf":1.5,"sub":"a","aud":["x"]}`},
		{`{"alg":"HS256","crit":[]}`, `{}`}, {`{"typ":"at+jwt","kid":"k7","alg":"HS256","n":1}`, `{"sub":"a","exp":1794391200}`},
		{`{"alg":"HS256","kid":7}`, `{"sub":"a","exp":1794391200}`},
		{`{"alg":"none","alg":"HS256"}`, `{"sub":"a","exp":1794391200}`},
		{`{"alg":"HS256","jwk":{"k":[1]}}`, `{"sub":"a","exp":1794391200}`}, {`null`, `{"sub":"a","exp":1794391200}`},
		{`{"alg":"HS256"}`, `{"sub":"a","exp":09}`}, {`{"alg":"HS256"}`, `{"sub":"a","exp":9e99}`},
		{`{"alg":"HS256"}`, "{\"sub\":\"a\xff\",\"exp\":1794391200}"},
		{`{"alg":"HS256"}`, `{"sub":"a","exp":1794391200,"x":{"y":[1]}}`},
	} {
		f.Add(seed[0], seed[1])
	}
	known := tokensWith(f)
	f.Fuzz(func(t *testing.T, header, payload string) {
		token := []byte(signAs(secret, header, payload))
		var fast, slow buyerID
		fastGrant, fault := known.verify(token, &fast)
		slowGrant, slowFault := known.verifyUnusual(token, &slow)
		require.Equal(t, slowFault == 0, fault == 0, "%s %s", header, payload)
		if fault == 0 {
			require.Equal(t, slowGrant, fastGrant)
			require.Equal(t, slow.String(), fast.String())
		}
	})
}

// FuzzRawToken feeds the parser text of any shape; nothing unsigned is believed and nothing panics.
func FuzzRawToken(f *testing.F) {
	for _, seed := range []string{"", ".", "..", "...", "a.b.c", tokenOf("ann") + "x", "eyJhbGciOiJIUzI1NiJ9..",
		strings.Repeat("a.", 2000)} {
		f.Add([]byte(seed))
	}
	known := tokensWith(f)
	f.Fuzz(func(t *testing.T, token []byte) {
		_, fault := known.buyer(token, noon)
		require.NotZero(t, fault)
	})
}
