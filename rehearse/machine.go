package rehearse

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

// Machine is how many connections this machine can open.
type Machine struct {
	Ports       int    // of outgoing connections to one address; 0: unknown
	Descriptors uint64 // that one process may have open
}

const (
	portRange      = "/proc/sys/net/ipv4/ip_local_port_range"
	ownDescriptors = 1000 // of a process besides its buyers' connections, as a gateway keeps free
)

// readMachine reads the bounds of this machine.
func readMachine(descriptors uint64) Machine {
	text, err := os.ReadFile(portRange)
	if err != nil {
		return Machine{Descriptors: descriptors} // not Linux
	}
	return Machine{Ports: portsIn(string(text)), Descriptors: descriptors}
}

// portsIn counts the ports between the two of Linux's setting, both included; 0 when it has another form.
func portsIn(text string) int {
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return 0
	}
	first, err := strconv.Atoi(fields[0])
	last, err2 := strconv.Atoi(fields[1])
	if err != nil || err2 != nil || last < first {
		return 0
	}
	return last - first + 1
}

// possible returns how many buyers can have a connection of their own to gateways at the same time.
func (m Machine) possible(gateways int) int {
	most := math.MaxInt32
	if m.Ports > 0 {
		most = m.Ports * gateways
	}
	if m.Descriptors < math.MaxInt32 {
		most = min(most, max(int(m.Descriptors)-ownDescriptors, 0))
	}
	return most
}

// check returns an error when a buyer could be without a connection. A buyer whose press is not answered keeps a connection, so
// in the worst moment each has one.
func (m Machine) check(buyers, gateways int) error {
	possible := m.possible(gateways)
	if buyers <= possible {
		return nil
	}
	why := fmt.Sprintf("it may open %d files (ulimit -n, LimitNOFILE) and keeps %d for itself", m.Descriptors, ownDescriptors)
	if m.Ports > 0 && m.Ports*gateways == possible {
		why = fmt.Sprintf("it has %d ports for connections to each of %d gateways (sysctl net.ipv4.ip_local_port_range); "+
			"more --gateways have more", m.Ports, gateways)
	}
	return fmt.Errorf("--buyers %d: this machine has connections for at most %d buyers at once, because %s. Nothing was made",
		buyers, possible, why)
}
