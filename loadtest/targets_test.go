package loadtest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// parseTargets reads targets as vegeta's JSON targeter does: one object per line, a last line without its newline is
// dropped, method and url are required, no other members than body (base64) and header (lists of strings).
func parseTargets(t *testing.T, file []byte) []Target {
	t.Helper()
	var targets []Target
	for {
		line, rest, complete := bytes.Cut(file, []byte{'\n'})
		if !complete {
			require.Empty(t, line, "vegeta drops a line without its newline")
			return targets
		}
		file = rest
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.DisallowUnknownFields()
		var target Target
		require.NoError(t, decoder.Decode(&target), "%s", line)
		require.NotEmpty(t, target.Method)
		_, err := url.ParseRequestURI(target.URL)
		require.NoError(t, err)
		targets = append(targets, target)
	}
}

func TestTargetsAreVegetasFormat(t *testing.T) {
	crowd := newTestCrowd(t, 5)
	var file bytes.Buffer
	require.NoError(t, WriteTargets(&file, TargetOptions{
		Servers: []string{"http://127.0.0.1:8080", "http://127.0.0.1:9090/"}, Sale: "spring",
		SKUs: []string{"phone", "case"}, Crowd: crowd, Quantity: 2, Nonce: "n",
	}))
	targets := parseTargets(t, file.Bytes())
	require.Len(t, targets, 5)
	require.Equal(t, Target{
		Method: "POST", URL: "http://127.0.0.1:9090/v1/sales/spring/items/case/orders?buyer=load-2&key=n-1",
		Body: []byte(`{"quantity":2}`),
		Header: http.Header{
			"Authorization": {"Bearer " + crowd[1].Token}, "Idempotency-Key": {`"n-1"`},
		},
	}, targets[1])
	tokens := map[string]bool{}
	for _, target := range targets {
		tokens[target.Header["Authorization"][0]] = true
	}
	require.Len(t, tokens, 5, "every target has its own buyer")
}

func TestTargetOfOneUnitHasNoBody(t *testing.T) {
	var file bytes.Buffer
	require.NoError(t, WriteTargets(&file, TargetOptions{
		Servers: []string{"http://127.0.0.1:8080"}, Sale: "spring", SKUs: []string{"phone"}, Crowd: newTestCrowd(t, 1),
	}))
	require.NotContains(t, file.String(), `"body"`)
	require.Contains(t, file.String(), `&key=vegeta-`, "not escaped for HTML")
}

func TestTargetBuyersOfEveryCharacterComeBackFromTheURL(t *testing.T) {
	crowd, err := NewCrowd(newTestSigner(t), "A._:@|+-", 1, 3600e9, testNow)
	require.NoError(t, err)
	var file bytes.Buffer
	require.NoError(t, WriteTargets(&file, TargetOptions{
		Servers: []string{"http://127.0.0.1:8080"}, Sale: "spring", SKUs: []string{"phone"}, Crowd: crowd,
	}))
	target := parseTargets(t, file.Bytes())[0]
	told, err := (&vegetaResult{Method: target.Method, URL: target.URL}).told()
	require.NoError(t, err)
	require.Equal(t, "A._:@|+-1", told.Buyer)
}

func TestTargetOptionsNameEveryFault(t *testing.T) {
	err := WriteTargets(&bytes.Buffer{}, TargetOptions{Sale: "a spring", SKUs: []string{"a/b"}, Quantity: 101, Nonce: `"`})
	for _, want := range []string{"must not be empty", "not a sale id", "not a SKU", "quantity", "nonce"} {
		require.ErrorContains(t, err, want)
	}
	err = WriteTargets(&bytes.Buffer{}, TargetOptions{
		Servers: []string{"nowhere"}, Sale: "s", SKUs: []string{"p"}, Crowd: newTestCrowd(t, 1),
	})
	require.ErrorContains(t, err, "server URL")
}

func TestTargetsThatCannotBeWrittenAreAnError(t *testing.T) {
	opts := TargetOptions{
		Servers: []string{"http://x"}, Sale: "s", SKUs: []string{"p"}, Crowd: newTestCrowd(t, 100),
	}
	require.ErrorIs(t, WriteTargets(&failingWriter{n: 100}, opts), errDiskFull)
	opts.Crowd = opts.Crowd[:1]
	require.ErrorIs(t, WriteTargets(&failingWriter{}, opts), errDiskFull)
	require.True(t, strings.HasPrefix(opts.Crowd[0].Buyer, "load-"))
}
