package bench

import (
	"fmt"
	"slices"
	"strings"
)

// Figure is one measure taken several times, with its target.
type Figure struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`             // of Ours and Base
	Ours   []float64 `json:"ours"`             // one value per repetition
	Base   []float64 `json:"base,omitempty"`   // the baseline's values of the same repetitions; empty: Ours itself is the measure
	Target float64   `json:"target,omitempty"` // 0: shown without a target
	Least  bool      `json:"least,omitempty"`  // the measure must be at least Target; otherwise at most
}

// Add appends one repetition with a baseline.
func (f *Figure) Add(ours, base float64) {
	f.Ours, f.Base = append(f.Ours, ours), append(f.Base, base)
}

// Measures returns the figure's value of each repetition: ours divided by the baseline's, or ours alone.
func (f *Figure) Measures() []float64 {
	measures := slices.Clone(f.Ours)
	for i := range f.Base {
		measures[i] /= f.Base[i]
	}
	return measures
}

// Median is the measure that is compared with the target.
func (f *Figure) Median() float64 { return median(f.Measures()) }

// Noise is half of the distance between the lowest and the highest measure.
func (f *Figure) Noise() float64 {
	measures := f.Measures()
	if len(measures) == 0 {
		return 0
	}
	return (slices.Max(measures) - slices.Min(measures)) / 2
}

// Missed reports whether the target is missed by more than the noise, or in every repetition: a single outlier makes
// the noise large, and must not excuse the others.
func (f *Figure) Missed() bool {
	switch {
	case f.Target == 0:
		return false
	case f.Least:
		return f.Median()+f.Noise() < f.Target || slices.Max(f.Measures()) < f.Target
	}
	return f.Median()-f.Noise() > f.Target || slices.Min(f.Measures()) > f.Target
}

// verdict returns the last column of the table.
func (f *Figure) verdict() string {
	met := f.Median() <= f.Target
	if f.Least {
		met = f.Median() >= f.Target
	}
	switch {
	case f.Target == 0:
		return ""
	case f.Missed():
		return "MISSED"
	case met:
		return "met"
	}
	return "met within noise"
}

// wanted returns the target with its direction.
func (f *Figure) wanted() string {
	switch {
	case f.Target == 0:
		return ""
	case f.Least:
		return "≥ " + Short(f.Target)
	}
	return "≤ " + Short(f.Target)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Short returns a number with its significant digits.
func Short(n float64) string {
	switch {
	case n >= 1000:
		return fmt.Sprintf("%.0f", n)
	case n >= 100:
		return fmt.Sprintf("%.1f", n)
	}
	text := fmt.Sprintf("%.2f", n)
	return strings.TrimSuffix(strings.TrimSuffix(text, "0"), ".0")
}
