package sale

import (
	"fmt"
	"time"
)

// TimeLayout is RFC 3339 in UTC with milliseconds, the only form in which the engine writes a time.
const TimeLayout = "2006-01-02T15:04:05.000Z"

// Time is a time that JSON carries as RFC 3339 in UTC with milliseconds.
type Time struct{ time.Time }

// TimeMillis returns the Time of Unix milliseconds.
func TimeMillis(ms int64) Time { return Time{time.UnixMilli(ms).UTC()} }

// String returns the time in TimeLayout.
func (t Time) String() string { return t.UTC().Format(TimeLayout) }

// MarshalJSON writes TimeLayout.
func (t Time) MarshalJSON() ([]byte, error) {
	return t.UTC().AppendFormat(nil, `"`+TimeLayout+`"`), nil
}

// MarshalText writes TimeLayout, for YAML and flags.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads any RFC 3339 time and keeps whole milliseconds.
func (t *Time) UnmarshalText(text []byte) error {
	parsed, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return fmt.Errorf("time must be RFC 3339 such as 2026-11-11T10:00:00Z, got %q", text)
	}
	t.Time = parsed.UTC().Truncate(time.Millisecond)
	return nil
}

// UnmarshalJSON reads a JSON string with UnmarshalText.
func (t *Time) UnmarshalJSON(data []byte) error {
	if len(data) < 2 || data[0] != '"' || data[len(data)-1] != '"' {
		return fmt.Errorf("time must be a string, got %.40s", data)
	}
	return t.UnmarshalText(data[1 : len(data)-1])
}
