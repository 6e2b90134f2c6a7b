package stack

import (
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"flashsale/test/harness"
)

// Stack is one deployment.
type Stack struct {
	T        testing.TB
	Bin      string
	Name     string   // of the namespace; DSN and Open of MariaDB take it for the schema
	Env      []string // of every process that is made from now on, and of every command
	Redis    []*harness.RedisServer
	Kafka    *harness.KafkaServer
	MariaDB  *harness.MariaDBServer
	Gateways []*Process
	Settles  []*Process
	wires    *Wires
	clocks   string // folder of the clocks' files; "" when processes have the machine's clock
	armed    *CrashPoint
}

// New prepares a deployment: its servers run, its database is empty, and it has no processes yet.
func New(t testing.TB, o Options) *Stack {
	t.Helper()
	o = o.complete(t)
	s := &Stack{T: t, Bin: harness.BinaryOf(t, o.Build), Name: o.Name, Env: o.environment(),
		Redis: o.Redis, Kafka: o.Kafka, MariaDB: o.MariaDB, wires: o.Wires, armed: o.Armed}
	if o.Clocks {
		s.clocks = t.TempDir()
	}
	return s
}

// Migrate makes the schema and the topics.
func (s *Stack) Migrate() *Stack {
	s.T.Helper()
	s.Succeed("migrate")
	return s
}

// Run starts further processes and waits until every process of the deployment is ready.
func (s *Stack) Run(gateways, settles int) *Stack {
	s.T.Helper()
	s.Launch(gateways, settles)
	for _, p := range s.Processes() {
		p.Ready()
	}
	return s
}

// Launch starts further processes and does not wait.
func (s *Stack) Launch(gateways, settles int) {
	s.T.Helper()
	for range gateways {
		s.NewGateway().Start()
	}
	for range settles {
		s.NewSettle().Start()
	}
}

// Processes returns the gateways, then the settle processes.
func (s *Stack) Processes() []*Process { return slices.Concat(s.Gateways, s.Settles) }

// Command runs a command of the binary against the deployment. It reaches the operators' API at the first gateway.
func (s *Stack) Command(args ...string) harness.Result {
	s.T.Helper()
	return s.CommandWith("", args...)
}

// CommandWith is Command with text on the standard input.
func (s *Stack) CommandWith(input string, args ...string) harness.Result {
	s.T.Helper()
	return harness.Run(s.T, input, s.Bin, s.commandEnv(), args...)
}

func (s *Stack) commandEnv() []string {
	if len(s.Gateways) == 0 {
		return slices.Clip(s.Env)
	}
	return append(slices.Clip(s.Env), "FLASHSALE_ADMIN_URL=http://"+s.Gateways[0].Operators)
}

// Succeed runs a command that has to exit with 0 and returns its standard output.
func (s *Stack) Succeed(args ...string) string {
	s.T.Helper()
	return s.SucceedWith("", args...)
}

// SucceedWith is Succeed with text on the standard input.
func (s *Stack) SucceedWith(input string, args ...string) string {
	s.T.Helper()
	result := s.CommandWith(input, args...)
	if result.Code != 0 {
		s.T.Fatalf("flashsale %s ended with %d\n%s\n%s", strings.Join(args, " "), result.Code, result.Stdout, result.Stderr)
	}
	return result.Stdout
}

// DB opens the database of the deployment directly: its reads use neither the code under test nor a wire.
func (s *Stack) DB() *sql.DB {
	s.T.Helper()
	return s.MariaDB.Open(s.T, s.Name)
}

// Bounds of one request to the operators' API; the longest is the preload of a large sale.
const (
	operateWithin = time.Minute
	operateBytes  = 1 << 20
)

// Operate sends one request to the operators' API of the first gateway with the operator's token. It returns an error only
// when no answer arrived; a refusal is an answer.
func (s *Stack) Operate(method, path, body string) (status int, text []byte, err error) {
	request, err := http.NewRequest(method, "http://"+s.Gateways[0].Operators+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("make the request %s %s: %w", method, path, err)
	}
	request.Header.Set("Authorization", "Bearer "+AdminToken)
	answer, err := (&http.Client{Timeout: operateWithin}).Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	text, err = io.ReadAll(io.LimitReader(answer.Body, operateBytes))
	if err != nil {
		return 0, nil, fmt.Errorf("read the answer to %s %s: %w", method, path, err)
	}
	return answer.StatusCode, text, nil
}
