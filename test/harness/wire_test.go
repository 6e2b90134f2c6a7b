package harness

import (
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWireLosesWhatIsOpen(t *testing.T) {
	listener, err := net.Listen("tcp", loopback(0))
	require.NoError(t, err)
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn) }() // ends with the connection
		}
	}()
	w := NewWire(t, listener.Addr().String())
	open := func() net.Conn {
		conn, err := net.Dial("tcp", w.Addr)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	echoes := func(conn net.Conn) error {
		require.NoError(t, conn.SetDeadline(time.Now().Add(200*time.Millisecond)))
		_, err := io.WriteString(conn, "hello")
		require.NoError(t, err)
		_, err = io.ReadFull(conn, make([]byte, 5))
		return err
	}
	old := open()
	require.NoError(t, echoes(old))
	w.Lose()
	require.ErrorIs(t, echoes(old), os.ErrDeadlineExceeded)
	require.NoError(t, echoes(open()))
}
