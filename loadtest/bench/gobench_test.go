package bench

import (
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

// goBench runs a benchmark of another package, which can use unexported code of that package, and returns its lines.
func goBench(b *testing.B, folder, name string) []map[string]float64 {
	b.Helper()
	command := exec.Command("go", "test", "-count", strconv.Itoa(repetitions), "-run", "^$", "-bench", name, folder)
	command.Dir = harness.Root(b)
	output, err := command.CombinedOutput()
	require.NoError(b, err, "%s", output)
	lines := BenchmarkLines(string(output))
	require.Len(b, lines, repetitions, "%s", output)
	return lines
}

// settlingSQLite measures settling transactions next to a raw multi-row INSERT of the same rows in the same file.
func settlingSQLite(b *testing.B) []*Figure {
	rate := &Figure{Name: "settle on SQLite: rows a second", Unit: "rows/s ÷ raw INSERT", Target: 0.7, Least: true}
	for _, line := range goBench(b, "./store", "^BenchmarkSettle$/^sqlite$/^limit=1$") {
		rate.Add(line["settled/s"], line["inserted/s"])
	}
	return []*Figure{rate}
}

// floor measures the reserve script next to a script with only the necessary writes, at batches of 256.
func floor(b *testing.B) []*Figure {
	cost := &Figure{Name: "reserve script, batch 256", Unit: "Redis CPU µs an order ÷ floor script", Target: 1.3}
	for _, line := range goBench(b, "./reserve", "^BenchmarkFloorScript$") {
		cost.Add(line["ours-us/order"], line["floor-us/order"])
	}
	return []*Figure{cost}
}
