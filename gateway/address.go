package gateway

import (
	"bytes"
	"net"
	"net/netip"

	"github.com/valyala/fasthttp"
)

// forwardedFor is the header to which each proxy appends the address of its peer.
const forwardedFor = "X-Forwarded-For"

// addressOf returns the address that the address limit counts: the peer or, if the peer is a trusted proxy, the right-most
// address of X-Forwarded-For that is not a trusted proxy. The client may have written any address further left. The
// address is not valid if the listener has none.
func addressOf(ctx *fasthttp.RequestCtx, trusted []netip.Prefix) netip.Addr {
	conn, ok := ctx.Conn().(*boundedConn)
	if !ok {
		return netip.Addr{}
	}
	if len(trusted) == 0 || !isTrusted(conn.peer, trusted) {
		return conn.peer
	}
	return nearestUntrusted(conn.peer, ctx.Request.Header.PeekAll(forwardedFor), trusted)
}

// peerOf returns the address at the other end of a connection.
func peerOf(conn net.Conn) netip.Addr {
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// nearestUntrusted walks the hops from the right. It skips an element that is not an address: an empty one, "unknown", an
// address in brackets without a port. A trusted proxy that writes such an element hides the address of its peer.
func nearestUntrusted(peer netip.Addr, lines [][]byte, trusted []netip.Prefix) netip.Addr {
	for i := len(lines) - 1; i >= 0; i-- {
		line := lines[i]
		for line != nil {
			hop := line
			if comma := bytes.LastIndexByte(line, ','); comma >= 0 {
				hop, line = line[comma+1:], line[:comma]
			} else {
				line = nil
			}
			address, ok := parseHop(string(trim(hop)))
			if !ok {
				continue
			}
			peer = address
			if !isTrusted(peer, trusted) {
				return peer
			}
		}
	}
	return peer
}

// parseHop reads an address with or without a port, because some proxies append it.
func parseHop(text string) (netip.Addr, bool) {
	if address, err := netip.ParseAddr(text); err == nil {
		return address.Unmap(), true
	}
	withPort, err := netip.ParseAddrPort(text)
	return withPort.Addr().Unmap(), err == nil
}

func isTrusted(address netip.Addr, trusted []netip.Prefix) bool {
	for _, network := range trusted {
		if network.Contains(address) {
			return true
		}
	}
	return false
}

// subscriber appends the bytes by which the limiter counts an address: of IPv6 the /64, which is that of one subscriber.
func subscriber(dst []byte, address netip.Addr) []byte {
	if address.Is4() {
		bits := address.As4()
		return append(dst, bits[:]...)
	}
	bits := address.As16()
	return append(dst, bits[:8]...)
}
