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

// longest a check may take; one that hangs under its bug has caught it, but late.
const checkTimeout = 2 * time.Minute

// Lab holds the compiled tests of the packages under check.
type Lab struct {
	Root string // of the module
	Dir  string // where the compiled tests lie
}

// Compile compiles the tests of the packages, with the bugs in them.
func (l *Lab) Compile(packages []string) error {
	args := []string{"test", "-c", "-tags", "faults", "-o", l.Dir + "/"}
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

// Verdict is how a check ended.
type Verdict struct {
	Failed bool
	By     string // the first test that failed, or how the process ended
	Output string
	Took   time.Duration
}

var failedTest = regexp.MustCompile(`(?m)^--- FAIL: (\S+)`)

// Run runs a check with a bug, "" for none.
func (l *Lab) Run(c Check, bug string) (Verdict, error) {
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	program := filepath.Join(l.Dir, path.Base(c.Package)+".test")
	command := exec.CommandContext(ctx, program, append([]string{"-test.failfast", "-test.run", c.Run}, c.Flags...)...)
	command.Dir = filepath.Join(l.Root, c.Package)
	command.Env = append(os.Environ(), "FLASHSALE_BUG="+bug)
	began := time.Now()
	output, err := command.CombinedOutput()
	v := Verdict{Failed: err != nil, Output: string(output), Took: time.Since(began)}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return v, fmt.Errorf("run %s: %w", program, err)
	}
	if strings.Contains(v.Output, "no tests to run") {
		return v, fmt.Errorf("%s has no test that matches %q", c.Package, c.Run)
	}
	switch hit := failedTest.FindStringSubmatch(v.Output); {
	case hit != nil:
		v.By = hit[1]
	case ctx.Err() != nil:
		v.By = "did not end"
	case v.Failed:
		v.By = "died"
	}
	return v, nil
}
