package terminal

import (
	"fmt"
	"time"
)

const day = 24 * time.Hour

// Span writes a length of time by its two largest units, such as 3d 4h, 2h, 4m 10s or 0s, rounded down. It leaves out the sign.
func Span(d time.Duration) string {
	if d < 0 {
		d = -d
	}
	units := []struct {
		name string
		size time.Duration
	}{{"d", day}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}
	for i, large := range units[:len(units)-1] {
		if d < large.size {
			continue
		}
		text, small := fmt.Sprintf("%d%s", d/large.size, large.name), units[i+1]
		if rest := d % large.size / small.size; rest > 0 {
			text += fmt.Sprintf(" %d%s", rest, small.name)
		}
		return text
	}
	return fmt.Sprintf("%ds", d/time.Second)
}
