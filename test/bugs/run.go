package bugs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// checkTimeout bounds one check. No check hangs under its bug: each wait has a deadline of its own.
const checkTimeout = 2 * time.Minute

// Lab holds the compiled tests of the packages under check.
type Lab struct {
	Root string // of the module
	Dir  string // folder of the compiled tests
	Bugs []Bug  // that they have
}

// Compile compiles the tests of the packages, with the bugs in them.
func (l *Lab) Compile(packages []string) error {
	overlay, err := OverlayFile(l.Root, filepath.Join(l.Dir, "overlay"), l.Bugs)
	if err != nil {
		return err
	}
	// Without tables for debuggers the programs are linked in half the time.
	args := []string{"test", "-c", "-tags", "faults", "-overlay", overlay, "-ldflags", "-s -w", "-o", l.Dir + "/"}
	for _, p := range packages {
		args = append(args, "./"+p)
	}
	command := exec.Command("go", args...)
	command.Dir = l.Root
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("compile the tests of %s: %w\n%s", strings.Join(packages, ", "), err, output)
	}
	return nil
}

// Verdict is how a check ended: all its tests passed, or an assertion failed.
type Verdict struct {
	Failed bool
	By     string // the first test that failed
	Says   string // the place and the text of its first failed assertion
	Took   time.Duration
}

// Run runs a check with a bug, "" for none. A check that ends in any other way than a Verdict covers is an error: a panic,
// a server that does not answer or a missing test proves nothing about a bug.
func (l *Lab) Run(c Check, bug string) (Verdict, error) {
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	program := filepath.Join(l.Dir, path.Base(c.Package)+".test")
	command := exec.CommandContext(ctx, program, append([]string{"-test.failfast", "-test.run", c.Run}, c.Flags...)...)
	command.Dir = filepath.Join(l.Root, c.Package)
	command.Env = append(os.Environ(), "FLASHSALE_BUG="+bug)
	began := time.Now()
	output, err := command.CombinedOutput()
	took := time.Since(began)
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return Verdict{}, fmt.Errorf("%s %s did not end within %s", c.Package, c.Run, checkTimeout)
	case err != nil && !errors.As(err, &exit):
		return Verdict{}, fmt.Errorf("run %s: %w", program, err)
	}
	v, err := read(string(output), err != nil)
	if err != nil {
		return v, fmt.Errorf("%s %s: %w\n%.4000s", c.Package, c.Run, err, output)
	}
	v.Took = took
	return v, nil
}

var (
	failedTest = regexp.MustCompile(`(?m)^--- FAIL: (\S+)`)
	broken     = regexp.MustCompile(`(?m)^(panic|fatal error): .*|^testing: warning: no tests to run$`)
	assertion  = regexp.MustCompile(`(?s)(\w+_test\.go:\d+): \n\s+Error Trace:.*?Error:\s+(.*?)\n\s+Test:`)
	simulation = regexp.MustCompile(`(?m)(\w+_test\.go:\d+): (seed \d+: .*)$`)
	spaces     = regexp.MustCompile(`\s+`)
)

// read reads what a compiled test has printed.
func read(output string, failed bool) (Verdict, error) {
	if hit := broken.FindString(output); hit != "" {
		return Verdict{}, errors.New(hit)
	}
	if !failed {
		return Verdict{}, nil
	}
	test, found := failedTest.FindStringSubmatch(output), assertion.FindStringSubmatch(output)
	if found == nil {
		found = simulation.FindStringSubmatch(output)
	}
	if test == nil || found == nil {
		return Verdict{}, errors.New("no test prints a failed assertion")
	}
	if strings.Contains(found[2], "Received unexpected error") {
		return Verdict{}, fmt.Errorf("%s met an error: %s", found[1], found[2])
	}
	text, _, _ := strings.Cut(found[2], "Diff:")
	return Verdict{Failed: true, By: test[1], Says: found[1] + ": " + spaces.ReplaceAllString(text, " ")}, nil
}
