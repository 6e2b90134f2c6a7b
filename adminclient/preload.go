package adminclient

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// errStreamEnded means that a preload's stream ended before its last event. The preload itself continues.
var errStreamEnded = errors.New("the stream ended before the preload did; repeating the preload is safe")

// readPreload reads the events of a preload up to the last one: the sale, or a problem.
func readPreload(events io.Reader, progress func(done, total int)) ([]byte, error) {
	lines := bufio.NewScanner(events)
	lines.Buffer(make([]byte, 0, 64<<10), maxAnswerBytes)
	name := ""
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case field == "event":
			name = value
		case field == "data" && name == "progress":
			var at struct{ Done, Total int }
			if err := json.Unmarshal([]byte(value), &at); err != nil {
				return nil, fmt.Errorf("read a progress event: %w", err)
			}
			if progress != nil {
				progress(at.Done, at.Total)
			}
		case field == "data" && name == "sale":
			return []byte(value), nil
		case field == "data" && name == "problem":
			return nil, refusalOf(http.StatusServiceUnavailable, []byte(value))
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", errStreamEnded, err)
	}
	return nil, errStreamEnded
}
