package stack

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"flashsale/test/harness"
	"flashsale/test/stack/clock"
)

// Process is a gateway or a settle process of a deployment.
type Process struct {
	*harness.Process             // nil before Start
	Name             string      // such as "gateway 0"
	Number           int         // among the gateways, or among the settle processes
	Listen           string      // host:port for buyers; of a settle process for probes and metrics
	Buyers           string      // gateways only: where buyers connect, which is Listen or the wire to it
	Operators        string      // gateways only: host:port for operators
	Env              []string    // all its settings
	Armed            *CrashPoint // where the next Start lets the process kill itself; nil: nowhere
	command          string
	stack            *Stack
	clock            string // file of its clock; "" for the machine's clock
}

// NewGateway gives a further gateway its addresses, wires and clock. It does not run before Start; env are settings of its
// own, which win.
func (s *Stack) NewGateway(env ...string) *Process {
	s.T.Helper()
	p := s.newProcess("gateway", len(s.Gateways))
	p.Operators = harness.Address(s.T)
	p.Buyers = p.Listen
	if s.wires != nil {
		p.Buyers = s.wires.New("buyers to "+p.Name, p.Listen).Addr()
	}
	p.Env = slices.Concat(p.Env, []string{"FLASHSALE_GATEWAY_LISTEN=" + p.Listen, "FLASHSALE_ADMIN_LISTEN=" + p.Operators}, env)
	s.Gateways = append(s.Gateways, p)
	return p
}

// NewSettle does the same for a further settle process.
func (s *Stack) NewSettle(env ...string) *Process {
	s.T.Helper()
	p := s.newProcess("settle", len(s.Settles))
	p.Env = slices.Concat(p.Env, []string{"FLASHSALE_SETTLE_LISTEN=" + p.Listen}, env)
	s.Settles = append(s.Settles, p)
	return p
}

func (s *Stack) newProcess(command string, number int) *Process {
	p := &Process{Name: fmt.Sprintf("%s %d", command, number), Number: number, Listen: harness.Address(s.T), Armed: s.armed,
		command: command, stack: s}
	p.Env = slices.Concat(s.Env, s.writer(number), s.wired(p.Name))
	if s.clocks != "" {
		p.clock = filepath.Join(s.clocks, fmt.Sprintf("%s-%d", command, number))
		p.SetClock(0)
		p.Env = append(p.Env, clock.Variable+"="+p.clock)
	}
	return p
}

// writer leads every other process to another node of the database, where it is a cluster.
func (s *Stack) writer(number int) []string {
	const setting = "FLASHSALE_MYSQL_DSN="
	for i := len(s.Env) - 1; i >= 0; i-- {
		dsn, is := strings.CutPrefix(s.Env[i], setting)
		if !is {
			continue
		}
		if writer := s.MariaDB.WriterDSN(number, s.Name); dsn == s.MariaDB.DSN(s.Name) && writer != dsn {
			return []string{setting + writer}
		}
		break // the test gives its processes a user or an address of its own
	}
	return nil
}

// wired returns the settings that lead a process to its servers through wires of its own.
func (s *Stack) wired(name string) []string {
	if s.wires == nil {
		return nil
	}
	redis := s.wires.New(name+" to "+ToRedis, s.Redis[0].Addr).Addr()
	mariadb := s.wires.New(name+" to "+ToMariaDB, s.MariaDB.Addr).Addr()
	return []string{
		"FLASHSALE_REDIS_ADDRS=" + redis,
		"FLASHSALE_MYSQL_DSN=" + strings.Replace(s.MariaDB.DSN(s.Name), s.MariaDB.Addr, mariadb, 1),
	}
}

// Start starts the process and does not wait. After a process has ended, Start applies its present fields and begins new
// output files; Restart uses the settings of the last Start.
func (p *Process) Start() {
	p.stack.T.Helper()
	env := p.Env
	if p.Armed != nil {
		env = slices.Concat(env, p.Armed.Env())
	}
	p.Process = harness.Start(p.stack.T, p.stack.Bin, env, p.command)
}

// Ready waits until the process answers that it is ready.
func (p *Process) Ready() { p.WaitReady("http://" + p.Listen + "/readyz") }

// SetClock sets how far the clock of the process is ahead of the machine's; below zero it is behind.
func (p *Process) SetClock(ahead time.Duration) {
	p.stack.T.Helper()
	if err := clock.Set(p.clock, ahead); err != nil {
		p.stack.T.Fatal(err)
	}
}
