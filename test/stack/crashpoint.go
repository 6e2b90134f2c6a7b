package stack

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"flashsale/test/harness"
)

// CrashPoint is where a process kills itself: right after the side effect that the source marks with this name. Only a
// binary that is built with the tag "faults" has crash points.
type CrashPoint struct {
	Name string // such as "settle.committed"
	Time int    // the process dies when it passes the point for the Time-th time; 1 is the first
}

// Env returns the setting that arms a process.
func (c CrashPoint) Env() []string {
	return []string{"FLASHSALE_CRASH_POINT=" + c.Name, "FLASHSALE_CRASH_TIME=" + strconv.Itoa(c.Time)}
}

// In reports whether a process that wrote this to standard error has killed itself at the point.
func (c CrashPoint) In(stderr string) bool {
	return strings.Contains(stderr, fmt.Sprintf("killed at crash point %s, time %d\n", c.Name, c.Time))
}

// Killed reports whether a process that has ended was killed by its crash point.
func (p *Process) Killed() bool {
	return p.Armed != nil && p.ExitCode() < 0 && p.Armed.In(p.Stderr())
}

// CommandArmed is Command, armed with the crash point.
func (s *Stack) CommandArmed(at CrashPoint, args ...string) harness.Result {
	s.T.Helper()
	return harness.Run(s.T, "", s.Bin, slices.Concat(s.commandEnv(), at.Env()), args...)
}
