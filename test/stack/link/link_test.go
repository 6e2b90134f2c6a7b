package link

import (
	"bufio"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// echo answers every line with its name and the line.
func echo(t *testing.T, name string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, listener.Close()) })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				lines := bufio.NewScanner(conn)
				for lines.Scan() {
					if _, err := conn.Write([]byte(name + lines.Text() + "\n")); err != nil {
						return
					}
				}
			}()
		}
	}()
	return listener.Addr().String()
}

type caller struct {
	net.Conn
	lines *bufio.Reader
}

func call(t *testing.T, l *Link) *caller {
	t.Helper()
	conn, err := net.Dial("tcp", l.Addr())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() }) // the link may have cut it
	return &caller{conn, bufio.NewReader(conn)}
}

// ask sends a line and waits for the answer.
func (c *caller) ask(line string, within time.Duration) (string, error) {
	if err := c.SetDeadline(time.Now().Add(within)); err != nil {
		return "", err
	}
	if _, err := c.Write([]byte(line + "\n")); err != nil {
		return "", err
	}
	return c.lines.ReadString('\n')
}

const (
	soon  = 5 * time.Second
	never = 100 * time.Millisecond
)

func TestLinks(t *testing.T) {
	l, err := New("127.0.0.1:0", echo(t, "a"))
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	c := call(t, l)
	answer, err := c.ask("1", soon)
	require.NoError(t, err)
	assert.Equal(t, "a1\n", answer)

	for _, mode := range []Mode{Frozen, Deaf} {
		l.Set(mode, 0)
		_, err = c.ask("2", never)
		require.Error(t, err, mode)
		l.Heal()
		require.NoError(t, c.SetDeadline(time.Now().Add(soon)))
		answer, err = c.lines.ReadString('\n')
		require.NoError(t, err, "what was on the wire arrives")
		assert.Equal(t, "a2\n", answer)
	}

	l.Set(Slow, 60*time.Millisecond)
	begun := time.Now()
	answer, err = c.ask("3", soon)
	require.NoError(t, err)
	assert.Equal(t, "a3\n", answer)
	assert.GreaterOrEqual(t, time.Since(begun), 2*60*time.Millisecond, "late in both directions")

	l.Set(Cut, 0)
	_, err = c.ask("4", soon)
	require.Error(t, err)
	_, err = call(t, l).ask("5", soon)
	require.Error(t, err)
	l.Heal()
	c = call(t, l)
	_, err = c.ask("6", soon)
	require.NoError(t, err)

	l.Lead(echo(t, "b"))
	_, err = c.ask("7", soon)
	require.Error(t, err, "the old connection ended")
	answer, err = call(t, l).ask("8", soon)
	require.NoError(t, err)
	assert.Equal(t, "b8\n", answer)
}

func TestNobodyListensBehindALink(t *testing.T) {
	l, err := New("127.0.0.1:0", "127.0.0.1:1")
	require.NoError(t, err)
	_, err = call(t, l).ask("1", soon)
	require.Error(t, err)
	require.NoError(t, l.Close())
	_, err = New(l.Addr()+"0", "")
	require.Error(t, err)
}
