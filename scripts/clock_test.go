package scripts

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

const ms = time.Millisecond

// offsetOf returns the clock's present offset from a Redis whose clock is its monotonic reading plus an hour.
func offsetOf(c *Clock) time.Duration { return c.offset - time.Hour }

func TestClockPrefersTightSamples(t *testing.T) {
	c := NewClock(nil)
	c.Learn(0, 100*ms, time.Hour+90*ms) // somewhere within 100 ms
	require.Equal(t, 40*ms, offsetOf(c))
	c.Learn(200*ms, 202*ms, time.Hour+201*ms)
	require.Equal(t, time.Duration(0), offsetOf(c), "a shorter sample wins")
	c.Learn(300*ms, 320*ms, time.Hour+319*ms)
	require.Equal(t, time.Duration(0), offsetOf(c), "a longer one that agrees does not")
	c.Learn(3000*ms, 3020*ms, time.Hour+3015*ms)
	require.Equal(t, 5*ms, offsetOf(c), "but it replaces an old one")
}

func TestClockFollowsAStep(t *testing.T) {
	c := NewClock(nil)
	c.Learn(0, 2*ms, time.Hour+ms)
	c.Learn(10*ms, 40*ms, time.Hour+500*ms)
	require.Equal(t, 475*ms, offsetOf(c), "both cannot be right: the clock was set")
}

func TestClockWithoutSamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := NewClock(nil)
		bucket := NewClock(engine)
		now, known := bucket.Now()
		require.False(t, known)
		require.True(t, now.IsZero(), "this machine's time is not Redis's")
		_, known = bucket.Ahead()
		require.False(t, known)
		engine.Learn(0, 0, time.Duration(time.Now().Add(time.Hour).UnixNano()))
		<-time.After(time.Minute)
		now, known = bucket.Now()
		require.True(t, known, "a bucket's clock begins with the engine's")
		require.True(t, now.Equal(time.Now().Add(time.Hour)))
		ahead, known := bucket.Ahead()
		require.True(t, known)
		require.Equal(t, -time.Hour, ahead, "an hour behind Redis")
	})
}

func TestClockPollsRedis(t *testing.T) {
	r := dial(t, Options{Namespace: namespace(t), Addrs: []string{harness.SharedRedis(t).Addr}})
	c := NewClock(nil)
	require.NoError(t, c.Poll(context.Background(), r))
	now, known := c.Now()
	require.True(t, known)
	require.WithinDuration(t, time.Now(), now, time.Second)
	r.Close()
	require.Error(t, c.Poll(context.Background(), r))
}
