package recovery

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/sale"
	"flashsale/scripts"
	"flashsale/test/fakes"
	"flashsale/test/harness"
	"flashsale/test/locked"
)

// userOf makes a user with all rights, and returns the options to connect as that user.
func userOf(t *testing.T, server *harness.RedisServer) scripts.Options {
	t.Helper()
	server.MustDo(t, "ACL", "SETUSER", "shop", "on", ">word", "~*", "&*", "+@all")
	return scripts.Options{Namespace: fakes.Namespace(t), Addrs: []string{server.Addr}, Username: "shop", Password: "word"}
}

// A user without INFO or ROLE is reported before anything is sold, and no bucket is closed for it. Without INFO every script
// would fence, and without ROLE a replica would pass for a primary, and no call would report either.
func TestRightsThatWouldBeMissedInSilence(t *testing.T) {
	for command, missed := range map[string]string{"info": "fenced", "role": "passes for a primary"} {
		t.Run(command, func(t *testing.T) {
			server := harness.Redis(t)
			w := newWorldOn(t, userOf(t, server), nil)
			b := w.Stock("phone", 10, 1)
			log := &locked.Buffer{}
			identity := NewIdentity(w.Redis, &engineID{id: "ours"}, slog.New(slog.NewTextHandler(log, nil)))
			ctx, cancel := context.WithCancel(context.Background())
			require.NoError(t, identity.Check(ctx))
			require.Equal(t, sale.OutcomeQueued, w.Buy(b, "anna").Outcome)

			server.MustDo(t, "ACL", "SETUSER", "shop", "-"+command)
			var running sync.WaitGroup
			running.Go(func() { identity.Run(ctx) })
			t.Cleanup(func() { cancel(); running.Wait() })
			fakes.Eventually(t, func() bool { return identity.Doubt() != nil }, "noticed by the running process")
			require.ErrorIs(t, identity.Doubt(), sale.ErrRights)
			require.ErrorContains(t, identity.Doubt(), missed)
			require.ErrorContains(t, identity.Doubt(), "ACL SETUSER shop +info +role")
			require.Equal(t, sale.Answer{Outcome: sale.OutcomeFenced, Reason: "rights"}, w.Buy(b, "bert"))
			require.Empty(t, w.DB.Reported(), "not the bucket is in doubt but the user")

			server.MustDo(t, "ACL", "SETUSER", "shop", "+"+command)
			fakes.Eventually(t, func() bool { return identity.Doubt() == nil }, "granted again")
			fakes.Eventually(t, func() bool { return w.Buy(b, "bert").Outcome == sale.OutcomeQueued }, "sold again")
			require.Equal(t, 1, bytes.Count([]byte(log.String()), []byte("nothing is sold until then")), "%s", log)
		})
	}
}
