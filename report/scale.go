package report

import (
	"math"
	"strconv"
	"strings"
)

// span is a range of values.
type span struct{ low, high float64 }

func emptySpan() span { return span{math.Inf(1), math.Inf(-1)} }

func (s span) empty() bool { return s.low > s.high }

func (s span) with(v float64) span { return span{min(s.low, v), max(s.high, v)} }

// scale places values of a span between two coordinates of the picture.
type scale struct {
	span
	log      bool
	from, to float64
}

// newScale widens the span to whole steps, or whole powers of ten, so that every value lies between two grid lines.
func newScale(s span, log, round bool, from, to float64) scale {
	switch {
	case log:
		s = span{math.Pow(10, math.Floor(math.Log10(s.low))), math.Pow(10, math.Ceil(math.Log10(s.high)))}
		if s.low == s.high {
			s.high *= 10
		}
	case s.low == s.high:
		s.high++
	}
	if round && !log {
		step := niceStep(s.high-s.low, wantedTicks)
		s = span{math.Floor(s.low/step) * step, math.Ceil(s.high/step) * step}
	}
	return scale{s, log, from, to}
}

// at returns the coordinate of a value.
func (s scale) at(v float64) float64 {
	part := (v - s.low) / (s.high - s.low)
	if s.log {
		part = (math.Log10(v) - math.Log10(s.low)) / (math.Log10(s.high) - math.Log10(s.low))
	}
	return s.from + part*(s.to-s.from)
}

// wantedTicks is about how many grid lines an axis has.
const wantedTicks = 5

// ticks returns the values with a grid line, ascending.
func (s scale) ticks() []float64 {
	var all []float64
	if s.log {
		for v := s.low; v <= s.high*1.0001; v *= 10 {
			all = append(all, v)
		}
		return all
	}
	step := niceStep(s.high-s.low, wantedTicks)
	for n := math.Ceil(s.low/step - 1e-9); n*step <= s.high+step*1e-9; n++ {
		all = append(all, n*step)
	}
	return all
}

// niceStep returns 1, 2 or 5 times a power of ten that divides a length into about n steps.
func niceStep(length float64, n int) float64 {
	raw := length / float64(n)
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, factor := range []float64{1, 2, 5} {
		if raw <= factor*power*1.0001 {
			return factor * power
		}
	}
	return 10 * power
}

// Number writes a value for people: separated thousands from 1,000 on, three significant digits below,
// and a dash where there is none.
func Number(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case v == 0:
		return "0" // and not -0
	case math.Abs(roundTo(v, 3)) < 1000:
		return strconv.FormatFloat(roundTo(v, 3), 'f', -1, 64)
	}
	return Count(int64(math.Round(v)))
}

// roundTo rounds to significant digits.
func roundTo(v float64, digits int) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return v
	}
	unit := math.Pow(10, float64(digits-1)-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*unit) / unit
}

// Count writes a whole number with separated thousands.
func Count(n int64) string {
	text := strconv.FormatInt(n, 10)
	digits := strings.TrimPrefix(text, "-")
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	if n < 0 {
		return "-" + digits
	}
	return digits
}
