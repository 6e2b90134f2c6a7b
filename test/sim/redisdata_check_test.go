package sim

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flashsale/scripts"
)

// A server that loses its last moments has exactly its earlier data, whatever commands led to the present.
func TestRewindLeadsBackToEveryMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChance(*firstSeed, "rewind")
		server := newRedisServer(time.Now, "0")
		type moment struct {
			at   time.Duration
			data *dataset
		}
		var past []moment
		for i := range 400 {
			server.execute(drawWrite(c, i))
			if c.one(10) {
				past = append(past, moment{virtualNow(), server.data.clone()})
			}
			time.Sleep(c.span(time.Millisecond, 20*time.Millisecond))
		}
		for len(past) > 0 {
			last := past[len(past)-1]
			past = past[:len(past)-1]
			back := server.data.clone()
			back.rewind(last.at)
			require.Equal(t, last.data.keys, back.keys)
		}
	})
}

func drawWrite(c *chance, i int) []string {
	key := fmt.Sprint("k", c.below(3))
	switch c.below(8) {
	case 0:
		return []string{"HSET", key + "h", fmt.Sprint(c.below(4)), fmt.Sprint(i), "f", "v"}
	case 1:
		return []string{"XADD", key + "s", fmt.Sprint(i+1, "-1"), "r", "text"}
	case 2:
		return []string{"XDEL", key + "s", fmt.Sprint(c.below(i+1), "-1")}
	case 3:
		return []string{"UNLINK", key + pick(c, "h", "s", "t", "m")}
	case 4:
		return []string{"SET", key + "t", fmt.Sprint(i)}
	case 5:
		return []string{"SADD", key + "m", fmt.Sprint(c.below(5))}
	case 6:
		return []string{"HDEL", key + "h", fmt.Sprint(c.below(4)), "f"}
	}
	return []string{"XTRIM", key + "s", "MINID", fmt.Sprint(c.below(i + 1))}
}

// The state that a server keeps through a restart, a promotion and a fail-back, and the state that it loses.
func TestServersKeepWhatTheyShould(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := 0
		c := newCache(func(string) {}, func(time.Duration) { lost++ }, false)
		trim := scripts.TrimScript()
		evalsha := []string{"EVALSHA", trim.SHA, "2", "m", "j"}
		c.active().execute([]string{"SCRIPT", "LOAD", trim.Source})
		c.active().execute([]string{"SET", "old", "1"})
		time.Sleep(2 * time.Second)
		c.active().execute([]string{"SET", "new", "1"})
		require.Equal(t, int64(0), c.active().execute(evalsha))
		first := c.active().replid

		require.True(t, c.failover(time.Second, time.Millisecond) == 1, "one write is lost")
		require.True(t, c.place.down())
		require.Nil(t, c.active().execute([]string{"GET", "new"}))
		require.Equal(t, "1", c.active().execute([]string{"GET", "old"}))
		require.IsType(t, redisFault(""), c.active().execute(evalsha), "a promoted server has no scripts")
		require.NotEqual(t, first, c.active().replid)

		require.True(t, c.failback(promoted, time.Millisecond))
		require.Equal(t, "1", c.active().execute([]string{"GET", "new"}), "the old primary has what it had")
		require.Equal(t, int64(0), c.active().execute(evalsha), "and its scripts")
		require.NotEqual(t, first, c.active().replid, "but a new replication id")

		second := c.active().replid
		require.Zero(t, c.restart(0, time.Millisecond))
		require.Equal(t, "1", c.active().execute([]string{"GET", "new"}))
		require.IsType(t, redisFault(""), c.active().execute(evalsha), "a restarted server has no scripts")
		require.NotEqual(t, second, c.active().replid)
		require.Equal(t, 2, lost, "the failover and the way back to other data lose writes")
	})
}
