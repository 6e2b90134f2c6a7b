package scripts

import (
	"crypto/rand"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

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

func dial(t testing.TB, o Options) *Redis {
	r, err := Dial(o)
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r
}

// dialShared returns a client of the package's Redis with a namespace of its own.
func dialShared(t testing.TB) *Redis {
	return dial(t, Options{Namespace: namespace(t), Addrs: []string{harness.SharedRedis(t).Addr}})
}
