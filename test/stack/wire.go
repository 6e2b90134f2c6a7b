package stack

import (
	"strings"
	"testing"

	"flashsale/test/harness"
	"flashsale/test/stack/link"
)

// Servers that the wires of a process lead to.
const (
	ToRedis   = "redis"
	ToMariaDB = "mariadb"
)

// Wires are the links of a deployment: one in each connection from a process to a server, and from buyers to a gateway.
// Brokers tell their clients where to connect, so whoever starts a Kafka makes its wires with New, before the deployment.
type Wires struct {
	All []*Wire
	t   testing.TB
}

// Wire is a link with a name, such as "gateway 0 to redis".
type Wire struct {
	*link.Link
	Name string
}

// NewWires returns an empty set, whose links end with the test.
func NewWires(t testing.TB) *Wires { return &Wires{t: t} }

// New makes a link that leads to target.
func (w *Wires) New(name, target string) *Wire {
	w.t.Helper()
	l, err := link.New(harness.Address(w.t), target)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = l.Close() }) // at the end of everything
	made := &Wire{l, name}
	w.All = append(w.All, made)
	return made
}

// To returns the wires that lead from processes to a server.
func (w *Wires) To(server string) (some []*Wire) {
	for _, one := range w.All {
		if strings.HasSuffix(one.Name, " to "+server) {
			some = append(some, one)
		}
	}
	return some
}

// Heal makes every wire good again.
func (w *Wires) Heal() {
	for _, one := range w.All {
		one.Heal()
	}
}
