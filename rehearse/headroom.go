package rehearse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"flashsale/report"
	"flashsale/role"
	"flashsale/sale"
	"flashsale/scripts"
)

// meters read what the rush uses.
type meters struct {
	redis interface {
		Memory(ctx context.Context) ([]scripts.Memory, error)
		Readings(ctx context.Context, buckets []sale.Bucket) ([]sale.Reading, error)
	}
	buckets []sale.Bucket
	watched []watchedProcess
	start   time.Time

	mu       sync.Mutex
	samples  []sample
	journal  []report.Point
	memory   map[string]*RedisLoad
	order    []string // of the servers
	failed   error    // the last reading of Redis that failed
	finished chan struct{}
}

// watchedProcess is a process whose CPU time is read.
type watchedProcess struct {
	name string
	pid  int
}

// sample is the CPU time up to a moment, in ticks.
type sample struct {
	at        time.Duration
	busy, all int64   // of the machine
	processes []int64 // in the order of the watched processes
}

const (
	meterEvery     = 250 * time.Millisecond
	ticksPerSecond = 100 // of /proc, on every platform of Linux
)

// run reads until ctx ends.
func (m *meters) run(ctx context.Context) {
	defer close(m.finished)
	role.Until(ctx, role.Always(meterEvery), func() bool {
		m.read(ctx)
		return false
	})
}

func (m *meters) read(ctx context.Context) {
	one := sample{at: time.Since(m.start)}
	one.busy, one.all = machineTicks()
	for _, process := range m.watched {
		one.processes = append(one.processes, processTicks(process.pid))
	}
	memory, err := m.redis.Memory(ctx)
	readings, err2 := m.redis.Readings(ctx, m.buckets)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.samples = append(m.samples, one)
	if failed := errors.Join(err, err2); failed != nil && ctx.Err() == nil {
		m.failed = failed
		return
	}
	var fullest int64
	for i := range readings {
		fullest = max(fullest, readings[i].JournalOrders)
	}
	m.journal = append(m.journal, report.Point{X: one.at.Seconds(), Y: float64(fullest)})
	for _, server := range memory {
		m.remember(server)
	}
}

func (m *meters) remember(server scripts.Memory) {
	load := m.memory[server.Addr]
	if load == nil {
		load = &RedisLoad{Addr: server.Addr, Before: server.Used}
		m.memory[server.Addr] = load
		m.order = append(m.order, server.Addr)
	}
	load.Peak, load.Max = max(load.Peak, server.Used), server.Max
}

// headroom sums up the readings until the end of the rush.
func (m *meters) headroom(rush time.Duration) Headroom {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := Headroom{Cores: runtime.NumCPU()}
	for _, addr := range m.order {
		h.Redis = append(h.Redis, *m.memory[addr])
	}
	for _, point := range m.journal {
		h.Journal = max(h.Journal, int64(point.Y))
	}
	during := m.samples
	for len(during) > 2 && during[len(during)-1].at > rush+meterEvery {
		during = during[:len(during)-1]
	}
	if len(during) < 2 {
		return h
	}
	first, last := during[0], during[len(during)-1]
	if last.all > first.all {
		h.Machine = float64(last.busy-first.busy) / float64(last.all-first.all)
	}
	for i, process := range m.watched {
		load := ProcessLoad{Name: process.name, Mean: cores(first, last, i)}
		for at := 1; at < len(during); at++ {
			load.Peak = max(load.Peak, cores(during[at-1], during[at], i))
		}
		h.Processes = append(h.Processes, load)
	}
	if len(h.Processes) > 0 {
		h.Crowd = h.Processes[0].Mean
	}
	return h
}

// cores returns how many cores a process used between two samples.
func cores(from, to sample, process int) float64 {
	if to.at <= from.at {
		return 0
	}
	return float64(to.processes[process]-from.processes[process]) / ticksPerSecond / (to.at - from.at).Seconds()
}

// charts show the cores of each process and the fullest journal over time.
func (m *meters) charts() []report.Chart {
	m.mu.Lock()
	defer m.mu.Unlock()
	axis := report.Axis{Label: "seconds since the first press"}
	load := report.Chart{
		Title: "Cores used", Caption: "By the crowd with its payer, and by the rehearsal's processes on this machine.",
		X: axis, Y: report.Axis{Label: "cores"},
	}
	for i, process := range m.watched[:min(len(m.watched), report.MaxSeries)] {
		series := report.Series{Name: process.name}
		for at := 1; at < len(m.samples); at++ {
			series.Points = append(series.Points,
				report.Point{X: m.samples[at].at.Seconds(), Y: cores(m.samples[at-1], m.samples[at], i)})
		}
		load.Series = append(load.Series, series)
	}
	return []report.Chart{load, {
		Title: "Fullest journal", Caption: "Orders in Redis that Kafka has not acknowledged, of the bucket with the most.",
		X: axis, Y: report.Axis{Label: "orders"}, Series: []report.Series{{Name: "orders", Points: m.journal}},
	}}
}

// machineTicks returns the busy and all ticks of this machine's cores, zeros where there is no /proc/stat.
func machineTicks() (busy, all int64) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	return ticksIn(string(text))
}

// ticksIn reads the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal.
func ticksIn(text string) (busy, all int64) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	for i := 1; i < min(len(fields), 9); i++ {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, 0
		}
		all += n
		if i != 4 && i != 5 { // idle and iowait
			busy += n
		}
	}
	return busy, all
}

// processTicks returns the CPU time of a process, 0 when it cannot be read.
func processTicks(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	return ticksOf(string(text))
}

// ticksOf reads user and system time of /proc/PID/stat. The name before them is in parentheses and may have spaces.
func ticksOf(text string) (ticks int64) {
	fields := strings.Fields(text[strings.LastIndex(text, ")")+1:])
	if len(fields) < 13 {
		return 0
	}
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return ticks
}
