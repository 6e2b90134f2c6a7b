package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Bounds for a process to be ready and to end; far above what a loaded two-core machine was seen to need.
const (
	readyWithin = 3 * time.Minute
	endWithin   = 30 * time.Second
	pollEvery   = 5 * time.Millisecond
)

// Process is one child process whose output goes to files in its folder.
type Process struct {
	Dir  string // working directory; stdout and stderr are files in it
	path string
	args []string
	env  []string
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed once the process has ended and was waited for
	tb   testing.TB
}

// Start runs bin with the arguments and the extra environment env ("NAME=value"); FLASHSALE_ variables of the caller are
// not handed down, so a test sees only what it sets. The process is killed when the test ends.
func Start(t testing.TB, bin string, env []string, args ...string) *Process {
	t.Helper()
	name := filepath.Base(bin)
	if len(args) > 0 {
		name += "-" + strings.Trim(filepath.Base(args[0]), "-.")
	}
	p := &Process{Dir: folder(t, name), path: bin, args: args, env: env, name: name, tb: t}
	t.Cleanup(func() { p.end(syscall.SIGKILL) })
	p.Restart()
	return p
}

// Restart runs the process again with the same arguments and environment, after Kill or Term. Its output is appended.
func (p *Process) Restart() {
	p.tb.Helper()
	if err := p.start(); err != nil {
		p.tb.Fatalf("start %s: %v", p.name, err)
	}
}

func (p *Process) start() error {
	stdout, err := p.output("stdout")
	if err != nil {
		return err
	}
	defer stdout.Close()
	stderr, err := p.output("stderr")
	if err != nil {
		return err
	}
	defer stderr.Close()
	cmd := exec.Command(p.path, p.args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = p.Dir, append(cleanEnvironment(), p.env...), stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	endWithParent(cmd.SysProcAttr)
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	p.cmd, p.done = cmd, done
	go func() {
		defer close(done)
		_ = cmd.Wait() // the exit code is read from ProcessState
	}()
	return nil
}

func (p *Process) output(name string) (*os.File, error) {
	return os.OpenFile(filepath.Join(p.Dir, name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Kill ends the process as kill -9 does and waits until it is gone.
func (p *Process) Kill() { p.end(syscall.SIGKILL) }

// Term sends SIGTERM and returns the exit code; a process that does not end within 30 s fails the test.
func (p *Process) Term() int {
	p.tb.Helper()
	p.end(syscall.SIGTERM)
	return p.ExitCode()
}

// Pause stops the process (SIGSTOP) and waits until every thread of it stands: connections stay open and get no answer.
func (p *Process) Pause() {
	p.tb.Helper()
	p.signal(syscall.SIGSTOP)
	if err := p.until(p.stands); err != nil {
		p.tb.Error(err)
	}
}

// stands returns nil when no thread of the process runs. A system without /proc does not tell.
func (p *Process) stands() error {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.PID()))
	if err != nil {
		return err
	}
	for _, name := range threads {
		text, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // the thread has ended
		}
		if err != nil {
			return err
		}
		if state := text[bytes.LastIndexByte(text, ')')+1:]; !bytes.HasPrefix(state, []byte(" T")) {
			return fmt.Errorf("%s runs", name)
		}
	}
	return nil
}

// Hangup sends SIGHUP, as the loss of its terminal does.
func (p *Process) Hangup() { p.signal(syscall.SIGHUP) }

// Continue ends a Pause.
func (p *Process) Continue() { p.signal(syscall.SIGCONT) }

// ExitCode waits for the end and returns the exit code, -1 for a process ended by a signal.
func (p *Process) ExitCode() int {
	<-p.done
	return p.cmd.ProcessState.ExitCode()
}

// Running reports whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

func (p *Process) signal(s syscall.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil && p.Running() {
		p.tb.Errorf("send %v to %s: %v", s, p.name, err)
	}
}

func (p *Process) end(s syscall.Signal) {
	if p.cmd == nil || !p.Running() {
		return
	}
	p.signal(s)
	select {
	case <-p.done:
	case <-time.After(endWithin):
		p.tb.Errorf("%s (pid %d) did not end within %s of %v", p.name, p.PID(), endWithin, s)
		_ = p.cmd.Process.Kill() // nothing more can be done than to ask the kernel
		<-p.done
	}
}

// Stdout returns what the process has written to standard output so far.
func (p *Process) Stdout() string { return p.read("stdout") }

// Stderr returns what the process has written to standard error so far; the flashsale binary logs there.
func (p *Process) Stderr() string { return p.read("stderr") }

func (p *Process) read(name string) string {
	text, err := os.ReadFile(filepath.Join(p.Dir, name))
	if err != nil {
		p.tb.Errorf("read %s of %s: %v", name, p.name, err)
	}
	return string(text)
}

// WaitReady asks url until it answers 200. It fails the test when the process ends before that or three minutes pass.
func (p *Process) WaitReady(url string) {
	p.tb.Helper()
	client := &http.Client{Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	err := p.until(func() error {
		answer, err := client.Get(url)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("GET %s: %s", url, answer.Status)
		}
		return nil
	})
	if err != nil {
		p.tb.Fatalf("%v\n%s", err, Tail(p.Stderr()))
	}
}

// until calls ready until it returns nil, the process ends, or the time is over.
func (p *Process) until(ready func() error) error {
	if err := p.poll(ready); err != nil {
		return fmt.Errorf("%s is not ready: %w", p.name, err)
	}
	return nil
}

func (p *Process) poll(ready func() error) error {
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("ended with code %d", p.cmd.ProcessState.ExitCode())
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// Result is what a finished command left behind.
type Result struct {
	Code           int
	Stdout, Stderr string
}

// Run runs a command to its end, at most five minutes, with stdin from input.
func Run(t testing.TB, input, bin string, env []string, args ...string) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, args...)
	var stdout, stderr bytes.Buffer
	cmd.Env, cmd.Stdin = append(cleanEnvironment(), env...), strings.NewReader(input)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatalf("run %s: %v", bin, err)
	}
	return Result{Code: cmd.ProcessState.ExitCode(), Stdout: stdout.String(), Stderr: stderr.String()}
}

func cleanEnvironment() []string {
	var clean []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "FLASHSALE_") {
			clean = append(clean, entry)
		}
	}
	return clean
}

// Tail returns the last 4,000 bytes of a log, enough to see why a process died.
func Tail(log string) string {
	const most = 4000
	if len(log) > most {
		log = "…" + log[len(log)-most:]
	}
	return log
}
