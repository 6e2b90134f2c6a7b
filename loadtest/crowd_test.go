package loadtest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

const secret = "0123456789abcdef0123456789abcdef"

func newTestSigner(t *testing.T) *Signer {
	t.Helper()
	signer, err := NewSigner([]byte(secret), "", "")
	require.NoError(t, err)
	return signer
}

func newTestCrowd(t *testing.T, buyers int) Crowd {
	t.Helper()
	crowd, err := NewCrowd(newTestSigner(t), "load-", buyers, time.Hour, time.Now())
	require.NoError(t, err)
	return crowd
}

func TestTokenIsAStandardJWT(t *testing.T) {
	now := time.Date(2026, 11, 11, 10, 0, 0, 0, time.UTC)
	signer, err := NewSigner([]byte(secret), "shop", "flashsale")
	require.NoError(t, err)
	token, err := signer.Token("load-7", time.Hour, now)
	require.NoError(t, err)
	var claims jwt.RegisteredClaims
	_, err = jwt.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return []byte(secret), nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithIssuer("shop"), jwt.WithAudience("flashsale"),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(func() time.Time { return now }))
	require.NoError(t, err)
	header, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
	require.NoError(t, err)
	require.JSONEq(t, `{"alg":"HS256","kid":"load","typ":"JWT"}`, string(header), "as identity providers send it")
	require.Equal(t, "load-7", claims.Subject)
	require.Equal(t, now.Add(time.Hour), claims.ExpiresAt.UTC())
}

func TestTokenWithoutIssuerAndAudienceNamesNone(t *testing.T) {
	token, err := newTestSigner(t).Token("load-7", time.Hour, time.Now())
	require.NoError(t, err)
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	require.NoError(t, err)
	require.NotContains(t, string(payload), "iss")
	require.NotContains(t, string(payload), "aud")
}

func TestSignerRefusesBadInput(t *testing.T) {
	_, err := NewSigner([]byte("short"), "", "")
	require.ErrorContains(t, err, "at least 32 bytes")
	for _, buyer := range []string{"", "a b", strings.Repeat("x", 65), "zoë"} {
		_, err := newTestSigner(t).Token(buyer, time.Hour, time.Now())
		require.Error(t, err, buyer)
	}
	_, err = newTestSigner(t).Token("load-1", 0, time.Now())
	require.ErrorContains(t, err, "lifetime")
}

func TestCrowdGoesThroughATokenFile(t *testing.T) {
	crowd := newTestCrowd(t, 3)
	require.Equal(t, "load-1", crowd[0].Buyer)
	require.Equal(t, "load-3", crowd[2].Buyer)
	var file bytes.Buffer
	require.NoError(t, crowd.WriteTokens(&file))
	require.Equal(t, 3, strings.Count(file.String(), "\n"))
	file.WriteString("\n  \n")
	read, err := ReadCrowd(&file)
	require.NoError(t, err)
	require.Equal(t, crowd, read)
}

func TestCrowdBounds(t *testing.T) {
	for _, count := range []int{-1, 0, MaxCrowd + 1} {
		_, err := NewCrowd(newTestSigner(t), "load-", count, time.Hour, time.Now())
		require.Error(t, err)
	}
	_, err := NewCrowd(newTestSigner(t), "no spaces ", 1, time.Hour, time.Now())
	require.ErrorContains(t, err, "buyer id")
}

func TestBadTokenFilesNameTheLine(t *testing.T) {
	good := newTestCrowd(t, 1)[0].Token
	part := base64.RawURLEncoding.EncodeToString
	for name, tc := range map[string]struct{ file, want string }{
		"empty":       {"\n\n", "has none"},
		"no JWT":      {good + "\nhello\n", "line 2"},
		"not base64":  {"a.!.c\n", "base64url"},
		"not JSON":    {"a." + part([]byte("hello")) + ".c\n", "not JSON"},
		"no subject":  {"a." + part([]byte("{}")) + ".c\n", "not a buyer id"},
		"doubled":     {good + "\n\n" + good + "\n", `line 3: buyer "load-1" is already in line 1`},
		"endless row": {strings.Repeat("x", maxTokenBytes+1), "token too long"},
	} {
		_, err := ReadCrowd(strings.NewReader(tc.file))
		require.ErrorContains(t, err, tc.want, name)
	}
}

// failingWriter refuses every byte after the first n.
type failingWriter struct{ n int }

var errDiskFull = errors.New("disk full")

func (w *failingWriter) Write(p []byte) (int, error) {
	if len(p) > w.n {
		n := w.n
		w.n = 0
		return n, errDiskFull
	}
	w.n -= len(p)
	return len(p), nil
}

func TestTokensThatCannotBeWrittenAreAnError(t *testing.T) {
	crowd := newTestCrowd(t, 100)
	require.ErrorIs(t, crowd.WriteTokens(&failingWriter{n: 10}), errDiskFull)
	require.ErrorIs(t, crowd[:1].WriteTokens(&failingWriter{}), errDiskFull)
}
