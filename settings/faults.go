package settings

import (
	"fmt"
	"strings"
)

// Faults is the error of this package: everything that is wrong, one line each. It never contains a secret's value.
type Faults struct {
	Lines []string
}

// Error returns a heading and the lines.
func (f *Faults) Error() string {
	if len(f.Lines) == 1 {
		return "wrong settings: " + f.Lines[0]
	}
	return fmt.Sprintf("wrong settings, %d faults:\n  %s", len(f.Lines), strings.Join(f.Lines, "\n  "))
}

func (f *Faults) addf(format string, args ...any) {
	f.Lines = append(f.Lines, fmt.Sprintf(format, args...))
}

// orNil returns the faults as an error, nil when there are none.
func (f *Faults) orNil() error {
	if len(f.Lines) == 0 {
		return nil
	}
	return f
}
