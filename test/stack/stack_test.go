package stack

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
	"flashsale/test/stack/clock"
	"flashsale/test/stack/link"
)

func TestMain(m *testing.M) { harness.Main(m) }

// withoutServers returns a deployment whose processes can be made but not started.
func withoutServers(t *testing.T) *Stack {
	return &Stack{T: t, Bin: "flashsale", Env: []string{"FLASHSALE_NAMESPACE=n"}}
}

func TestProcessesHaveAddressesOfTheirOwn(t *testing.T) {
	s := withoutServers(t)
	first, second, settle := s.NewGateway(), s.NewGateway("FLASHSALE_X=1"), s.NewSettle()
	assert.Equal(t, []*Process{first, second, settle}, s.Processes())
	assert.Equal(t, "gateway 1", second.Name)
	assert.Equal(t, 0, settle.Number)
	assert.Equal(t, first.Listen, first.Buyers, "no wire leads to it")
	assert.Equal(t, []string{"FLASHSALE_NAMESPACE=n", "FLASHSALE_GATEWAY_LISTEN=" + second.Listen,
		"FLASHSALE_ADMIN_LISTEN=" + second.Operators, "FLASHSALE_X=1"}, second.Env)
	assert.Equal(t, []string{"FLASHSALE_NAMESPACE=n", "FLASHSALE_SETTLE_LISTEN=" + settle.Listen}, settle.Env)
	addresses := map[string]bool{}
	for _, address := range []string{first.Listen, first.Operators, second.Listen, second.Operators, settle.Listen} {
		addresses[address] = true
	}
	assert.Len(t, addresses, 5)
	assert.Contains(t, s.commandEnv(), "FLASHSALE_ADMIN_URL=http://"+first.Operators)
	assert.Len(t, s.Env, 1, "what one process or command has is not handed to the next")
}

func TestClocksAreFilesOfTheProcess(t *testing.T) {
	s := withoutServers(t)
	s.clocks = t.TempDir()
	first, second := s.NewGateway(), s.NewSettle()
	assert.NotEqual(t, first.clock, second.clock)
	assert.Contains(t, first.Env, clock.Variable+"="+first.clock)
	assert.FileExists(t, second.clock)
	first.SetClock(-1)
}

func TestWiresCarryAndAreFoundByTheirEnd(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			_, _ = conn.Write([]byte("hello")) // what is lost is missed below
			_ = conn.Close()
		}
	}()
	w := NewWires(t)
	redis := w.New("gateway 0 to "+ToRedis, listener.Addr().String())
	w.New("gateway 0 to "+ToMariaDB, listener.Addr().String())
	w.New("kafka 1", listener.Addr().String())
	assert.Equal(t, []*Wire{redis}, w.To(ToRedis))
	ask := func() string {
		conn, err := net.Dial("tcp", redis.Addr())
		require.NoError(t, err)
		defer conn.Close()
		text, _ := io.ReadAll(conn) // a cut wire may end with an error or without a word
		return string(text)
	}
	assert.Equal(t, "hello", ask())
	redis.Set(link.Cut, 0)
	assert.Empty(t, ask())
	w.Heal()
	assert.Equal(t, "hello", ask())
}

func TestCrashPoints(t *testing.T) {
	at := CrashPoint{Name: "settle.committed", Time: 3}
	assert.Equal(t, []string{"FLASHSALE_CRASH_POINT=settle.committed", "FLASHSALE_CRASH_TIME=3"}, at.Env())
	assert.True(t, at.In("a line\nkilled at crash point settle.committed, time 3\n"))
	assert.False(t, at.In("killed at crash point settle.committed, time 30\n"))
	s := withoutServers(t)
	s.armed = &at
	p := s.NewSettle()
	assert.Equal(t, &at, p.Armed)
	assert.NotContains(t, p.Env, at.Env()[0], "a process that was disarmed begins without")
}
