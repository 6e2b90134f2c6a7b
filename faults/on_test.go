//go:build faults

package faults

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// A build of the fault tests dies at the point and the time that the environment names.
func TestThisBuildDiesWhereItIsTold(t *testing.T) {
	if os.Getenv("FLASHSALE_CRASH_POINT") == "a.b" {
		for range 2 {
			Point("a.b")
			Point("a.c")
		}
		os.Stderr.WriteString("alive\n")
		Point("a.b")
		os.Exit(7) // not reached
	}
	command := exec.Command(os.Args[0], "-test.run=^TestThisBuildDiesWhereItIsTold$")
	command.Env = append(os.Environ(), "FLASHSALE_CRASH_POINT=a.b", "FLASHSALE_CRASH_TIME=3")
	output, err := command.CombinedOutput()
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("%v\n%s", err, output)
	}
	if said := string(output); !strings.HasSuffix(said, "alive\nkilled at crash point a.b, time 3\n") {
		t.Error(said)
	}
}

func TestArm(t *testing.T) {
	of := func(env map[string]string) *armed { return arm(func(name string) string { return env[name] }) }
	if a := of(nil); a.point != "" || a.time != 1 {
		t.Error("armed without the variable")
	}
	a := of(map[string]string{"FLASHSALE_CRASH_POINT": "a.b", "FLASHSALE_CRASH_TIME": "3"})
	if a.point != "a.b" || a.time != 3 {
		t.Error("not armed as the environment asks")
	}
	if a := of(map[string]string{"FLASHSALE_CRASH_TIME": "never"}); a.time != 1 {
		t.Error("a time that is not a number")
	}
}
