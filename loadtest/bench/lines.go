package bench

import (
	"bufio"
	"strconv"
	"strings"
)

// BenchmarkLines parses the output of go test: for each line of a benchmark its values by unit, including ns/op.
func BenchmarkLines(output string) []map[string]float64 {
	var lines []map[string]float64
	for text := bufio.NewScanner(strings.NewReader(output)); text.Scan(); {
		fields := strings.Fields(text.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		values := map[string]float64{}
		for i := 2; i+1 < len(fields); i += 2 {
			if value, err := strconv.ParseFloat(fields[i], 64); err == nil {
				values[fields[i+1]] = value
			}
		}
		lines = append(lines, values)
	}
	return lines
}
