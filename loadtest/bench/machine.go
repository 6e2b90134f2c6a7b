package bench

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// Machine describes the machine and the commit of a run.
type Machine struct {
	Processor string `json:"processor"`
	Cores     int    `json:"cores"`
	Kernel    string `json:"kernel"`
	Go        string `json:"go"`
	Commit    string `json:"commit"` // with "+" when the tree has changes
}

// ThisMachine describes the machine and the commit of the tree at root.
func ThisMachine(root string) (Machine, error) {
	info, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return Machine{}, fmt.Errorf("describe the machine: %w", err)
	}
	defer info.Close()
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return Machine{}, fmt.Errorf("describe the machine: %w", err)
	}
	return Machine{
		Processor: processorName(info), Cores: runtime.NumCPU(), Kernel: strings.TrimSpace(string(kernel)),
		Go: runtime.Version(), Commit: commitOf(root),
	}, nil
}

// String returns the line above the table.
func (m Machine) String() string {
	return fmt.Sprintf("%d cores of %s, Linux %s, %s, commit %s", m.Cores, m.Processor, m.Kernel, m.Go, m.Commit)
}

// processorName finds the model in /proc/cpuinfo; without a model it returns the name of the architecture.
func processorName(cpuinfo io.Reader) string {
	lines := bufio.NewScanner(cpuinfo)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// commitOf returns the commit, "unknown" outside a repository.
func commitOf(root string) string {
	git := func(args ...string) (string, error) {
		out, err := exec.Command("git", append([]string{"-C", root}, args...)...).Output()
		return strings.TrimSpace(string(out)), err
	}
	commit, err := git("rev-parse", "--short=12", "HEAD")
	if err != nil {
		return "unknown"
	}
	if changed, err := git("status", "--porcelain", "--untracked-files=no"); err != nil || changed != "" {
		commit += "+"
	}
	return commit
}
