package access

import (
	"net"
	"net/netip"
	"strings"
)

// Hosts are the names under which browsers may reach the operators' listener, in lower case. Without this check a page of
// another site could have its own name resolve to the listener's address and read its answers (DNS rebinding).
type Hosts []string

// Allows reports whether a Host header is one of the names, an IP address, localhost or a name below localhost. The port does
// not count.
func (h Hosts) Allows(header string) bool {
	host := strings.ToLower(header)
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	for _, name := range h {
		if host == name {
			return true
		}
	}
	return false
}
