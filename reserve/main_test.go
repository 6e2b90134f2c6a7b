package reserve

import (
	"crypto/rand"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/scripts"
	"flashsale/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// namespace returns a prefix of keys that no other test uses.
func namespace(t testing.TB) string {
	text := make([]byte, 4)
	_, err := rand.Read(text)
	require.NoError(t, err)
	return "t" + hex.EncodeToString(text)
}

func dial(t testing.TB, o scripts.Options) *scripts.Redis {
	r, err := scripts.Dial(o)
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r
}
