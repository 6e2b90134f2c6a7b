package socket_test

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/socket"
)

// TestCloseListenerTakesWhoHasConnected: a connection that nobody has accepted yet is handed over with its request, and the
// next one is refused. A plain close would reset it.
func TestCloseListenerTakesWhoHasConnected(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var peers []net.Conn
	for range 3 {
		peer, err := net.Dial("tcp", listener.Addr().String())
		require.NoError(t, err)
		defer peer.Close()
		_, err = peer.Write([]byte("ask"))
		require.NoError(t, err)
		peers = append(peers, peer)
	}
	accepted, err := socket.CloseListener(listener)
	require.NoError(t, err)
	require.Len(t, accepted, 3)
	for i, conn := range accepted {
		request := make([]byte, 3)
		_, err := io.ReadFull(conn, request)
		require.NoError(t, err)
		_, err = conn.Write([]byte("answer"))
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		answer, err := io.ReadAll(peers[i])
		require.NoError(t, err)
		require.Equal(t, "answer", string(answer))
	}
	_, err = net.Dial("tcp", listener.Addr().String())
	require.Error(t, err)
	_, err = listener.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}
