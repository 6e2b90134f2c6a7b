package e2e

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

const readOnlyFor = 4 * time.Second

// TestDatabaseBecomesReadOnly: the primary is demoted while a sale runs, as in a failover, and takes no write for some
// seconds. Purchases are still answered queued, no process ends, and every order settles once.
func TestDatabaseBecomesReadOnly(t *testing.T) {
	mariadb := harness.MariaDB(t)
	s := newStack(t, servers{MariaDB: mariadb})
	s.unprivileged()
	s.run(2, 2)
	s.open("rush", lasting(phone(2*rushUnits)))
	c := newCrowd(s, "rush", 2*rushUnits)
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		c.paced(perSecond, "phone", end)
	}()
	c.waitAnswers(lead)
	mariadb.SetReadOnly(t, true)
	from := time.Now()
	<-time.After(readOnlyFor) // the length of the failover is what is tested
	mariadb.SetReadOnly(t, false)
	until := time.Now()
	t.Log("read-only for", until.Sub(from))
	c.waitAnswers(c.Out.Ended() + lead)
	close(end)
	<-ended
	away := 0
	ops := c.purchases()
	for i := range ops {
		if a := &ops[i]; a.Sent().After(from) && a.Sent().Before(until) {
			away++
			require.Equal(t, "queued", a.Word())
		}
	}
	assert.Greater(t, away, perSecond*int(readOnlyFor/time.Second)/2, "the traffic went on")
	paused := time.Now()
	b := c.check(1, map[string]int{"phone": 2 * rushUnits})
	t.Log("everything is settled after", time.Since(paused))
	require.Equal(t, len(ops), b.units["phone"])
	for _, w := range s.Settles {
		assert.True(t, w.Running(), "a settle process ended")
	}
}

// unprivileged makes the processes of ours use an account that is bound by read_only, as a shop's account is.
func (s *stack) unprivileged() {
	s.t.Helper()
	s.exec(s.DB(), "CREATE USER shop@'%' IDENTIFIED BY 'shop'", "GRANT ALL PRIVILEGES ON `%`.* TO shop@'%'")
	config, err := mysql.ParseDSN(s.MariaDB.DSN(s.Name))
	require.NoError(s.t, err)
	config.User, config.Passwd = "shop", "shop"
	s.Env = append(s.Env, "FLASHSALE_MYSQL_DSN="+config.FormatDSN())
}

// TestDatabaseThatLostItsTail: the database comes back from a backup of some minutes ago, in the same epoch. Settlement
// reads the topic again from the backup's position, and every row exists again, under the ids that buyers got.
func TestDatabaseThatLostItsTail(t *testing.T) {
	losesItsTail(t, func(s *stack) {
		s.stop()
		s.restore()
	}, func(s *stack) {
		s.Settles[0].Restart()
		s.Settles[0].Ready()
	})
}

// TestDatabaseLosesItsTailUnderSettlement: the same while a settling process runs, as after a failover to a replica that lagged.
// It stands still during the failover and notices by itself.
func TestDatabaseLosesItsTailUnderSettlement(t *testing.T) {
	losesItsTail(t, func(s *stack) {
		s.Gateways[0].Kill()
		s.Settles[0].Pause()
		s.restore()
	}, func(s *stack) { s.Settles[0].Continue() })
}

// losesItsTail sells, loses the rows of the second half by lose, and expects them after settleAgain.
func losesItsTail(t *testing.T, lose, settleAgain func(*stack)) {
	t.Helper()
	const units, first = 600, 200
	s := newStack(t, servers{}).run(1, 1)
	s.open("rush", lasting(phone(units)))
	c := newCrowd(s, "rush", 1_000)
	list := c.presses(11, 0, []string{"phone"}, func(*rand.Rand) int { return 1 })
	c.Round(list[:first])
	s.audit("rush")
	s.backup()
	c.Round(list[first : 2*first])
	s.audit("rush")
	lose(s)
	require.Len(t, s.orderRows("rush").rows, first, "the tail is gone")
	settleAgain(s)
	require.Eventually(t, func() bool { return len(s.orderRows("rush").rows) == 2*first }, 20*time.Second, 50*time.Millisecond,
		"the topic still has the tail")
	s.Gateways[0].Restart()
	s.Gateways[0].Ready()
	c.rush(list)
	b := c.check(1, map[string]int{"phone": units})
	require.Equal(t, units, b.units["phone"], fmt.Sprint(c.codes()))
}
