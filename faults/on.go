//go:build faults

package faults

import (
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
)

// armed is the crash point that the environment names.
type armed struct {
	point  string
	time   int64
	passed atomic.Int64
}

var chosen = arm(os.Getenv)

func arm(env func(string) string) *armed {
	a := &armed{point: env("FLASHSALE_CRASH_POINT"), time: 1}
	if n, err := strconv.ParseInt(env("FLASHSALE_CRASH_TIME"), 10, 64); err == nil && n > 0 {
		a.time = n
	}
	return a
}

// Point kills the process when this is the chosen point and the chosen time. Its last line on standard error says so: without
// that line the process has died for another reason.
func Point(name string) {
	if name != chosen.point || chosen.passed.Add(1) != chosen.time {
		return
	}
	fmt.Fprintf(os.Stderr, "killed at crash point %s, time %d\n", name, chosen.time)
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		panic("crash point " + name + ": " + err.Error())
	}
	select {} // the signal is on its way: nothing more may happen here
}
