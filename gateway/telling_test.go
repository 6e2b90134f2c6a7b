package gateway

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheAccessLogHasNoMethodOfTheClients: a method may be as long as a request's headers.
func TestTheAccessLogHasNoMethodOfTheClients(t *testing.T) {
	said := &strings.Builder{}
	s := newScene(t, func(o *Options, _ *Deps) { o.AccessLogEvery, o.Log = 1, slog.New(slog.NewJSONHandler(said, nil)) })
	ctx := requestOf(t, s, "/nowhere", "", "")
	for method, says := range map[string]string{
		"DELETE": `"method":"DELETE"`, strings.Repeat("SHOUT", 1000): `"method":"_OTHER"`,
	} {
		said.Reset()
		ctx.Response.Reset()
		ctx.Request.Header.SetMethod(method)
		s.gateway.handle(ctx)
		require.Contains(t, said.String(), says)
		require.Less(t, said.Len(), 500)
	}
}
