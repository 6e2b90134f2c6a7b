package sale

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
)

// Number is a measured value that may be unknown. JSON has it rounded to thousandths, and null where it is unknown.
type Number float64

// Unknown returns the Number that stands for no value.
func Unknown() Number { return Number(math.NaN()) }

// Known reports whether the number has a value.
func (n Number) Known() bool { return !math.IsNaN(float64(n)) && !math.IsInf(float64(n), 0) }

// MarshalJSON writes the value, or null.
func (n Number) MarshalJSON() ([]byte, error) {
	if !n.Known() {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, math.Round(float64(n)*1000)/1000, 'f', -1, 64), nil
}

// UnmarshalJSON reads a number, or null as unknown.
func (n *Number) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("null")) {
		*n = Unknown()
		return nil
	}
	value, err := strconv.ParseFloat(string(data), 64)
	if err != nil {
		return fmt.Errorf("number must be a JSON number or null, got %.40s", data)
	}
	*n = Number(value)
	return nil
}
