package store

import (
	"database/sql/driver"
	"fmt"

	"flashsale/sale"
)

// datetimeLayout is the text form of DATETIME(3) in every dialect. Text avoids the conversions of the drivers, which depend on
// DSN and session time zone.
const datetimeLayout = "2006-01-02 15:04:05.000"

// dateEnds is the index of the space in the layout.
const dateEnds = len("2006-01-02")

// moment is a DATETIME(3) column.
type moment struct{ sale.Time }

// Value writes the moment in UTC.
func (m moment) Value() (driver.Value, error) { return m.UTC().Format(datetimeLayout), nil }

// Scan reads the moment; NULL is an error.
func (m *moment) Scan(source any) error {
	var text [len(datetimeLayout) + 1]byte
	var n int
	switch v := source.(type) {
	case []byte:
		n = copy(text[:], v)
	case string:
		n = copy(text[:], v)
	default:
		return fmt.Errorf("read a time from %T", source)
	}
	if n != len(datetimeLayout) || text[dateEnds] != ' ' {
		return fmt.Errorf("read a time: %q is not of the form %s", text[:n], datetimeLayout)
	}
	text[dateEnds], text[n] = 'T', 'Z' // package time reads this form several times as fast
	if err := m.Time.Time.UnmarshalText(text[:]); err != nil {
		return fmt.Errorf("read a time: %w", err)
	}
	return nil
}

// nullMoment is a DATETIME(3) column that may be NULL.
type nullMoment struct{ time *sale.Time }

// Value writes NULL or the moment.
func (m nullMoment) Value() (driver.Value, error) {
	if m.time == nil {
		return nil, nil
	}
	return moment{*m.time}.Value()
}

// Scan reads NULL or the moment.
func (m *nullMoment) Scan(source any) error {
	if source == nil {
		m.time = nil
		return nil
	}
	var present moment
	if err := present.Scan(source); err != nil {
		return err
	}
	m.time = &present.Time
	return nil
}
