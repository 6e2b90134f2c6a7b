package buyers

import (
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func newRandom() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func TestTokensAreSignedOnce(t *testing.T) {
	d := &Deployment{Secret: "secret"}
	made := d.Token("b")
	assert.Equal(t, made, d.Token("b"))
	assert.NotEqual(t, made, d.Token("c"))
	parts := strings.Split(Token("secret", "b", time.Hour), ".")
	require.Len(t, parts, 3)
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	assert.Contains(t, string(claims), `"sub":"b"`)
	assert.True(t, strings.HasPrefix(Sign("k", "{}", "{}"), "e30.e30."))
}
