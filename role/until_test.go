package role

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestUntilRestsBetweenAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, attempts := time.Now(), 0
		require.True(t, Until(t.Context(), Always(time.Second), func() bool { attempts++; return attempts == 4 }))
		require.Equal(t, 4, attempts)
		require.Equal(t, 3*time.Second, time.Since(began), "no rest after the last one")

		attempts, began = 0, time.Now()
		grows := func(attempts int) time.Duration { return time.Duration(attempts) * time.Second }
		require.True(t, Until(t.Context(), grows, func() bool { attempts++; return attempts == 4 }))
		require.Equal(t, 6*time.Second, time.Since(began))
	})
}

func TestUntilEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		attempts := 0
		never := func() bool { attempts++; return false }
		require.False(t, Until(ctx, Always(time.Second), never))
		require.Equal(t, 2, attempts)
		require.False(t, Until(ctx, Backoff, never), "one attempt is made")
		require.Equal(t, 3, attempts)
		require.True(t, Until(ctx, Backoff, func() bool { return true }))
	})
}
