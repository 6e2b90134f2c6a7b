package rehearse

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"time"

	"flashsale/role"
)

// Bounds of a process.
const (
	readyWithin = time.Minute
	readyEvery  = 50 * time.Millisecond
	endWithin   = 15 * time.Second // then it is killed
	keptLines   = 20               // of its log, for the error when it fails
	maxLogLine  = 1 << 20
)

// child is a gateway or a settling process of the shadow. It ends when its standard input ends, and so with this process.
type child struct {
	name    string
	command *exec.Cmd
	stdin   io.Closer
	listens chan map[string]string // the addresses in its line "… is ready"; closed at the end of the log
	ended   chan struct{}

	mu   sync.Mutex
	last []string // lines of its log
}

// startChild starts "binary command" with an environment.
func startChild(binary, command string, environ []string) (*child, error) {
	c := &child{
		name: command, command: exec.Command(binary, command, "--until-stdin-ends"), listens: make(chan map[string]string, 1),
		ended: make(chan struct{}),
	}
	c.command.Env = environ
	stdin, err := c.command.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", command, err)
	}
	c.stdin = stdin
	log, err := c.command.StderrPipe()
	if err == nil {
		err = c.command.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", command, errors.Join(err, stdin.Close()))
	}
	go c.follow(log)
	return c, nil
}

// follow reads the log to its end, and waits for the process then.
func (c *child) follow(log io.Reader) {
	defer close(c.ended)
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, maxLogLine)
	for lines.Scan() {
		c.keep(lines.Text())
		if found := readyLine(lines.Bytes()); found != nil {
			select {
			case c.listens <- found:
			default: // it was said before
			}
		}
	}
	_, _ = io.Copy(io.Discard, log) // after a line that is too long, so that the process does not wait for a reader
	_ = c.command.Wait()            // the exit code is in ProcessState
	close(c.listens)
}

func (c *child) keep(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.last) == keptLines {
		c.last = c.last[1:]
	}
	c.last = append(c.last, line)
}

// log returns the last lines of the process's log.
func (c *child) log() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.last, "\n")
}

// readyLine returns the texts of a log line that says that the process is ready, nil for any other line.
func readyLine(line []byte) map[string]string {
	var members map[string]any
	if json.Unmarshal(line, &members) != nil {
		return nil
	}
	message, _ := members["msg"].(string)
	if !strings.HasSuffix(message, " is ready") {
		return nil
	}
	texts := map[string]string{}
	for name, value := range members {
		if text, is := value.(string); is {
			texts[name] = text
		}
	}
	return texts
}

// ready waits until the process has said at which addresses it listens and answers there that it is ready. probe names the
// member with the address of its probes.
func (c *child) ready(ctx context.Context, probe string) (listens map[string]string, err error) {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	select {
	case listens = <-c.listens:
	case <-ctx.Done():
	}
	if listens == nil {
		return nil, fmt.Errorf("%s of the rehearsal did not become ready: %w. Its last lines:\n%s", c.name, c.why(ctx), c.log())
	}
	if err := untilOK(ctx, "http://"+listens[probe]+"/readyz"); err != nil {
		return nil, fmt.Errorf("%s of the rehearsal did not become ready: %w. Its last lines:\n%s", c.name, err, c.log())
	}
	return listens, nil
}

func (c *child) why(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("it ended (%s)", c.command.ProcessState)
}

// untilOK asks a URL until it answers 200. The error has the last answer.
func untilOK(ctx context.Context, address string) (last error) {
	role.Until(ctx, role.Always(readyEvery), func() bool {
		last = ask(ctx, address)
		return last == nil
	})
	return last
}

func ask(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxLogLine))
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %d: %s", address, answer.StatusCode, body)
	}
	return err
}

// end tells the process to end, and kills it when it has not ended within its time. ended without being told is an error of the
// rehearsal, not of the end.
func (c *child) end() error {
	_ = c.stdin.Close() // the process may have ended already
	timer := time.NewTimer(endWithin)
	defer timer.Stop()
	select {
	case <-c.ended:
		return nil
	case <-timer.C:
	}
	err := c.command.Process.Kill()
	<-c.ended
	return errors.Join(fmt.Errorf("%s of the rehearsal did not end within %s and was killed", c.name, endWithin), err)
}

// running reports whether the process has not ended.
func (c *child) running() bool {
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}

// pid returns the id of the process.
func (c *child) pid() int { return c.command.Process.Pid }
