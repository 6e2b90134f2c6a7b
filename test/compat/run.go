package compat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// rowWithin bounds one row, suiteWithin one package of it.
const (
	rowWithin   = 2 * time.Hour
	suiteWithin = "45m"
)

// Result is what a row came to.
type Result struct {
	Row
	Tally
	Suites   []string
	Excused  []string // failed as the row says
	Mistaken []string // passed although the row says that they fail
	Broken   error    // the row did not run to its end
	Took     time.Duration
}

// Bad reports whether the row fails the run.
func (r *Result) Bad() bool { return r.Broken != nil || len(r.Tally.Failed)+len(r.Mistaken) > 0 }

// Runner runs rows.
type Runner struct {
	Root string    // of the module
	Logs string    // folder for the output of go test; "": it is not kept
	Out  io.Writer // progress
	// Go runs go with arguments and an environment, and writes its standard output. Tests that fail are no error.
	Go func(ctx context.Context, output io.Writer, env []string, args ...string) error
}

// NewRunner returns a Runner that runs the go command.
func NewRunner(root, logs string, out io.Writer) *Runner {
	return &Runner{Root: root, Logs: logs, Out: out, Go: func(ctx context.Context, output io.Writer, env []string,
		args ...string) error {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir, cmd.Env = root, append(os.Environ(), env...)
		// an interrupt reaches the test processes too, which go does not end; with them Linux ends their servers
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
		cmd.WaitDelay = time.Minute
		var complaints bytes.Buffer
		cmd.Stdout, cmd.Stderr = output, &complaints
		err := cmd.Run()
		if failed := (*exec.ExitError)(nil); errors.As(err, &failed) && failed.ExitCode() == 1 && ctx.Err() == nil {
			return nil // the output says what failed
		}
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, complaints.String())
		}
		return err
	}}
}

// Run runs the suites of a row, all of them also after a failure, unless its servers do not start.
func (r *Runner) Run(ctx context.Context, row Row) *Result {
	result := &Result{Row: row}
	result.Versions, result.Output = map[string]string{}, map[string]string{}
	began := time.Now()
	defer func() { result.Took = time.Since(began) }()
	ctx, cancel := context.WithTimeout(ctx, rowWithin)
	defer cancel()
	variable, err := row.Environment()
	if err != nil {
		result.Broken = err
		return result
	}
	suites, err := row.Suites()
	if err != nil {
		result.Broken = err
		return result
	}
	for i, suite := range suites {
		tally, err := r.suite(ctx, row.Name, variable, suite)
		if err != nil {
			result.Broken = fmt.Errorf("suite %s: %w", suite.Name, err)
			return result
		}
		result.add(suite, tally)
		fmt.Fprintf(r.Out, "%s, %s: %d passed, %d failed\n", row.Name, suite.Name, tally.Passed, len(tally.Failed))
		if i == 0 && len(tally.Failed) > 0 {
			result.Broken = errors.New("its servers do not start")
			return result
		}
	}
	result.excuse()
	return result
}

func (r *Runner) suite(ctx context.Context, row, variable string, suite Suite) (*Tally, error) {
	args := []string{"test", "-json", "-count=1", "-p", "1", "-timeout", suiteWithin}
	if suite.Run != "" {
		args = append(args, "-run", suite.Run)
	}
	var output bytes.Buffer
	var to io.Writer = &output
	if r.Logs != "" {
		log, err := os.Create(filepath.Join(r.Logs, row+"-"+strings.ReplaceAll(suite.Name, " ", "-")+".json"))
		if err != nil {
			return nil, fmt.Errorf("keep the output of go test: %w", err)
		}
		defer log.Close()
		to = io.MultiWriter(&output, log)
	}
	if err := r.Go(ctx, to, []string{variable}, append(args, suite.Packages...)...); err != nil {
		return nil, err
	}
	tally, err := ReadTally(&output)
	if err == nil && tally.Passed+len(tally.Failed) == 0 {
		err = errors.New("no test ran")
	}
	return tally, err
}

// add joins the tally of a suite.
func (r *Result) add(suite Suite, t *Tally) {
	r.Suites = append(r.Suites, suite.Name)
	r.Passed += t.Passed
	r.Tally.Failed = append(r.Tally.Failed, t.Failed...)
	for name, text := range t.Output {
		r.Output[name] = text
	}
	for role, version := range t.Versions {
		r.Versions[role] = version
	}
}

// excuse takes the failures that the row explains from those that fail the run, and finds explanations without a failure.
func (r *Result) excuse() {
	for _, known := range r.Known {
		i := slices.Index(r.Tally.Failed, known.Test)
		if i < 0 {
			if !known.Sometimes {
				r.Mistaken = append(r.Mistaken, known.Test)
			}
			continue
		}
		r.Excused = append(r.Excused, known.Test)
		r.Tally.Failed = slices.Delete(r.Tally.Failed, i, i+1)
	}
}
