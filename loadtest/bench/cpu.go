package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPUTime returns the CPU time, user and system, that all threads of a process have used since it began, ended threads
// included. It reads the process's own clock, which Linux counts in nanoseconds; /proc/PID/stat has steps of 10 ms,
// which are a twentieth of what Redis uses in one repetition.
func CPUTime(pid int) (time.Duration, error) {
	const scheduled = 2 // the clock of a process's time on a core (CPUCLOCK_SCHED)
	var used unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &used); err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	return time.Duration(used.Nano()), nil
}

// Meter measures several processes during the same time.
type Meter struct {
	pids   []int
	before []time.Duration
	began  time.Time
}

// StartMeter records the CPU times of the processes and the moment.
func StartMeter(pids ...int) (*Meter, error) {
	m := &Meter{pids: pids, before: make([]time.Duration, len(pids))}
	for i, pid := range pids {
		used, err := CPUTime(pid)
		if err != nil {
			return nil, err
		}
		m.before[i] = used
	}
	m.began = time.Now()
	return m, nil
}

// Stop returns the CPU time that each process has used since the start, in the order of StartMeter, and the duration.
func (m *Meter) Stop() (used []time.Duration, took time.Duration, err error) {
	took = time.Since(m.began)
	used = make([]time.Duration, len(m.pids))
	for i, pid := range m.pids {
		after, err := CPUTime(pid)
		if err != nil {
			return nil, 0, err
		}
		used[i] = after - m.before[i]
	}
	return used, took, nil
}

// ThreadCPUTime returns the CPU time so far of those threads of a process whose names begin with one of the prefixes.
func ThreadCPUTime(pid int, prefixes ...string) (time.Duration, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil {
		return 0, err
	}
	var total time.Duration
	for _, thread := range threads {
		name, err := os.ReadFile(filepath.Join(thread, "comm"))
		if err != nil || !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(string(name), p) }) {
			continue // the thread has ended meanwhile
		}
		schedstat, err := os.ReadFile(filepath.Join(thread, "schedstat"))
		if err != nil {
			continue
		}
		var ran int64
		if _, err := fmt.Sscan(string(schedstat), &ran); err != nil {
			return 0, fmt.Errorf("%s/schedstat: %w", thread, err)
		}
		total += time.Duration(ran)
	}
	return total, nil
}
