package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// machineFacts is what this machine has.
type machineFacts struct {
	descriptors uint64 // math.MaxUint64 when unknown
	public      bool   // an interface has a public address
	listeners   []listenerFacts
}

// listenerFacts is one listener of the settings, and what is at its address.
type listenerFacts struct {
	setting, addr string
	err           error // it cannot be opened
	ours          bool  // because a process of the engine has it
}

func lookAtMachine(o Options) machineFacts {
	facts := machineFacts{descriptors: o.Descriptors, public: hasPublicAddress()}
	for _, l := range []listenerFacts{{setting: "gateway.listen", addr: o.GatewayListen},
		{setting: "admin.listen", addr: o.AdminListen}, {setting: "settle.listen", addr: o.SettleListen}} {
		listener, err := net.Listen("tcp", l.addr)
		if err == nil {
			err = listener.Close()
		}
		l.err = err
		l.ours = errors.Is(err, syscall.EADDRINUSE) && isOurs(l.addr)
		facts.listeners = append(facts.listeners, l)
	}
	return facts
}

// isOurs reports whether the server at an address answers the engine's probe.
func isOurs(addr string) bool {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/livez", http.NoBody)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	return err == nil && answer.StatusCode == http.StatusOK && strings.HasPrefix(string(text), `{"status":`)
}

// hasPublicAddress reports whether an interface of this machine has an address that is neither private nor local.
func hasPublicAddress() bool {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return true // unknown: the worse
	}
	for _, addr := range addrs {
		if prefix, err := netip.ParsePrefix(addr.String()); err == nil && isPublic(prefix.Addr()) {
			return true
		}
	}
	return false
}

func isPublic(ip netip.Addr) bool { return ip.IsGlobalUnicast() && !ip.IsPrivate() }

// ownDescriptors is how many open files a gateway needs besides those of buyers.
const ownDescriptors = 1000

// judgeMachine judges open files, listeners and the trust in proxies.
func judgeMachine(facts machineFacts, o Options) []Finding {
	f := &findings{store: Machine}
	judgeDescriptors(f, facts, o)
	judgeListeners(f, facts)
	judgeOperators(f, facts, o)
	judgeProxies(f, o)
	judgeCertificates(f, o.Certificates, time.Now())
	return f.all
}

// endsSoon is how long before its end a certificate is to be replaced; the alert has the same bound.
const endsSoon = 14 * 24 * time.Hour

// judgeCertificates finds certificates that end.
func judgeCertificates(f *findings, all []Certificate, now time.Time) {
	const own = "The engine does not send a certificate that has ended: open connections stay, and new ones fail."
	const authority = "A store that an ended authority has signed is not trusted: open connections stay, and new ones fail. " +
		"Processes read authorities at their start."
	for _, c := range all {
		level, why := OK, own
		if c.Authority {
			why = authority
		}
		switch left := c.Ends.Sub(now); {
		case left <= 0:
			level = Danger
		case left < endsSoon:
			level = Warning
		}
		f.add(level, "certificates", why, "openssl x509 -noout -subject -issuer -enddate -in "+c.File+"  # then replace it",
			"%s: %s ends at %s", c.Setting, c.File, c.Ends.UTC().Format(time.RFC3339))
	}
}

func judgeDescriptors(f *findings, facts machineFacts, o Options) {
	const why = "A gateway lowers its bound on buyers' connections to the limit of open files less 1,000, and closes further " +
		"ones."
	needed := uint64(o.MaxConnections) + ownDescriptors
	switch {
	case facts.descriptors > math.MaxInt64:
		f.add(OK, "open_files", why, "", "this process may open any number of files")
	default:
		f.add(either(facts.descriptors < needed, Warning), "open_files", why,
			fmt.Sprintf("ulimit -n %d  # systemd: LimitNOFILE=%d", needed, needed),
			"this process may open %d files, and gateway.max_connections is %d", facts.descriptors, o.MaxConnections)
	}
}

func judgeListeners(f *findings, facts machineFacts) {
	const why = "A process that cannot open its listener ends with exit code 80."
	for _, l := range facts.listeners {
		check := strings.ReplaceAll(l.setting, ".", "_")
		_, port, _ := net.SplitHostPort(l.addr)
		switch {
		case l.err == nil:
			f.add(OK, check, why, "", "%s is free", l.addr)
		case l.ours:
			f.add(OK, check, why, "", "%s has a process of the engine", l.addr)
		case errors.Is(l.err, syscall.EADDRINUSE):
			f.add(Danger, check, why, "ss -ltnp 'sport = :"+port+"'  # shows the program that has it", "%s has another program",
				l.addr)
		default:
			f.add(Danger, check, why, "ip addr  # "+l.setting+" needs an address of this machine", "%v", l.err)
		}
	}
}

// judgeOperators finds listeners that are not for the public on addresses that it reaches.
func judgeOperators(f *findings, facts machineFacts, o Options) {
	for _, l := range []struct {
		setting, check, addr, why string
		bad                       Level
	}{
		{"admin.listen", "operators_listener", o.AdminListen, "The operators' token alone keeps the public from every sale.",
			Danger},
		{"settle.listen", "settle_listener", o.SettleListen, "Metrics and probes name servers, sales and their stock.", Warning},
	} {
		level := either(reachable(l.addr, facts.public), l.bad)
		host, port, _ := net.SplitHostPort(l.addr)
		if level == OK && reachable(l.addr, true) {
			level = Warning // every address of a machine that has no public one today
		}
		f.add(level, l.check, l.why, "FLASHSALE_"+strings.ToUpper(strings.ReplaceAll(l.setting, ".", "_"))+"=127.0.0.1:"+port,
			"%s is %s", l.setting, orEvery(host)+":"+port)
	}
}

func orEvery(host string) string {
	if host == "" {
		return "every address"
	}
	return host
}

// reachable reports whether the public reaches a listener; public says whether the machine has a public address.
func reachable(addr string, public bool) bool {
	host, _, err := net.SplitHostPort(addr)
	ip, bad := netip.ParseAddr(host)
	switch {
	case err != nil:
		return false
	case host == "" || bad == nil && ip.IsUnspecified():
		return public
	case bad != nil:
		return false // a name: what it stands for is another machine's decision
	}
	return isPublic(ip)
}

func judgeProxies(f *findings, o Options) {
	const why = "Behind a proxy that is not named, all buyers share its address, and with it the limit of one address."
	const all = "Anyone may write an address into X-Forwarded-For, and gets past the limit of one address."
	const mend = "FLASHSALE_GATEWAY_TRUSTED_PROXIES=10.0.0.0/8  # the proxies' networks"
	for _, network := range o.TrustedProxies {
		if network.Bits() == 0 {
			f.add(Danger, "trusted_proxies", all, mend, "gateway.trusted_proxies has %s, which is every address", network)
			return
		}
	}
	host, _, _ := net.SplitHostPort(o.GatewayListen)
	ip, err := netip.ParseAddr(host)
	local := host == "localhost" || err == nil && ip.IsLoopback()
	f.add(either(len(o.TrustedProxies) == 0 && !local, Warning), "trusted_proxies", why, mend,
		"gateway.listen is %s, and gateway.trusted_proxies has %d networks", o.GatewayListen, len(o.TrustedProxies))
}
