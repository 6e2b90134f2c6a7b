package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// clockTick is the unit of CPU time in /proc on every Linux that Go runs on (USER_HZ).
const clockTick = 10 * time.Millisecond

// Fields of /proc/PID/stat counted from the one after the command's name.
const (
	statUser   = 11
	statSystem = 12
)

// CPUTime returns the CPU time, user and system, that a process has used since it began.
func CPUTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	used, err := parseStat(stat)
	if err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	return used, nil
}

// parseStat reads the line of /proc/PID/stat. The command's name stands in parentheses and may hold any character.
func parseStat(stat []byte) (time.Duration, error) {
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, fmt.Errorf("no command in %.60q", stat)
	}
	fields := bytes.Fields(stat[end+1:])
	if len(fields) <= statSystem {
		return 0, fmt.Errorf("%d fields after the command", len(fields))
	}
	user, errUser := strconv.ParseInt(string(fields[statUser]), 10, 64)
	system, errSystem := strconv.ParseInt(string(fields[statSystem]), 10, 64)
	if errUser != nil || errSystem != nil {
		return 0, fmt.Errorf("times %q and %q", fields[statUser], fields[statSystem])
	}
	return time.Duration(user+system) * clockTick, nil
}

// Meter measures several processes over the same stretch of time.
type Meter struct {
	pids   []int
	before []time.Duration
	began  time.Time
}

// StartMeter notes the CPU times of the processes and the moment.
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

// Stop returns the CPU time that each process has used since the start, in the order of StartMeter, and how long it was.
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
