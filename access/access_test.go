package access

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
)

var now = time.Unix(1_794_391_200, 0)

func TestParseNamesTheLine(t *testing.T) {
	_, err := Parse("a:viewer:0123456789abcdef\n\nb:boss:secret-0123456789")
	require.EqualError(t, err, "line 3: the role of b must be one of viewer, operator, admin and shop")
	for line, fault := range map[string]string{
		"a:viewer": "is not of the form", ":viewer:0123456789abcdef": "the name must match",
		"a:viewer:0123456789abcde":    "16 characters",
		"a:viewer:0123456789\tabcdef": "spaces", "a:engine:0123456789abcdef": "the role of a",
	} {
		_, err := Parse(line)
		require.ErrorContains(t, err, fault)
		require.NotContains(t, err.Error(), "0123456789")
	}
	tokens, err := Parse("")
	require.NoError(t, err)
	require.Empty(t, tokens)
}

func TestCheckBoundsTheTokens(t *testing.T) {
	many := make([]Token, MaxTokens+1)
	require.ErrorContains(t, Check(many), "at most 1000")
	require.NoError(t, Check([]Token{{Name: "a", Secret: "1"}, {Name: "b", Secret: "2"}}))
	same := []Token{{Name: "a", Secret: "1"}, {Name: "b", Secret: "1"}}
	require.ErrorContains(t, Check(same), "a and b must have different tokens")
}

func TestTokensKnowWhoSentThem(t *testing.T) {
	tokens := NewTokens([]Token{
		{"night", sale.RoleOperator, "secret-a"}, {"wall", sale.RoleViewer, "secret-b"}, {"off", sale.RoleShop, ""},
	})
	actor, ok := tokens.Of("secret-b")
	require.True(t, ok)
	require.Equal(t, sale.Actor{Who: "wall", Role: sale.RoleViewer}, actor)
	for _, secret := range []string{"", "secret-", "secret-aa", "SECRET-A"} {
		_, ok := tokens.Of(secret)
		require.False(t, ok, secret)
	}
}

// A session is good in every process with the same token, until its end, and no longer than the token.
func TestSessions(t *testing.T) {
	tokens := NewTokens([]Token{{"night", sale.RoleOperator, "secret-a"}})
	_, ok := tokens.Begin("secret-b", now)
	require.False(t, ok)
	begun, ok := tokens.Begin("secret-a", now)
	require.True(t, ok)
	require.Equal(t, now.Add(12*time.Hour), begun.Expires)

	elsewhere := NewTokens([]Token{{"wall", sale.RoleViewer, "secret-b"}, {"night", sale.RoleAdmin, "secret-a"}})
	found, _, ok := elsewhere.Resume(begun.Cookie, now.Add(12*time.Hour-time.Second))
	require.True(t, ok)
	require.Equal(t, sale.RoleAdmin, found.Actor.Role, "the role is the token's present one")
	require.True(t, found.Writes(begun.CSRF))
	require.False(t, found.Writes(""))
	require.False(t, found.Writes(begun.Cookie))

	_, claimed, ok := tokens.Resume(begun.Cookie, now.Add(12*time.Hour))
	require.False(t, ok, "it is over")
	require.Equal(t, "night", claimed)
	_, _, ok = NewTokens([]Token{{"night", sale.RoleOperator, "secret-new"}}).Resume(begun.Cookie, now)
	require.False(t, ok, "the token was changed")
	_, claimed, ok = NewTokens([]Token{{"wall", sale.RoleViewer, "secret-a"}}).Resume(begun.Cookie, now)
	require.False(t, ok, "the name is gone")
	require.Empty(t, claimed)
	for i := range begun.Cookie {
		forged := []byte(begun.Cookie)
		forged[i] ^= 1
		_, _, ok := tokens.Resume(string(forged), now)
		require.False(t, ok, "byte %d", i)
	}
}

func TestOneTimeTokens(t *testing.T) {
	var once Once
	first := once.Make("a", now)
	second := once.Make("b", now)
	secret, ok := once.Take(second, now)
	require.True(t, ok)
	require.Equal(t, "b", secret)
	_, ok = once.Take(second, now)
	require.False(t, ok, "it was used")
	_, ok = once.Take(first, now.Add(OnceLength))
	require.False(t, ok, "it is too old")
	_, ok = once.Take("", now)
	require.False(t, ok)
	oldest := once.Make("oldest", now.Add(-time.Minute))
	for range maxOnce {
		once.Make("c", now)
	}
	_, ok = once.Take(oldest, now)
	require.False(t, ok, "the oldest ends when too many wait")
	require.LessOrEqual(t, len(once.waiting), maxOnce)
}

func TestHosts(t *testing.T) {
	hosts := Hosts{"ops.example.com"}
	for header, want := range map[string]bool{
		"ops.example.com": true, "OPS.EXAMPLE.COM:8081": true, "ops.example.com.": true,
		"127.0.0.1": true, "[::1]:80": true, "::1": true,
		"localhost:1": true, "x.localhost": true, "": false, "evil.example": false, "ops.example.com.evil.example": false,
		"127.0.0.1.nip.io": false, "xops.example.com": false, strings.Repeat("a", 300): false,
	} {
		require.Equal(t, want, hosts.Allows(header), header)
	}
}
